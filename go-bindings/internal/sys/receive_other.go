//go:build linux && !amd64 && !arm64

package sys

import "syscall"

// TakeBytes receives what is there on a socket, without ever blocking.
func TakeBytes(fd int, buffer *[64]byte) (int, error) {
	count, _, err := syscall.Recvfrom(fd, buffer[:], syscall.MSG_DONTWAIT)
	return count, err
}
