//go:build linux && (amd64 || arm64)

package region

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

const (
	fAddSeals    = 1033
	memfdCloexec = 1
	memfdSealing = 2
	testBytes    = 8192
)

// memfd is sealable memory of size bytes with all its blocks, and with seals.
func memfd(t *testing.T, size int64, seals Seals) *os.File {
	t.Helper()
	name := []byte("ironhoard-test\x00")
	flags := uintptr(memfdCloexec | memfdSealing)
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(&name[0])), flags, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	file := os.NewFile(fd, "memfd")
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Fallocate(int(fd), 0, 0, size); err != nil {
		t.Fatal(err)
	}
	if seals != 0 {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, fAddSeals, uintptr(seals)); errno != 0 {
			t.Fatal(errno)
		}
	}
	return file
}

func TestOnlyExactlySealedMemoryIsBelieved(t *testing.T) {
	if _, err := Check(int(memfd(t, testBytes, SizeSealed).Fd()), testBytes, SizeSealed); err != nil {
		t.Errorf("right in all: %v", err)
	}
	disk, err := os.CreateTemp(t.TempDir(), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disk.Close() }()
	holed := memfd(t, testBytes, 0)
	if err := syscall.Fallocate(int(holed.Fd()), 3, 0, 4096); err != nil { // punch a hole, keep the size
		t.Fatal(err)
	}
	seals := uintptr(SizeSealed)
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, holed.Fd(), fAddSeals, seals); errno != 0 {
		t.Fatal(errno)
	}
	for _, c := range []struct {
		file  *os.File
		bytes uint64
		seals Seals
		says  string
	}{
		{disk, 0, SizeSealed, "seal"},
		{memfd(t, testBytes, 0), testBytes, SizeSealed, "seals"},
		{memfd(t, testBytes, SizeSealed), testBytes, WriteSealed, "seals"},
		{memfd(t, testBytes, WriteSealed), testBytes, SizeSealed, "seals"},
		{memfd(t, testBytes, SizeSealed), 4096, SizeSealed, "bytes"},
		{memfd(t, 100, SizeSealed), 100, SizeSealed, "pages"},
		{holed, testBytes, SizeSealed, "hole"},
	} {
		_, err := Check(int(c.file.Fd()), c.bytes, c.seals)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d bytes, seals %#x: %v, where %q was to be said", c.bytes, int(c.seals), err, c.says)
		}
	}
}

func TestAMappingStaysUntilItsLastUserHasGone(t *testing.T) {
	file := memfd(t, testBytes, SizeSealed)
	mapping, err := ReadWrite(int(file.Fd()), testBytes)
	if err != nil {
		t.Fatal(err)
	}
	if uintptr(mapping.base)%hugePage != 0 {
		t.Errorf("it lies at %p, which is no multiple of 2 MiB", mapping.base)
	}
	mapping.Retain()
	mapping.Release()
	word := mapping.Word(4096)
	word.Store(7)
	header := Header{Version: 1, Role: 2, HostID: 3, Epoch: 4}
	if _, ok := mapping.ReadHeader(); ok {
		t.Error("an empty region has a header")
	}
	mapping.WriteHeader(header)
	again, err := ReadOnly(int(file.Fd()), testBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	seen := again.Word(4096)
	if found, ok := again.ReadHeader(); !ok || found != header || seen.Load() != 7 {
		t.Errorf("found %+v, %v, %d", found, ok, seen.Load())
	}
	mapping.Release()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if count := strings.Count(string(maps), "ironhoard-test"); count != 1 {
		t.Errorf("%d mappings are left of two", count)
	}
}

func TestAWordOutsideIsAPanicAndNoTouch(t *testing.T) {
	mapping, err := ReadWrite(int(memfd(t, testBytes, SizeSealed).Fd()), testBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer mapping.Release()
	for _, offset := range []uint64{testBytes, testBytes - 4, ^uint64(7)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("offset %d: no panic", offset)
				}
			}()
			mapping.Word(offset)
		}()
	}
}

func TestSealedMemoryCannotBeMappedForWriting(t *testing.T) {
	if mapping, err := ReadWrite(int(memfd(t, testBytes, WriteSealed).Fd()), testBytes); err == nil {
		mapping.Release()
		t.Error("it was mapped")
	}
	if _, err := ReadOnly(int(memfd(t, testBytes, WriteSealed).Fd()), 2*testBytes); err == nil {
		t.Error("a mapping beyond the end was made")
	}
}
