//go:build !amd64

package sys

// AcquireFence keeps what was loaded before it before what is loaded behind it: label `overrun`. An atomic
// load keeps only what comes behind it in its place.
func AcquireFence() { Fence() }
