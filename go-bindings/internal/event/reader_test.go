package event

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// right says whether payload is that of event number as the writer in this package's tests writes it.
func right(number uint64, payload []byte) bool {
	for i, b := range payload {
		if b != byte(7*number+uint64(i)) {
			return false
		}
	}
	return true
}

// However slow a reader is: events and lost numbers together are every number, once, in order.
func TestOverrunsAreExact(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWriter(4096)
		reader, sizes := readerOf(t, w.region), map[uint64]int{}
		payload, expected, published, overruns := make([]byte, 512), uint64(1), uint64(0), 0
		for range 400 {
			for range random.IntN(1 + random.IntN(120)) {
				size := random.IntN(100)
				if random.IntN(8) == 0 {
					size = random.IntN(513)
				}
				published = w.publish(size)
				sizes[published] = size
			}
			for range random.IntN(60) {
				answer, err := reader.Poll(payload)
				if err != nil {
					t.Fatal(err)
				}
				switch answer.Found {
				case Nothing:
					if expected != published+1 {
						t.Fatalf("seed %d: empty at %d of %d", seed, expected, published)
					}
				case AnEvent:
					e := answer.Event
					if e.Number != expected || e.Size != sizes[expected] || e.Copied != e.Size ||
						e.Kind != uint16(expected) || !right(expected, payload[:e.Copied]) {
						t.Fatalf("seed %d: %+v where event %d of %d bytes was due", seed, e, expected, sizes[expected])
					}
					expected++
				case AnOverrun:
					if answer.Lost.First != expected || answer.Lost.Last < expected || answer.Lost.Last >= published {
						t.Fatalf("seed %d: lost %+v at %d of %d", seed, answer.Lost, expected, published)
					}
					expected = answer.Lost.Last + 1
					overruns++
				}
			}
		}
		if overruns == 0 {
			t.Errorf("seed %d: nothing was lost, so nothing was tested", seed)
		}
	}
}

func TestANewReaderBeginsWithTheOldestAndCanSkip(t *testing.T) {
	w := newWriter(4096)
	for range 500 {
		w.publish(8)
	}
	reader := readerOf(t, w.region)
	first := reader.Next()
	if answer, err := reader.Poll(nil); err != nil || answer.Found != AnEvent || answer.Event.Number != first ||
		first < 400 || answer.Event.Size != 8 || answer.Event.Copied != 0 {
		t.Fatalf("%+v, %v at %d", answer, err, first)
	}
	if skipped, err := reader.SkipToEnd(); err != nil || skipped != 500-first || reader.Next() != 501 {
		t.Errorf("skipped %d, %v, next %d", skipped, err, reader.Next())
	}
}

// A reader that slept for 2^32 events finds the low half of its number: it is overrun, not mistaken.
func TestTheLowHalfOfANumberIsNotBelieved(t *testing.T) {
	w := newWriter(4096)
	w.publish(8)
	reader := readerOf(t, w.region)
	w.region[layout.EventOverwritten/8] = 1 << 40
	w.region[layout.EventRejoinEven/8], w.region[layout.EventRejoinEven/8+1] = 1<<40, 1<<32+1
	answer, err := reader.Poll(nil)
	if err != nil || answer.Found != AnOverrun || answer.Lost != (Lost{1, 1 << 32}) {
		t.Fatalf("%+v, %v", answer, err)
	}
	// Number 2^32 + 1 has the low half of number 1, and the record there is that one.
	var corrupt *CorruptError
	_, err = reader.Poll(nil)
	if !errors.As(err, &corrupt) || corrupt.Number != 1<<32+1 {
		t.Fatalf("%v", err)
	}
	if _, again := reader.Poll(nil); again != err || !reader.HasNews() {
		t.Errorf("the fault did not stay: %v", again)
	}
}

func TestImpossiblePlacesToGoOnAreFaults(t *testing.T) {
	for what, c := range map[string]struct{ overwritten, position, number uint64 }{
		"not a line":            {64, 100, 2},
		"before what is lost":   {128, 64, 2},
		"where it stands":       {64, 0, 1},
		"numbers go back":       {64, 128, 0},
		"more numbers than fit": {64, 128, 4},
	} {
		w := newWriter(4096)
		reader := readerOf(t, w.region)
		w.region[layout.EventOverwritten/8] = c.overwritten
		w.region[layout.EventRejoinEven/8], w.region[layout.EventRejoinEven/8+1] = c.position, c.number
		var corrupt *CorruptError
		if answer, err := reader.Poll(nil); !errors.As(err, &corrupt) {
			t.Errorf("%s: %+v, %v", what, answer, err)
		}
	}
	w := newWriter(4096)
	w.region[layout.EventRejoinEven/8] = 7
	var corrupt *CorruptError
	if _, err := readerOf(t, w.region).Poll(nil); !errors.As(err, &corrupt) {
		t.Errorf("a new reader at position 7: %v", err)
	}
}

func TestPollAllocatesNothing(t *testing.T) {
	w := newWriter(1 << 16)
	reader, payload := readerOf(t, w.region), make([]byte, 64)
	if allocated := testing.AllocsPerRun(500, func() {
		w.publish(48)
		if answer, err := reader.Poll(payload); err != nil || answer.Found != AnEvent {
			t.Fatal(answer, err)
		}
	}); allocated != 0 {
		t.Errorf("%v allocations for each event", allocated)
	}
}

func TestAnImpossibleCapacityIsAnError(t *testing.T) {
	if _, err := NewReader(memory.OfSlice(make([]uint64, 16)), Control{}); err == nil {
		t.Error("a ring of 128 bytes was taken")
	}
}

// FuzzHostileRegion gives a reader whatever a writer could write, also while it reads. It may not panic, may
// not loop, and each answer must agree with the last: numbers never go back, and a fault stays.
func FuzzHostileRegion(f *testing.F) {
	f.Add([]byte{}, uint64(0), uint64(0), uint64(1))
	f.Add([]byte{24, 0, 0, 0, 1, 0, 0, 0}, uint64(64), uint64(128), uint64(2))
	f.Add([]byte{0, 16, 0, 0x80, 1, 0, 0, 0}, uint64(1)<<63, uint64(1)<<63, uint64(1)<<63)
	f.Fuzz(func(t *testing.T, bytes []byte, overwritten, position, number uint64) {
		region := make([]uint64, (layout.EventRingOffset+4096)/8)
		region[layout.EventRejoinEven/8+1] = 1
		reader := readerOf(t, region)
		ring := region[layout.EventRingOffset/8:]
		for i := 0; i+8 <= len(bytes) && i/8 < len(ring); i += 8 {
			ring[i/8] = binary.LittleEndian.Uint64(bytes[i:])
		}
		payload, faulty := make([]byte, 512), false
		for round := range 64 {
			if round == 16 {
				region[layout.EventOverwritten/8] = overwritten
				region[layout.EventRejoinEven/8], region[layout.EventRejoinEven/8+1] = position, number
			}
			before := reader.next
			reader.HasNews()
			answer, err := reader.Poll(payload)
			switch {
			case faulty && err == nil:
				t.Fatal("a fault did not stay")
			case err != nil:
				faulty = true
			case answer.Found == AnEvent && (answer.Event.Number != before.Number ||
				reader.Next() != before.Number+1 || answer.Event.Size > 512 || answer.Event.Copied != answer.Event.Size):
				t.Fatalf("%+v behind %+v", answer, before)
			case answer.Found == AnOverrun && (answer.Lost.First != before.Number ||
				reader.Next() != answer.Lost.Last+1 || reader.Next()-before.Number > 1<<58):
				t.Fatalf("%+v behind %+v", answer, before)
			case answer.Found == Nothing && reader.Next() != before.Number:
				t.Fatalf("%+v, and the number moved from %d to %d", answer, before.Number, reader.Next())
			}
		}
	})
}
