//go:build linux && (amd64 || arm64)

package sys

import (
	"syscall"
	"unsafe"
)

// TakeBytes receives what is there on a socket, without ever blocking: the peer may have cleared O_NONBLOCK,
// which both ends share. syscall.Recvfrom would do, and allocates for an address that nobody asked for.
func TakeBytes(fd int, buffer *[64]byte) (int, error) {
	count, _, errno := syscall.Syscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(buffer)),
		uintptr(len(buffer)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(count), nil
}
