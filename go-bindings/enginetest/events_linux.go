//go:build linux && (amd64 || arm64)

package enginetest

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"syscall"

	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// eventRings are the event rings of one life: regions that are made before any host comes, and handed to each
// host that wishes for them, open for reading only. They die with that life; the next has others.
type eventRings struct {
	life     uint64 // the life's name
	capacity uint64
	rings    []eventRing
}

// eventRing is one of them, as WELCOME says it and as its shard writes it.
type eventRing struct {
	terms   wire.EventRing
	fd      int // for reading only
	mapping *region.Mapping
	writer  *event.Writer
}

// makeEvents makes the event rings that the settings ask for.
func makeEvents(s *settings) (*eventRings, error) {
	events := &eventRings{life: max(1, rand.Uint64()), capacity: s.eventCapacity}
	count := s.shards * s.eventRings
	if count == 0 {
		return events, nil
	}
	if count > layout.MaxEventRings {
		return nil, fmt.Errorf("%d event rings for each of %d shards are too many: an engine has at most %d",
			s.eventRings, s.shards, layout.MaxEventRings)
	}
	if c := s.eventCapacity; bits.OnesCount64(c) != 1 || c < layout.MinCapacity || c > layout.MaxCapacity {
		return nil, fmt.Errorf("an event ring of %d bytes is not possible: choose a power of two, %d to %d",
			c, layout.MinCapacity, layout.MaxCapacity)
	}
	for index := range count {
		if err := events.add(index, index/s.eventRings); err != nil {
			events.close()
			return nil, fmt.Errorf("event ring %d: %w", index, err)
		}
	}
	return events, nil
}

// add makes ring index, which shard writes. The order is the protection, as for a reply region: mapped by us,
// closed to all other writers, and only then handed out.
func (e *eventRings) add(index, shard uint32) error {
	file, err := createMemory("ironhoard-event", layout.EventRegionBytes(e.capacity), wire.PagesSmall)
	if err != nil {
		return err
	}
	defer file.close()
	mapping, err := region.ReadWrite(file.fd, file.bytes)
	if err != nil {
		return err
	}
	terms := wire.EventRing{Bytes: file.bytes, Pages: file.pages, Shard: shard}
	ring := eventRing{terms: terms, mapping: mapping}
	if ring.fd, err = finishEvents(file, mapping, e.header(index)); err != nil {
		mapping.Release()
		return err
	}
	e.rings = append(e.rings, ring)
	words := mapping.Words(layout.EventRingOffset, e.capacity)
	e.rings[index].writer, err = event.NewWriter(words, event.ControlAt(mapping.Word))
	return err
}

// finishEvents closes the region to other writers and opens it for readers.
func finishEvents(file *memoryFile, mapping *region.Mapping, header region.Header) (int, error) {
	if err := file.seal(int(region.WriteSealed)); err != nil {
		return -1, err
	}
	mapping.WriteHeader(header)
	return file.readOnly()
}

func (e *eventRings) header(index uint32) region.Header {
	return region.Header{Version: layout.Version, Role: layout.RoleEvent, HostID: e.life, Epoch: uint64(index)}
}

// close frees what was made: nobody of this life publishes, or attaches a host, any more.
func (e *eventRings) close() {
	for _, ring := range e.rings {
		syscall.Close(ring.fd)
		ring.mapping.Release()
	}
	e.rings = nil
}

// of are the writers of one shard's rings.
func (e *eventRings) of(shard uint32) (writers []*event.Writer) {
	for _, ring := range e.rings {
		if ring.terms.Shard == shard {
			writers = append(writers, ring.writer)
		}
	}
	return writers
}

// offer writes the first count rings into what a host is offered.
func (e *eventRings) offer(o *offer, count uint32) {
	if count == 0 {
		return
	}
	o.terms.Life, o.terms.EventCapacity = e.life, e.capacity
	for _, ring := range e.rings[:count] {
		o.terms.EventRings = append(o.terms.EventRings, ring.terms)
		o.lent = append(o.lent, ring.fd)
	}
}

// ear is a host's waiter on one event ring of a shard.
type ear struct {
	ring     int // of the shard
	waker    waker
	doorbell *doorbell
}

// ears are the host's waiters on the rings of shard.
func (h *host) ears(shard uint32) (ears []*ear) {
	for index, ring := range h.terms.EventRings {
		if ring.Shard != shard {
			continue
		}
		flag := h.request.Word(layout.EventLineOffset(uint32(index)) + layout.EventNeedWakeup)
		ears = append(ears, &ear{
			ring: len(ears), waker: waker{flag: flag, fences: !h.terms.Membarrier}, doorbell: h.doorbells[shard],
		})
	}
	return ears
}

// ringIfAsleep rings the waiter once for each nap (label `doze`: published, fence, look at the flag).
func (e *ear) ringIfAsleep() {
	if e.waker.mustRing() {
		e.doorbell.ring()
	}
}

// publish is [Request.Publish]: under the gate, since the handler runs without it.
func (s *shard) publish(ring int, kind uint16, payload []byte) (uint64, error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	switch {
	case s.dead:
		return 0, ErrKilled
	case ring < 0 || ring >= len(s.events):
		return 0, ErrNoEventRing
	case len(payload) > int(s.events[ring].PayloadLimit()):
		return 0, ErrEventTooLarge
	}
	number, err := s.events[ring].Publish(kind, payload)
	if err != nil {
		return 0, err
	}
	s.life.counts.events.Add(1)
	for _, part := range s.parts {
		for _, ear := range part.ears {
			if ear.ring == ring {
				ear.ringIfAsleep()
			}
		}
	}
	return number, nil
}

// nextEvent is [Request.NextEvent].
func (s *shard) nextEvent(ring int) uint64 {
	s.gate.Lock()
	defer s.gate.Unlock()
	if ring < 0 || ring >= len(s.events) {
		return 0
	}
	return s.events[ring].Next()
}

// take takes a host's part on. Its waiters may have been asleep since before: what was published then was
// not rung for.
func (s *shard) take(part *part) {
	s.parts = append(s.parts, part)
	for _, ear := range part.ears {
		ear.ringIfAsleep()
	}
}
