package ring

import (
	"math/bits"
	"unsafe"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
)

// soiled is the producer's private memory of where payload has been: one bit a line.
//
// A consumer takes the word at the committed end for a header if it carries the right number. An old
// header never does. Payload may: an end user can have written a perfect header into it. So the producer
// remembers which lines may hold something else than zero or a header published within the last lap, and
// erases such a word before the committed end comes to lie on it. A stream of one-line records pays one
// test of a bit that is never set.
type soiled struct {
	bits  []uint64
	first unsafe.Pointer // of bits: a look without a bounds check, and so without a frame
	lines uint64         // a power of two
}

func newSoiled(capacity uint64) soiled {
	lines := capacity / layout.Line
	bits := make([]uint64, (lines+63)/64)
	return soiled{bits: bits, first: unsafe.Pointer(unsafe.SliceData(bits)), lines: lines}
}

// take says whether the line at position is soiled and clears its bit: the caller erases the word.
func (s *soiled) take(position uint64) bool {
	line := position / layout.Line & (s.lines - 1)
	// The mask keeps line below lines, and there is a bit for each.
	word, bit := (*uint64)(unsafe.Add(s.first, line/64*8)), uint64(1)<<(line%64)
	if *word&bit == 0 {
		return false
	}
	*word &^= bit
	return true
}

// clean is how many lines from position on are known not to be soiled, as far as one word of bits tells.
func (s *soiled) clean(position uint64) uint64 {
	line := position / layout.Line & (s.lines - 1)
	rest := s.bits[line/64] >> (line % 64)
	return min(uint64(bits.TrailingZeros64(rest)), 64-line%64, s.lines-line)
}

// soil marks the lines from from up to to, both multiples of a line, at most one lap apart. In a stream of
// equal records they are marked already, and nothing is stored.
func (s *soiled) soil(from, to uint64) {
	for from != to {
		line := from / layout.Line & (s.lines - 1)
		run := min((to-from)/layout.Line, 64-line%64, s.lines-line)
		mark := (^uint64(0) >> (64 - run)) << (line % 64)
		if word := &s.bits[line/64]; *word&mark != mark {
			*word |= mark
		}
		from += run * layout.Line
	}
}

// count says how many lines are soiled, for tests.
func (s *soiled) count() (lines int) {
	for _, word := range s.bits {
		lines += bits.OnesCount64(word)
	}
	return lines
}
