//go:build linux

package sys

import (
	"sync"
	"syscall"
)

// The commands of membarrier(2).
const (
	membarrierQuery                   = 0
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2
	membarrierPrivateExpedited        = 1 << 3
	membarrierRegisterPrivate         = 1 << 4
)

// What package syscall lacks; the same on amd64 and arm64.
const (
	sysPidfdOpen = 434
	soPeerPidfd  = 77
	fGetSeals    = 1034
)

// RegisterMembarrier registers this process for GLOBAL_EXPEDITED barriers, once, and says whether it can
// call them and is registered.
var RegisterMembarrier = sync.OnceValue(func() bool {
	can, _, errno := syscall.Syscall(sysMembarrier, membarrierQuery, 0, 0)
	return errno == 0 && can&membarrierGlobalExpedited != 0 &&
		membarrier(membarrierRegisterGlobalExpedited) == nil && membarrier(membarrierGlobalExpedited) == nil
})

// Membarrier makes every registered process execute a full barrier, this one included: the sleeper's half of
// the wake protocol, 1.5 µs. It cannot fail once RegisterMembarrier answered true.
func Membarrier() { _ = membarrier(membarrierGlobalExpedited) }

// MembarrierHere makes every thread of this process execute a full barrier, and disturbs no engine where the
// kernel knows that command. Only where RegisterMembarrier answered true.
func MembarrierHere() { _ = membarrier(commandHere()) }

var commandHere = sync.OnceValue(func() uintptr {
	if membarrier(membarrierRegisterPrivate) == nil && membarrier(membarrierPrivateExpedited) == nil {
		return membarrierPrivateExpedited
	}
	return membarrierGlobalExpedited
})

func membarrier(command uintptr) error {
	if _, _, errno := syscall.Syscall(sysMembarrier, command, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// PidFD opens a descriptor that becomes readable when the peer of socket is dead. SO_PEERPIDFD (Linux 6.5)
// is exact; before, the pid in SO_PEERCRED is opened. If that pid was given to another process meanwhile,
// nothing false follows but a death that shows late, by hang-up.
func PidFD(socket int) (int, error) {
	if fd, err := syscall.GetsockoptInt(socket, syscall.SOL_SOCKET, soPeerPidfd); err == nil {
		return fd, nil // close-on-exec, as every pidfd
	}
	peer, err := syscall.GetsockoptUcred(socket, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(peer.Pid), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// Seals are those of a memory file; EINVAL where fd is none.
func Seals(fd int) (int, error) { return fcntl(fd, fGetSeals) }

// FileFlags are the access mode and status flags of a descriptor.
func FileFlags(fd int) (int, error) { return fcntl(fd, syscall.F_GETFL) }

func fcntl(fd, command int) (int, error) {
	found, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), uintptr(command), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(found), nil
}
