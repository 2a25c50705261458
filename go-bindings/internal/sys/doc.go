// Package sys is what the standard library does not have and a host needs: a store that releases without a
// locked instruction, the processor's pause, a full fence, which goroutine is running, membarrier, pidfds,
// seals and placed mappings.
//
// Everything that must know the processor lies in cpu_amd64.s, cpu_arm64.s and store_*.go; everything that
// must know Linux in *_linux.go. On other systems the package compiles and answers errors.ErrUnsupported.
package sys
