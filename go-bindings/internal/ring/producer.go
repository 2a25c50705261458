package ring

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// ownAtLeast is the least number of lines that OwnNextLines takes.
const ownAtLeast = 4

// Producer is the half of a ring that writes records. One goroutine at a time.
//
//	         consumer's position        committed end      tail (an open batch)
//	                │                        │                  │
//	┌───────────────┼────────────────────────┼──────────────────┼────────────┐
//	│ free          │ committed, unreleased  │ not yet visible  │ free       │
//	└───────────────┴────────────────────────┴──────────────────┴────────────┘
//	                                         ▲ the word here is never taken for a header:
//	                                           that is the ring's one invariant
//
// A commit erases the word at the new end if that line is soiled, then stores its header with release. A
// consumer that sees the header therefore also sees that nothing follows.
type Producer struct {
	words    memory.Words
	consumer memory.Word
	capacity uint64
	limit    uint64 // last known consumer position + capacity: up to here lines may be written
	tail     Cursor // where the next record goes
	end      Cursor // the committed end; equal to tail unless a batch is open
	first    uint64 // header of the batch's first record, not yet stored; 0 where no batch is open
	last     uint64 // bytes of the last record
	payload  uint32 // largest
	soiled   soiled
}

// Room for one record, taken and not committed. The zero Room is none.
type Room struct {
	start   uint64 // where the record starts, behind the padding
	padding uint64 // bytes of padding before it; nearly always 0
	payload uint32
}

// Len is the payload's size in bytes.
func (r Room) Len() int { return int(r.payload) }

// NewProducer makes the producer of a ring in words, whose consumer publishes its position in consumer. The
// first word of every line must be zero: only the producer that wrote a ring knows which lines hold payload.
func NewProducer(words memory.Words, consumer memory.Word, start Cursor) (*Producer, error) {
	if err := check(words.Count()); err != nil {
		return nil, err
	}
	capacity := words.Count() * 8
	return &Producer{
		words: words, consumer: consumer, capacity: capacity, limit: start.Position + capacity,
		tail: start, end: start, payload: layout.PayloadLimit(capacity), soiled: newSoiled(capacity),
	}, nil
}

// Reserve takes room for one record of payload bytes, behind the open batch if there is one. Never blocks.
// Reserving again gives the first room up: an abort writes nothing and uses no number.
//
// It answers ErrFull, ErrTooLarge or a *CorruptError. Where the ring is full or its end is in the way, an
// open batch becomes visible: the consumer can only give back what it sees.
func (p *Producer) Reserve(payload int) (Room, error) {
	if uint(payload) > uint(p.payload) {
		return Room{}, ErrTooLarge
	}
	bytes := layout.RecordBytes(uint32(payload))
	start := p.tail.Position
	if toEnd := p.capacity - start&(p.capacity-1); bytes > toEnd || bytes > p.limit-start {
		return p.reserveSlowly(uint32(payload), bytes, toEnd)
	}
	if bytes > layout.Line {
		p.soiled.soil(start+layout.Line, start+bytes)
	}
	return Room{start: start, payload: uint32(payload)}, nil
}

// reserveSlowly is Reserve where a padding is needed or the ring is perhaps full.
func (p *Producer) reserveSlowly(payload uint32, bytes, toEnd uint64) (Room, error) {
	padding := uint64(0)
	if bytes > toEnd {
		padding = toEnd
	}
	if padding+bytes > p.limit-p.tail.Position {
		if err := p.lookAtConsumer(); err != nil {
			return Room{}, err
		}
		if padding+bytes > p.limit-p.tail.Position {
			p.Publish()
			return Room{}, ErrFull
		}
	}
	start := p.tail.Position + padding
	if padding != 0 {
		p.Publish() // a batch holds no padding
		p.soiled.soil(p.tail.Position+layout.Line, start)
	}
	p.soiled.soil(start+layout.Line, start+bytes)
	return Room{start: start, padding: padding, payload: payload}, nil
}

// Payload lends the payload of room, to be written in place. It holds whatever was there before.
func (p *Producer) Payload(room Room) []byte {
	return p.words.Bytes(room.start+layout.HeaderBytes, int(room.payload))
}

// Commit makes the first payload bytes of room visible as a record, with all of the open batch, and returns
// its number. The room must be the last that was reserved.
func (p *Producer) Commit(room Room, payload int, kind uint16) uint64 {
	if p.first != 0 {
		number := p.Append(room, payload, kind)
		p.Publish()
		return number
	}
	bytes, number := p.begin(room, payload, kind)
	p.tail = Cursor{Position: room.start + bytes, Number: number + 1}
	p.end = p.tail
	p.publishHeader(room.start, recordWord(uint32(payload), number), p.end.Position)
	return number
}

// Append adds a record to the batch, opening one if there is none, and returns its number. It becomes
// visible with Publish, or with the next Commit.
func (p *Producer) Append(room Room, payload int, kind uint16) uint64 {
	bytes, number := p.begin(room, payload, kind)
	header := recordWord(uint32(payload), number)
	if p.first == 0 {
		p.first = header
	} else {
		// From here on this line holds a header; until then its bit may be an older record's.
		p.soiled.take(room.start)
		p.words.Store(room.start, header)
	}
	p.tail = Cursor{Position: room.start + bytes, Number: number + 1}
	return number
}

// begin publishes the padding before room and writes the record's second word.
func (p *Producer) begin(room Room, payload int, kind uint16) (bytes, number uint64) {
	if uint(payload) > uint(room.payload) {
		panic("ring: commit of more than was claimed")
	}
	if room.padding != 0 {
		p.publishPadding(room)
	}
	number = p.tail.Number
	p.words.Store(room.start+8, secondWord(kind, 0, number))
	bytes = layout.RecordBytes(uint32(payload))
	if p.last != bytes {
		p.last = bytes // it seldom changes, and a store saved counts in a stream
	}
	return bytes, number
}

// Publish makes the open batch visible in one step; says whether there was one.
func (p *Producer) Publish() bool {
	if p.first == 0 {
		return false
	}
	start, first := p.end.Position, p.first
	p.first, p.end = 0, p.tail
	p.publishHeader(start, first, p.tail.Position)
	return true
}

// Drop gives the open batch up: nothing of it becomes visible, none of its numbers is used.
func (p *Producer) Drop() {
	if p.first != 0 {
		p.soiled.soil(p.end.Position+layout.Line, p.tail.Position) // headers with numbers to come
		p.first, p.tail = 0, p.end
	}
}

// Pending is the number of records in the open batch.
func (p *Producer) Pending() int { return int(p.tail.Number - p.end.Number) }

// publishHeader keeps the invariant: makes sure that nothing at end can be taken for a header, then
// publishes header (label `commit`, with Words.Observe in the consumer).
func (p *Producer) publishHeader(start, header, end uint64) {
	if p.soiled.take(end) {
		p.words.Store(end, 0)
	}
	p.words.Publish(start, header)
}

// publishPadding publishes the padding before room. The consumer passes it at once and then looks at the
// ring's beginning, so that word is made harmless first.
func (p *Producer) publishPadding(room Room) {
	at := p.tail.Position
	p.tail.Position, p.end.Position = room.start, room.start
	p.publishHeader(at, paddingWord(room.padding, p.tail.Number), room.start)
}

// OwnNextLines takes the next free lines into this core's cache by storing 0 to their first words: to be
// called once per wait, after a commit, when there is nothing to read. The lines then change hands while
// nobody waits for them. Never while room is reserved: it would erase its payload.
func (p *Producer) OwnNextLines() {
	if p.first != 0 {
		return
	}
	bytes := min(max(p.last, ownAtLeast*layout.Line), p.limit-p.end.Position)
	for done := uint64(0); done < bytes; done += layout.Line {
		p.words.Store(p.end.Position+done, 0)
	}
}

// HasRoom says whether a record of payload bytes fits, with any padding: nil, or as Reserve.
func (p *Producer) HasRoom(payload int) error {
	if uint(payload) > uint(p.payload) {
		return ErrTooLarge
	}
	worst := 2*layout.RecordBytes(uint32(payload)) - layout.Line
	if worst <= p.limit-p.tail.Position {
		return nil
	}
	if err := p.lookAtConsumer(); err != nil {
		return err
	}
	if worst <= p.limit-p.tail.Position {
		return nil
	}
	return ErrFull
}

// lookAtConsumer reads the consumer's position once, checks it, then believes it.
func (p *Producer) lookAtConsumer() error {
	found := p.consumer.Load() // `release`, with the consumer's publish
	known := p.limit - p.capacity
	if advance := found - known; advance > p.end.Position-known || advance%layout.Line != 0 {
		return &CorruptError{Position: found}
	}
	p.limit = found + p.capacity
	return nil
}

// Rebind makes another word the consumer's position: a new consumer took over.
func (p *Producer) Rebind(consumer memory.Word) { p.consumer = consumer }

// Cursor is the committed end.
func (p *Producer) Cursor() Cursor { return p.end }

// Next is the number that the next record will have, behind an open batch.
func (p *Producer) Next() uint64 { return p.tail.Number }

// PayloadLimit is the largest payload in bytes.
func (p *Producer) PayloadLimit() uint32 { return p.payload }

// Backlog is the number of bytes committed and not released, as far as the consumer's position tells now.
func (p *Producer) Backlog() (uint64, error) {
	if err := p.lookAtConsumer(); err != nil {
		return 0, err
	}
	return p.end.Position - (p.limit - p.capacity), nil
}
