//go:build linux && (amd64 || arm64)

package enginetest

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

const (
	// budget is the most requests of one lane in one round.
	budget = 64
	// idleLooks are the idle rounds between two looks at which lanes are in use.
	idleLooks = 32
)

// shard is one goroutine that serves its lanes.
//
//	visit each lane, at most a budget of requests ─▶ nothing? yield ─▶ idle for long? park
//	     ▲                                                                  │
//	     └───────────── look again ◀── bell, mail ◀── raise, barrier, look, sleep
//
// The gate is held while the shard touches shared memory, and not while the handler runs: so an engine
// can be killed in the middle of a request, and nothing is written after its death.
type shard struct {
	life    *life
	handler Handler

	gate sync.Mutex
	dead bool // under gate: killed

	bell    chan struct{}
	mailbox sync.Mutex
	mail    []func(*shard)
	hasMail atomic.Bool
	over    bool // under mailbox: nobody reads the mail any more

	// The rest belongs to the goroutine, under gate.
	parts   []*part
	events  []*event.Writer
	haltAt  time.Time // where it is not zero: answer what is committed, until then
	request Request
	scratch []byte
	reply   []byte
	current *lane // whose request the handler has
}

// part is a host as one shard sees it.
type part struct {
	host     *host
	lanes    []*lane
	used     []*lane
	ears     []*ear // of those who wait for this shard's events
	sleeper  sleeper
	doorbell *doorbell
}

// run serves until the end. A handler that panics, or ends its goroutine, costs one request an error reply.
func (s *shard) run() {
	finished := false
	defer func() {
		if !finished {
			s.answerPanic(recover())
			go s.run()
		}
	}()
	s.serve()
	finished = true
	s.end()
}

// end gives all lanes back; what is posted from now on is the sender's to give back.
func (s *shard) end() {
	s.mailbox.Lock()
	s.over = true
	s.mailbox.Unlock()
	s.gate.Lock()
	s.readMail()
	for _, part := range s.parts {
		part.host.returned()
	}
	s.parts, s.events = nil, nil
	s.gate.Unlock()
	s.life.running.Done()
}

func (s *shard) serve() {
	busyAt, rounds := time.Now(), 0
	for s.turn(rounds, &busyAt) {
		rounds++
	}
}

// turn is one round, and what is to be done when it brought nothing; false at the end.
func (s *shard) turn(rounds int, busyAt *time.Time) bool {
	s.gate.Lock()
	s.readMail()
	halting := !s.haltAt.IsZero()
	if rounds%idleLooks == 0 || halting {
		s.lookForUsedLanes()
	}
	answered := !s.dead && s.round()
	ended := s.dead || halting && (!answered || time.Now().After(s.haltAt))
	s.gate.Unlock()
	switch {
	case ended:
		return false
	case answered:
		*busyAt = time.Now()
	case time.Since(*busyAt) < s.life.settings.patience:
		runtime.Gosched()
	default:
		s.park()
		*busyAt = time.Now()
	}
	return true
}

// round visits each lane in use; says whether a request was answered.
func (s *shard) round() bool {
	answered := false
	for _, part := range s.parts {
		for _, lane := range part.used {
			if !lane.closed && !s.dead {
				answered = s.visit(lane, budget) || answered
			}
		}
	}
	return answered
}

// visit answers up to most requests of a lane; says whether there was one.
func (s *shard) visit(l *lane, most int) (answered bool) {
	released := l.requests.Released()
	for range most {
		if err := l.replies.HasRoom(l.largest); err != nil {
			if err != ring.ErrFull {
				s.close(l, err)
				return answered
			}
			s.life.counts.skipped.Add(1)
			break
		}
		record, found := l.requests.Next()
		if !found {
			break
		}
		if !s.answer(l, &record) {
			return answered // killed meanwhile
		}
		answered = true
	}
	if err := l.requests.Fault(); err != nil {
		s.close(l, err)
		return answered
	}
	l.requests.Release() // found empty, or no room for a reply: the host may be waiting for just that
	if l.requests.Released() != released {
		l.ringIfAsleep()
	}
	return answered
}

// answer gives one request its reply; false if the engine was killed while the handler had it.
func (s *shard) answer(l *lane, record *ring.Record) bool {
	status, payload := Status(0), s.reply[:0]
	switch {
	case record.Flags&layout.FlagsMustUnderstand != 0:
		status = layout.StatusUnknownFlag
	case l.poison == record.Number:
		status = layout.StatusPoison
		s.life.counts.poisoned.Add(1)
	default:
		payload, status = s.handle(l, record)
		if s.dead {
			return false
		}
	}
	if len(payload) > l.largest {
		payload, status = payload[:0], layout.StatusTooLarge
	}
	s.commit(l, payload, status)
	return true
}

// handle lets the handler have one request, with the gate open.
func (s *shard) handle(l *lane, record *ring.Record) ([]byte, Status) {
	s.scratch = append(s.scratch[:0], record.Payload...) // read once: the host can still write there
	if cap(s.reply) < l.largest {
		s.reply = make([]byte, 0, l.largest)
	}
	s.request = Request{
		Kind: record.Kind, Number: record.Number, Lane: l.index, HostID: l.host.terms.HostID, Payload: s.scratch,
		publish: s.request.publish, nextEvent: s.request.nextEvent,
	}
	s.current = l
	s.gate.Unlock()
	payload, status := s.handler(&s.request, s.reply[:0:l.largest])
	if status >= layout.EngineStatusFirst {
		panic(fmt.Sprintf("status %#x: codes from 0xff00 on are the engine's", status))
	}
	s.gate.Lock()
	s.current = nil
	return payload, status
}

func (s *shard) commit(l *lane, payload []byte, status Status) {
	room, err := l.replies.Reserve(len(payload))
	if err != nil { // not for want of room, which was there: the host's position became impossible
		s.close(l, err)
		return
	}
	copy(l.replies.Payload(room), payload)
	l.replies.Commit(room, len(payload), uint16(status))
	s.life.counts.requests.Add(1)
	l.ringIfAsleep()
}

func (l *lane) ringIfAsleep() {
	if l.waker.mustRing() {
		l.doorbell.ring()
	}
}

// answerPanic gives the request that the handler did not survive its reply. The gate is open.
func (s *shard) answerPanic(reason any) {
	s.gate.Lock()
	defer s.gate.Unlock()
	l := s.current
	s.current = nil
	if l == nil {
		panic(reason) // not the handler's: a defect of this package must not be hidden
	}
	if reason == nil {
		reason = "the handler ended its goroutine: runtime.Goexit, or FailNow of a test"
	}
	s.life.counts.panics.Add(1)
	s.life.settings.logger.Error("the handler panicked", "reason", reason, "number", s.request.Number,
		"stack", string(debug.Stack()))
	if !s.dead {
		s.commit(l, nil, layout.StatusPanic)
	}
}

// close ends a lane whose host wrote nonsense; nothing else ends.
func (s *shard) close(l *lane, reason error) {
	if l.closed {
		return
	}
	l.closed = true
	s.life.counts.closedLanes.Add(1)
	l.host.laneClosed(l.index, reason)
}

// park sleeps until something rings. Label `doze`: raise, barrier, look again, only then sleep.
func (s *shard) park() {
	s.gate.Lock()
	for _, part := range s.parts {
		part.sleeper.raise()
	}
	s.barrier()
	asleep := !s.dead && !s.hasWork()
	s.gate.Unlock()
	if asleep {
		<-s.bell
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if !s.dead {
		for _, part := range s.parts {
			part.sleeper.lower()
		}
		s.lookForUsedLanes()
	}
}

// barrier is the sleeper's: the system call where a host relies on it, a fence in any case.
func (s *shard) barrier() {
	if slices.ContainsFunc(s.parts, func(p *part) bool { return p.host.terms.Membarrier }) {
		sys.Membarrier() // it cannot fail once registering has seen it succeed
	}
	sys.Fence()
}

func (s *shard) hasWork() bool {
	if s.hasMail.Load() {
		return true
	}
	return slices.ContainsFunc(s.parts, func(p *part) bool {
		return slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.isUsed() && l.hasWork() })
	})
}

func (s *shard) lookForUsedLanes() {
	for _, part := range s.parts {
		part.used = part.used[:0]
		for _, lane := range part.lanes {
			if lane.isUsed() {
				part.used = append(part.used, lane)
			}
		}
	}
}

// post hands the shard something to do between two rounds, under its gate; false if it is over.
func (s *shard) post(mail func(*shard)) bool {
	s.mailbox.Lock()
	defer s.mailbox.Unlock()
	if s.over {
		return false
	}
	s.mail = append(s.mail, mail)
	s.hasMail.Store(true)
	s.ring()
	return true
}

// ring wakes the shard.
func (s *shard) ring() {
	select {
	case s.bell <- struct{}{}:
	default: // it was rung already
	}
}

func (s *shard) readMail() {
	if !s.hasMail.Load() {
		return
	}
	s.mailbox.Lock()
	mail := s.mail
	s.mail = nil
	s.hasMail.Store(false)
	s.mailbox.Unlock()
	for _, do := range mail {
		do(s)
	}
}

// leave answers what a vanished host had committed, then gives its lanes back. It may still have its maps
// and go on committing, so each lane is given one ringful and no more.
func (s *shard) leave(h *host) {
	at := slices.IndexFunc(s.parts, func(p *part) bool { return p.host == h })
	if at < 0 {
		return
	}
	part := s.parts[at]
	s.parts = slices.Delete(s.parts, at, at+1)
	// Also where the handler panics on what the host left. As mail, because that request's reply comes first.
	defer func() {
		if !s.post(func(*shard) { h.returned() }) {
			h.returned()
		}
	}()
	for _, lane := range part.lanes {
		if !lane.closed && !s.dead {
			s.visit(lane, int(h.terms.RequestCapacity/layout.Line))
		}
	}
}
