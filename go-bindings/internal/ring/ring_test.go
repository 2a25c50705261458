package ring

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

func TestFullAndTooLargeAreAnswers(t *testing.T) {
	p, c := pair(t, make([]uint64, 32), Start)
	if _, err := p.Reserve(33); err != ErrTooLarge {
		t.Errorf("33 bytes: %v", err)
	}
	if _, err := p.Reserve(-1); err != ErrTooLarge {
		t.Errorf("-1 bytes: %v", err)
	}
	for range 4 {
		write(t, p, 1, make([]byte, 32))
	}
	if _, err := p.Reserve(0); err != ErrFull {
		t.Errorf("a full ring: %v", err)
	}
	c.Next()
	if _, err := p.Reserve(0); err != ErrFull {
		t.Errorf("taken and not released: %v", err)
	}
	c.Release()
	if _, err := p.Reserve(0); err != nil {
		t.Errorf("released: %v", err)
	}
}

func TestAFullRingShowsTheOpenBatch(t *testing.T) {
	p, c := pair(t, make([]uint64, 32), Start)
	for range 4 {
		p.Append(reserve(t, p, 0), 0, 1)
	}
	if c.Has() {
		t.Fatal("an unpublished batch is visible")
	}
	if _, err := p.Reserve(0); err != ErrFull {
		t.Fatal(err)
	}
	for range 4 {
		if _, ok := c.Next(); !ok {
			t.Fatal("the batch is not visible, so the ring would stay full for ever")
		}
	}
}

func TestImpossiblePositionsAreCorrupt(t *testing.T) {
	for _, position := range []uint64{1, 64 * 5, 1 << 63, ^uint64(63)} {
		word := new(uint64)
		p, err := NewProducer(memory.OfSlice(make([]uint64, 32)), memory.WordOf(word), Start)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			write(t, p, 1, nil)
		}
		*word = position
		var corrupt *CorruptError
		if _, err := p.Reserve(0); !errors.As(err, &corrupt) || corrupt.Position != position {
			t.Errorf("position %d: %v", position, err)
		}
	}
}

func TestAFaultStays(t *testing.T) {
	words := make([]uint64, 32)
	p, c := pair(t, words, Start)
	write(t, p, 1, nil)
	words[8] = 2<<32 | 5 // record 2, shorter than a header
	if _, ok := c.Next(); !ok {
		t.Fatal("record 1 is sound")
	}
	for range 2 {
		if _, ok := c.Next(); ok || c.Fault() == nil || !strings.Contains(c.Fault().Error(), "header") {
			t.Fatalf("nonsense was taken: %v", c.Fault())
		}
		words[8] = recordWord(0, 2) // mended: too late
	}
}

func TestTheHighHalfOfTheNumberIsLookedAt(t *testing.T) {
	words := make([]uint64, 32)
	p, c := pair(t, words, Start)
	write(t, p, 1, nil)
	words[1] |= 1 << 32
	if _, ok := c.Next(); ok || c.Fault() == nil {
		t.Error("record 1 + 2^32 was taken for record 1")
	}
}

func TestImpossibleShapesAreErrors(t *testing.T) {
	for _, words := range []int{0, 16, 33, 96} {
		if _, err := NewConsumer(memory.OfSlice(make([]uint64, words)), Untold{}, Start); err == nil {
			t.Errorf("a ring of %d words was made", words)
		}
	}
}

func TestACommitOfMoreThanWasClaimedPanics(t *testing.T) {
	p, _ := pair(t, make([]uint64, 32), Start)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	p.Commit(reserve(t, p, 8), 9, 1)
}

// TestTwoGoroutines hands records from one goroutine to another, in groups and alone.
func TestTwoGoroutines(t *testing.T) {
	const records = 100_000
	p, c := pair(t, make([]uint64, 1<<12), Start)
	go func() {
		for n := uint64(1); n <= records; n++ {
			room, err := p.Reserve(8 + int(n%200))
			for err == ErrFull {
				runtime.Gosched()
				room, err = p.Reserve(8 + int(n%200))
			}
			binary.LittleEndian.PutUint64(p.Payload(room), n)
			if n%7 == 0 || n == records {
				p.Commit(room, room.Len(), uint16(n))
			} else {
				p.Append(room, room.Len(), uint16(n))
			}
		}
	}()
	for n := uint64(1); n <= records; {
		record, ok := c.Next()
		if !ok {
			c.Release()
			runtime.Gosched()
			continue
		}
		if got := binary.LittleEndian.Uint64(record.Payload); got != n || record.Kind != uint16(n) {
			t.Fatalf("found %d, %d where %d was sent", got, record.Kind, n)
		}
		n++
	}
}

func TestNothingIsAllocated(t *testing.T) {
	p, c := pair(t, make([]uint64, 1<<12), Start)
	allocations := testing.AllocsPerRun(1000, func() {
		room, err := p.Reserve(48)
		if err != nil {
			t.Fatal(err)
		}
		p.Append(room, 48, 1)
		room, _ = p.Reserve(100)
		p.Commit(room, 100, 1)
		c.Next()
		c.Next()
		c.Release()
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func FuzzAConsumerBearsAnyMemory(f *testing.F) {
	f.Add([]byte{24, 0, 0, 0, 1, 0, 0, 0}, uint64(1))
	f.Fuzz(func(t *testing.T, content []byte, number uint64) {
		words := make([]uint64, 64)
		for i := 0; i+8 <= len(content) && i/8 < len(words); i += 8 {
			words[i/8] = binary.LittleEndian.Uint64(content[i:])
		}
		c, err := NewConsumer(memory.OfSlice(words), Untold{}, Cursor{Number: number})
		if err != nil {
			t.Fatal(err)
		}
		taken := 0
		for record, ok := c.Next(); ok; record, ok = c.Next() {
			if len(record.Payload) > 64 {
				t.Fatalf("a payload of %d bytes in a ring of 512", len(record.Payload))
			}
			if taken++; taken > 8 && number < 1<<60 {
				t.Fatal("more records than lines: numbers that follow each other were found twice")
			}
		}
	})
}
