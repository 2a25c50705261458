package event

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
)

const goldenDirectory = "../../../testdata/event/"

// regionOf is the words of an image.
func regionOf(t *testing.T, name string) []uint64 {
	t.Helper()
	raw, err := os.ReadFile(goldenDirectory + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, len(raw)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return words
}

// readerOf reads the region in words.
func readerOf(t testing.TB, words []uint64) *Reader {
	t.Helper()
	control := ControlAt(func(offset uint64) memory.Word { return memory.WordOf(&words[offset/8]) })
	reader, err := NewReader(memory.OfSlice(words[layout.EventRingOffset/8:]), control)
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

// The images are what the engine's own writer left, and events.txt what its reader found in them.
func TestGoldenImages(t *testing.T) {
	file, err := os.Open(goldenDirectory + "events.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var words []uint64
	var reader *Reader
	images, events, overruns := 0, 0, 0
	name, payload := "", make([]byte, 512)
	ended := func() {
		if reader == nil {
			return
		}
		if answer, err := reader.Poll(payload); err != nil || answer.Found != Nothing || reader.HasNews() {
			t.Errorf("%s: behind the last event %+v, %v", name, answer, err)
		}
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		number := func(i int) uint64 {
			value, err := strconv.ParseUint(fields[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		switch fields[0] {
		case "#":
		case "image":
			ended()
			name, words, reader = fields[1], regionOf(t, fields[1]), nil
			if ring := uint64(len(words))*8 - layout.EventRingOffset; ring != number(2) ||
				words[layout.RegionMagicOffset/8] != layout.RegionMagic || words[1]>>32 != layout.RoleEvent ||
				words[2] != number(3) || words[3] != number(4) {
				t.Errorf("%s: another header or size than events.txt says", name)
			}
			images++
		case "new":
			if reader = readerOf(t, words); reader.Next() != number(2) {
				t.Errorf("%s: a new reader begins with %d, not %d", name, reader.Next(), number(2))
			}
		case "stood":
			ended()
			reader = readerOf(t, words)
			reader.next = ring.Cursor{Position: number(1), Number: number(2)}
		case "lost":
			answer, err := reader.Poll(payload)
			if want := (Lost{number(1), number(2)}); err != nil || answer.Found != AnOverrun || answer.Lost != want {
				t.Errorf("%s: %+v, %v; lost are %+v", name, answer, err, want)
			}
			overruns++
		case "event":
			if !reader.HasNews() {
				t.Errorf("%s: no news before event %s", name, fields[1])
			}
			answer, err := reader.Poll(payload)
			e := answer.Event
			if err != nil || answer.Found != AnEvent || e.Number != number(1) || uint64(e.Kind) != number(2) ||
				e.Flags != 0 || e.Size != e.Copied || hex.EncodeToString(payload[:e.Copied]) != fields[3] {
				t.Fatalf("%s: %+v, %v instead of event %s", name, answer, err, fields[1])
			}
			events++
		default:
			t.Fatalf("events.txt has a line %q", lines.Text())
		}
	}
	ended()
	if images != 5 || events < 100 || overruns < 2 {
		t.Fatalf("%d images, %d events and %d overruns were compared", images, events, overruns)
	}
}
