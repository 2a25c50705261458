package attach

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Engine is one incarnation of the engine: all that is new after attach and after each resume.
type Engine struct {
	Terms     *wire.Welcome
	Reply     *region.Mapping   // read-only
	Events    []*region.Mapping // of the event rings, read-only
	EnginePID int
	conn      *wire.Conn
	doorbells []int
	pidfd     int // -1 where the kernel gives none, and hang-up is all there is
}

// Request is a host's own region. It outlives engines.
type Request struct {
	Mapping *region.Mapping // read-write; its header is written
	fd      int
}

// Attach attaches to the engine at path until ctx is over. Nothing is left behind when it fails.
func Attach(ctx context.Context, path string, wishes *wire.Wishes) (*Engine, *Request, error) {
	engine, request := &Engine{pidfd: -1}, &Request{fd: -1}
	if err := attach(ctx, path, wishes, engine, request); err != nil {
		engine.Close()
		request.Close()
		return nil, nil, err
	}
	return engine, request, nil
}

func attach(ctx context.Context, path string, wishes *wire.Wishes, engine *Engine, request *Request) error {
	talk, err := engine.start(ctx, path)
	if err != nil {
		return err
	}
	defer talk.end()
	descriptors, events, err := engine.welcome(wire.NewHello(*wishes, nil), 2)
	if err != nil {
		return talk.because(err)
	}
	request.fd = descriptors[0]
	defer closeAll(append(events, descriptors[1]))
	if err := checkTerms(engine.Terms, wishes, 1); err != nil {
		return err
	}
	if err := request.open(engine.Terms, wishes); err != nil {
		return err
	}
	if err := engine.openReply(descriptors[1], wishes); err != nil {
		return err
	}
	if err := engine.openEvents(events); err != nil {
		return err
	}
	if err := talk.because(engine.finish()); err != nil {
		return err
	}
	// From here on nobody else can become a writer of the request region, the engine included.
	if _, err := region.Check(request.fd, engine.Terms.RequestBytes, region.WriteSealed); err != nil {
		return &ImpossibleError{What: "a request region that the engine did not seal", Source: err}
	}
	return nil
}

// Resume goes on with request at the engine that listens at path now. Before it the host has walked each
// old reply ring to its end (lanes), zeroed its reply positions for the new epoch, and written the header
// with that epoch. When it fails, the request region is as it was and can be resumed again.
func Resume(
	ctx context.Context, path string, wishes *wire.Wishes, previous *wire.Welcome, request *Request,
	lanes []wire.LaneResume,
) (*Engine, error) {
	engine := &Engine{pidfd: -1}
	if err := resume(ctx, path, *wishes, previous, request, lanes, engine); err != nil {
		engine.Close()
		return nil, err
	}
	return engine, nil
}

func resume(
	ctx context.Context, path string, wishes wire.Wishes, previous *wire.Welcome, request *Request,
	lanes []wire.LaneResume, engine *Engine,
) error {
	wishes.Lanes = uint32(len(previous.LaneShards))
	wishes.RequestCapacity, wishes.ReplyCapacity = previous.RequestCapacity, previous.ReplyCapacity
	epoch := previous.Epoch + 1
	talk, err := engine.start(ctx, path)
	if err != nil {
		return err
	}
	defer talk.end()
	said := &wire.Resume{HostID: previous.HostID, Epoch: epoch, Lanes: lanes}
	descriptors, events, err := engine.welcome(wire.NewHello(wishes, said), 1, request.fd)
	if err != nil {
		return talk.because(err)
	}
	defer closeAll(append(events, descriptors[0]))
	terms := engine.Terms
	if err := errors.Join(checkTerms(terms, &wishes, epoch), checkSame(terms, previous)); err != nil {
		return err
	}
	if err := engine.openReply(descriptors[0], &wishes); err != nil {
		return err
	}
	if err := engine.openEvents(events); err != nil {
		return err
	}
	return talk.because(engine.finish())
}

// talk bounds a conversation by its context.
type talk struct {
	ctx  context.Context
	conn *wire.Conn
	stop func() bool
}

func (e *Engine) start(ctx context.Context, path string) (*talk, error) {
	if len(path) > mostPath {
		return nil, &PathTooLongError{Length: len(path)}
	}
	conn, err := wire.Dial(ctx, path)
	if err != nil {
		return nil, err
	}
	e.conn = conn
	over := func() { _ = conn.SetDeadline(time.Unix(1, 0)) }
	return &talk{ctx: ctx, conn: conn, stop: context.AfterFunc(ctx, over)}, nil
}

// end lets the connection live on without the context.
func (t *talk) end() {
	if t.stop() {
		_ = t.conn.SetDeadline(time.Time{})
	}
}

// because names the context where a deadline of the socket is only its messenger.
func (t *talk) because(err error) error {
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	return err
}

// welcome says hello and hears WELCOME with count regions, a doorbell for each shard, and the event rings'
// regions. The regions' descriptors are the caller's.
func (e *Engine) welcome(hello *wire.Hello, count int, descriptors ...int) (regions, events []int, _ error) {
	// An engine that refused before it heard us out has hung up, but left its reason: so listen anyhow.
	said := e.conn.Send(hello.Encode(), descriptors...)
	if said != nil && !wire.IsHangUp(said) {
		return nil, nil, said
	}
	received, err := e.hear()
	if err != nil {
		return nil, nil, err
	}
	defer received.Close()
	terms, err := wire.DecodeWelcome(received.Message)
	if err != nil {
		return nil, nil, err
	}
	if uint64(terms.Descriptors) != uint64(count)+uint64(terms.Shards)+uint64(len(terms.EventRings)) {
		return nil, nil, impossible("another number of descriptors than its shards and event rings need")
	}
	if err := received.Expect(int(terms.Descriptors)); err != nil {
		return nil, nil, err
	}
	found, shards := received.Descriptors, int(terms.Shards)
	for _, fd := range found[count : count+shards] {
		var stat syscall.Stat_t
		if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
			return nil, nil, impossible("a doorbell that is not a socket")
		}
	}
	received.Descriptors = nil
	e.Terms, e.doorbells = terms, found[count:count+shards:count+shards]
	return found[:count], found[count+shards:], nil
}

// hear is the next message, unless it is REFUSED.
func (e *Engine) hear() (*wire.Received, error) {
	received, err := e.conn.Receive()
	if err != nil {
		return nil, err
	}
	head, err := wire.HeadOf(received.Message)
	if err == nil && head.Kind == wire.KindRefused {
		var refusal *wire.Refusal
		if refusal, err = wire.DecodeRefused(received.Message); err == nil {
			err = refusal
		}
	}
	if err != nil {
		received.Close()
		return nil, err
	}
	return received, nil
}

// finish says MAPPED and hears READY.
func (e *Engine) finish() error {
	if err := e.conn.Send(wire.EncodeStep(wire.KindMapped)); err != nil && !wire.IsHangUp(err) {
		return err
	}
	received, err := e.hear()
	if err != nil {
		return err
	}
	defer received.Close()
	if err := received.Expect(0); err != nil {
		return err
	}
	if err := wire.DecodeStep(received.Message, wire.KindReady); err != nil {
		return err
	}
	e.EnginePID, _, _ = e.conn.Credentials()
	return e.conn.Raw().Control(func(fd uintptr) {
		if pidfd, err := sys.PidFD(int(fd)); err == nil {
			e.pidfd = pidfd
		}
	})
}

func (r *Request) open(terms *wire.Welcome, wishes *wire.Wishes) error {
	fail := func(err error) error { return &ImpossibleError{What: "the request region", Source: err} }
	huge, err := region.Check(r.fd, terms.RequestBytes, region.SizeSealed)
	if err != nil {
		return fail(err)
	}
	if wishes.Pages == wire.PagesRequireHuge && !huge {
		return impossible("small pages where 2 MiB pages were demanded")
	}
	if err := region.CheckAccess(r.fd, syscall.O_RDWR); err != nil {
		return fail(err)
	}
	mapping, err := region.ReadWrite(r.fd, terms.RequestBytes)
	if err != nil {
		return err
	}
	r.Mapping = mapping
	r.WriteHeader(terms.HostID, terms.Epoch)
	return nil
}

// WriteHeader says whose region this is, and in which epoch.
func (r *Request) WriteHeader(hostID, epoch uint64) {
	r.Mapping.WriteHeader(region.Header{
		Version: layout.Version, Role: layout.RoleRequest, HostID: hostID, Epoch: epoch,
	})
}

// Close closes the descriptor and counts one user of the mapping less.
func (r *Request) Close() {
	if r.fd >= 0 {
		_ = syscall.Close(r.fd)
		r.fd = -1
	}
	if r.Mapping != nil {
		r.Mapping.Release()
	}
}

func (e *Engine) openReply(fd int, wishes *wire.Wishes) error {
	fail := func(err error) error { return &ImpossibleError{What: "the reply region", Source: err} }
	huge, err := region.Check(fd, e.Terms.ReplyBytes, region.WriteSealed)
	if err != nil {
		return fail(err)
	}
	if wishes.Pages == wire.PagesRequireHuge && !huge {
		return impossible("small pages where 2 MiB pages were demanded")
	}
	if err := region.CheckAccess(fd, syscall.O_RDONLY); err != nil {
		return fail(err)
	}
	if e.Reply, err = region.ReadOnly(fd, e.Terms.ReplyBytes); err != nil {
		return err
	}
	return checkReplyHeader(e.Reply, e.Terms)
}

// openEvents checks the regions of the event rings and maps them, read-only.
func (e *Engine) openEvents(descriptors []int) error {
	fail := func(err error) error { return &ImpossibleError{What: "an event region", Source: err} }
	for index, fd := range descriptors {
		bytes := e.Terms.EventRings[index].Bytes
		if _, err := region.Check(fd, bytes, region.WriteSealed); err != nil {
			return fail(err)
		}
		if err := region.CheckAccess(fd, syscall.O_RDONLY); err != nil {
			return fail(err)
		}
		mapping, err := region.ReadOnly(fd, bytes)
		if err != nil {
			return err
		}
		e.Events = append(e.Events, mapping)
		if err := checkEventHeader(mapping, e.Terms, index); err != nil {
			return err
		}
	}
	return nil
}

func closeAll(descriptors []int) {
	for _, fd := range descriptors {
		_ = syscall.Close(fd)
	}
}
