//go:build linux

package region

import (
	"fmt"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Seals is a stage of sealing.
type Seals int

const (
	// SizeSealed is SHRINK|GROW: the size is final, writers go on.
	SizeSealed Seals = sealShrink | sealGrow
	// WriteSealed is SHRINK|GROW|FUTURE_WRITE|SEAL: besides, no new writer, no hole and no other seal.
	WriteSealed Seals = SizeSealed | sealFutureWrite | sealSeal
)

const (
	sealSeal        = 0x01
	sealShrink      = 0x02
	sealGrow        = 0x04
	sealFutureWrite = 0x10
	sealExec        = 0x20 // set by kernels since 6.3: the memory was never executable

	tmpfsMagic     = 0x01021994
	hugetlbfsMagic = 0x958458f6

	hugePage  = 2 << 20
	smallPage = 4096
)

// Check demands that fd is a memory file of exactly this size with exactly these seals and all its blocks,
// and says whether its pages come from the hugetlb pool. A descriptor that came through a socket may be
// anything: a file that its owner truncates later, memory without seals, memory of another size.
func Check(fd int, bytes uint64, seals Seals) (huge bool, err error) {
	found, err := sys.Seals(fd)
	if err != nil {
		return false, fmt.Errorf("it is no sealed memory: %w", err)
	}
	if found &^= sealExec; Seals(found) != seals {
		return false, fmt.Errorf("its seals are %#x where %#x are due", found, int(seals))
	}
	huge, err = fileSystem(fd)
	if err != nil {
		return false, err
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return false, err
	}
	switch {
	case stat.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return false, fmt.Errorf("it is no regular file (mode %#o)", stat.Mode)
	case uint64(stat.Size) != bytes:
		return false, fmt.Errorf("it has %d bytes where %d are due", stat.Size, bytes)
	case huge && bytes%hugePage != 0 || bytes%smallPage != 0:
		return false, fmt.Errorf("%d bytes are no whole pages", bytes)
	case uint64(stat.Blocks)*512 < bytes:
		return false, fmt.Errorf("it has a hole: %d bytes of %d are there", stat.Blocks*512, bytes)
	}
	return huge, nil
}

func fileSystem(fd int) (huge bool, err error) {
	var found syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &found); err != nil {
		return false, err
	}
	switch kind, page := uint64(found.Type)&0xffff_ffff, int64(found.Bsize); {
	case kind == hugetlbfsMagic && page == hugePage:
		return true, nil
	case kind == tmpfsMagic && page == smallPage:
		return false, nil
	default:
		return false, fmt.Errorf("it is no memory: file system %#x with pages of %d bytes", kind, page)
	}
}

// CheckAccess demands that fd was opened with mode: syscall.O_RDWR or syscall.O_RDONLY.
func CheckAccess(fd, mode int) error {
	flags, err := sys.FileFlags(fd)
	if err != nil {
		return err
	}
	if flags&syscall.O_ACCMODE != mode {
		return fmt.Errorf("it is open with mode %d where %d is due", flags&syscall.O_ACCMODE, mode)
	}
	return nil
}
