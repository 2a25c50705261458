package ironhoard

import (
	"context"
	"iter"
	"math"
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// AllEventRings is the wish for as many event rings as the engine has, be it none.
const AllEventRings = -1

// Event is something that an engine published to all hosts.
type Event struct {
	Number  uint64 // its ordinal in the ring, from 1 in each life of an engine
	Kind    uint16 // the handler's
	Size    int    // bytes of payload
	Payload []byte // as much of it as the buffer took
}

// Events reads one event ring. The engine waits for nobody: who is too slow is overrun and learns exactly
// which events it has lost ([*OverrunError]). One goroutine at a time.
type Events struct {
	client  *Client
	ring    int
	link    *link // whose ring is read
	reader  *event.Reader
	buffer  []byte // of All
	next    memory.Word
	flag    memory.Word
	napping uint64 // the value of flag
	news    uint64 // of Client.news, as last looked into
	bound   uint32 // looks before others may run
	closed  bool
	asleep  atomic.Bool
	wake    chan struct{}
}

// Events takes event ring ring of those that [WithEventRings] asked for, from 0, and begins with the oldest
// events that are retained. The engine's ring r of shard s has the index s × rings of a shard + r.
//
// Errors: [*NoEventRingError], [ErrEventRingTaken], [ErrClosed], [ErrEngineGone].
func (c *Client) Events(ring int) (*Events, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.troubleLocked(noLane); err != nil {
		return nil, err
	}
	newest := c.links[len(c.links)-1]
	reader, err := newest.eventReader(ring)
	if err != nil {
		return nil, err
	}
	if c.events[ring] != nil {
		return nil, ErrEventRingTaken
	}
	c.request.Mapping.Retain()
	line := layout.EventLineOffset(uint32(ring))
	e := &Events{
		client: c, ring: ring, link: newest.retain(), reader: reader, bound: c.options.spin,
		next: c.request.Mapping.Word(line + layout.EventNextNumber),
		flag: c.request.Mapping.Word(line + layout.EventNeedWakeup),
		wake: make(chan struct{}, 1), news: c.news.Load(),
	}
	e.napping = e.flag.Load() // of who had the ring before: the engine rings once for each value
	c.events[ring] = e
	return e, nil
}

// noLane is the index of no lane: whose trouble is the client's alone.
const noLane = math.MaxUint32

// Poll takes the next event, its payload copied into dst as far as it goes; [Events.PayloadLimit] bytes take
// every event. False where there is nothing new. It never blocks and allocates nothing.
//
// Errors behind which it goes on: [*OverrunError], [*NewLifeError]. For good: [ErrClosed], [ErrEngineGone]
// when the engine's last event has been taken. [*CorruptError] and [*NoEventRingError] stay until another
// engine takes over.
func (e *Events) Poll(dst []byte) (Event, bool, error) {
	if e.closed {
		return Event{}, false, ErrClosed
	}
	answer, err := e.reader.Poll(dst)
	if answer.Found == event.AnEvent {
		return e.took(&answer, dst), true, nil
	}
	return e.uncommon(answer, err, dst)
}

// took tells who looks on how far this reader is, and is the event.
func (e *Events) took(answer *event.Answer, dst []byte) Event {
	found := &answer.Event
	e.next.Release(found.Number + 1) // no partner: for people who look on
	return Event{Number: found.Number, Kind: found.Kind, Size: found.Size, Payload: dst[:found.Copied]}
}

// uncommon answers what is no event: an overrun, a fault, or nothing, and then perhaps another engine.
func (e *Events) uncommon(answer event.Answer, err error, dst []byte) (Event, bool, error) {
	if answer.Found == event.AnOverrun {
		return Event{}, false, e.overrun(answer.Lost)
	}
	if e.isSettled() {
		return Event{}, false, e.corrupt(err)
	}
	// What was published between the look and the engine's death comes first.
	switch answer, err = e.reader.Poll(dst); answer.Found {
	case event.AnEvent:
		return e.took(&answer, dst), true, nil
	case event.AnOverrun:
		return Event{}, false, e.overrun(answer.Lost)
	}
	if after := e.client.linkAfter(e.link.epoch); after != nil {
		return Event{}, false, e.follow(after)
	}
	if trouble := e.client.trouble(noLane); trouble != nil {
		return Event{}, false, trouble
	}
	return Event{}, false, e.corrupt(err)
}

func (e *Events) overrun(lost event.Lost) error {
	e.client.counts.lostEvents.Add(lost.Last - lost.First + 1)
	e.next.Release(lost.Last + 1)
	return &OverrunError{Ring: e.ring, First: lost.First, Last: lost.Last}
}

func (e *Events) corrupt(err error) error {
	if err == nil {
		return nil
	}
	return &CorruptError{Lane: -1, EventRing: e.ring, Err: err}
}

// follow goes on in the ring of the engine after the one that died. The user of after is given up or kept.
func (e *Events) follow(after *link) error {
	reader, err := after.eventReader(e.ring)
	if err != nil {
		after.release()
		return err
	}
	e.link.release()
	e.link, e.reader = after, reader
	e.next.Release(reader.Next())
	return &NewLifeError{Ring: e.ring, Life: after.engine.Terms.Life}
}

// isSettled says that there is neither another engine to go to nor an end to tell of.
func (e *Events) isSettled() bool {
	news := e.client.news.Load()
	if news == e.news {
		return true
	}
	if after := e.client.linkAfter(e.link.epoch); after != nil {
		after.release()
		return false
	}
	if e.client.trouble(noLane) != nil {
		return false
	}
	e.news = news
	return true
}

// hasNews says whether Poll has something to answer.
func (e *Events) hasNews() bool { return e.reader.HasNews() || !e.isSettled() }

// Wait waits until Poll has something to answer. It looks for a while, lets others run, then sleeps; the
// engine is not slowed by who looks, and rings who sleeps. Errors: the context's, [ErrClosed].
func (e *Events) Wait(ctx context.Context) error {
	if e.closed {
		return ErrClosed
	}
	spin := e.client.options.spin
	for looks := uint32(0); looks <= e.bound; looks++ {
		if e.hasNews() {
			if looks*4 > e.bound {
				e.bound = min(2*e.bound+1, spin)
			}
			return nil
		}
		sys.Pause(1)
	}
	e.bound = max(e.bound/2, min(leastLooks, spin))
	for yields := 0; !e.hasNews(); yields++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if yields < yieldsBeforePark && spin > 0 {
			yield()
			continue
		}
		if err := e.sleep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sleep raises the flag of the event line, looks once more, and sleeps until the tender or the context wakes
// it (label `doze`: raise, barrier, look, sleep).
func (e *Events) sleep(ctx context.Context) error {
	e.asleep.Store(true)
	e.napping = (e.napping + 1) | 1
	e.flag.Store(e.napping)
	sleeperBarrier(e.link.fencing)
	defer func() {
		e.napping = (e.napping + 1) &^ 1
		e.flag.Store(e.napping)
		e.asleep.Store(false)
	}()
	if e.hasNews() {
		return nil
	}
	e.client.counts.parks.Add(1)
	select {
	case <-e.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rouse wakes who sleeps on this ring.
func (e *Events) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// All takes event after event, waiting for each, until the context is over or there will be no more: that
// error comes last. [*OverrunError] and [*NewLifeError] come in their place among the events, and the loop
// goes on. A payload is valid until the next turn.
func (e *Events) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			if len(e.buffer) < e.PayloadLimit() {
				e.buffer = make([]byte, e.PayloadLimit())
			}
			found, ok, err := e.Poll(e.buffer)
			if err == nil && !ok {
				if err = e.Wait(ctx); err == nil {
					continue
				}
			}
			if !yield(found, err) || err != nil && !goesOn(err) {
				return
			}
		}
	}
}

// goesOn says whether more can be read behind err.
func goesOn(err error) bool {
	switch err.(type) {
	case *OverrunError, *NewLifeError:
		return true
	}
	return false
}

// SkipToEnd passes over all that is there; what is published from now on comes next. It says how many events
// that were.
func (e *Events) SkipToEnd() (uint64, error) {
	if e.closed {
		return 0, ErrClosed
	}
	skipped, err := e.reader.SkipToEnd()
	e.next.Release(e.reader.Next()) // no partner: for people who look on
	return skipped, e.corrupt(err)
}

// NextNumber is the number of the event that comes next.
func (e *Events) NextNumber() uint64 { return e.reader.Next() }

// PayloadLimit is the largest payload of an event, in bytes.
func (e *Events) PayloadLimit() int { return int(e.reader.PayloadLimit()) }

// Ring says which of the engine's event rings this is.
func (e *Events) Ring() int { return e.ring }

// Close gives the ring back to the client, to be taken again. A second Close does nothing.
func (e *Events) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	c := e.client
	c.mu.Lock()
	delete(c.events, e.ring)
	c.mu.Unlock()
	e.link.release()
	c.request.Mapping.Release()
	return nil
}

// rouseEvents wakes who sleeps on an event ring.
func (c *Client) rouseEvents() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.asleep.Load() {
			e.rouse()
		}
	}
}
