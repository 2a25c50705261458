package event

import (
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
)

// writer is the writing half of an event ring as docs/LAYOUT.md says, for tests: a ring's producer whose
// consumer is `overwritten`, which the writer itself moves when it needs room.
type writer struct {
	region   []uint64
	producer *ring.Producer
	marks    []ring.Cursor // the first record that starts in each eighth
	capacity uint64
	sequence uint64
}

func newWriter(capacity uint64) *writer {
	w := &writer{region: make([]uint64, (layout.EventRingOffset+capacity)/8), capacity: capacity}
	w.region[layout.EventRejoinEven/8+1] = 1
	words := memory.OfSlice(w.region[layout.EventRingOffset/8:])
	producer, err := ring.NewProducer(words, memory.WordOf(&w.region[layout.EventOverwritten/8]), ring.Start)
	if err != nil {
		panic(err)
	}
	w.producer = producer
	return w
}

// publish writes event after event: byte i of the payload of event n is the low byte of 7 n + i.
func (w *writer) publish(size int) uint64 {
	start := w.producer.Cursor()
	room, err := w.producer.Reserve(size)
	for ; err == ring.ErrFull; room, err = w.producer.Reserve(size) {
		w.giveUp()
	}
	if err != nil {
		panic(err)
	}
	eighth := w.capacity / 8
	if last := len(w.marks) - 1; last < 0 || w.marks[last].Position/eighth != start.Position/eighth {
		w.marks = append(w.marks, start)
	}
	for i, payload := 0, w.producer.Payload(room); i < size; i++ {
		payload[i] = byte(7*start.Number + uint64(i))
	}
	return w.producer.Commit(room, size, uint16(start.Number))
}

// giveUp gives up what lies before the second mark. Sequentially consistent stores stand for the fences.
func (w *writer) giveUp() {
	oldest := w.marks[0]
	if w.marks = w.marks[1:]; len(w.marks) > 0 && oldest.Position == w.region[layout.EventOverwritten/8] {
		oldest = w.marks[0]
		w.marks = w.marks[1:]
	}
	at := oldest
	if len(w.marks) > 0 {
		at = w.marks[0]
	}
	w.sequence++
	pair := layout.EventRejoinEven / 8
	if w.sequence%2 == 1 {
		pair = layout.EventRejoinOdd / 8
	}
	atomic.StoreUint64(&w.region[pair], at.Position)
	atomic.StoreUint64(&w.region[pair+1], at.Number)
	atomic.StoreUint64(&w.region[layout.EventSequence/8], w.sequence)
	atomic.StoreUint64(&w.region[layout.EventOverwritten/8], oldest.Position)
}
