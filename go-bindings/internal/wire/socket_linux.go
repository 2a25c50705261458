package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Traps of the socket that this file knows:
//
//   - Room is offered for as many descriptors as a message can carry (253); all that came are owned at
//     once, close-on-exec, and whoever does not want them closes them.
//   - A message of length 0 reads like the end of the conversation, so it is one.
//   - A peer that hung up with unread messages in its queue leaves ECONNRESET *before* what it said
//     last: one more look, or a refusal would be lost.
//   - Nothing is sent with a signal (SIGPIPE), and nothing blocks beyond the connection's deadline.

// ErrHungUp says that the peer has closed its end of the conversation.
var ErrHungUp = errors.New("the peer hung up")

// maxDescriptors is the most that the kernel passes with one message.
const maxDescriptors = 253

// connectPause lies between two tries to connect to an engine whose queue is full.
const connectPause = time.Millisecond

// Conn is one end of a conversation: SOCK_SEQPACKET, one message one packet.
// One goroutine may send while another receives.
type Conn struct {
	socket *net.UnixConn
	raw    syscall.RawConn
}

// Dial connects to the engine that listens at path. A full queue of a busy engine is tried again until
// ctx is over. Errors are those of package net, for errors.Is with syscall.ECONNREFUSED and the like.
func Dial(ctx context.Context, path string) (*Conn, error) {
	dialer := net.Dialer{}
	for {
		socket, err := dialer.DialContext(ctx, "unixpacket", path)
		if err == nil {
			return NewConn(socket.(*net.UnixConn))
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(connectPause):
		}
	}
}

// NewConn takes over a connected SOCK_SEQPACKET socket; it is closed where that fails.
func NewConn(socket *net.UnixConn) (*Conn, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		socket.Close()
		return nil, err
	}
	return &Conn{socket: socket, raw: raw}, nil
}

// Close ends the conversation. What was said before can still be heard.
func (c *Conn) Close() error { return c.socket.Close() }

// SetDeadline bounds all sending and receiving from now on; a time in the past ends what waits now with
// os.ErrDeadlineExceeded, and the zero time never ends it.
func (c *Conn) SetDeadline(deadline time.Time) error { return c.socket.SetDeadline(deadline) }

// Raw is the socket for calls that this type has not.
func (c *Conn) Raw() syscall.RawConn { return c.raw }

// Credentials are the peer's process id and user id, as the kernel says. The pid is 0 where the peer has
// none in this pid namespace.
func (c *Conn) Credentials() (pid int, uid uint32, err error) {
	var found *syscall.Ucred
	var answer error
	err = c.raw.Control(func(fd uintptr) {
		found, answer = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, answer); err != nil {
		return 0, 0, err
	}
	return int(found.Pid), found.Uid, nil
}

// Send says message, with descriptors that stay the caller's. ErrHungUp where nobody hears it any more.
func (c *Conn) Send(message []byte, descriptors ...int) error {
	var rights []byte
	if len(descriptors) > 0 {
		rights = syscall.UnixRights(descriptors...)
	}
	var answer error
	err := c.raw.Write(func(fd uintptr) bool {
		answer = send(int(fd), message, rights)
		return answer != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return err
	case answer == syscall.EPIPE || answer == syscall.ECONNRESET:
		return ErrHungUp
	}
	return answer
}

// SendNow says message at once or not at all: syscall.EAGAIN where the peer reads nothing.
func (c *Conn) SendNow(message []byte) error {
	var answer error
	if err := c.raw.Control(func(fd uintptr) { answer = send(int(fd), message, nil) }); err != nil {
		return err
	}
	return answer
}

func send(fd int, message, rights []byte) error {
	for {
		_, err := syscall.SendmsgN(fd, message, rights, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return err
		}
	}
}

// Received is a message as it came. Its descriptors are the caller's, to keep (take them out) or to
// Close.
type Received struct {
	Message     []byte
	Descriptors []int
}

// Close closes the descriptors that were not taken out.
func (r *Received) Close() {
	for _, fd := range r.Descriptors {
		syscall.Close(fd)
	}
	r.Descriptors = nil
}

// Expect is nil if exactly count descriptors came; otherwise they are closed, and it is a *MessageError.
func (r *Received) Expect(count int) error {
	found := len(r.Descriptors)
	if found == count {
		return nil
	}
	r.Close()
	return malformed("%d descriptors came with the message and %d belong to it", found, count)
}

// Receive is the next message. Errors: ErrHungUp; os.ErrDeadlineExceeded; *MessageError where what came
// is not one whole message; the kernel's word otherwise. No descriptor is left open then.
func (c *Conn) Receive() (*Received, error) {
	var received *Received
	var answer error
	if err := c.raw.Read(func(fd uintptr) bool {
		received, answer = receive(int(fd))
		return answer != syscall.EAGAIN
	}); err != nil {
		return nil, err
	}
	return received, answer
}

// ReceiveNow is the next message if it is there: syscall.EAGAIN if not, whatever the deadline. Otherwise as
// Receive.
func (c *Conn) ReceiveNow() (received *Received, err error) {
	var answer error
	if err := c.raw.Control(func(fd uintptr) { received, answer = receive(int(fd)) }); err != nil {
		return nil, err
	}
	return received, answer
}

// receive takes a message that is there, or answers EAGAIN.
func receive(fd int) (*Received, error) {
	message := make([]byte, MaxBytes+1)
	control := make([]byte, syscall.CmsgSpace(4*maxDescriptors))
	bytes, controlBytes, flags, err := recvmsg(fd, message, control)
	if err == syscall.ECONNRESET {
		bytes, controlBytes, flags, err = recvmsg(fd, message, control)
	}
	switch {
	case err == syscall.ECONNRESET || err == syscall.EPIPE:
		return nil, ErrHungUp
	case err != nil:
		return nil, err
	}
	received := &Received{Message: message[:bytes], Descriptors: descriptorsOf(control[:controlBytes])}
	if err := whole(received, flags); err != nil {
		received.Close()
		return nil, err
	}
	return received, nil
}

func recvmsg(fd int, message, control []byte) (bytes, controlBytes, flags int, err error) {
	for {
		bytes, controlBytes, flags, _, err = syscall.Recvmsg(fd, message, control,
			syscall.MSG_DONTWAIT|syscall.MSG_CMSG_CLOEXEC)
		if err != syscall.EINTR {
			return bytes, controlBytes, flags, err
		}
	}
}

func whole(received *Received, flags int) error {
	switch {
	case flags&syscall.MSG_CTRUNC != 0:
		return malformed("more descriptors came than this process may open: raise its limit on open files")
	case len(received.Message) == 0:
		return ErrHungUp
	case flags&syscall.MSG_TRUNC != 0:
		return malformed("the message has more than %d bytes, and none may", MaxBytes)
	}
	return nil
}

// descriptorsOf takes all descriptors out of a control message, however many there are.
func descriptorsOf(control []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var descriptors []int
	for i := range messages {
		if rights, err := syscall.ParseUnixRights(&messages[i]); err == nil {
			descriptors = append(descriptors, rights...)
		}
	}
	return descriptors
}

// IsHangUp says whether err is the peer's end of the conversation, in whatever words.
func IsHangUp(err error) bool { return errors.Is(err, ErrHungUp) || errors.Is(err, io.EOF) }
