//go:build linux && (amd64 || arm64)

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// An engine's path: who may listen there, and what becomes of the path when its owner dies.
//
//	<path>.lock   flock ── held by the living engine, close-on-exec; released by its death alone
//	<path>.new    bind ─ mode ─ listen ─┐
//	<path>        ◀────────── rename ───┘   a stale socket is replaced in one step
//
// The lock decides, nothing else. The lock file stays: to remove it would let two engines lock two files.
type place struct {
	path      string
	lock      *os.File
	directory *os.File
	listener  *net.UnixListener
	bound     os.FileInfo
}

const (
	maxPath   = 107
	lockTries = 10
	lockPause = 10 * time.Millisecond
)

// listenAt takes path for this engine and listens there; mode is the socket's.
func listenAt(path string, mode os.FileMode) (*place, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("the socket path %s has %d bytes and may have %d: choose a shorter one",
			path, len(path), maxPath)
	}
	p := &place{path: path}
	if err := p.listen(mode); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *place) listen(mode os.FileMode) (err error) {
	if p.directory, err = os.Open(filepath.Dir(p.path)); err != nil {
		return fmt.Errorf("the directory of %s cannot be used (%w): create it, or choose another", p.path, err)
	}
	if p.lock, err = os.OpenFile(p.path+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644); err != nil {
		return fmt.Errorf("the lock file of %s cannot be made (%w): its directory must be writable", p.path, err)
	}
	if err := p.takeLock(); err != nil {
		return err
	}
	if err := p.checkStale(); err != nil {
		return err
	}
	if err := p.bind(mode); err != nil {
		return fmt.Errorf("cannot listen at %s (%w): its directory must be writable", p.path, err)
	}
	return nil
}

func (p *place) takeLock() error {
	for try := 0; ; try++ {
		err := syscall.Flock(int(p.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			_, err := p.lock.WriteAt(fmt.Appendf(nil, "%-20d\n", os.Getpid()), 0)
			return err
		case err != syscall.EWOULDBLOCK && err != syscall.EINTR:
			return fmt.Errorf("the lock of %s cannot be taken: %w", p.path, err)
		case try == lockTries:
			return fmt.Errorf("an engine lives at %s: stop it, or choose another path", p.path)
		}
		time.Sleep(lockPause)
	}
}

// checkStale demands that the path is free, or a socket that nobody listens on any more.
func (p *place) checkStale() error {
	found, err := os.Lstat(p.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case found.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket: move it away, or choose another path", p.path)
	}
	probe, err := net.Dial("unixpacket", p.path)
	switch {
	case err == nil:
		probe.Close()
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EPROTOTYPE):
		return err
	}
	return fmt.Errorf("something listens at %s: stop it, or choose another path", p.path)
}

// bind listens under a temporary name and puts that in the path's place. The name goes through the opened
// directory, so that it may be longer than a socket address.
func (p *place) bind(mode os.FileMode) error {
	temporary := p.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	address := fmt.Sprintf("/proc/self/fd/%d/%s", p.directory.Fd(), filepath.Base(temporary))
	// A socket's file is born with the mode of the socket, less the umask: nobody can connect too early.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) {
			err = syscall.Fchmod(int(fd), uint32(mode.Perm()))
		}), err)
	}}
	listener, err := config.Listen(context.Background(), "unixpacket", address)
	if err != nil {
		return err
	}
	p.listener = listener.(*net.UnixListener)
	p.listener.SetUnlinkOnClose(false)
	if p.bound, err = os.Lstat(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, p.path)
}

// leave removes the socket's file, if it is still ours: the end in good order.
func (p *place) leave() {
	if found, err := os.Lstat(p.path); err == nil && os.SameFile(found, p.bound) {
		os.Remove(p.path) // failing leaves a stale socket, which the next engine replaces
	}
}

// close ends listening and gives the lock back, as death does.
func (p *place) close() {
	if p.listener != nil {
		p.listener.Close()
	}
	if p.lock != nil {
		p.lock.Close()
	}
	if p.directory != nil {
		p.directory.Close()
	}
}
