package ironhoard

import (
	"fmt"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Where did a dead engine stop? Found by walking the rings it left.
//
//   - R, the last committed reply of a lane: walk the reply ring from where the lane last released. Nothing
//     from there on was overwritten, and the dead write no more.
//   - The position of request R + 1: walk our own request ring from the position that the engine published.
//     It published only behind committed replies, so request R + 1 and all that follow are still there.
//
// The published position says where a record starts and not which. The header there says its number if a
// record is there; if everything was answered, the word there is zero or an old header, and an old header
// would lead the walk once round the ring. An engine publishes each eighth of the ring, so a walk that needs
// more than half of it has followed an old header.

// laneResume is what to tell the next engine of a lane whose dead engine is l; before is what was told last
// time. An error where the dead engine published a position that can't be.
func laneResume(
	l *link, requests memory.Words, lane uint32, t *track, before wire.LaneResume,
) (wire.LaneResume, error) {
	last, err := lastReply(l, lane, t)
	if err != nil {
		return before, err
	}
	published := l.requestPosition(lane)
	position, committed, err := requestPosition(requests, published.Load(), last+1) // read once
	if err != nil {
		return before, err
	}
	found := wire.LaneResume{LastReply: last, Position: position}
	switch {
	case !committed:
	case before.LastReply == last && before.Deaths > 0:
		found.Deaths = before.Deaths + 1
	default:
		found.Deaths = 1
	}
	return found, nil
}

// lastReply is the number of the last committed reply of lane on the dead l.
func lastReply(l *link, lane uint32, t *track) (uint64, error) {
	epoch, start := t.read()
	if epoch != l.epoch {
		// The lane has not come to this link yet, so nothing of it was released.
		start = ring.Cursor{Position: 0, Number: l.first[lane]}
	}
	walker, err := ring.NewConsumer(l.replyWords(lane), ring.Untold{}, start)
	if err != nil {
		return 0, err
	}
	// What a dying engine may have left as nonsense ends the walk like the ring's end does.
	walkToEnd(walker, l.engine.Terms.ReplyCapacity)
	return walker.Cursor().Number - 1, nil
}

// requestPosition is where request number starts, or will, and whether it was committed.
func requestPosition(words memory.Words, published, number uint64) (uint64, bool, error) {
	if published%layout.Line != 0 {
		return 0, false, fmt.Errorf("the engine left the impossible position %d", published)
	}
	low := words.Observe(published) >> 32 // `commit`: our own producer
	first := number&^0xffff_ffff | low
	if first > number {
		first -= 1 << 32
	}
	walker, err := ring.NewConsumer(words, ring.Untold{}, ring.Cursor{Position: published, Number: first})
	if err != nil {
		return 0, false, err
	}
	half := words.Count() * 8 / 2
	for walker.Cursor().Number != number {
		walked := walker.Cursor().Position - published
		if _, found := walker.Next(); !found || walked > half {
			// An old header: everything up to here was answered.
			at := ring.Cursor{Position: published, Number: number}
			if walker, err = ring.NewConsumer(words, ring.Untold{}, at); err != nil {
				return 0, false, err
			}
		}
	}
	position, committed := passPadding(walker)
	return position, committed, nil
}

// passPadding is where the next record is expected, behind a padding if there is one, and whether it is
// there.
func passPadding(walker *ring.Consumer) (uint64, bool) {
	before := walker.Cursor()
	if record, ok := walker.Next(); ok {
		return walker.Cursor().Position - layout.RecordBytes(uint32(len(record.Payload))), true
	}
	if walker.Cursor().Number != before.Number {
		return before.Position, false
	}
	return walker.Cursor().Position, false
}
