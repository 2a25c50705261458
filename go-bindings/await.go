package ironhoard

import (
	"context"
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/lull"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// How a waiting goroutine goes from the fastest way to the cheapest: it looks at the ring for as long as
// replies usually take (at least leastLooks), then lets others run between looks, then parks.
const (
	leastLooks       = 64
	yieldsBeforePark = 48
)

// look waits for the reply to request number, which the owner has committed alone and which was not there
// behind the lull: as many looks as replies usually need, four times over. Others' replies are handed out and
// others' requests committed on the way. The record lies in place until the owner looks again or leaves.
func (s *shared) look(number uint64) (payload []byte, status uint16, found bool) {
	l := s.lane
	for looks := uint32(1); looks < s.bound; looks++ {
		if payload, status, ok := l.consumer.Take(); ok {
			if l.consumer.Taken() == number {
				l.lull.FoundWith(looks)
				s.adapt(looks)
				return payload, status, true
			}
			s.deliver(payload, status)
			continue
		}
		if s.client.news.Load() != l.news || s.queue.Load() != nil || l.consumer.Faulty() {
			return nil, 0, false
		}
		if looks >= lull.QuickLooks {
			sys.Pause(1)
		}
	}
	s.bound = max(s.bound/2, min(leastLooks, s.client.options.spin))
	return nil, 0, false
}

// adapt lets the bound grow where it is near to what a reply needed.
func (s *shared) adapt(looks uint32) {
	if looks*4 > s.bound {
		s.bound = min(2*s.bound, s.client.options.spin)
	}
}

// await waits until w is done, or gives it up when the context is over. With owner it holds the lock when
// it begins; it never does when it ends.
func (s *shared) await(ctx context.Context, w *call, owner bool) error {
	for first, yields := true, 0; ; yields++ {
		if owner || w.state.Load() != callDone && s.tryLock() {
			s.lead(w, first)
			s.leave()
			owner, first = false, false
		}
		if w.state.Load() == callDone {
			return w.err
		}
		if err := ctx.Err(); err != nil {
			return s.abandon(w, err)
		}
		if yields < yieldsBeforePark && s.client.options.spin > 0 {
			yield()
			continue
		}
		if err := s.park(ctx, w); err != nil {
			return s.abandon(w, err)
		}
		yields = 0
	}
}

// lead serves everybody until w is done: for as long as replies usually take, or once only.
func (s *shared) lead(w *call, long bool) {
	for looks := uint32(0); ; looks++ {
		s.serve()
		if w.state.Load() == callDone {
			s.adapt(looks)
			return
		}
		if !long {
			return
		}
		if looks >= s.bound {
			s.bound = max(s.bound/2, min(leastLooks, s.client.options.spin))
			return
		}
		sys.Pause(1)
	}
}

// park sleeps until w is done, its goroutine shall lead, or the context is over: its error.
func (s *shared) park(ctx context.Context, w *call) error {
	w.parked.Store(1)
	defer w.parked.Store(0)
	if w.state.Load() == callDone {
		return nil
	}
	turnBarrier(s.client.fencing) // label `turn`, with shared.leave
	if s.tryLock() && !s.sleep(w) {
		return nil
	}
	// Whoever owns the lane now rouses w when it leaves; if nobody does, the flag is raised.
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sleep leaves the lane with its flag raised, so that the engine rings: nobody looks at the ring from now
// on. False where there is something to do after all; then it is left as usual.
func (s *shared) sleep(w *call) bool {
	s.bell.Store(false) // what rang before is seen from here on
	s.serve()
	if s.shut != nil || w.state.Load() == callDone {
		s.leave()
		return false
	}
	if head := s.firstQueued(); head != nil && head != w && head.hands && s.hasRoom(head) {
		// It is next, and can only do it itself. It serves everybody then, and rouses whoever is to lead.
		if !s.handOn(nil, head) {
			s.leave()
			return false
		}
		return true
	}
	s.lane.raise()
	if s.isNews() {
		s.lane.lower()
		s.leave()
		return false
	}
	if hook := s.client.options.hooks.Parked; hook != nil {
		hook(int(s.lane.index))
	}
	atomic.StoreUint64(&s.lock, 0)
	if (s.queue.Load() != nil || s.bell.Load()) && s.tryLock() {
		s.leave() // commits what is queued, and rouses whoever leads now
		return false
	}
	return true
}

// isNews is the last look before sleep (label `doze`): at the ring, at the room that a queued request
// waits for, and at what the tender may have said.
func (s *shared) isNews() bool {
	l := s.lane
	if l.consumer.Has() || s.client.news.Load() != l.news || s.queue.Load() != nil {
		return true
	}
	return s.fifo.head != nil && s.hasRoom(s.fifo.head)
}

func (s *shared) hasRoom(w *call) bool { return s.lane.producer.HasRoom(w.size) != ring.ErrFull }

// abandon gives w up because of err, unless it is done after all. A reply that comes for it is dropped and
// counted by whoever finds it, who also takes the object back.
func (s *shared) abandon(w *call, err error) error {
	for {
		switch state := w.state.Load(); state {
		case callDone:
			return w.err
		case callQueued, callCommitted:
			number := uint64(0)
			if state == callCommitted {
				number = w.number // behind the exchange the object may be somebody else's
			}
			if !w.state.CompareAndSwap(state, callAbandoned) {
				continue
			}
			s.client.counts.abandoned.Add(1)
			s.rung() // w may have been roused to lead
			if state == callQueued {
				return &abandonedError{notSent(err)}
			}
			return &abandonedError{&UncertainError{Number: number, Err: err}}
		default:
			yield() // somebody is at it this moment
		}
	}
}

// abandonedError marks that the call's object belongs to the lane now.
type abandonedError struct{ error }

func (e *abandonedError) Unwrap() error { return e.error }

// reclaim takes the object of an ended call back where it is the caller's, and says how the call ended.
func reclaim(w *call, err error) (dst []byte, status uint16, _ error) {
	if abandoned, gone := err.(*abandonedError); gone { // not errors.As, which allocates
		return nil, 0, abandoned.error
	}
	dst, status = w.dst, w.status
	w.recycle()
	return dst, status, err
}
