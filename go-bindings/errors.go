package ironhoard

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/attach"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Answers of a [Client] and a [Producer], for errors.Is.
var (
	// ErrFull is an ordinary answer of [Producer.Claim]: the engine is behind, or waits until this host
	// takes its replies.
	ErrFull = errors.New("ironhoard: the request ring is full: take replies, wait with ClaimWait, or try again later")
	// ErrClosed says that the Client or the Producer was closed, or is draining.
	ErrClosed = errors.New("ironhoard: closed")
	// ErrEngineGone says that the engine is gone and could not be resumed with. Attach again with [Dial].
	ErrEngineGone = errors.New("ironhoard: the engine is gone")
	// ErrLanesExhausted says that all lanes declared with [WithLanes] are taken.
	ErrLanesExhausted = errors.New("ironhoard: all lanes are taken: close a Producer, or ask for more with WithLanes")
	// ErrNoClaim is the answer to a commit without a claim: a second one, or one behind an abort.
	ErrNoClaim = errors.New("ironhoard: there is no open claim to commit")
	// ErrRepliesWaiting says that waiting for room would never end, because replies of this very Producer
	// wait to be taken: Poll first.
	ErrRepliesWaiting = errors.New("ironhoard: waiting for room would never end: take this producer's replies first")
	// ErrNothingOutstanding says that there is no reply to wait for: every request has been answered.
	ErrNothingOutstanding = errors.New("ironhoard: nothing is outstanding")
	// ErrNoLanes is the answer to a call or a producer where [WithEventsOnly] was asked for.
	ErrNoLanes = errors.New("ironhoard: this client has no lanes, it reads events only: dial without WithEventsOnly")
	// ErrEventRingTaken says that somebody reads this event ring through the same Client.
	ErrEventRingTaken = errors.New("ironhoard: this event ring is taken: close its Events, or dial once more")
	// ErrNested is the answer to a call from inside a callback of [Client.CallFunc].
	ErrNested = errors.New("ironhoard: a call from inside a CallFunc callback: make it behind the callback")
)

// TooLargeError says that a payload can never fit: the limit is an eighth of the ring.
type TooLargeError struct {
	Size  int // of the payload, in bytes
	Limit int // of this lane, in bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("ironhoard: a payload of %d bytes is too large: the limit of this lane is %d bytes; "+
		"ask for a larger capacity with WithCapacity", e.Size, e.Limit)
}

// RemoteError is a reply whose status is not success. Codes below [StatusEngineFirst] are the handler's.
type RemoteError struct {
	Code uint16
}

// Statuses that the engine itself gives.
const (
	StatusEngineFirst uint16 = 0xff00 // from here on the engine speaks, below its handler
	StatusPanic       uint16 = 0xff00 // the handler panicked on this request
	StatusPoison      uint16 = 0xff01 // the request has seen too many engines die and was not tried again
	StatusTooLarge    uint16 = 0xff02 // the handler's reply was larger than the ring allows
	StatusUnknownFlag uint16 = 0xff03 // the request carries a flag that this engine does not know
)

func (e *RemoteError) Error() string {
	switch e.Code {
	case StatusPanic:
		return "ironhoard: the handler panicked on this request"
	case StatusPoison:
		return "ironhoard: this request has seen too many engines die and was not tried again"
	case StatusTooLarge:
		return "ironhoard: the handler's reply is larger than the reply ring allows"
	case StatusUnknownFlag:
		return "ironhoard: the engine does not know a flag of this request"
	}
	return fmt.Sprintf("ironhoard: the engine answered with status %#x", e.Code)
}

// UncertainError says that a request was committed and its reply will not be had: it may have been
// executed. It wraps the reason: a context's error, [ErrClosed], [ErrEngineGone] or a [*LaneClosedError].
type UncertainError struct {
	Number uint64 // of the request in its lane
	Err    error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("ironhoard: no reply to request %d, which may have been executed: %v", e.Number, e.Err)
}

func (e *UncertainError) Unwrap() error { return e.Err }

// goneError is ErrEngineGone with the reason.
type goneError struct{ reason error }

func (e *goneError) Error() string { return fmt.Sprintf("%v: %v", ErrEngineGone, e.reason) }

func (e *goneError) Is(target error) bool { return target == ErrEngineGone }

func (e *goneError) Unwrap() error { return e.reason }

// LaneClosedError says that the engine closed this lane for good; the others go on.
type LaneClosedError struct {
	Lane   int
	Reason string
}

func (e *LaneClosedError) Error() string {
	return fmt.Sprintf("ironhoard: the engine closed lane %d: %s", e.Lane, e.Reason)
}

// CorruptError says that the engine wrote something impossible into a ring. The lane, or the reading of the
// event ring, is over.
type CorruptError struct {
	Lane      int // -1 where it is an event ring
	EventRing int
	Err       error
}

func (e *CorruptError) Error() string {
	if e.Lane < 0 {
		return fmt.Sprintf("ironhoard: the engine broke the protocol in event ring %d: %v", e.EventRing, e.Err)
	}
	return fmt.Sprintf("ironhoard: the engine broke the protocol in lane %d: %v", e.Lane, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// RefusedError is an engine's no, with its reason and what to do.
type RefusedError struct {
	Code  uint32 // as docs/LAYOUT.md lists them
	Text  string
	Limit uint64 // the number that would have been accepted, or 0
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("ironhoard: the engine refused (code %d): %s", e.Code, e.Text)
}

// IncompatibleError says that host and engine do not speak the same version or service, or that what
// listens at the path is no engine. It wraps a [*RefusedError] where the engine said so.
type IncompatibleError struct {
	Path string
	Err  error
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("ironhoard: what listens at %s is not an engine for this host: %v", e.Path, e.Err)
}

func (e *IncompatibleError) Unwrap() error { return e.Err }

// NoEngineError says that nobody listens at the path, or that the engine ended in the middle of attaching.
type NoEngineError struct {
	Path string
	Err  error
}

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("ironhoard: no engine listens at %s: start one, or look at the path (%v)", e.Path, e.Err)
}

func (e *NoEngineError) Unwrap() error { return e.Err }

// attachError says in this package's words why a conversation failed.
func attachError(path string, err error) error {
	var refusal *wire.Refusal
	var malformed *wire.MessageError
	var impossible *attach.ImpossibleError
	switch {
	case errors.As(err, &refusal):
		refused := &RefusedError{Code: uint32(refusal.Code), Text: refusal.Text, Limit: refusal.Limit}
		switch refusal.Code {
		case wire.NoVersion, wire.Feature, wire.Service, wire.Role:
			return &IncompatibleError{Path: path, Err: refused}
		}
		return refused
	case errors.As(err, &malformed), errors.As(err, &impossible),
		errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ENOTDIR):
		return &IncompatibleError{Path: path, Err: err}
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), attach.IsHangUp(err):
		return &NoEngineError{Path: path, Err: err}
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("ironhoard: this user may not attach at %s: look at the socket's mode: %w", path, err)
	}
	return fmt.Errorf("ironhoard: attaching at %s: %w", path, err)
}

// claimError says in this package's words why there is no room for size bytes.
func (l *lane) claimError(err error, size int) error {
	switch err {
	case ring.ErrFull:
		return ErrFull
	case ring.ErrTooLarge:
		return &TooLargeError{Size: size, Limit: int(l.producer.PayloadLimit())}
	}
	return &CorruptError{Lane: int(l.index), Err: err}
}

// notSent wraps the reason for which nothing was committed.
func notSent(reason error) error { return fmt.Errorf("ironhoard: nothing was sent: %w", reason) }
