//go:build linux && (amd64 || arm64)

package enginetest

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// lane is the engine's end of one lane: request consumer, reply producer. It belongs to its shard.
//
// Every request gets exactly one reply, in order, so the reply ring numbers itself: reply n answers request
// n. Before a request is taken there is room for the largest reply.
type lane struct {
	host     *host
	index    uint32
	requests *ring.Consumer
	replies  *ring.Producer
	inUse    memory.Word
	waker    waker
	doorbell *doorbell
	largest  int    // reply payload of handler and ring together, in bytes
	poison   uint64 // number of the request that is not tried again; 0 for none
	closed   bool   // its host wrote nonsense: never visited again
}

// newLane builds lane index of h, whose requests go on where resume says.
func newLane(h *host, index uint32, bell *doorbell, s *settings) (*lane, error) {
	terms := &h.terms
	lanes := uint32(len(terms.LaneShards))
	start, requestStart := ring.Start, ring.Start
	poison := uint64(0)
	if h.resume != nil {
		resumed := h.resume.Lanes[index]
		start.Number = resumed.LastReply + 1
		requestStart = ring.Cursor{Position: resumed.Position, Number: start.Number}
		if resumed.Deaths >= s.poisonAfter {
			poison = start.Number
		}
	}
	control := layout.LaneControlOffset(index)
	position := &ring.WordPosition{Word: h.reply.Word(control + layout.LaneRequestPosition)}
	requests, err := ring.NewConsumer(
		h.request.Words(layout.RingOffset(lanes, index, terms.RequestCapacity), terms.RequestCapacity),
		position, requestStart)
	if err != nil {
		return nil, err
	}
	replies, err := ring.NewProducer(
		h.reply.Words(layout.RingOffset(lanes, index, terms.ReplyCapacity), terms.ReplyCapacity),
		h.request.Word(layout.ReplyPositionOffset(index, terms.Epoch)), start)
	if err != nil {
		return nil, err
	}
	largest := int(replies.PayloadLimit())
	if s.largestReply >= 0 {
		largest = min(largest, s.largestReply)
	}
	return &lane{
		host: h, index: index, requests: requests, replies: replies,
		inUse:    h.request.Word(control + layout.LaneInUse),
		waker:    waker{flag: h.request.Word(control + layout.LaneNeedWakeup), fences: !terms.Membarrier},
		doorbell: bell, largest: largest, poison: poison,
	}, nil
}

// isUsed says whether the host uses this lane now, or has left requests behind.
func (l *lane) isUsed() bool { return !l.closed && (l.inUse.Load() != 0 || l.requests.Has()) }

// hasWork says whether there is something to do: for the last look before sleeping.
func (l *lane) hasWork() bool {
	return !l.closed && l.requests.Has() && l.replies.HasRoom(l.largest) != ring.ErrFull
}

// waker is the side that rings: it looks at the other's need_wakeup word.
type waker struct {
	flag   memory.Word
	rung   uint64
	fences bool // no membarrier was agreed
}

// mustRing says, after a publish, whether the doorbell must be rung: once for each value of the counter.
// Label `doze`, with sleeper.raise at the other end.
func (w *waker) mustRing() bool {
	if w.fences {
		sys.Fence()
	}
	value := w.flag.Load()
	if value&1 == 0 || value == w.rung {
		return false
	}
	w.rung = value
	return true
}

// sleeper is the side that may sleep: it owns one need_wakeup word.
type sleeper struct {
	flag  memory.Word
	value uint64
}

func newSleeper(flag memory.Word) sleeper {
	s := sleeper{flag: flag, value: flag.Load()}
	s.lower()
	return s
}

// raise says that this side is about to sleep. The barrier and one more look come before it does.
func (s *sleeper) raise() {
	s.value = (s.value + 1) | 1
	s.flag.Store(s.value)
}

// lower says that this side is awake.
func (s *sleeper) lower() {
	s.value = (s.value + 1) &^ 1
	s.flag.Store(s.value)
}

// checkResumed says whether request R + 1 can stand in the request ring where the host says, or be still to
// come there; nil or what the host is told.
func checkResumed(
	request *region.Mapping, terms *wire.Wishes, index uint32, said wire.LaneResume,
) *wire.Refusal {
	number := said.LastReply + 1
	refused := func(why string) *wire.Refusal {
		return refuse(wire.ResumeRecord, "lane %d: request %d cannot stand at position %d: %s; attach anew",
			index, number, said.Position, why)
	}
	if said.Position%layout.Line != 0 {
		return refused("it is not a multiple of 64")
	}
	words := request.Words(layout.RingOffset(terms.Lanes, index, terms.RequestCapacity), terms.RequestCapacity)
	consumer, err := ring.NewConsumer(words, ring.Untold{}, ring.Cursor{Position: said.Position, Number: number})
	if err != nil {
		return refused(err.Error())
	}
	if _, found := consumer.Next(); !found && consumer.Fault() != nil {
		return refused(consumer.Fault().Error())
	}
	return nil
}
