package attach

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// ErrDead says that the engine is gone: it hung up, its process ended, or it talks nonsense.
var ErrDead = errors.New("the engine is gone")

// IsHangUp says whether err is the engine's end of the conversation.
func IsHangUp(err error) bool { return wire.IsHangUp(err) }

// Ring puts one byte on the doorbell of shard. It never blocks: a full socket means that a byte is there
// already, and an engine that is gone shows elsewhere.
func (e *Engine) Ring(shard int) {
	_ = syscall.Sendto(e.doorbells[shard], oneByte[:], syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, nil)
}

var oneByte = [1]byte{1}

// Detach says that this host leaves for good, and hangs up. What is mapped stays.
func (e *Engine) Detach() {
	_ = e.conn.SendNow(wire.EncodeStep(wire.KindDetach))
	_ = e.conn.Close()
}

// Close ends everything: socket, doorbells, the reply region's one use.
func (e *Engine) Close() {
	if e.conn != nil {
		_ = e.conn.Close()
	}
	for _, fd := range e.doorbells {
		_ = syscall.Close(fd)
	}
	e.doorbells = nil
	if e.pidfd >= 0 {
		_ = syscall.Close(e.pidfd)
		e.pidfd = -1
	}
	if e.Reply != nil {
		e.Reply.Release()
	}
}

// Ear hears everything that an engine has to say besides replies: doorbells, notices, death. One goroutine
// sleeps on it, on the runtime's poller: its own epoll holds all descriptors, and the runtime's holds that.
type Ear struct {
	engine *Engine
	file   *os.File
	raw    syscall.RawConn
	events [16]syscall.EpollEvent
}

// What an event of the ear's epoll is about, besides doorbells, which are their shard.
const (
	aboutSocket = -1
	aboutPidFD  = -2
)

// News is what an Ear has heard.
type News struct {
	Rung    bool // one or more doorbells
	Notices []wire.Notice
}

// Listen makes the ear of this engine.
func (e *Engine) Listen() (*Ear, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.watchAll(fd), syscall.SetNonblock(fd, true)); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "ironhoard")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Ear{engine: e, file: file, raw: raw}, nil
}

func (e *Engine) watchAll(epoll int) error {
	var socket error
	err := e.conn.Raw().Control(func(fd uintptr) { socket = watch(epoll, int(fd), aboutSocket) })
	err = errors.Join(err, socket)
	for shard, fd := range e.doorbells {
		err = errors.Join(err, watch(epoll, fd, int32(shard)))
	}
	if e.pidfd >= 0 {
		err = errors.Join(err, watch(epoll, e.pidfd, aboutPidFD))
	}
	return err
}

func watch(epoll, fd int, about int32) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: about}
	return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event)
}

// Hear sleeps until there is news. ErrDead where the engine is gone; os.ErrClosed behind Close.
func (e *Ear) Hear() (News, error) {
	var news News
	var count int
	var answer error
	err := e.raw.Read(func(fd uintptr) bool {
		count, answer = syscall.EpollWait(int(fd), e.events[:], 0)
		return count > 0 || answer != nil && answer != syscall.EINTR
	})
	if err = errors.Join(err, answer); err != nil {
		return news, err
	}
	dead := false
	for _, event := range e.events[:count] {
		switch event.Fd {
		case aboutSocket:
			notice, err := e.notice()
			if err != nil {
				dead = true
				continue
			}
			news.Notices = append(news.Notices, notice)
		case aboutPidFD:
			dead = true
		default:
			news.Rung = true
			e.silence(int(event.Fd))
		}
	}
	if dead {
		return e.lastWords(news), ErrDead
	}
	return news, nil
}

// lastWords adds what a dying engine said before it hung up: that it left in good order, perhaps.
func (e *Ear) lastWords(news News) News {
	for {
		notice, err := e.notice()
		if err != nil {
			return news
		}
		news.Notices = append(news.Notices, notice)
	}
}

func (e *Ear) notice() (wire.Notice, error) {
	conn := e.engine.conn
	_ = conn.SetDeadline(time.Now().Add(time.Millisecond))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	received, err := conn.Receive()
	if err != nil {
		return wire.Notice{}, err
	}
	defer received.Close()
	if err := received.Expect(0); err != nil {
		return wire.Notice{}, err
	}
	return wire.DecodeNotice(received.Message)
}

// silence takes all bytes off a doorbell; one that was hung up is not listened to any more.
func (e *Ear) silence(shard int) {
	var bytes [64]byte
	for {
		count, _, err := syscall.Recvfrom(e.engine.doorbells[shard], bytes[:], syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return
		case err != nil || count == 0:
			_ = e.raw.Control(func(epoll uintptr) {
				_ = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_DEL, e.engine.doorbells[shard], nil)
			})
			return
		case count < len(bytes):
			return
		}
	}
}

// Close ends Hear, now and for good.
func (e *Ear) Close() { _ = e.file.Close() }
