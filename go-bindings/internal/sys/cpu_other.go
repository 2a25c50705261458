//go:build !amd64 && !arm64

package sys

import "sync/atomic"

var fenced atomic.Uint32

// Pause tells the processor that this is a spin loop; here it does nothing.
func Pause(uint32) {}

// Fence is a full barrier.
func Fence() { fenced.Add(1) }

// Prefetch asks for a line; here it does nothing.
func Prefetch(*uint64) {}

// PrefetchWrite asks for a line that will be written; here it does nothing.
func PrefetchWrite(*uint64) {}

// Goroutine names the running goroutine; here it can't, and answers 0 for all of them.
func Goroutine() uintptr { return 0 }
