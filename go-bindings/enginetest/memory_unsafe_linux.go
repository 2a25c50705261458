//go:build linux && (amd64 || arm64)

package enginetest

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// The creator's side of a region: a memory file (memfd), all of it allocated, sealed in two steps. The only
// unsafe of this package: memfd_create wants a C string.

const (
	smallPage = 4096
	hugePage  = 2 << 20

	memfdCloexec  = 1
	memfdSealing  = 2
	memfdHuge2M   = 4 | 21<<26
	fcntlAddSeals = 1033
)

// memoryFile is a region before it is mapped.
type memoryFile struct {
	fd    int
	bytes uint64 // whole pages
	pages wire.PageSize
}

// createMemory makes a memory file of at least bytes bytes. The name shows in /proc/PID/maps. Pages of the
// pool are taken only where they are demanded: tests should leave them to those who reserved them.
func createMemory(name string, bytes uint64, mode wire.PageMode) (*memoryFile, error) {
	page, flags, pages := uint64(smallPage), uintptr(0), wire.PagesSmall4K
	if mode == wire.PagesRequireHuge {
		page, flags, pages = hugePage, memfdHuge2M, wire.PagesHuge2M
	}
	file, err := allocate(name, (bytes+page-1)&^(page-1), flags)
	if err != nil && flags != 0 {
		err = fmt.Errorf("no 2 MiB pages: %w; reserve some in vm.nr_hugepages, or ask for any pages", err)
	}
	if err != nil {
		return nil, err
	}
	file.pages = pages
	return file, nil
}

func allocate(name string, bytes uint64, flags uintptr) (*memoryFile, error) {
	number := uintptr(319) // memfd_create on amd64
	if runtime.GOARCH == "arm64" {
		number = 279
	}
	text, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	// SAFETY: the kernel reads the name up to its zero byte, while the call lasts, and keeps nothing of it.
	fd, _, errno := syscall.Syscall(number, uintptr(unsafe.Pointer(text)), memfdCloexec|memfdSealing|flags, 0)
	if errno != 0 {
		return nil, errno
	}
	file := &memoryFile{fd: int(fd), bytes: bytes}
	err = syscall.Fchmod(file.fd, 0o600)
	if err == nil {
		err = syscall.Ftruncate(file.fd, int64(bytes))
	}
	if err == nil {
		err = syscall.Fallocate(file.fd, 0, 0, int64(bytes)) // a lack of memory is an error now, not SIGBUS later
	}
	if err != nil {
		file.close()
		return nil, fmt.Errorf("%d bytes of memory cannot be had: %w", bytes, err)
	}
	return file, nil
}

func (f *memoryFile) seal(seals int) error {
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(f.fd), fcntlAddSeals, uintptr(seals))
	if errno != 0 {
		return fmt.Errorf("the region cannot be sealed: %w", errno)
	}
	return nil
}

// readOnly opens the memory again, for reading alone.
func (f *memoryFile) readOnly() (int, error) {
	return syscall.Open(fmt.Sprintf("/proc/self/fd/%d", f.fd), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
}

func (f *memoryFile) close() { syscall.Close(f.fd) }
