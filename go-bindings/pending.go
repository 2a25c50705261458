package ironhoard

import (
	"sync"
	"sync/atomic"
)

// The states of a call that is not alone on the lane.
//
//	queued ──▶ committing ──▶ committed ──▶ delivering ──▶ done
//	   └──────────── abandoned ◀──┘
//
// Whoever owns the lane moves it to the right, the caller who gives up moves it down; both by
// compare-and-swap, so that nothing is delivered to a caller who has gone.
const (
	callQueued uint32 = iota
	callCommitting
	callCommitted
	callDelivering
	callDone
	callAbandoned
)

// call is one request of a goroutine that shares the lane with others.
type call struct {
	state  atomic.Uint32
	parked atomic.Uint32 // 1 while its goroutine sleeps, or is about to
	wake   chan struct{} // one token
	next   *call         // in the queue

	size   int    // bytes of the request
	req    []byte // the request
	kind   uint16
	hands  bool // its goroutine wants the lane itself, to write the request in place
	status uint16
	number uint64
	dst    []byte // the reply is appended to this
	err    error
}

var calls = sync.Pool{New: func() any { return &call{wake: make(chan struct{}, 1)} }}

func newCall(kind uint16, req, dst []byte) *call {
	w := calls.Get().(*call)
	w.state.Store(callQueued)
	w.kind, w.req, w.size, w.dst, w.hands = kind, req, len(req), dst, false
	return w
}

// recycle forgets what the call pointed to. A token may be left in wake: whoever finds it looks once for
// nothing.
func (w *call) recycle() {
	w.req, w.dst, w.next, w.err = nil, nil, nil, nil
	calls.Put(w)
}

// finish says that the call is done. The caller may take it back at once, so nothing of it is looked at
// behind this but what a later owner of the object can bear: a spurious token.
func (w *call) finish() {
	w.state.Store(callDone)
	w.rouse()
}

// hasGone says whether the call was given up. Behind the free lock the object may be another call's already,
// whose state then says no worse than to look once for nothing.
func (w *call) hasGone() bool { return w != nil && w.state.Load() == callAbandoned }

// rouse wakes the goroutine if it sleeps. State or lock were stored before, and the sleeper says that it
// sleeps before it looks at them: one of the two sees the other.
func (w *call) rouse() {
	if w.parked.Load() != 0 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// pending finds the call that a reply belongs to: a ring of pointers by number.
type pending struct {
	slots   []*call // a power of two
	waiting int
}

func (p *pending) slot(number uint64) **call { return &p.slots[number&uint64(len(p.slots)-1)] }

// put notes that w waits for number; oldest is the number of the next reply.
func (p *pending) put(number, oldest uint64, w *call) {
	for uint64(len(p.slots)) <= number-oldest {
		grown := pending{slots: make([]*call, max(64, 2*len(p.slots)))}
		for at := oldest; len(p.slots) > 0 && at-oldest < uint64(len(p.slots)); at++ {
			*grown.slot(at) = *p.slot(at)
		}
		p.slots = grown.slots
	}
	*p.slot(number) = w
	p.waiting++
}

// take is the call that waits for number, and forgets it; nil where there is none.
func (p *pending) take(number uint64) *call {
	if p.waiting == 0 {
		return nil
	}
	slot := p.slot(number)
	w := *slot
	if w == nil || w.number != number {
		return nil
	}
	*slot = nil
	p.waiting--
	return w
}

// oldest is the first call from number on whose caller still waits; nil where there is none.
func (p *pending) oldest(number uint64) *call {
	left := p.waiting
	for ; left > 0; number++ {
		if w := *p.slot(number); w != nil {
			if w.state.Load() == callCommitted {
				return w
			}
			left--
		}
	}
	return nil
}

// callList is calls in the order in which they came. The lane owner's.
type callList struct{ head, tail *call }

func (l *callList) push(w *call) {
	w.next = nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
}

func (l *callList) pop() {
	l.head = l.head.next
	if l.head == nil {
		l.tail = nil
	}
}
