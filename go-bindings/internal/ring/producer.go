package ring

import (
	"math"

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
//
// What a stream pays is stores, private ones included: they stand in the same queue as those to lines that
// the other core has to give up first. So a record that goes alone costs two words of private state, each by
// itself (a struct would be copied with wider loads than it was stored with, and those wait for that queue),
// and the function on its way calls nothing else, so that nothing is spilled. Most records of a batch go by
// its run, which knows better than tail where the next one goes: see Run.
type Producer struct {
	// What a record or a group changes, on one line.
	tail       uint64 // where the next record goes, or the run's first
	tailNumber uint64 // and its number
	near       uint64 // the tail where Reserve has to look closer: the limit, or where a run or a group began
	first      uint64 // header of the open batch's first record, not yet stored; 0 where no batch is open
	end        uint64 // while a batch is open: the committed end; otherwise it is the tail
	endNumber  uint64
	last       uint32 // bytes of the last record's payload
	run        *Run   // of the open batch, if it has one, or the line that is ready

	words    memory.Words
	lines    []memory.Line // the words again
	capacity uint64
	limit    uint64 // last known consumer position + capacity: up to here lines may be written
	payload  uint32 // largest
	oneLine  uint64 // largest that takes one line
	soiled   soiled
	consumer memory.Word
	turn     uint64   // odd while a group is open
	_        [48]byte // whole lines: 256 bytes, which the allocator puts at a line's beginning
}

// Room for one record at the tail, taken and not committed.
type Room uint32

// Len is the payload's size in bytes.
func (r Room) Len() int { return int(r) }

// NewProducer makes the producer of a ring in words, whose consumer publishes its position in consumer. The
// first word of every line must be zero: only the producer that wrote a ring knows which lines hold payload.
func NewProducer(words memory.Words, consumer memory.Word, start Cursor) (*Producer, error) {
	if err := check(words.Count()); err != nil {
		return nil, err
	}
	capacity := words.Count() * 8
	return &Producer{
		words: words, lines: words.Lines(), consumer: consumer, capacity: capacity,
		limit: start.Position + capacity, near: start.Position + capacity,
		tail: start.Position, tailNumber: start.Number,
		payload: layout.PayloadLimit(capacity), oneLine: min(capacity/8, layout.Line-layout.HeaderBytes),
		soiled: newSoiled(capacity),
	}, nil
}

// Reserve takes room for one record of payload bytes, behind the open batch if there is one. Never blocks.
// Reserving again gives the first room up: an abort writes nothing and uses no number.
//
// It answers ErrFull, ErrTooLarge or a *CorruptError. Where the ring is full or its end is in the way, an
// open batch becomes visible: the consumer can only give back what it sees, and a batch holds no padding.
func (p *Producer) Reserve(payload int) (_ Room, err error) {
	if uint64(payload) > p.oneLine || p.tail == p.near {
		payload, err = p.reserveSlowly(payload)
	}
	return Room(payload), err // one line always fits before the ring's end
}

// reserveSlowly is Reserve for records of several lines, behind a run or group, and where the ring is perhaps
// full.
func (p *Producer) reserveSlowly(payload int) (int, error) {
	p.endRun()
	p.endGroup()
	if uint(payload) > uint(p.payload) {
		return 0, ErrTooLarge
	}
	bytes := layout.RecordBytes(uint32(payload))
	padding := uint64(0)
	if toEnd := p.capacity - p.tail&(p.capacity-1); bytes > toEnd {
		padding = toEnd
	}
	if padding+bytes > p.limit-p.tail {
		if err := p.lookAtConsumer(); err != nil {
			return 0, err
		}
		if padding+bytes > p.limit-p.tail {
			p.Publish()
			return 0, ErrFull
		}
	}
	if padding != 0 {
		p.publishPadding(padding)
	}
	p.soiled.soil(p.tail+layout.Line, p.tail+bytes)
	return payload, nil
}

// publishPadding fills the ring up to its end: the next record goes to offset 0. The consumer passes the
// padding at once and then looks there, so that word is made harmless first.
func (p *Producer) publishPadding(padding uint64) {
	p.Publish()
	at, start := p.tail, p.tail+padding
	p.soiled.soil(at+layout.Line, start)
	p.tail = start
	p.publishHeader(at, paddingWord(padding, p.tailNumber), start)
}

// Payload lends the payload of room, to be written in place. It holds whatever was there before.
func (p *Producer) Payload(room Room) []byte {
	return p.words.Bytes(p.tail+layout.HeaderBytes, int(room))
}

// Commit makes the first payload bytes of room visible as a record, with all of the open batch, and returns
// its number. The room must be the last that was reserved.
func (p *Producer) Commit(room Room, payload int, kind uint16) uint64 {
	if uint64(payload) > uint64(room) || p.first != 0 {
		return p.commitBatch(room, payload, kind)
	}
	return p.CommitAlone(uint32(payload), kind)
}

// HasBatch says whether a batch is open.
func (p *Producer) HasBatch() bool { return p.first != 0 }

// CommitAlone is Commit where no batch is open, for who knows the payload of the room that was reserved last.
// It calls nothing, and so has no frame; what it changes of the producer comes behind the header: see Run.
//
//go:noinline
func (p *Producer) CommitAlone(payload uint32, kind uint16) uint64 {
	at, number := p.tail, p.tailNumber
	bytes := layout.RecordBytes(payload)
	if p.soiled.take(at + bytes) {
		p.words.Store(at+bytes, 0)
	}
	p.words.Store(at+8, secondWord(kind, 0, number))
	p.words.PublishHere(at, recordWord(payload, number)) // `commit`, with Words.Observe in the consumer
	if p.last != payload {
		p.last = payload // it seldom changes, and a store saved counts in a stream
	}
	p.tail, p.tailNumber = at+bytes, number+1
	return number
}

// Ready makes the next line the run's, for a record as long as the last one that goes alone: Claim and
// CommitReady then have little left to do. For who waits, and has time.
func (p *Producer) Ready(run *Run) {
	if !memory.Plain || p.first != 0 || p.tail == p.near || uint64(p.last) > p.oneLine {
		return
	}
	if behind := p.tail + layout.Line; p.soiled.take(behind) {
		p.words.Store(behind, 0)
	}
	p.run, p.near = run, p.tail
	run.beginAlone(p.tail/layout.Line&uint64(len(p.lines)-1), p.tailNumber, p.last)
}

// Committed comes behind CommitReady of the run: its line is a record now.
func (p *Producer) Committed() {
	p.tail, p.tailNumber = p.tail+layout.Line, p.tailNumber+1
	p.run.forget()
	p.run, p.near = nil, p.limit
}

// AppendRun is Append for who knows the payload of the room that was reserved last, or was lent by the run.
// More records of that size are expected: it begins the run anew, if it can.
func (p *Producer) AppendRun(run *Run, payload uint32, kind uint16) uint64 {
	p.endRun()
	number := p.appendTail(payload, kind)
	p.beginRun(run, payload)
	return number
}

// beginRun makes the lines behind the open batch a run for records like the last one.
func (p *Producer) beginRun(run *Run, payload uint32) {
	if !memory.Plain || uint64(payload) > p.oneLine {
		return
	}
	line := p.tail / layout.Line & uint64(len(p.lines)-1)
	free := min((p.limit-p.tail)/layout.Line, uint64(len(p.lines))-line)
	if free < 2 {
		return
	}
	sameUpper := uint64(1)<<32 - p.tailNumber&math.MaxUint32
	p.run, p.near = run, p.tail
	run.begin(line, min(free-1, p.soiled.clean(p.tail), sameUpper), p.tailNumber, payload)
}

// endRun moves the tail behind the run's records. An open claim on it is forgotten, as a room is that nobody
// commits.
func (p *Producer) endRun() {
	if p.run == nil {
		return
	}
	run := p.run
	p.tail, p.tailNumber = p.position(), p.Next()
	p.run, p.near = nil, p.limit
	run.end(&p.words, p.tail)
}

// GiveUp gives up what was reserved or lent: an abort.
func (p *Producer) GiveUp() {
	p.endRun()
	p.endGroup()
}

// position is the tail behind the run's records.
func (p *Producer) position() uint64 { return p.tail + (p.Next()-p.tailNumber)*layout.Line }

func (p *Producer) commitBatch(room Room, payload int, kind uint16) uint64 {
	number := p.Append(room, payload, kind)
	p.Publish()
	return number
}

// Append adds a record to the batch, opening one if there is none, and returns its number. It becomes
// visible with Publish, or with the next Commit.
func (p *Producer) Append(room Room, payload int, kind uint16) uint64 {
	if uint(payload) > uint(room) {
		panic("ring: commit of more than was claimed")
	}
	p.endRun()
	return p.appendTail(uint32(payload), kind)
}

// appendTail calls nothing, and so has no frame.
func (p *Producer) appendTail(payload uint32, kind uint16) uint64 {
	at, number := p.tail, p.tailNumber
	bytes := layout.RecordBytes(payload)
	p.words.Store(at+8, secondWord(kind, 0, number))
	if p.last != payload {
		p.last = payload
	}
	if header := recordWord(payload, number); p.first == 0 {
		p.first, p.end, p.endNumber = header, at, number
	} else {
		// From here on this line holds a header; until then its bit may be an older record's.
		p.soiled.take(at)
		p.words.Store(at, header)
	}
	p.tail, p.tailNumber = at+bytes, number+1
	return number
}

// Publish makes the open batch visible in one step; says whether there was one.
func (p *Producer) Publish() bool {
	p.endRun()
	if p.first == 0 {
		return false
	}
	first := p.first
	p.first = 0
	p.publishHeader(p.end, first, p.tail)
	return true
}

// Drop gives the open batch up: nothing of it becomes visible, none of its numbers is used.
func (p *Producer) Drop() {
	if p.first != 0 {
		p.endRun()
		p.soiled.soil(p.end+layout.Line, p.tail) // headers with numbers to come
		p.first, p.tail, p.tailNumber = 0, p.end, p.endNumber
	}
}

// Pending is the number of records in the open batch.
func (p *Producer) Pending() int {
	if p.first == 0 {
		return 0
	}
	return int(p.Next() - p.endNumber)
}

// publishHeader keeps the invariant: makes sure that nothing at end can be taken for a header, then
// publishes header (label `commit`, with Words.Observe in the consumer).
func (p *Producer) publishHeader(start, header, end uint64) {
	if p.soiled.take(end) {
		p.words.Store(end, 0)
	}
	p.words.Publish(start, header)
}

// OwnNextLines takes the next free lines into this core's cache by storing 0 to their first words: to be
// called once per wait, after a commit, when there is nothing to read. The lines then change hands while
// nobody waits for them. Never while room is reserved: it would erase its payload.
func (p *Producer) OwnNextLines() {
	if p.first != 0 || p.tail == p.near {
		return
	}
	bytes := min(max(layout.RecordBytes(p.last), ownAtLeast*layout.Line), p.limit-p.tail)
	for done := uint64(0); done < bytes; done += layout.Line {
		p.words.Store(p.tail+done, 0)
	}
}

// KeepNextLines asks once more for the lines of a record as long as the last one: who has looked for it too
// early has taken them away. Nothing is 0, and not there before they are wanted.
func (p *Producer) KeepNextLines(nothing uint64) {
	p.words.ExpectWrite(p.tail+nothing, int(min(layout.RecordBytes(p.last), p.limit-p.tail)/layout.Line))
}

// HasRoom says whether a record of payload bytes fits, with any padding: nil, or as Reserve.
func (p *Producer) HasRoom(payload int) error {
	if uint(payload) > uint(p.payload) {
		return ErrTooLarge
	}
	worst := 2*layout.RecordBytes(uint32(payload)) - layout.Line
	tail := p.position()
	if worst <= p.limit-tail {
		return nil
	}
	if err := p.lookAtConsumer(); err != nil {
		return err
	}
	if worst <= p.limit-tail {
		return nil
	}
	return ErrFull
}

// lookAtConsumer reads the consumer's position once, checks it, then believes it.
func (p *Producer) lookAtConsumer() error {
	found := p.consumer.Load() // `release`, with the consumer's publish
	known := p.limit - p.capacity
	if advance := found - known; advance > p.Cursor().Position-known || advance%layout.Line != 0 {
		return &CorruptError{Position: found}
	}
	p.limit = found + p.capacity
	if p.run == nil && !p.hasGroup() {
		p.near = p.limit
	}
	return nil
}

// Rebind makes another word the consumer's position: a new consumer took over.
func (p *Producer) Rebind(consumer memory.Word) { p.consumer = consumer }

// Cursor is the committed end.
func (p *Producer) Cursor() Cursor {
	if p.first != 0 {
		return Cursor{Position: p.end, Number: p.endNumber}
	}
	return Cursor{Position: p.tail, Number: p.tailNumber}
}

// Next is the number that the next record will have, behind an open batch.
func (p *Producer) Next() uint64 {
	if p.run != nil {
		return p.run.Next()
	}
	return p.tailNumber
}

// PayloadLimit is the largest payload in bytes.
func (p *Producer) PayloadLimit() uint32 { return p.payload }

// Backlog is the number of bytes committed and not released, as far as the consumer's position tells now.
func (p *Producer) Backlog() (uint64, error) {
	if err := p.lookAtConsumer(); err != nil {
		return 0, err
	}
	return p.Cursor().Position - (p.limit - p.capacity), nil
}
