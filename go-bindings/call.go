package ironhoard

import (
	"context"
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// callsPerTurn is how many calls there are in a row before others of the processor may run: a call that
// finds its reply soon never waits, and a goroutine that never waits would keep the processor for the 10 ms
// until it is preempted.
const callsPerTurn = 128

// Call sends req and appends the reply to dst, which it returns; a nil dst is allocated for. It allocates
// nothing where dst has room. The request's bytes are copied before Call returns, and are not kept.
//
// Errors: a reply that is not a success is a [*RemoteError], its payload appended all the same. Where the
// context is over before the request was committed, nothing was sent; behind that the error is an
// [*UncertainError]: the request may have been executed. [*TooLargeError], [ErrClosed], [ErrEngineGone],
// [*LaneClosedError], [*CorruptError]; [ErrNested] from inside a callback of [Client.CallFunc].
//
// An engine that dies meanwhile makes the call longer and not fail: the next engine at the path answers it.
// The context is looked at before the request is sent and whenever the call lets others run, not while it
// polls for the time that replies usually take.
func (c *Client) Call(ctx context.Context, kind uint16, req, dst []byte) ([]byte, error) {
	if ctx.Done() != nil && ctx.Err() != nil {
		return dst, notSent(ctx.Err())
	}
	s := &c.shared
	if c.outside.count.Load() != 0 && c.isNested() {
		return dst, ErrNested
	}
	if s.draining.Load() {
		return dst, s.refusal()
	}
	if !atomic.CompareAndSwapUint64(&s.lock, 0, 1) {
		return c.callBehind(ctx, kind, req, dst)
	}
	l := s.lane
	if s.shut != nil || l.raised || s.pending.waiting > 0 || s.fifo.head != nil || c.news.Load() != l.news {
		return c.callAmong(ctx, kind, req, dst)
	}
	claim, err := s.run.Claim(len(req), reserveShared)
	if err != nil {
		return c.callAmong(ctx, kind, req, dst)
	}
	if len(req) == memory.Lineful {
		memory.CopyLineful(claim, req)
	} else {
		memory.CopyIn(claim, req)
	}
	number := s.commitAlone(len(req), kind)
	payload, status, found := l.takeAtOnce(&s.run, number)
	if !found {
		if payload, status, found = s.look(number); !found {
			return c.callSlowly(ctx, number, dst)
		}
	}
	dst = memory.Append(dst, payload)
	s.endTurn()
	if status != 0 {
		return dst, &RemoteError{Code: status}
	}
	return dst, nil
}

// reserveShared is room for n bytes where the last call got none ready.
func reserveShared(run *ring.Run, n int) ([]byte, error) {
	p := run.Owner.(*ring.Producer)
	room, err := p.Reserve(n)
	if err != nil {
		return nil, err
	}
	return p.Payload(room), nil
}

// commitAlone commits the request of an owner who is alone on the lane: size bytes, all that was claimed.
//
//go:noinline
func (s *shared) commitAlone(size int, kind uint16) (number uint64) {
	if p := s.lane.producer; s.run.IsReady() {
		number = s.run.CommitReady(kind)
		p.Committed()
	} else {
		number = p.Commit(ring.Room(size), size, kind)
	}
	s.lane.ringIfAsleep()
	sys.StoreRelease(&s.sent, number)
	return number
}

// endTurn leaves, and lets others run now and then.
func (s *shared) endTurn() {
	if s.turns++; s.turns%callsPerTurn == 0 {
		s.leave()
		yield()
		return
	}
	s.leave()
}

// callSlowly goes on where the reply to the owner's own request did not come at once.
func (c *Client) callSlowly(ctx context.Context, number uint64, dst []byte) ([]byte, error) {
	w := newCall(0, nil, dst)
	c.shared.expect(w, number)
	return c.outcome(w, dst, c.shared.await(ctx, w, true))
}

// callAmong makes the call of an owner who is not alone on the lane.
func (c *Client) callAmong(ctx context.Context, kind uint16, req, dst []byte) ([]byte, error) {
	s := &c.shared
	if s.lane.raised {
		s.lane.lower()
	}
	w := newCall(kind, req, dst)
	s.enqueue(w) // behind those who came before
	s.serve()
	return c.outcome(w, dst, s.await(ctx, w, true))
}

// callBehind makes the call of somebody who found the lock taken.
func (c *Client) callBehind(ctx context.Context, kind uint16, req, dst []byte) ([]byte, error) {
	if c.isNested() {
		return dst, ErrNested
	}
	w := newCall(kind, req, dst)
	c.shared.enqueue(w)
	return c.outcome(w, dst, c.shared.await(ctx, w, false))
}

// outcome is what Call returns behind a call that others could see.
func (c *Client) outcome(w *call, dst []byte, err error) ([]byte, error) {
	got, status, err := reclaim(w, err)
	if err != nil {
		return dst, err
	}
	if status != 0 {
		return got, &RemoteError{Code: status}
	}
	return got, nil
}
