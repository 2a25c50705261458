// Package event is the event ring. Its reading half copies a bounded length, then looks whether it counts:
//
//	header ▸ bounded? ▸ copy ▸ acquire fence ▸ overwritten ≤ my position? ─ yes ─▶ believe
//	                                                 └─ no ─▶ overrun: which numbers, where to go on
//
// An event ring has one writer, the engine, and any number of readers who all see all. Nobody waits for a
// reader: before the writer takes back the lines of old records it says so in one word, overwritten, and a
// reader that stands before it learns exactly which numbers it has lost. No verdict is believed before that
// look, empty and corrupt neither: a reader that was stopped may wake up four billion events later and find
// the low half of its number. The writer may be hostile: each word is read once and checked, and nonsense is
// a fault that stays.
//
// What it costs: a copy of each payload, and one load of a word that changes each eighth of the ring. The
// writing half ([Writer]) is that of engines for tests. The package is handed its words and knows nothing of
// files, pages or processes.
package event

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// looks is how many paddings, and rejoins that lose nothing, one poll passes; a sound writer never makes a
// reader go on for longer.
const looks = 8

// Found is what a poll found.
type Found uint8

// What a poll can find.
const (
	Nothing   Found = iota // nothing new
	AnEvent                // the next event; its payload is in the caller's buffer
	AnOverrun              // the writer was faster; the reader goes on behind what is lost
)

// Event is an event that was copied.
type Event struct {
	Number uint64 // its ordinal in the ring, from 1
	Kind   uint16 // the handler's
	Flags  uint16 // all zero today
	Size   int    // bytes of payload
	Copied int    // bytes that were copied: fewer where the buffer is shorter
}

// Lost is a range of numbers that a reader has lost.
type Lost struct{ First, Last uint64 }

// Answer is what one poll brought.
type Answer struct {
	Found Found
	Event Event // where Found is AnEvent
	Lost  Lost  // where Found is AnOverrun
}

// Control are the words of an event region besides the ring. The writer alone writes them.
type Control struct {
	Overwritten memory.Word    // all records that start before this position are lost
	Sequence    memory.Word    // its parity says which pair counts
	Position    [2]memory.Word // of a retained record, even and odd
	Number      [2]memory.Word // of the same record
}

// ControlAt is the control block of a region whose words are found by their offsets.
func ControlAt(word func(offset uint64) memory.Word) Control {
	return Control{
		Overwritten: word(layout.EventOverwritten), Sequence: word(layout.EventSequence),
		Position: [2]memory.Word{word(layout.EventRejoinEven), word(layout.EventRejoinOdd)},
		Number:   [2]memory.Word{word(layout.EventRejoinEven + 8), word(layout.EventRejoinOdd + 8)},
	}
}

// Reader is the reading half of an event ring. One goroutine at a time.
type Reader struct {
	words    memory.Words
	control  Control
	next     ring.Cursor
	capacity uint64
	limit    uint32
	joined   bool // next is a place in the ring
	fault    *CorruptError
}

// NewReader makes a reader that begins with the oldest events that are offered. What the writer wrote shows
// at the first poll.
func NewReader(words memory.Words, control Control) (*Reader, error) {
	capacity := words.Count() * 8
	if err := checkCapacity(capacity); err != nil {
		return nil, err
	}
	r := &Reader{words: words, control: control, capacity: capacity, limit: layout.PayloadLimit(capacity)}
	r.join()
	return r, nil
}

// Poll takes the next event, copied into dst as far as it goes; or says what is lost, or that there is
// nothing new. It never blocks. A *CorruptError is for good.
func (r *Reader) Poll(dst []byte) (Answer, error) {
	if r.fault != nil {
		return Answer{}, r.fault
	}
	if !r.joined && !r.join() {
		return Answer{}, r.err()
	}
	for range looks {
		seen := r.look(dst)
		sys.AcquireFence() // `overrun`, with the writer's fence
		overwritten := r.control.Overwritten.Load()
		if behind(r.next.Position, overwritten) {
			lost, moved := r.rejoin(overwritten)
			switch {
			case !moved:
				return Answer{}, r.err()
			case lost.Last+1 != lost.First:
				return Answer{Found: AnOverrun, Lost: lost}, nil
			}
			continue
		}
		switch seen.meaning {
		case ring.IsEmpty:
			return Answer{}, nil
		case ring.IsRecord:
			return r.take(&seen)
		case ring.IsPadding:
			r.next.Position += uint64(seen.bytes)
		default:
			r.fail(seen.header, seen.why)
			return Answer{}, r.fault
		}
	}
	return Answer{}, nil
}

// HasNews says whether Poll has something to answer: an event, an overrun or an error. It copies nothing.
func (r *Reader) HasNews() bool {
	if r.fault != nil || !r.joined {
		return true
	}
	header := r.words.Observe(r.next.Position) // `commit`, with the writer's publish
	sys.AcquireFence()                         // `overrun`, with the writer's fence
	overwritten := r.control.Overwritten.Load()
	return uint32(header>>32) == uint32(r.next.Number) && uint32(header) != 0 ||
		behind(r.next.Position, overwritten)
}

// SkipToEnd passes over all that is there and says how many events were passed over or lost.
func (r *Reader) SkipToEnd() (uint64, error) {
	if !r.joined && !r.join() {
		return 0, r.err()
	}
	before := r.next.Number
	// The writer may be at work meanwhile: twice what a ring can hold is enough.
	for range 2 * r.capacity / layout.Line {
		answer, err := r.Poll(nil)
		if err != nil {
			return 0, err
		}
		if answer.Found == Nothing {
			break
		}
	}
	return r.next.Number - before, nil
}

// Next is the number of the event that comes next.
func (r *Reader) Next() uint64 { return r.next.Number }

// PayloadLimit is the largest payload of an event, in bytes.
func (r *Reader) PayloadLimit() uint32 { return r.limit }

// seen is what lies at the next position, not yet to be believed.
type seen struct {
	header, second uint64
	meaning        ring.Meaning
	bytes          uint32 // of payload, or of padding
	why            string
	copied         int
}

// look reads what lies at the next position, each word once; of a record it copies the payload.
func (r *Reader) look(dst []byte) seen {
	at := r.next.Position
	toEnd := r.capacity - at&(r.capacity-1)
	s := seen{header: r.words.Observe(at)} // `commit`, with the writer's publish
	s.meaning, s.bytes, s.why = ring.Judge(s.header, r.next.Number, toEnd, r.capacity, r.limit)
	if s.meaning == ring.IsRecord {
		s.second = r.words.Load(at + 8) // settled by `commit`, and by `overrun` behind it
		s.copied = copy(dst, r.words.Bytes(at+layout.HeaderBytes, int(s.bytes)))
	}
	return s
}

// take believes a record, if the whole number is the one expected.
func (r *Reader) take(s *seen) (Answer, error) {
	number := r.next.Number
	if s.second>>32 != number>>32 {
		r.fail(s.header, "high half of the number")
		return Answer{}, r.fault
	}
	r.next = ring.Cursor{Position: r.next.Position + layout.RecordBytes(s.bytes), Number: number + 1}
	return Answer{Found: AnEvent, Event: Event{
		Number: number, Kind: uint16(s.second), Flags: uint16(s.second >> 16),
		Size: int(s.bytes), Copied: s.copied,
	}}, nil
}

// behind says whether position lies before other, as free-running positions.
func behind(position, other uint64) bool { return int64(other-position) > 0 }
