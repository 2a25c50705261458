//go:build linux && (amd64 || arm64)

package enginetest

import (
	"os"
	"syscall"
)

// doorbell is the engine's end of a shard's doorbell: a socket, on which bytes without a meaning travel.
type doorbell struct {
	file *os.File
	raw  syscall.RawConn
}

// newDoorbell makes a doorbell and the host's end of it, a descriptor that is the caller's to close.
func newDoorbell() (*doorbell, int, error) {
	const kind = syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC
	ends, err := syscall.Socketpair(syscall.AF_UNIX, kind, 0)
	if err != nil {
		return nil, -1, err
	}
	file := os.NewFile(uintptr(ends[0]), "doorbell")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		syscall.Close(ends[1])
		return nil, -1, err
	}
	return &doorbell{file: file, raw: raw}, ends[1], nil
}

// ring says one byte and never waits: a full socket means that a byte is there already, and a host that is
// gone is found out by its conversation's socket.
func (d *doorbell) ring() {
	_ = d.raw.Control(func(fd uintptr) {
		_, _ = syscall.SendmsgN(int(fd), []byte{1}, nil, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	})
}

// listen rings the shard whenever the host rings, until the doorbell is closed or hung up.
func (d *doorbell) listen(s *shard) {
	var bytes [64]byte
	for {
		if _, err := d.file.Read(bytes[:]); err != nil {
			return
		}
		s.ring()
	}
}

func (d *doorbell) close() { d.file.Close() }
