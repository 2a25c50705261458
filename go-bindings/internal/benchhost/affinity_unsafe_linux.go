package main

import (
	"syscall"
	"unsafe"
)

// setAffinity lets a thread use the processors whose bits are set.
func setAffinity(thread int, mask []byte) error {
	// The kernel reads len(mask) bytes at the pointer, during the call, and keeps nothing.
	_, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), uintptr(len(mask)),
		uintptr(unsafe.Pointer(unsafe.SliceData(mask))))
	if errno != 0 {
		return errno
	}
	return nil
}
