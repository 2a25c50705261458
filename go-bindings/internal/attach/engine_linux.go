package attach

import (
	"errors"
	"os"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
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

// Close ends everything: socket, doorbells, the one use of the reply region and of the event rings'.
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
	for _, mapping := range e.Events {
		mapping.Release()
	}
}

// Ear hears everything that an engine has to say besides replies: doorbells, notices, death. One goroutine
// sleeps on it, on the runtime's poller: its own epoll holds all descriptors, and the runtime's holds that.
type Ear struct {
	engine *Engine
	file   *os.File
	raw    syscall.RawConn
	events [16]syscall.EpollEvent
	look   func(fd uintptr) bool // made once: Hear allocates nothing
	count  int                   // of events that look found
	answer error
	bytes  [64]byte
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
	ear := &Ear{engine: e, file: file, raw: raw}
	ear.look = func(fd uintptr) bool {
		ear.count, ear.answer = syscall.EpollWait(int(fd), ear.events[:], 0)
		return ear.count > 0 || ear.answer != nil && ear.answer != syscall.EINTR
	}
	return ear, nil
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
	if err := e.raw.Read(e.look); err != nil {
		return news, err
	}
	if e.answer != nil {
		return news, e.answer
	}
	dead := false
	for _, event := range e.events[:e.count] {
		switch event.Fd {
		case aboutSocket:
			notice, err := e.notice()
			if err == syscall.EAGAIN {
				continue
			}
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

// notice is the next notice if it is there: EAGAIN if not. Never with a deadline: one that passes while this
// goroutine does not run would make a living engine that says something a dead one.
func (e *Ear) notice() (wire.Notice, error) {
	received, err := e.engine.conn.ReceiveNow()
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
	for {
		count, err := sys.TakeBytes(e.engine.doorbells[shard], &e.bytes)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return
		case err != nil || count == 0:
			e.forget(e.engine.doorbells[shard])
			return
		case count < len(e.bytes):
			return
		}
	}
}

func (e *Ear) forget(fd int) {
	_ = e.raw.Control(func(epoll uintptr) { _ = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_DEL, fd, nil) })
}

// Close ends Hear, now and for good.
func (e *Ear) Close() { _ = e.file.Close() }
