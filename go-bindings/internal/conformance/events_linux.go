//go:build linux && (amd64 || arm64)

package conformance

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Events as docs/LAYOUT.md says them: which rings a host gets, what lies in them, who is rung.
var eventTests = map[string]func(*testing.T, Start){
	"event rings are granted as wished":           grantTest,
	"wishes for events that cannot be":            eventRefusalTest,
	"events are visible before their reply":       eventsTest,
	"events are retained, and lost exactly":       overrunTest,
	"a waiter for events is rung once a nap":      earTest,
	"who reads events only resumes in any case":   readerResumeTest,
	"another life has event rings of its own":     otherLifeTest,
	"every shard has event rings and rings there": shardEventsTest,
}

// Two event rings of 4 KiB for each shard.
const someEvents = "events=2:4096"

// reading are the wishes of a host with one lane and so many event rings.
func reading(rings uint32) wire.Wishes {
	wanted := wishes()
	wanted.EventRings = rings
	return wanted
}

// eventsOnly are the wishes of who has no lane and reads all event rings.
func eventsOnly() wire.Wishes {
	return wire.Wishes{EventRings: wire.AllEventRings, Pages: wire.PagesSmall}
}

func grantTest(t *testing.T, start Start) {
	engine := start(t, someEvents, "shards=2")
	var life uint64
	for wished, granted := range map[uint32]int{0: 0, 1: 1, 3: 3, 4: 4, wire.AllEventRings: 4} {
		terms := attach(t, engine.Path(), reading(wished)).terms
		if len(terms.EventRings) != granted {
			t.Errorf("%d event rings were wished for and came: %+v", wished, terms)
		}
		for index, ring := range terms.EventRings {
			if ring.Shard != uint32(index)/2 {
				t.Errorf("event ring %d is said to be shard %d's", index, ring.Shard)
			}
		}
		if granted == 0 && (terms.Life != 0 || terms.EventCapacity != 0) ||
			granted > 0 && (terms.Life == 0 || terms.EventCapacity != 4096 || life != 0 && terms.Life != life) {
			t.Errorf("%d event rings: %+v", granted, terms)
		}
		life = max(life, terms.Life)
	}
	if terms := attach(t, engine.Path(), eventsOnly()).terms; len(terms.EventRings) != 4 || terms.Life != life {
		t.Errorf("events only: %+v", terms)
	}
	if terms := attach(t, start(t).Path(), reading(wire.AllEventRings)).terms; len(terms.EventRings) != 0 {
		t.Errorf("all of none: %+v", terms)
	}
}

func eventRefusalTest(t *testing.T, start Start) {
	engine, without := start(t, someEvents), start(t)
	for name, c := range map[string]struct {
		engine Engine
		change func(*wire.Wishes)
		code   wire.Code
		limit  uint64
	}{
		"too many": {engine, func(w *wire.Wishes) { *w = reading(3) }, wire.EventRings, 2},
		"49":       {engine, func(w *wire.Wishes) { w.EventRings = 49 }, wire.EventRings, 2},
		"none":     {without, func(w *wire.Wishes) {}, wire.EventRings, 0},
		"capacity": {engine, func(w *wire.Wishes) { w.RequestCapacity = 4096 }, wire.Capacity, 0},
	} {
		wanted := eventsOnly()
		c.change(&wanted)
		refusal := refusedWith(t, c.engine.Path(), wire.NewHello(wanted, nil).Encode(), c.code)
		if refusal.Limit != c.limit {
			t.Errorf("%s: the limit is said to be %d and is %d", name, refusal.Limit, c.limit)
		}
	}
	lanes := wire.NewHello(reading(1), nil)
	lanes.Role = wire.RoleEvents
	refusedWith(t, engine.Path(), lanes.Encode(), wire.Lanes)
}

// eventReader reads event ring index from its beginning.
func (h *RawHost) eventReader(index int) *event.Reader {
	h.t.Helper()
	mapping := h.events[index]
	words := mapping.Words(layout.EventRingOffset, h.terms.EventCapacity)
	reader, err := event.NewReader(words, event.ControlAt(mapping.Word))
	if err != nil {
		h.t.Fatal(err)
	}
	return reader
}

// Publishing is a request for count events of size bytes.
func Publishing(count, size uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, count), size)
}

// publish has the engine publish count events of size bytes, and is the number of the last.
func (l *rawLane) publish(count, size uint32) uint64 {
	l.host.t.Helper()
	reply := l.call(KindPublish, Publishing(count, size))
	if reply.Kind != 0 || len(reply.Payload) != 8 {
		l.host.t.Fatalf("%d events of %d bytes: %+v", count, size, reply)
	}
	return binary.LittleEndian.Uint64(reply.Payload)
}

// isEvent says whether payload is that of event number.
func isEvent(number uint64, payload []byte) bool {
	for i, b := range payload {
		if b != byte(number+uint64(i)) {
			return false
		}
	}
	return true
}

// readTo reads until next comes next, and is how many events were lost on the way.
func readTo(t *testing.T, reader *event.Reader, next uint64) (lost uint64) {
	t.Helper()
	payload := make([]byte, reader.PayloadLimit())
	for expected := reader.Next(); expected < next; expected = reader.Next() {
		answer, err := reader.Poll(payload)
		found := answer.Event
		switch {
		case err != nil || answer.Found == event.Nothing:
			t.Fatalf("%+v, %v where event %d of %d was due", answer, err, expected, next-1)
		case answer.Found == event.AnOverrun:
			lost += answer.Lost.Last + 1 - answer.Lost.First
		case found.Number != expected || found.Kind != uint16(expected) || found.Flags != 0 ||
			!isEvent(expected, payload[:found.Copied]):
			t.Fatalf("%+v % x where event %d was due", found, payload[:found.Copied], expected)
		}
	}
	if answer, err := reader.Poll(payload); err != nil || answer.Found != event.Nothing {
		t.Fatalf("behind event %d: %+v, %v", next-1, answer, err)
	}
	return lost
}

func eventsTest(t *testing.T, start Start) {
	h := attach(t, start(t, someEvents).Path(), reading(2))
	l, reader := h.lane(0, ring.Start), h.eventReader(0)
	for round := range uint32(200) {
		last := l.publish(1+round%3, round%513)
		if lost := readTo(t, reader, last+1); lost != 0 {
			t.Fatalf("%d events were lost to a reader that keeps up", lost)
		}
	}
	if answer, err := h.eventReader(1).Poll(nil); err != nil || answer.Found != event.Nothing {
		t.Errorf("the ring that nobody writes: %+v, %v", answer, err)
	}
	if reply := l.call(KindPublish, Publishing(1, 513)); reply.Kind == 0 || l.publish(1, 0) != reader.Next() {
		t.Errorf("an event too large: %+v", reply)
	}
}

func overrunTest(t *testing.T, start Start) {
	h := attach(t, start(t, someEvents).Path(), reading(1))
	l, slow := h.lane(0, ring.Start), h.eventReader(0)
	last := l.publish(1000, 48)
	if lost := readTo(t, slow, last+1); lost < 1000-64 || lost > 1000-46 {
		t.Errorf("%d of 1000 events were lost, and the ring holds 64", lost)
	}
	late := h.eventReader(0)
	if offered := last + 1 - late.Next(); offered < 46 || offered > 64 {
		t.Errorf("a new reader is offered %d events", offered)
	}
	if lost := readTo(t, late, last+1); lost != 0 {
		t.Errorf("a new reader lost %d", lost)
	}
}

// demandRing demands a byte on the doorbell of a shard, or that there is none.
func (h *RawHost) demandRing(shard int, due bool, what string) {
	h.t.Helper()
	limit := patience
	if !due {
		limit = 50 * time.Millisecond
	}
	err := h.awaitRing(shard, limit)
	if due && err != nil || !due && !errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Errorf("%s: %v", what, err)
	}
}

func earTest(t *testing.T, start Start) {
	engine := start(t, someEvents)
	h, caller := attach(t, engine.Path(), eventsOnly()), attach(t, engine.Path(), wishes())
	l, reader := caller.lane(0, ring.Start), h.eventReader(0)
	flag := h.request.Word(layout.EventLineOffset(0) + layout.EventNeedWakeup)
	last := l.publish(1, 8)
	h.demandRing(0, false, "rung for a reader that is awake")
	for nap := uint64(0); nap < 50; nap++ {
		readTo(t, reader, last+1)
		flag.Store(2*nap + 1)
		last = l.publish(1, 8)
		h.demandRing(0, true, "asleep")
		flag.Store(2*nap + 2)
	}
	flag.Store(777)
	l.publish(3, 8)
	h.demandRing(0, true, "asleep")
	l.publish(3, 8)
	h.demandRing(0, false, "rung again for the same nap")
}

func readerResumeTest(t *testing.T, start Start) {
	engine := start(t, someEvents, "state=yes")
	h := attach(t, engine.Path(), eventsOnly())
	engine.Kill()
	engine.Restart()
	next := h.resume(engine.Path())
	if next.terms.HostID != h.terms.HostID || len(next.terms.EventRings) != 2 {
		t.Errorf("%+v behind %+v", next.terms, h.terms)
	}
}

func otherLifeTest(t *testing.T, start Start) {
	engine := start(t, someEvents)
	h := attach(t, engine.Path(), reading(2))
	old := h.eventReader(0)
	h.lane(0, ring.Start).publish(7, 8)
	engine.Kill()
	readTo(t, old, 8) // what is in the old ring can be read to its end
	engine.Restart()
	caller := attach(t, engine.Path(), reading(2))
	last := caller.lane(0, ring.Start).publish(3, 8)
	if caller.terms.Life == h.terms.Life || last != 3 {
		t.Errorf("life %#x behind %#x, and the third event has number %d", caller.terms.Life, h.terms.Life, last)
	}
	readTo(t, caller.eventReader(0), 4)
	readTo(t, old, 8)
}

func shardEventsTest(t *testing.T, start Start) {
	engine := start(t, someEvents, "shards=2")
	wanted := reading(wire.AllEventRings)
	wanted.Lanes = 2
	h := attach(t, engine.Path(), wanted)
	for index, shard := range h.terms.LaneShards {
		mine := int(shard) * 2 // ring 0 of that shard
		flag := h.request.Word(layout.EventLineOffset(uint32(mine)) + layout.EventNeedWakeup)
		flag.Store(1)
		last := h.lane(uint32(index), ring.Start).publish(5, 8)
		h.demandRing(int(shard), true, "asleep")
		readTo(t, h.eventReader(mine), last+1)
		if last != 5 {
			t.Errorf("lane %d: five events, and the last has number %d", index, last)
		}
	}
}
