package sys

// AcquireFence keeps what was loaded before it before what is loaded behind it: label `overrun`. On amd64
// loads keep their order by themselves, and the compiler moves none over an atomic one.
func AcquireFence() {}
