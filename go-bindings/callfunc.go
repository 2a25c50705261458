package ironhoard

import (
	"context"
	"sync"

	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// CallFunc makes a call without copies: fill writes the request of n bytes where it lies (it holds whatever
// was there before), read reads the reply where it lies. Both slices end with their callback: a later touch
// meets memory that belongs to somebody else, or to nobody. The reply is read-only: writing to it ends the
// process. Where others wait for replies as well, read gets a copy, so that it holds nobody up.
//
// The lane is this call's alone while fill runs, and often while read does: keep both short, and call
// neither the Client nor anybody who waits for it: a call from inside is [ErrNested], one from a goroutine
// that a callback waits for never ends.
//
// Errors: those of fill (nothing is sent then) and read, as they are; otherwise as [Client.Call]. A reply
// that is not a success is a [*RemoteError], and read does not run.
func (c *Client) CallFunc(
	ctx context.Context, kind uint16, n int, fill func(req []byte) error, read func(reply []byte) error,
) error {
	if ctx.Done() != nil && ctx.Err() != nil {
		return notSent(ctx.Err())
	}
	if c.isNested() {
		return ErrNested
	}
	s := &c.shared
	if s.draining.Load() {
		return s.refusal()
	}
	room, err := s.claim(ctx, n)
	if err != nil {
		return err
	}
	if err := s.fill(room, fill); err != nil {
		s.leave()
		return err
	}
	number := s.commitAlone(n, kind)
	if s.pending.waiting == 0 && s.fifo.head == nil {
		payload, status, found := s.lane.takeAtOnce(&s.run, number)
		if !found {
			payload, status, found = s.look(number)
		}
		if found {
			return s.readInPlace(payload, status, read)
		}
	}
	return c.readCopy(ctx, number, read)
}

// claim takes the lane and room for n bytes, waiting for both. The lock is held where there is no error.
func (s *shared) claim(ctx context.Context, n int) (ring.Room, error) {
	if s.tryLock() {
		if room, err := s.roomNow(n); err != ring.ErrFull {
			return room, err
		}
		s.leave()
	}
	w := newCall(0, nil, nil)
	w.hands, w.size = true, n
	s.enqueue(w) // so that whoever leaves rouses it
	for yields := 0; ; yields++ {
		if s.tryLock() {
			s.serve()
			if w.state.Load() == callDone {
				err := w.err
				s.leave()
				w.recycle()
				return ring.Room(0), err
			}
			if room, err := s.roomNow(n); err != ring.ErrFull {
				s.forget(w)
				return room, err
			}
			s.leave()
		}
		err := ctx.Err()
		if err == nil && yields >= yieldsBeforePark {
			yields = 0
			err = s.park(ctx, w)
		} else {
			yield()
		}
		if err != nil {
			_, _, err = reclaim(w, s.abandon(w, err))
			return ring.Room(0), err
		}
	}
}

// roomNow is room for n bytes. With any error but ErrFull the lane has been left.
func (s *shared) roomNow(n int) (ring.Room, error) {
	s.serve()
	err := s.shut
	var room ring.Room
	if err == nil {
		if room, err = s.lane.producer.Reserve(n); err != nil && err != ring.ErrFull {
			err = s.lane.claimError(err, n)
		}
	}
	if err != nil && err != ring.ErrFull {
		s.leave()
	}
	return room, err
}

// forget takes w, which has what it waited for, out of the queue. The lock may have been left meanwhile.
func (s *shared) forget(w *call) {
	if w.state.CompareAndSwap(callQueued, callAbandoned) {
		return // whoever finds it in the queue takes it back
	}
	w.recycle()
}

// fill runs the callback that writes the request.
func (s *shared) fill(room ring.Room, fill func([]byte) error) error {
	s.callback.Store(sys.Goroutine())
	returned := false
	defer func() {
		s.callback.Store(0)
		if !returned {
			s.leave() // it panics: nothing was committed
		}
	}()
	err := fill(s.lane.producer.Payload(room))
	returned = true
	return err
}

// readInPlace runs the callback that reads the reply, and leaves.
func (s *shared) readInPlace(payload []byte, status uint16, read func([]byte) error) error {
	if status != 0 {
		s.endTurn()
		return &RemoteError{Code: status}
	}
	s.callback.Store(sys.Goroutine())
	defer func() {
		s.callback.Store(0)
		s.endTurn()
	}()
	return read(payload)
}

// copies are buffers for replies that are not read in place.
var copies = sync.Pool{New: func() any { return new([]byte) }}

// readCopy waits for the reply among others and lets read have a copy of it.
func (c *Client) readCopy(ctx context.Context, number uint64, read func([]byte) error) error {
	buffer := copies.Get().(*[]byte)
	w := newCall(0, nil, (*buffer)[:0])
	c.shared.expect(w, number)
	reply, status, err := reclaim(w, c.shared.await(ctx, w, true))
	if err != nil {
		return err // the buffer is the lane's where the call was given up
	}
	defer func() {
		*buffer = reply
		copies.Put(buffer)
	}()
	if status != 0 {
		return &RemoteError{Code: status}
	}
	me := c.outside.enter()
	defer c.outside.leave(me)
	return read(reply)
}
