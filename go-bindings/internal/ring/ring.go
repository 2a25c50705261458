// Package ring is the algorithm: one producer, one consumer, records of whole cache lines.
//
//	 line 0         line 1         line 2                        line 3
//	┌──────────────┬──────────────┬─────────────────────────────┬──────────────┬─ ─
//	│H payload     │H payload     │H payload ………………… payload   │? not yet     │
//	└──────────────┴──────────────┴─────────────────────────────┴──────────────┴─ ─
//	 ▲ header: length and number in one u64, stored once, last
//
// What it costs: one cache line moves per small record, and nothing else is looked at on the way. There is
// no index that both sides touch: a record is committed when its header carries the number expected there.
// The consumer says how far it is in a word of its own, rarely; the producer reads that word only when its
// copy says perhaps full.
//
// The package is handed its words and knows nothing of files, pages or processes.
package ring

import (
	"errors"
	"fmt"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
)

// Cursor is where a half of a ring stands.
type Cursor struct {
	Position uint64 // free-running, in bytes; a multiple of 64
	Number   uint64 // of the next record, from 1
}

// Start is the start of a fresh ring.
var Start = Cursor{Position: 0, Number: 1}

// ErrFull is an ordinary answer: the consumer has not yet released enough.
var ErrFull = errors.New("ring: full")

// ErrTooLarge says that the payload can never fit: the limit is an eighth of the ring.
var ErrTooLarge = errors.New("ring: payload too large")

// CorruptError says that the other half wrote something impossible. The ring is over.
type CorruptError struct {
	Position uint64 // where, or the impossible position itself
	Number   uint64 // of the record that was expected there; 0 where a position is impossible
	Word     uint64 // the header that was found
	What     string
}

func (e *CorruptError) Error() string {
	if e.Number == 0 {
		return fmt.Sprintf("the consumer published the impossible position %d: the lane can't be used any more",
			e.Position)
	}
	return fmt.Sprintf("corrupt ring at position %d: %s (word %#018x, record %d expected): the lane can't be used any more",
		e.Position, e.What, e.Word, e.Number)
}

// check demands a capacity that fits words words.
func check(words uint64) error {
	capacity := words * 8
	if capacity < 4*layout.Line || capacity > layout.MaxCapacity || capacity&(capacity-1) != 0 {
		return fmt.Errorf("ring: %d bytes are not possible: a power of two, at least 256 bytes", capacity)
	}
	return nil
}
