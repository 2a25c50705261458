package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair is both ends of a conversation, as Dial and an accepting engine have them.
func pair(t *testing.T) (host, engine *Conn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	host, err = Dial(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	engine, err = NewConn(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); engine.Close() })
	return host, engine
}

func TestDescriptorsTravelAndAreClosedOnExec(t *testing.T) {
	host, engine := pair(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if err := engine.Send([]byte("two"), int(reader.Fd()), int(writer.Fd())); err != nil {
		t.Fatal(err)
	}
	received, err := host.Receive()
	if err != nil || string(received.Message) != "two" || received.Expect(2) != nil {
		t.Fatalf("%+v, %v", received, err)
	}
	for _, fd := range received.Descriptors {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %d, %v", fd, flags, errno)
		}
	}
	kept := received.Descriptors[0]
	var wrong *MessageError
	if err := received.Expect(1); !errors.As(err, &wrong) {
		t.Errorf("one descriptor too many: %v", err)
	}
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(kept), syscall.F_GETFD, 0)
	if errno != syscall.EBADF {
		t.Errorf("descriptors that do not belong stay open: %v", errno)
	}
}

func TestARefusalBeforeTheHangUpIsHeard(t *testing.T) {
	host, engine := pair(t)
	if err := host.Send([]byte("never read")); err != nil {
		t.Fatal(err)
	}
	if err := engine.Send((&Refusal{Code: UID, Text: "no"}).Encode()); err != nil {
		t.Fatal(err)
	}
	engine.Close()
	received, err := host.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if refusal, err := DecodeRefused(received.Message); err != nil || refusal.Code != UID {
		t.Errorf("%v, %v", refusal, err)
	}
	if _, err := host.Receive(); !errors.Is(err, ErrHungUp) {
		t.Errorf("after the end: %v", err)
	}
	if err := host.Send([]byte("x")); !errors.Is(err, ErrHungUp) {
		t.Errorf("to nobody: %v", err)
	}
}

func TestSilenceEndsWithTheDeadlineAndALongMessageIsNone(t *testing.T) {
	host, engine := pair(t)
	if err := host.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
	if err := host.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	var wrong *MessageError
	for _, length := range []int{MaxBytes + 2, 3 * MaxBytes} {
		if err := engine.Send(make([]byte, length)); err != nil {
			t.Fatal(err)
		}
		if _, err := host.Receive(); !errors.As(err, &wrong) {
			t.Errorf("a message of %d bytes: %v", length, err)
		}
	}
	for err := error(nil); err == nil; {
		if err = engine.SendNow(make([]byte, 4096)); err != nil && err != syscall.EAGAIN {
			t.Errorf("to a peer that reads nothing: %v", err)
		}
	}
	pid, uid, err := host.Credentials()
	if err != nil || pid != os.Getpid() || int(uid) != os.Getuid() {
		t.Errorf("credentials %d, %d, %v", pid, uid, err)
	}
}

func TestWhatIsThereIsHeardWhateverTheDeadline(t *testing.T) {
	host, engine := pair(t)
	if err := host.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := host.ReceiveNow(); err != syscall.EAGAIN {
		t.Errorf("nothing was said: %v", err)
	}
	if err := engine.Send(EncodeStep(KindDraining)); err != nil {
		t.Fatal(err)
	}
	engine.Close()
	received, err := host.ReceiveNow()
	if err != nil || DecodeStep(received.Message, KindDraining) != nil {
		t.Fatalf("%+v, %v", received, err)
	}
	if _, err := host.ReceiveNow(); !errors.Is(err, ErrHungUp) {
		t.Errorf("the end: %v", err)
	}
}

func TestDialNamesWhatIsWrong(t *testing.T) {
	directory := t.TempDir()
	_, err := Dial(context.Background(), filepath.Join(directory, "nobody"))
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("nobody there: %v", err)
	}
	stream, err := net.Listen("unix", filepath.Join(directory, "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := Dial(context.Background(), stream.Addr().String()); !errors.Is(err, syscall.EPROTOTYPE) {
		t.Errorf("another kind of socket: %v", err)
	}
}
