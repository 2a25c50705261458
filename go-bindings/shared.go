package ironhoard

import (
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// groupSize is how many queued requests become visible in one step.
const groupSize = 16

// shared is the lane of all the calls of a Client, and the lock before it.
//
// Whoever holds the lock owns the lane and does everything for everybody: commits what others have queued,
// in groups, takes replies, hands them out. So a goroutine that is alone takes the lock, commits, polls and
// goes; one that finds the lock taken queues its request and looks for its reply to be handed over. No
// claim outlives the lock, so the engine never waits behind a goroutine that was descheduled between claim
// and commit; nobody waits for a lock who could do something else.
//
//	caller 1:  lock ─ commit ─ poll ──────────── commit 2, 3 ─ poll ─ its reply ─ unlock, rouse 2
//	caller 2:         queue ─ … ────────────────────────────────────── lock ─ poll ─ both replies ─ …
//	caller 3:            queue ─ … ─ park ──────────────────────────────────────────── woken, done
//
// Who leaves rouses the oldest caller that still waits, if it sleeps: it leads from then on. Who has waited
// too long raises the lane's flag and sleeps with the lock free; the engine then rings, and the tender
// does what an owner does.
type shared struct {
	lock     uint64               // 1: somebody owns all below the line; atomic
	callback atomic.Uintptr       // the goroutine whose callback runs with the lock held
	queue    atomic.Pointer[call] // the newest first
	draining atomic.Bool          // no call is taken any more; those under way are
	bell     atomic.Bool          // the tender had news since whoever sleeps last looked

	// ── the owner's ──
	lane    *lane    // nil where the client reads events only
	run     ring.Run // the line that is ready for the next call, if there is one
	client  *Client
	fifo    callList // what was in the queue, the oldest first
	pending pending
	shut    error  // why no call is taken any more
	bound   uint32 // looks before the owner lets go
	turns   uint32
	sent    uint64 // requests committed; for everybody to read
}

func (s *shared) begin(c *Client, l *lane) {
	s.client, s.lane, s.bound = c, l, c.options.spin
	s.run = l.producer.NewRun(l.producer)
}

// refusal is why no call is taken.
func (s *shared) refusal() error {
	if s.lane == nil {
		return ErrNoLanes
	}
	return ErrClosed
}

// tryLock takes the lane if nobody owns it.
func (s *shared) tryLock() bool {
	if atomic.LoadUint64(&s.lock) != 0 || !atomic.CompareAndSwapUint64(&s.lock, 0, 1) {
		return false
	}
	if s.lane.raised {
		s.lane.lower()
	}
	return true
}

// leave gives the lane up. Whoever queued a request meanwhile and did not get the lock relies on this look
// at the queue. It queues, then tries the lock; here the lock is free, then comes the look: one of the two
// sees the other. In most turns nobody is there, so who leaves runs no barrier between the two, and whoever
// queued runs one for both before it sleeps (label `turn`): up to there it tries the lock again and again.
//
//go:noinline
func (s *shared) leave() {
	if s.pending.waiting == 0 && s.fifo.head == nil {
		sys.StoreReleaseHere(&s.lock, 0)
		if s.client.fencing {
			sys.Fence() // `turn`
		}
		if s.queue.Load() == nil || !s.tryLock() {
			return
		}
		s.commitQueued()
	}
	s.leaveAmong()
}

// leaveAmong is leave where others may wait: it rouses whoever is to lead, and whoever is next in the queue.
func (s *shared) leaveAmong() {
	for !s.handOn(s.successors()) {
		s.commitQueued()
	}
}

// successors are who is to lead, and who is next in the queue; nil where there is nobody.
func (s *shared) successors() (leader, queued *call) {
	if s.pending.waiting > 0 {
		leader = s.pending.oldest(s.lane.consumer.Cursor().Number)
	}
	return leader, s.firstQueued()
}

// handOn frees the lock and rouses them. False where it was taken again: somebody queued meanwhile, or one of
// them gave up and found the lock taken still. Then the others have to be served.
func (s *shared) handOn(leader, queued *call) bool {
	atomic.StoreUint64(&s.lock, 0)
	if (s.queue.Load() != nil || leader.hasGone() || queued.hasGone()) && s.tryLock() {
		return false
	}
	if leader != nil {
		leader.rouse()
	}
	if queued != nil {
		queued.rouse()
	}
	return true
}

// firstQueued is the oldest queued call whose caller still waits. It must not be one that has gone, or has
// what it came for: nobody would be roused, and those behind it sleep.
func (s *shared) firstQueued() *call {
	for s.fifo.head != nil && s.fifo.head.state.Load() == callAbandoned {
		gone := s.fifo.head
		s.fifo.pop()
		gone.recycle()
	}
	return s.fifo.head
}

// enqueue adds w to the queue.
func (s *shared) enqueue(w *call) {
	for {
		newest := s.queue.Load()
		w.next = newest
		if s.queue.CompareAndSwap(newest, w) {
			return
		}
	}
}

// collect moves the queue behind fifo, in the order in which it came.
func (s *shared) collect() {
	var reversed *call
	for w := s.queue.Swap(nil); w != nil; {
		next := w.next
		w.next, reversed = reversed, w
		w = next
	}
	for w := reversed; w != nil; {
		next := w.next
		s.fifo.push(w)
		w = next
	}
}

// commitQueued commits what others have queued, in groups that become visible in one step each, until the
// ring is full or somebody is next who writes in place.
func (s *shared) commitQueued() {
	if s.queue.Load() != nil {
		s.collect()
	}
	if s.shut != nil {
		s.failQueued()
		return
	}
	group := 0
	for s.fifo.head != nil {
		w := s.fifo.head
		if w.hands && w.state.Load() != callAbandoned {
			break
		}
		if w.hands || !w.state.CompareAndSwap(callQueued, callCommitting) {
			s.fifo.pop()
			w.recycle() // its caller has gone
			continue
		}
		room, err := s.lane.producer.Reserve(w.size)
		if err == ring.ErrFull {
			w.state.Store(callQueued)
			break
		}
		s.fifo.pop()
		if err != nil {
			w.err = s.lane.claimError(err, w.size)
			w.finish()
			continue
		}
		memory.CopyIn(s.lane.producer.Payload(room), w.req)
		s.expect(w, s.lane.producer.Append(room, w.size, w.kind))
		if group++; group%groupSize == 0 {
			s.publish()
		}
	}
	if group > 0 {
		s.publish()
	}
}

// publish makes the open group visible. A full ring or its end may have done so already.
func (s *shared) publish() {
	s.lane.producer.Publish()
	s.lane.ringIfAsleep()
	sys.StoreRelease(&s.sent, s.lane.producer.Cursor().Number-1)
}

// expect notes that w waits for the reply to request number.
func (s *shared) expect(w *call, number uint64) {
	w.number = number
	s.pending.put(number, s.lane.consumer.Cursor().Number, w)
	w.state.Store(callCommitted)
}

// serve does what the owner owes everybody: takes the replies that are there and hands them out, then
// commits what was queued.
func (s *shared) serve() {
	if s.shut != nil {
		s.commitQueued() // fails it
		return
	}
	for {
		payload, status, ok, err := s.lane.next()
		if err != nil {
			s.fail(err)
			return
		}
		if !ok {
			break
		}
		s.deliver(payload, status)
	}
	s.lane.consumer.Release()
	if s.fifo.head != nil || s.queue.Load() != nil {
		s.commitQueued()
	}
}

// deliver hands the reply that was taken last to the call that waits for it.
func (s *shared) deliver(payload []byte, status uint16) {
	w := s.pending.take(s.lane.consumer.Taken())
	if w == nil {
		s.lane.dropped(1) // of a caller that panicked in its callback
		return
	}
	if !w.state.CompareAndSwap(callCommitted, callDelivering) {
		s.lane.dropped(1)
		w.recycle() // its caller has gone
		return
	}
	w.status = status
	w.dst = memory.Append(w.dst, payload)
	w.finish()
}

// fail ends every call: there will be no more replies, for good.
func (s *shared) fail(err error) {
	s.shut = err
	for number := s.lane.consumer.Cursor().Number; s.pending.waiting > 0; number++ {
		w := s.pending.take(number)
		switch {
		case w == nil:
		case w.state.CompareAndSwap(callCommitted, callDelivering):
			w.err = &UncertainError{Number: number, Err: err}
			w.finish()
		default:
			w.recycle()
		}
	}
	s.collect()
	s.failQueued()
}

// failQueued ends the calls that were not committed.
func (s *shared) failQueued() {
	for s.fifo.head != nil {
		w := s.fifo.head
		s.fifo.pop()
		if !w.state.CompareAndSwap(callQueued, callCommitting) {
			w.recycle()
			continue
		}
		w.err = s.shut
		w.finish()
	}
}

// rung is the tender's turn: a doorbell rang, or there is news. If somebody owns the lane, that one looks:
// also an owner who is just falling asleep and has had its last look at the ring. It frees the lock and then
// looks at the bell; here the bell is before the try.
func (s *shared) rung() {
	if s.lane == nil {
		return // this client reads events only
	}
	s.bell.Store(true)
	if s.tryLock() {
		s.serve()
		s.leave()
	}
}

// lockNow takes the lane however long that takes.
func (s *shared) lockNow() {
	for !s.tryLock() {
		yield()
	}
}

// drained refuses calls from now on, and says whether all that were taken have their replies.
func (s *shared) drained() bool {
	s.draining.Store(true)
	s.lockNow()
	defer s.leave()
	s.serve()
	if s.fifo.head != nil || s.pending.waiting > 0 {
		return false
	}
	if s.shut == nil {
		s.shut = ErrClosed
	}
	return true
}

// end fails what is under way and lets go of the lane's memory: nobody touches it behind this, because
// whoever takes the lock looks at shut first.
func (s *shared) end() {
	s.lockNow()
	s.serve()
	s.fail(ErrClosed)
	s.lane.raised = false
	s.lane.leave()
	s.leave()
}

// committed is how many requests there were.
func (s *shared) committed() uint64 { return atomic.LoadUint64(&s.sent) }
