//go:build !linux

package sys

import "errors"

// RegisterMembarrier answers false: there is none on this system.
func RegisterMembarrier() bool { return false }

// Membarrier does nothing on this system.
func Membarrier() {}

// MembarrierHere does nothing.
func MembarrierHere() {}

// PidFD answers errors.ErrUnsupported on this system.
func PidFD(int) (int, error) { return -1, errors.ErrUnsupported }

// Seals answers errors.ErrUnsupported on this system.
func Seals(int) (int, error) { return 0, errors.ErrUnsupported }

// FileFlags answers errors.ErrUnsupported on this system.
func FileFlags(int) (int, error) { return 0, errors.ErrUnsupported }
