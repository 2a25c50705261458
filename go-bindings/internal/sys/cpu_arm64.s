#include "textflag.h"

// func Pause(times uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVWU times+0(FP), R0
again:
	CBZ   R0, done
	YIELD
	SUB   $1, R0
	B     again
done:
	RET

// func Fence()
TEXT ·Fence(SB), NOSPLIT, $0-0
	DMB $0xb
	RET

// func Prefetch(address *uint64)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVD address+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func PrefetchWrite(address *uint64)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-8
	MOVD address+0(FP), R0
	PRFM (R0), PSTL1KEEP
	RET

// func Goroutine() uintptr
TEXT ·Goroutine(SB), NOSPLIT, $0-8
	MOVD g, R0
	MOVD R0, ret+0(FP)
	RET
