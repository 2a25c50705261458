//go:build linux && (amd64 || arm64)

package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// patience is how long a test waits for what must come soon.
const patience = 10 * time.Second

// RawHost is a host written from docs/LAYOUT.md, step by step and without any help: it can also do what no
// good host does. It spins, never sleeps, and never resumes by itself.
type RawHost struct {
	t         *testing.T
	conn      *wire.Conn
	terms     *wire.Welcome
	request   *region.Mapping
	reply     *region.Mapping
	requestFD int
	doorbells []int
	events    []*region.Mapping // of the event rings that were granted
}

// connect begins a conversation that the end of the test closes.
func connect(t *testing.T, path string) *RawHost {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := wire.Dial(ctx, path)
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	h := &RawHost{t: t, conn: conn, requestFD: -1}
	t.Cleanup(h.close)
	return h
}

// close gives everything back; nothing of the host may be touched any more.
func (h *RawHost) close() {
	h.conn.Close()
	for _, mapping := range append(h.events, h.request, h.reply) {
		if mapping != nil {
			mapping.Release()
		}
	}
	for _, fd := range append(h.doorbells, h.requestFD) {
		if fd >= 0 {
			syscall.Close(fd)
		}
	}
	h.request, h.reply, h.events, h.doorbells, h.requestFD = nil, nil, nil, nil, -1
}

// wishes are the least that a host can wish for.
func wishes() wire.Wishes {
	return wire.Wishes{Lanes: 1, RequestCapacity: 4096, ReplyCapacity: 4096, Pages: wire.PagesSmall}
}

// attach is a whole conversation.
func attach(t *testing.T, path string, wishes wire.Wishes) *RawHost {
	t.Helper()
	h := connect(t, path)
	h.say(wire.NewHello(wishes, nil).Encode())
	if err := h.welcome(2); err != nil {
		t.Fatal(err)
	}
	h.writeHeader(h.terms.Epoch)
	if err := h.finish(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *RawHost) say(message []byte, descriptors ...int) {
	h.t.Helper()
	if err := h.conn.Send(message, descriptors...); err != nil {
		h.t.Fatalf("saying %d bytes: %v", len(message), err)
	}
}

// hear is the next message; a *wire.Refusal where that is REFUSED.
func (h *RawHost) hear() (*wire.Received, error) {
	received, err := h.conn.Receive()
	if err != nil {
		return nil, err
	}
	if head, err := wire.HeadOf(received.Message); err == nil && head.Kind == wire.KindRefused {
		received.Close()
		refusal, err := wire.DecodeRefused(received.Message)
		return nil, errors.Join(err, refusal)
	}
	return received, nil
}

// welcome hears WELCOME with regions descriptors of regions, checks and maps them.
func (h *RawHost) welcome(regions int) error {
	received, err := h.hear()
	if err != nil {
		return err
	}
	defer received.Close()
	if h.terms, err = wire.DecodeWelcome(received.Message); err != nil {
		return err
	}
	shards := int(h.terms.Shards)
	if count := regions + shards + len(h.terms.EventRings); int(h.terms.Descriptors) != count {
		return fmt.Errorf("WELCOME states %d descriptors and %d belong to it", h.terms.Descriptors, count)
	}
	if err := received.Expect(int(h.terms.Descriptors)); err != nil {
		return err
	}
	fds := received.Descriptors
	received.Descriptors = nil
	if regions == 2 {
		h.requestFD, fds = fds[0], fds[1:]
		if err := h.mapRequest(); err != nil {
			return err
		}
	}
	h.doorbells = fds[1 : 1+shards : 1+shards]
	defer func() {
		for _, fd := range append(fds[1+shards:], fds[0]) {
			syscall.Close(fd)
		}
	}()
	return errors.Join(h.mapReply(fds[0]), h.mapEvents(fds[1+shards:]))
}

// mapEvents checks and maps the event rings that were granted.
func (h *RawHost) mapEvents(fds []int) error {
	for index, fd := range fds {
		bytes := h.terms.EventRings[index].Bytes
		_, err := region.Check(fd, bytes, region.WriteSealed)
		if err := errors.Join(err, region.CheckAccess(fd, syscall.O_RDONLY)); err != nil {
			return fmt.Errorf("event region %d: %w", index, err)
		}
		mapping, err := region.ReadOnly(fd, bytes)
		if err != nil {
			return err
		}
		h.events = append(h.events, mapping)
		want := region.Header{Version: 1, Role: layout.RoleEvent, HostID: h.terms.Life, Epoch: uint64(index)}
		if found, ok := mapping.ReadHeader(); !ok || found != want {
			return fmt.Errorf("event region %d: the header is %+v, %v and must be %+v", index, found, ok, want)
		}
	}
	return nil
}

func (h *RawHost) mapRequest() (err error) {
	if _, err := region.Check(h.requestFD, h.terms.RequestBytes, region.SizeSealed); err != nil {
		return fmt.Errorf("request region: %w", err)
	}
	h.request, err = region.ReadWrite(h.requestFD, h.terms.RequestBytes)
	return err
}

func (h *RawHost) mapReply(fd int) (err error) {
	if _, err := region.Check(fd, h.terms.ReplyBytes, region.WriteSealed); err != nil {
		return fmt.Errorf("reply region: %w", err)
	}
	if err := region.CheckAccess(fd, syscall.O_RDONLY); err != nil {
		return fmt.Errorf("reply region: %w", err)
	}
	if h.reply, err = region.ReadOnly(fd, h.terms.ReplyBytes); err != nil {
		return err
	}
	want := region.Header{Version: 1, Role: layout.RoleReply, HostID: h.terms.HostID, Epoch: h.terms.Epoch}
	if found, ok := h.reply.ReadHeader(); !ok || found != want {
		return fmt.Errorf("the reply region's header is %+v, %v and must be %+v", found, ok, want)
	}
	return nil
}

func (h *RawHost) writeHeader(epoch uint64) {
	h.request.WriteHeader(region.Header{
		Version: layout.Version, Role: layout.RoleRequest, HostID: h.terms.HostID, Epoch: epoch,
	})
}

// finish says MAPPED and hears READY; then the request region is closed to other writers.
func (h *RawHost) finish() error {
	h.say(wire.EncodeStep(wire.KindMapped))
	received, err := h.hear()
	if err != nil {
		return err
	}
	if err := errors.Join(received.Expect(0), wire.DecodeStep(received.Message, wire.KindReady)); err != nil {
		return err
	}
	_, err = region.Check(h.requestFD, h.terms.RequestBytes, region.WriteSealed)
	return err
}

// rawLane is one lane of a RawHost.
type rawLane struct {
	host     *RawHost
	index    uint32
	requests *ring.Producer
	replies  *ring.Consumer
	words    memory.Words // of the request ring
	rung     uint64
}

// lane takes a lane into use, its next request being number at position.
func (h *RawHost) lane(index uint32, start ring.Cursor) *rawLane {
	h.t.Helper()
	lanes := uint32(len(h.terms.LaneShards))
	control := layout.LaneControlOffset(index)
	use := h.request.Word(control + layout.LaneInUse)
	use.Store(1)
	l := &rawLane{host: h, index: index}
	l.words = h.request.Words(layout.RingOffset(lanes, index, h.terms.RequestCapacity), h.terms.RequestCapacity)
	var err error
	l.requests, err = ring.NewProducer(l.words, h.reply.Word(control+layout.LaneRequestPosition), start)
	if err != nil {
		h.t.Fatal(err)
	}
	replies := h.reply.Words(layout.RingOffset(lanes, index, h.terms.ReplyCapacity), h.terms.ReplyCapacity)
	position := &ring.WordPosition{Word: h.request.Word(layout.ReplyPositionOffset(index, h.terms.Epoch))}
	l.replies, err = ring.NewConsumer(replies, position, ring.Cursor{Position: 0, Number: start.Number})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// put commits a request, or answers ring.ErrFull.
func (l *rawLane) put(kind uint16, payload []byte) error {
	room, err := l.requests.Reserve(len(payload))
	if err != nil {
		return err
	}
	copy(l.requests.Payload(room), payload)
	l.requests.Commit(room, len(payload), kind)
	l.ring()
	return nil
}

// ring is the waker's half, after a commit or a published position; with a fence where none was agreed.
func (l *rawLane) ring() {
	sys.Fence()
	shard := l.host.terms.LaneShards[l.index]
	flag := l.host.reply.Word(layout.ShardFlagOffset(uint32(shard)))
	if value := flag.Load(); value&1 == 1 && value != l.rung {
		l.rung = value
		const now = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
		_, _ = syscall.SendmsgN(l.host.doorbells[shard], []byte{1}, nil, nil, now)
	}
}

// take waits for the next reply.
func (l *rawLane) take() ring.Record {
	l.host.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); runtime.Gosched() {
		if record, ok := l.replies.Next(); ok {
			record.Payload = append([]byte(nil), record.Payload...)
			return record
		}
		if err := l.replies.Fault(); err != nil {
			l.host.t.Fatal(err)
		}
		if l.replies.Release() {
			l.ring()
		}
	}
	l.host.t.Fatalf("lane %d: no reply %d", l.index, l.replies.Cursor().Number)
	return ring.Record{}
}

// call is a request and its reply.
func (l *rawLane) call(kind uint16, payload []byte) ring.Record {
	l.host.t.Helper()
	if err := l.put(kind, payload); err != nil {
		l.host.t.Fatal(err)
	}
	return l.take()
}
