//go:build !race

package memory

import "unsafe"

// shadow is nothing unless the race detector runs: see race_on.go.
type shadow struct{}

func shadowOf(uint64) shadow { return shadow{} }

func (shadow) acquire(uint64) {}

func (shadow) release(uint64) {}

// Plain says whether a word may be written with a store of the language's own.
const Plain = true

// storeWord is a plain store: on both processors a word of 8 bytes is stored in one piece.
func storeWord(word *uint64, value uint64) { *word = value }

// CopyLineful is CopyIn of a Lineful of bytes, in the caller's own code.
func CopyLineful(destination, source []byte) {
	to := (*lineful)(unsafe.Pointer((*[Lineful]byte)(destination)))
	from := (*lineful)(unsafe.Pointer((*[Lineful]byte)(source)))
	to[0], to[1], to[2] = from[0], from[1], from[2]
	to[3], to[4], to[5] = from[3], from[4], from[5]
}

// CopyIn copies source to destination, which may be shared memory, with stores of 8 bytes where that is
// short: a payload that was just built with narrow stores and is copied with wide loads waits until the
// store buffer has drained.
func CopyIn(destination, source []byte) {
	bytes := len(source)
	if len(destination) < bytes {
		panic("memory: the destination is too short")
	}
	if bytes > 256 {
		copy(destination, source)
		return
	}
	to, from := unsafe.Pointer(unsafe.SliceData(destination)), unsafe.Pointer(unsafe.SliceData(source))
	at := 0
	for ; at+8 <= bytes; at += 8 {
		*(*uint64)(unsafe.Add(to, at)) = *(*uint64)(unsafe.Add(from, at))
	}
	for ; at < bytes; at++ {
		*(*byte)(unsafe.Add(to, at)) = *(*byte)(unsafe.Add(from, at))
	}
}
