package event

import (
	"fmt"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// tries is how often to read a pair that changes meanwhile: each eighth of the ring once, twice over.
const tries = 16

// CorruptError says that the writer wrote something impossible. The ring is over for this reader.
type CorruptError struct {
	Position uint64 // where the reader stood
	Number   uint64 // of the event that was expected there
	Word     uint64 // the header that was found, or the position to go on that cannot be
	What     string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt event ring at position %d: %s (word %#018x, event %d expected): the ring can't be "+
		"read any more", e.Position, e.What, e.Word, e.Number)
}

// join finds the beginning of a new reader: it loses nothing by that. False where the pair changed too often
// while it was read (the next poll tries again), or where it is nonsense.
func (r *Reader) join() bool {
	at, ok := r.pair()
	if !ok {
		return false
	}
	if at.Position%layout.Line != 0 || int64(at.Position) < 0 {
		r.fail(at.Position, "impossible place to begin")
		return false
	}
	r.next, r.joined = at, true
	return true
}

// rejoin goes on where the writer says, and says what is lost by that. False where the place changed too
// often while it was read, or cannot be: then there is a fault.
func (r *Reader) rejoin(overwritten uint64) (lost Lost, moved bool) {
	at, ok := r.pair()
	if !ok {
		return Lost{}, false
	}
	count := at.Number - r.next.Number
	possible := at.Position%layout.Line == 0 && !behind(at.Position, overwritten) &&
		behind(r.next.Position, at.Position) && count <= (at.Position-r.next.Position)/layout.Line
	if !possible {
		r.fail(at.Position, "impossible place to go on")
		return Lost{}, false
	}
	lost = Lost{First: r.next.Number, Last: at.Number - 1}
	r.next = at
	return lost, true
}

// pair is the rejoin pair that counts, whole; false where it changed at each try.
func (r *Reader) pair() (ring.Cursor, bool) {
	for range tries {
		sequence := r.control.Sequence.Load() // `given up`
		parity := sequence & 1
		at := ring.Cursor{Position: r.control.Position[parity].Load(), Number: r.control.Number[parity].Load()}
		sys.AcquireFence() // `overrun`, with the writer's fence
		if r.control.Sequence.Load() == sequence {
			return at, true
		}
	}
	return ring.Cursor{}, false
}

// fail notes the first fault; it stays.
func (r *Reader) fail(word uint64, what string) {
	if r.fault == nil {
		r.fault = &CorruptError{Position: r.next.Position, Number: r.next.Number, Word: word, What: what}
	}
}

// err is the fault as an error, nil where there is none.
func (r *Reader) err() error {
	if r.fault == nil {
		return nil
	}
	return r.fault
}

func checkCapacity(capacity uint64) error {
	if capacity < 4*layout.Line || capacity > layout.MaxCapacity || capacity&(capacity-1) != 0 {
		return fmt.Errorf("event ring: %d bytes are not possible: a power of two, at least 256 bytes", capacity)
	}
	return nil
}
