//go:build linux

// Package region is sealed memory in this process's address space: looked at before it is believed, placed
// at a multiple of 2 MiB so that large pages can be mapped whole, kept from forked children, and present
// before the first message.
//
//	reserve bytes + 2 MiB  ─▶  first multiple of 2 MiB in it  ─▶  give back  ─▶  map exactly there
//	    somewhere                     address                                  (or fail, and again)
//
// MAP_FIXED_NOREPLACE makes the last step safe: somebody else may take the address in between, and then we
// lose a try and it loses nothing.
package region

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

const (
	mapFixedNoReplace = 0x100000
	madvDontFork      = 10
	madvPopulateRead  = 22
	madvPopulateWrite = 23
	placementTries    = 16
)

// placement is held from looking for an address to mapping there: the kernel offers all of us the same one.
var placement sync.Mutex

// Mapping is a shared mapping of a whole region. It counts its users: the last Release unmaps, and nobody
// else does. The garbage collector never does: it would run while a slice of the mapping is still in use.
type Mapping struct {
	base     unsafe.Pointer
	bytes    uint64
	identity uint64
	users    atomic.Int64
}

// ReadWrite maps bytes bytes of fd for reading and writing and makes each page present.
func ReadWrite(fd int, bytes uint64) (*Mapping, error) {
	return place(fd, bytes, syscall.PROT_READ|syscall.PROT_WRITE, madvPopulateWrite)
}

// ReadOnly maps bytes bytes of fd for reading and makes each page present.
func ReadOnly(fd int, bytes uint64) (*Mapping, error) {
	return place(fd, bytes, syscall.PROT_READ, madvPopulateRead)
}

// Bytes is the size of the mapping.
func (m *Mapping) Bytes() uint64 { return m.bytes }

// Retain counts one more user.
func (m *Mapping) Retain() { m.users.Add(1) }

// Release counts one user less, and unmaps behind the last.
func (m *Mapping) Release() {
	if m.users.Add(-1) == 0 {
		_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, uintptr(m.base), uintptr(m.bytes), 0)
	}
}

// Words are the capacity bytes of record memory at offset.
func (m *Mapping) Words(offset, capacity uint64) memory.Words {
	return memory.OfMapping(m.at(offset, capacity), capacity, m.identity+offset)
}

// Word is the shared word at offset, a multiple of 8.
func (m *Mapping) Word(offset uint64) memory.Word {
	if offset%8 != 0 {
		panic("region: a word must be aligned")
	}
	return memory.WordAt(m.at(offset, 8), m.identity+offset)
}

// at is the address of bytes bytes at offset; offsets are computed from a checked layout, never a peer's.
func (m *Mapping) at(offset, bytes uint64) unsafe.Pointer {
	if bytes > m.bytes || offset > m.bytes-bytes {
		panic("region: outside of the mapping")
	}
	return unsafe.Add(m.base, offset)
}

func place(fd int, bytes uint64, protection, advice uintptr) (*Mapping, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	if uint64(stat.Size) != bytes || bytes == 0 {
		return nil, fmt.Errorf("it has %d bytes where %d are due", stat.Size, bytes)
	}
	base, err := placed(fd, uintptr(bytes), protection)
	if err != nil {
		return nil, fmt.Errorf("mapping %d bytes: %w (look at `ulimit -v` and vm.max_map_count)", bytes, err)
	}
	m := &Mapping{base: base, bytes: bytes, identity: stat.Ino * 0x9e3779b97f4a7c15}
	m.users.Store(1)
	if err := m.advise(madvDontFork); err != nil {
		m.Release()
		return nil, err
	}
	if err := m.populate(advice); err != nil {
		m.Release()
		return nil, fmt.Errorf("making %d bytes present: %w", bytes, err)
	}
	// Best effort: keeps small pages from being swapped, where the limit on locked memory allows it.
	_, _, _ = syscall.Syscall(syscall.SYS_MLOCK, uintptr(base), uintptr(bytes), 0)
	return m, nil
}

func placed(fd int, bytes, protection uintptr) (unsafe.Pointer, error) {
	placement.Lock()
	defer placement.Unlock()
	for range placementTries {
		address, err := freeAddress(bytes)
		if err != nil {
			return nil, err
		}
		found, err := mmap(address, bytes, protection, syscall.MAP_SHARED|mapFixedNoReplace, fd)
		switch {
		case err == syscall.EEXIST:
			continue
		case err != nil:
			return nil, err
		case found == address:
			return pointer(found), nil
		}
		// A kernel before 4.17 takes the address for a hint.
		_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, found, bytes, 0)
	}
	return nil, syscall.EEXIST
}

// freeAddress is a multiple of 2 MiB that had bytes free bytes a moment ago.
func freeAddress(bytes uintptr) (uintptr, error) {
	const flags = syscall.MAP_PRIVATE | syscall.MAP_ANON | syscall.MAP_NORESERVE
	found, err := mmap(0, bytes+hugePage, syscall.PROT_NONE, flags, -1)
	if err != nil {
		return 0, err
	}
	_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, found, bytes+hugePage, 0)
	return (found + hugePage - 1) &^ (hugePage - 1), nil
}

func mmap(address, bytes, protection, flags uintptr, fd int) (uintptr, error) {
	found, _, errno := syscall.Syscall6(syscall.SYS_MMAP, address, bytes, protection, flags, uintptr(fd), 0)
	if errno != 0 {
		return 0, errno
	}
	return found, nil
}

// pointer is the pointer to an address that the kernel gave: not Go's memory, so the collector never moves
// or frees it.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

func (m *Mapping) populate(advice uintptr) error {
	err := m.advise(advice)
	for err == syscall.EINTR || err == syscall.EAGAIN {
		err = m.advise(advice)
	}
	if err != syscall.EINVAL {
		return err
	}
	// Before Linux 5.14. The blocks of the file were looked at, so a touch finds memory.
	for offset := uint64(0); offset < m.bytes; offset += smallPage {
		word := m.Word(offset)
		word.Load()
	}
	return nil
}

func (m *Mapping) advise(advice uintptr) error {
	_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, uintptr(m.base), uintptr(m.bytes), advice)
	if errno != 0 {
		return errno
	}
	return nil
}

// Header is what stands at the beginning of a region behind the magic word.
type Header struct {
	Version, Role uint32
	HostID, Epoch uint64
}

// WriteHeader writes h into a mapping that is writable; the magic word last, with release (label `region`).
func (m *Mapping) WriteHeader(h Header) {
	for _, field := range [...]struct{ offset, value uint64 }{
		{layout.RegionVersionOffset, uint64(h.Version) | uint64(h.Role)<<32},
		{layout.RegionHostIDOffset, h.HostID},
		{layout.RegionEpochOffset, h.Epoch},
		{layout.RegionMagicOffset, layout.RegionMagic},
	} {
		word := m.Word(field.offset)
		word.Release(field.value)
	}
}

// ReadHeader reads the header, each word once; false where the magic word is another (label `region`).
func (m *Mapping) ReadHeader() (Header, bool) {
	var words [4]uint64
	for i, offset := range [...]uint64{
		layout.RegionMagicOffset, layout.RegionVersionOffset, layout.RegionHostIDOffset, layout.RegionEpochOffset,
	} {
		word := m.Word(offset)
		words[i] = word.Load()
	}
	header := Header{Version: uint32(words[1]), Role: uint32(words[1] >> 32), HostID: words[2], Epoch: words[3]}
	return header, words[0] == layout.RegionMagic
}
