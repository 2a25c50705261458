#include "textflag.h"

// func Pause(times uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVL times+0(FP), AX
again:
	SUBL $1, AX
	JCS  done
	PAUSE
	JMP  again
done:
	RET

// func Fence()
TEXT ·Fence(SB), NOSPLIT, $0-0
	MFENCE
	RET

// func Prefetch(address *uint64)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVQ address+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func PrefetchWrite(address *uint64)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-8
	MOVQ address+0(FP), AX
	BYTE $0x0f; BYTE $0x0d; BYTE $0x08 // PREFETCHW (AX)
	RET

// func Goroutine() uintptr
TEXT ·Goroutine(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET
