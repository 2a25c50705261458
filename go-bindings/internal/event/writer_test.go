package event

import (
	"errors"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
)

// writer is a Writer in a region of its own, whose events' contents follow from their numbers.
type writer struct {
	*Writer
	region  []uint64
	payload []byte
}

func newWriter(capacity uint64) *writer {
	region := make([]uint64, (layout.EventRingOffset+capacity)/8)
	control := ControlAt(func(offset uint64) memory.Word { return memory.WordOf(&region[offset/8]) })
	w, err := NewWriter(memory.OfSlice(region[layout.EventRingOffset/8:]), control)
	if err != nil {
		panic(err)
	}
	return &writer{Writer: w, region: region, payload: make([]byte, w.PayloadLimit())}
}

// publish writes an event of size bytes: byte i of the payload of event n is the low byte of 7 n + i.
func (w *writer) publish(size int) uint64 {
	number, payload := w.Next(), w.payload[:size]
	for i := range payload {
		payload[i] = byte(7*number + uint64(i))
	}
	if published, err := w.Publish(uint16(number), payload); err != nil || published != number {
		panic(err)
	}
	return number
}

// The images that the Rust engine's writer leaves behind from the first event on are those that this writer
// leaves, byte for byte: where it gives up, what it marks, what it erases.
func TestTheWriterLeavesTheGoldenImages(t *testing.T) {
	for name, sizes := range map[string]func(index int) int{
		"fresh":        func(int) int { return -1 },
		"three_events": func(i int) int { return append([]int{3, 48, 100}, -1)[min(i, 3)] },
		"padding": func(i int) int {
			switch {
			case i < 29:
				return 8
			case i < 33:
				return 512
			}
			return -1
		},
		"lapped": func(i int) int {
			if i < 200 {
				return []int{8, 48, 60}[i%3]
			}
			return -1
		},
	} {
		image, w := regionOf(t, name), newWriter(4096)
		for i := 0; sizes(i) >= 0; i++ {
			w.publish(sizes(i))
		}
		for at, word := range w.region {
			if isHeader := at < layout.EventOverwritten/8; !isHeader && word != image[at] {
				t.Fatalf("%s: word %#x is %#x and must be %#x", name, at*8, word, image[at])
			}
		}
	}
}

// Nothing is given up before it must be: a reader that keeps within five eighths loses nothing, and a new
// reader is offered nearly three quarters of the ring.
func TestWhatIsRetained(t *testing.T) {
	w := newWriter(4096)
	reader, payload, events := readerOf(t, w.region), make([]byte, 512), 0
	for round := range 200 {
		for range 40 {
			w.publish(8)
		}
		for answer, err := reader.Poll(payload); answer.Found != Nothing; answer, err = reader.Poll(payload) {
			if err != nil || answer.Found != AnEvent {
				t.Fatalf("%+v, %v", answer, err)
			}
			events++
		}
		if offered := w.Next() - readerOf(t, w.region).Next(); round > 0 && offered < 46 {
			t.Fatalf("%d of 64 events are offered", offered)
		}
	}
	if events != 200*40 {
		t.Errorf("%d events were read", events)
	}
}

func TestAnEventTooLargeChangesNothing(t *testing.T) {
	w := newWriter(4096)
	if _, err := w.Publish(1, make([]byte, 513)); !errors.Is(err, ring.ErrTooLarge) || w.Next() != 1 {
		t.Errorf("%v, next is %d", err, w.Next())
	}
	w.publish(512)
	if answer, err := readerOf(t, w.region).Poll(nil); err != nil || answer.Event.Size != 512 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Events of the largest size: each takes more than an eighth, and padding at that.
func TestTheLargestEventsGoRoundTheRing(t *testing.T) {
	for _, sizes := range [][]int{{512}, {512, 0, 0}, {512, 449, 64}} {
		w := newWriter(4096)
		reader, payload := readerOf(t, w.region), make([]byte, 512)
		for i := range 500 {
			number := w.publish(sizes[i%len(sizes)])
			answer, err := reader.Poll(payload)
			if err != nil || answer.Event.Number != number || !right(number, payload[:answer.Event.Copied]) {
				t.Fatalf("%+v, %v instead of event %d", answer, err, number)
			}
		}
	}
}
