package sys

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

func TestAGoroutineHasOneNameAndNoTwoShareOne(t *testing.T) {
	if Goroutine() == 0 {
		t.Skip("goroutines have no names on this processor")
	}
	const count = 64
	var names sync.Map
	var done, all sync.WaitGroup
	all.Add(count)
	for range count {
		done.Add(1)
		go func() {
			defer done.Done()
			first := Goroutine()
			if _, taken := names.LoadOrStore(first, true); taken {
				t.Error("two living goroutines have one name")
			}
			all.Done()
			all.Wait() // all of them live at the same time
			grow(100)
			if Goroutine() != first {
				t.Error("a goroutine changed its name")
			}
		}()
	}
	done.Wait()
}

// grow makes the stack move.
func grow(depth int) (sum byte) {
	var block [1024]byte
	if depth > 0 {
		block[depth] = grow(depth - 1)
	}
	return block[depth] + 1
}

func TestStoresPausesAndFencesDoWhatTheySay(t *testing.T) {
	word := uint64(0)
	StoreRelease(&word, 7)
	Pause(0)
	Pause(3)
	Fence()
	Prefetch(&word)
	if word != 7 {
		t.Errorf("the word is %d", word)
	}
}

func TestMembarrierIsThereOrSaysSo(t *testing.T) {
	if first := RegisterMembarrier(); first != RegisterMembarrier() {
		t.Error("two answers")
	} else if first {
		Membarrier()
	}
}

func TestAPidFDShowsThePeersDeath(t *testing.T) {
	listener, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var pidfd int
	if err := errors.Join(raw.Control(func(fd uintptr) { pidfd, err = PidFD(int(fd)) }), err); err != nil {
		t.Skipf("this kernel gives no pidfd: %v", err)
	}
	defer func() { _ = syscall.Close(pidfd) }()
	link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(pidfd))
	if err != nil || link != "anon_inode:[pidfd]" && link[:6] != "pidfd:" {
		t.Errorf("it is %q (%v)", link, err)
	}
	flags, err := fcntl(pidfd, syscall.F_GETFD)
	if err != nil || flags&syscall.FD_CLOEXEC == 0 {
		t.Errorf("a child would inherit it: flags %#x (%v)", flags, err)
	}
}

func TestAnOrdinaryFileHasNoSeals(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = reader.Close(), writer.Close() }()
	if _, err := Seals(int(reader.Fd())); err == nil {
		t.Error("a pipe has seals")
	}
	if flags, err := FileFlags(int(writer.Fd())); err != nil || flags&syscall.O_ACCMODE != syscall.O_WRONLY {
		t.Errorf("flags %#x, %v", flags, err)
	}
}
