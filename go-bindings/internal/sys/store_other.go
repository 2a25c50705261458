//go:build !amd64 || race

package sys

import "sync/atomic"

// StoreRelease stores value so that whoever loads it with an acquire (atomic.LoadUint64) also sees all that
// was stored before. Where stores don't release by themselves, and for the race detector, it is the
// standard library's.
func StoreRelease(word *uint64, value uint64) { atomic.StoreUint64(word, value) }

// StoreReleaseHere is StoreRelease: only amd64 has something cheaper where it is not called.
func StoreReleaseHere(word *uint64, value uint64) { atomic.StoreUint64(word, value) }
