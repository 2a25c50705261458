package event

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Writer is the writing half of an event ring: a ring's producer that never waits for room. It gives old
// records up instead:
//
//	is there room behind the committed end?
//	  └─ no: the place to go on ▸ sequence ▸ overwritten ▸ fence
//	write ▸ publish
//
// What is given up is given up to a mark, the first record that starts in an eighth of the ring; the next
// mark is where readers go on. So the control words change once for each eighth. The fence is the heart:
// whoever sees one byte of the new record sees the new overwritten. One goroutine at a time.
type Writer struct {
	producer *ring.Producer // its consumer's position is overwritten
	control  Control
	capacity uint64
	given    uint64 // overwritten, as it was written last
	sequence uint64
	marks    []ring.Cursor // oldest first
	due      uint64        // from this position on the next record is marked
}

// NewWriter makes the writer of an event ring in zeroed words. The control words are written here, before
// anybody else may look.
func NewWriter(words memory.Words, control Control) (*Writer, error) {
	capacity := words.Count() * 8
	if err := checkCapacity(capacity); err != nil {
		return nil, err
	}
	producer, err := ring.NewProducer(words, control.Overwritten, ring.Start)
	if err != nil {
		return nil, err
	}
	control.Position[0].Release(ring.Start.Position)
	control.Number[0].Release(ring.Start.Number)
	return &Writer{producer: producer, control: control, capacity: capacity}, nil
}

// Publish shows an event to all readers and returns its number; or ring.ErrTooLarge, and nothing happened.
func (w *Writer) Publish(kind uint16, payload []byte) (uint64, error) {
	if len(payload) > int(w.producer.PayloadLimit()) {
		return 0, ring.ErrTooLarge
	}
	start := w.producer.Cursor()
	if need := w.need(len(payload)); start.Position+need-w.given > w.capacity {
		w.giveUp(start.Position + need - w.capacity)
	}
	w.note(start)
	room, err := w.producer.Reserve(len(payload))
	if err != nil {
		return 0, err
	}
	memory.CopyIn(w.producer.Payload(room), payload)
	return w.producer.Commit(room, len(payload), kind), nil
}

// Next is the number of the next event.
func (w *Writer) Next() uint64 { return w.producer.Next() }

// PayloadLimit is the largest payload of an event, in bytes.
func (w *Writer) PayloadLimit() uint32 { return w.producer.PayloadLimit() }

// need is what a record takes at the committed end, with the padding before it.
func (w *Writer) need(payload int) uint64 {
	bytes := layout.RecordBytes(uint32(payload))
	if toEnd := w.capacity - w.producer.Cursor().Position&(w.capacity-1); bytes > toEnd {
		return toEnd + bytes
	}
	return bytes
}

// note marks a record, or the padding before it, that is about to be published at start, if it is the first
// in its eighth.
func (w *Writer) note(start ring.Cursor) {
	if int64(start.Position-w.due) >= 0 {
		eighth := w.capacity / 8
		w.due = start.Position&^(eighth-1) + eighth
		w.marks = append(w.marks, start)
	}
}

// giveUp gives up all records before the first mark that does not lie before from. Labels `given up` and
// `overrun`.
func (w *Writer) giveUp(from uint64) {
	// A record and its padding take a quarter of the ring and a line at most, and the youngest mark is that of
	// an eighth and a record ago at most: it lies behind from.
	for behind(w.marks[0].Position, from) {
		w.marks = w.marks[1:]
	}
	oldest := w.marks[0]
	w.marks = w.marks[1:]
	next := oldest
	if len(w.marks) > 0 {
		next = w.marks[0]
	}
	w.sequence++
	pair := w.sequence & 1
	w.control.Position[pair].Release(next.Position)
	w.control.Number[pair].Release(next.Number)
	w.control.Sequence.Release(w.sequence)         // `given up`, with Reader.pair
	w.control.Overwritten.Release(oldest.Position) // `given up`, with Reader.Poll
	sys.Fence()                                    // `overrun`, with the reader's fence
	w.given = oldest.Position
}
