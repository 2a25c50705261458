package ring

import (
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// expectedLines is the most lines of one record to ask for at once; behind them the processor catches on.
const expectedLines = 8

// Position is where a consumer publishes how far it is.
type Position interface {
	// Publish stores next.Position with release: label `release`, with Producer.lookAtConsumer.
	Publish(next Cursor)
}

// WordPosition publishes to a word and does nothing else.
type WordPosition struct{ memory.Word }

// Publish implements Position.
func (p *WordPosition) Publish(next Cursor) { p.Release(next.Position) }

// Untold publishes nothing: for walking a ring without telling anybody.
type Untold struct{}

// Publish implements Position.
func (Untold) Publish(Cursor) {}

// Record is a record in place. The peer may still write to the payload while it is read: copy first what
// must not change between a check and its use. Writing to it ends the process where the ring is mapped
// read-only.
type Record struct {
	Number  uint64
	Kind    uint16 // the handler's in a request, the status in a reply
	Flags   uint16
	Payload []byte
}

// Consumer is the half of a ring that reads records. One goroutine at a time. The producer may be hostile:
// each header is read once, bounded, then used; nonsense is a fault that stays.
type Consumer struct {
	words    memory.Words
	next     Cursor
	capacity uint64
	payload  uint32
	position Position
	released uint64
	last     uint32 // bytes of the last record's payload
	fault    *CorruptError
}

// NewConsumer makes the consumer of a ring in words, which publishes in position; start is where the next
// record is expected. Publishes nothing yet.
func NewConsumer(words memory.Words, position Position, start Cursor) (*Consumer, error) {
	if err := check(words.Count()); err != nil {
		return nil, err
	}
	capacity := words.Count() * 8
	return &Consumer{
		words: words, next: start, capacity: capacity, payload: layout.PayloadLimit(capacity),
		position: position, released: start.Position,
	}, nil
}

// Has says whether something stands where the next record is expected: a record, a padding, or nonsense.
func (c *Consumer) Has() bool {
	word := c.words.Observe(c.next.Position) // `commit`, with the producer's publish
	return uint32(word>>32) == uint32(c.next.Number) && uint32(word) != 0
}

// Next takes the next record. False where there is none; look at Fault then. Whoever asks for the next
// record is done with those before: each eighth of the ring their room is given back here.
func (c *Consumer) Next() (Record, bool) {
	payload, second, ok := c.take()
	if !ok {
		return Record{}, false
	}
	number := c.next.Number - 1
	return Record{Number: number, Kind: uint16(second), Flags: uint16(second >> 16), Payload: payload}, true
}

// Take is Next for who needs payload and kind; the record's number is Taken.
//
// What it answers with are words by themselves. A Record goes through the stack, where it is copied with
// wider loads than it was stored with, and those wait for all stores before, even to lines on their way.
func (c *Consumer) Take() (payload []byte, kind uint16, ok bool) {
	payload, second, ok := c.take()
	return payload, uint16(second), ok
}

// Taken is the number of the record that was taken last.
func (c *Consumer) Taken() uint64 { return c.next.Number - 1 }

// TakeAfter is Take, if record number is there and no padding before it. Otherwise nothing was taken. Nothing
// is 0, and not there before it is time to look. The lines of a record as long as the last one are asked for
// together with its header.
func (c *Consumer) TakeAfter(nothing, number uint64) (payload []byte, kind uint16, ok bool) {
	if c.next.Position-c.released >= c.capacity/8 {
		c.Release()
	}
	// A reply is usually as long as the one before: all that this says is got ready before the look, so that
	// little is left to do behind it.
	at, bytes := c.next.Position+nothing, layout.RecordBytes(c.last)
	toEnd := c.capacity - c.next.Position&(c.capacity-1)
	if c.next.Number != number || c.fault != nil || bytes > toEnd {
		return c.takeUnusual(c.words.Observe(at), number) // `commit`, with the producer's publish
	}
	line, usual := c.words.LineAt(at), recordWord(c.last, number)
	payload = line.Bytes(int(c.last))
	if bytes > layout.Line {
		c.expect(at, bytes)
	}
	word := c.words.Observe(at) // `commit`, with the producer's publish
	if word != usual {
		return c.takeUnusual(word, number)
	}
	second := atomic.LoadUint64(&line.Second) // settled by `commit`
	if second>>32 != number>>32 {
		return nil, 0, false
	}
	c.next.Position, c.next.Number = at+bytes, number+1
	return payload, uint16(second), true
}

// takeUnusual is TakeAfter behind the look, where the record is not as long as the one before.
func (c *Consumer) takeUnusual(word, number uint64) (payload []byte, kind uint16, ok bool) {
	at, size := c.next.Position, uint32(word)-layout.HeaderBytes
	bytes := layout.RecordBytes(size)
	isRecord := size <= c.payload && bytes <= c.capacity-at&(c.capacity-1)
	if uint32(word>>32) != uint32(number) || c.next.Number != number || !isRecord || c.fault != nil {
		return nil, 0, false
	}
	second := c.words.Load(at + 8) // settled by `commit`
	if second>>32 != number>>32 {
		return nil, 0, false
	}
	c.last = size
	c.expect(at, bytes)
	c.next.Position, c.next.Number = at+bytes, number+1
	return c.words.Bytes(at+layout.HeaderBytes, int(size)), uint16(second), true
}

// expect asks for the further lines of a record of more than one line all at once, before anybody looks into
// the first: each takes as long as a line's way here, and they come side by side.
func (c *Consumer) expect(position, bytes uint64) {
	c.words.Expect(position+layout.Line, min(int(bytes/layout.Line), expectedLines)-1)
}

// take takes the next record: its payload and its second word.
func (c *Consumer) take() (payload []byte, second uint64, ok bool) {
	word := c.words.Observe(c.next.Position) // `commit`, with the producer's publish
	if uint32(word>>32) != uint32(c.next.Number) || uint32(word) == 0 {
		return nil, 0, false
	}
	return c.takeBehind(word)
}

// takeBehind takes the record behind word, a header with the expected number; passes padding.
func (c *Consumer) takeBehind(word uint64) (payload []byte, second uint64, ok bool) {
	if c.next.Position-c.released >= c.capacity/8 {
		c.Release()
	}
	size, ok := c.find(word)
	if !ok {
		return nil, 0, false
	}
	at, number := c.next.Position, c.next.Number
	bytes := layout.RecordBytes(size)
	if bytes > layout.Line {
		c.expect(at, bytes)
	}
	if c.last != size {
		c.last = size // it seldom changes, and a store saved counts in a stream
	}
	second = c.words.Load(at + 8) // settled by `commit`
	if second>>32 != number>>32 {
		c.fail(word, "high half of the number")
		return nil, 0, false
	}
	c.next.Position, c.next.Number = at+bytes, number+1
	return c.words.Bytes(at+layout.HeaderBytes, int(size)), second, true
}

// find passes padding and says how much payload the record at c.next has, if there is one.
func (c *Consumer) find(word uint64) (payload uint32, ok bool) {
	for c.fault == nil {
		toEnd := c.capacity - c.next.Position&(c.capacity-1)
		what, bytes, why := Judge(word, c.next.Number, toEnd, c.capacity, c.payload)
		switch what {
		case IsRecord:
			return bytes, true
		case IsPadding:
			c.next.Position += uint64(bytes)
			word = c.words.Observe(c.next.Position) // `commit`
		case IsCorrupt:
			c.fail(word, why)
		default:
			return 0, false
		}
	}
	return 0, false
}

// fail notes the first fault; it stays.
func (c *Consumer) fail(word uint64, what string) {
	if c.fault == nil {
		c.fault = &CorruptError{Position: c.next.Position, Number: c.next.Number, Word: word, What: what}
	}
}

// Fault is the producer's nonsense, for good; nil where there was none.
func (c *Consumer) Fault() error {
	if c.fault == nil {
		return nil
	}
	return c.fault
}

// Release publishes the position: all records taken so far are done with. Says whether that was news. Due
// whenever the ring is found empty, and each eighth of the ring, which Next does by itself.
func (c *Consumer) Release() bool {
	if c.released == c.next.Position {
		return false
	}
	c.released = c.next.Position
	c.position.Publish(c.next)
	return true
}

// Cursor is where the next record is expected. Everything before was taken.
func (c *Consumer) Cursor() Cursor { return c.next }

// Released is the position last published.
func (c *Consumer) Released() uint64 { return c.released }

// Faulty says whether there was nonsense.
func (c *Consumer) Faulty() bool { return c.fault != nil }
