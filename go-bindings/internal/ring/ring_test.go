package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
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

func TestTakenAtOnceIsTheExpectedRecordOrNothing(t *testing.T) {
	words := make([]uint64, 64)
	p, c := pair(t, words, Start)
	if _, _, ok := c.TakeAfter(0, 1); ok {
		t.Error("a record was taken from an empty ring")
	}
	write(t, p, 7, []byte("twenty-four bytes of it."))
	if _, _, ok := c.TakeAfter(0, 2); ok {
		t.Error("record 1 was taken for record 2")
	}
	payload, kind, ok := c.TakeAfter(0, 1)
	if !ok || kind != 7 || string(payload) != "twenty-four bytes of it." {
		t.Errorf("%v: %q of kind %d", ok, payload, kind)
	}
	if want := (Cursor{Position: 64, Number: 2}); c.Cursor() != want {
		t.Errorf("the next record is expected at %+v, not %+v", c.Cursor(), want)
	}
	write(t, p, 7, nil)
	words[9] |= 1 << 32
	if _, _, ok := c.TakeAfter(0, 2); ok || c.Fault() != nil {
		t.Error("record 2 + 2^32 was taken, or judged: that is for Next")
	}
	if _, ok := c.Next(); ok || c.Fault() == nil {
		t.Error("record 2 + 2^32 was taken for record 2")
	}
	words[9] = 0
	if _, _, ok := c.TakeAfter(0, 2); ok {
		t.Error("a record was taken from a corrupt ring")
	}
}

func TestNothingForgedIsTakenAtOnce(t *testing.T) {
	for _, c := range []struct {
		why    string
		at     Cursor
		word   uint64
		number uint64
	}{
		{"record 2 where record 1 is next", Start, recordWord(0, 2), 2},
		{"a record past the ring's end", Cursor{Position: 448, Number: 1}, recordWord(64, 1), 1},
		{"a record above the limit", Start, recordWord(65, 1), 1},
		{"a length below a header's own", Start, 1<<32 | 8, 1},
		{"a padding", Cursor{Position: 448, Number: 1}, paddingWord(64, 1), 1},
	} {
		words := make([]uint64, 64)
		_, consumer := pair(t, words, c.at)
		words[c.at.Position/8] = c.word
		if payload, _, ok := consumer.TakeAfter(0, c.number); ok {
			t.Errorf("%s was taken: %x", c.why, payload)
		}
		if consumer.Cursor() != c.at || consumer.Fault() != nil {
			t.Errorf("%s: the consumer went on to %+v, %v", c.why, consumer.Cursor(), consumer.Fault())
		}
	}
}

func TestWhoTakesAtOnceGivesBackEachEighth(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	for number := uint64(1); number <= 1000; number++ {
		write(t, p, 1, nil) // fails where nothing is given back
		if _, _, ok := c.TakeAfter(0, number); !ok {
			t.Fatalf("record %d is not there", number)
		}
		if kept := c.Cursor().Position - c.Released(); kept > 512 {
			t.Fatalf("%d bytes are kept, more than an eighth", kept)
		}
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
		twin, _ := NewConsumer(memory.OfSlice(words), Untold{}, Cursor{Number: number})
		taken := 0
		for record, ok := c.Next(); ok; record, ok = c.Next() {
			at := twin.Cursor()
			payload, kind, same := twin.TakeAfter(0, record.Number)
			if !same {
				other, _ := twin.Next() // behind a padding
				payload, kind = other.Payload, other.Kind
				same = at.Position+layout.RecordBytes(uint32(len(payload))) != twin.Cursor().Position
			}
			if !same || kind != record.Kind || !bytes.Equal(payload, record.Payload) {
				t.Fatalf("taken at once it is %v: %x of kind %d, and not %+v", same, payload, kind, record)
			}
			if len(record.Payload) > 64 {
				t.Fatalf("a payload of %d bytes in a ring of 512", len(record.Payload))
			}
			if taken++; taken > 8 && number < 1<<60 {
				t.Fatal("more records than lines: numbers that follow each other were found twice")
			}
		}
	})
}
