//go:build race

package memory

import "sync/atomic"

// The race detector does not see memory outside of Go's heap, and so takes goroutines that are ordered by
// a ring for unordered: an engine and a host in one process, in a test. So beside each line stands a Go
// atomic which the hand-over touches too. Lines may share one: that can only hide a race, never invent one.
var beside [1 << 12]atomic.Uint64

type shadow struct{ identity uint64 }

func shadowOf(identity uint64) shadow { return shadow{identity: identity} }

func (s shadow) slot(position uint64) *atomic.Uint64 {
	return &beside[(s.identity*0x9e3779b97f4a7c15>>40+position/64)%uint64(len(beside))]
}

func (s shadow) acquire(position uint64) { s.slot(position).Load() }

func (s shadow) release(position uint64) { s.slot(position).Add(1) }

// Plain: see race_off_unsafe.go. The detector must be told of each word that a consumer may look at.
const Plain = false

// storeWord is atomic for the detector: a consumer may look at the word.
func storeWord(word *uint64, value uint64) { atomic.StoreUint64(word, value) }

// CopyLineful is CopyIn of a Lineful of bytes.
func CopyLineful(destination, source []byte) { CopyIn(destination, source[:Lineful]) }

// CopyIn copies source to destination.
func CopyIn(destination, source []byte) {
	if copy(destination, source) != len(source) {
		panic("memory: the destination is too short")
	}
}
