package ironhoard

import (
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/attach"
	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// link is one incarnation of the engine as this host sees it.
//
// When an engine dies and another takes over, the request region stays and everything else is new: socket,
// doorbells, reply region. Lanes move from one link to the next when they have read the old reply ring to
// its end, each in its own time. So a link counts who uses it: the tender, and each lane that reads its
// replies or rings its doorbells. The last one closes it.
type link struct {
	engine  *attach.Engine
	epoch   uint64
	first   []uint64 // for each lane the number of the first reply that this engine gives
	users   atomic.Int64
	fencing bool // no membarrier was agreed: both sides fence
}

func newLink(engine *attach.Engine, first []uint64) *link {
	l := &link{engine: engine, epoch: engine.Terms.Epoch, first: first, fencing: !engine.Terms.Membarrier}
	l.users.Store(1)
	return l
}

func (l *link) retain() *link {
	l.users.Add(1)
	return l
}

func (l *link) release() {
	if l.users.Add(-1) == 0 {
		l.engine.Close()
	}
}

func (l *link) lanes() uint32 { return uint32(len(l.engine.Terms.LaneShards)) }

func (l *link) shard(lane uint32) int { return int(l.engine.Terms.LaneShards[lane]) }

// replyWords is the reply ring of lane.
func (l *link) replyWords(lane uint32) memory.Words {
	capacity := l.engine.Terms.ReplyCapacity
	return l.engine.Reply.Words(layout.RingOffset(l.lanes(), lane, capacity), capacity)
}

// requestPosition is the engine's position in the request ring of lane.
func (l *link) requestPosition(lane uint32) memory.Word {
	return l.engine.Reply.Word(layout.LaneControlOffset(lane) + layout.LaneRequestPosition)
}

// eventReader is a new reader of event ring ring.
func (l *link) eventReader(ring int) (*event.Reader, error) {
	rings := l.engine.Events
	if ring < 0 || ring >= len(rings) {
		return nil, &NoEventRingError{Ring: ring, Rings: len(rings)}
	}
	words := rings[ring].Words(layout.EventRingOffset, l.engine.Terms.EventCapacity)
	return event.NewReader(words, event.ControlAt(rings[ring].Word))
}

// shardFlag is odd while the shard that serves lane sleeps.
func (l *link) shardFlag(lane uint32) memory.Word {
	return l.engine.Reply.Word(layout.ShardFlagOffset(uint32(l.shard(lane))))
}
