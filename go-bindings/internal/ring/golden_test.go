package ring

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

const goldenDirectory = "../../../testdata/ring/"

// image is one ring of testdata/ring: its memory, and what must be found in it.
type image struct {
	words   []uint64
	start   Cursor
	records []Record
}

func images(t *testing.T) map[string]*image {
	t.Helper()
	file, err := os.Open(goldenDirectory + "images.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	found, last := map[string]*image{}, (*image)(nil)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if fields[0] == "image" {
			last = &image{start: Cursor{Position: number(t, fields[3]), Number: number(t, fields[4])}}
			last.words = wordsOf(t, fields[1]+".bin")
			found[fields[1]] = last
			continue
		}
		payload, _ := hex.DecodeString(strings.TrimPrefix(fields[4], "-"))
		last.records = append(last.records, Record{
			Number: number(t, fields[1]), Kind: uint16(number(t, fields[2])),
			Flags: uint16(number(t, fields[3])), Payload: payload,
		})
	}
	if len(found) < 7 {
		t.Fatalf("only %d images in %s", len(found), goldenDirectory)
	}
	return found
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func wordsOf(t *testing.T, name string) []uint64 {
	t.Helper()
	content, err := os.ReadFile(goldenDirectory + name)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, len(content)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(content[8*i:])
	}
	return words
}

func TestGoldenImagesAreRead(t *testing.T) {
	for name, image := range images(t) {
		consumer, err := NewConsumer(memory.OfSlice(image.words), Untold{}, image.start)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range image.records {
			got, ok := consumer.Next()
			if !ok || got.Number != want.Number || got.Kind != want.Kind || got.Flags != want.Flags ||
				!bytes.Equal(got.Payload, want.Payload) {
				t.Errorf("%s: found %+v, %v (%v) where %+v is", name, got, ok, consumer.Fault(), want)
			}
		}
		if got, ok := consumer.Next(); ok || consumer.Fault() != nil {
			t.Errorf("%s: found %+v (%v) behind the last record", name, got, consumer.Fault())
		}
	}
}

// TestGoldenImagesAreWritten makes each image as testdata/ring/README.md says, and compares all bytes.
func TestGoldenImagesAreWritten(t *testing.T) {
	golden := images(t)
	recipes := map[string]func(p *Producer, c *Consumer){
		"fresh": func(*Producer, *Consumer) {},
		"three_records": func(p *Producer, _ *Consumer) {
			write(t, p, 1, []byte("one"))
			write(t, p, 2, bytes.Repeat([]byte{0xaa}, 48))
			write(t, p, 3, bytes.Repeat([]byte{0xbb}, 100))
		},
		"wrapped_with_padding": func(p *Producer, c *Consumer) {
			for range 5 {
				write(t, p, 1, bytes.Repeat([]byte{0x11}, 128))
			}
			for range 5 {
				c.Next()
			}
			c.Release()
			write(t, p, 2, bytes.Repeat([]byte{0x22}, 128))
			write(t, p, 3, []byte("behind the padding's record"))
		},
		"exactly_full": func(p *Producer, _ *Consumer) {
			for n := range 16 {
				write(t, p, uint16(n+1), bytes.Repeat([]byte{byte(n + 1)}, 48))
			}
		},
		"batch": func(p *Producer, _ *Consumer) {
			for n := range 3 {
				room := reserve(t, p, 8)
				binary.LittleEndian.PutUint64(p.Payload(room), uint64(n+1))
				p.Append(room, 8, uint16(n+1))
			}
			p.Publish()
		},
		"aborted": func(p *Producer, _ *Consumer) {
			payload := p.Payload(reserve(t, p, 128))
			for at := 0; at < len(payload); at += 8 {
				binary.LittleEndian.PutUint64(payload[at:], 2<<32|16)
			}
			write(t, p, 1, []byte("after an abort"))
		},
		"past_2_32": func(p *Producer, _ *Consumer) {
			for n := range 3 {
				write(t, p, uint16(n), bytes.Repeat([]byte{byte(n + 1)}, 16))
			}
		},
	}
	for name, image := range golden {
		recipe, known := recipes[name]
		if !known {
			t.Errorf("there is no recipe for the image %s", name)
			continue
		}
		start := Start
		if name == "past_2_32" {
			start = image.start
		}
		words := make([]uint64, len(image.words))
		p, c := pair(t, words, start)
		recipe(p, c)
		for i, want := range image.words {
			if words[i] != want {
				t.Errorf("%s: word %d is %#x where %#x is right", name, i, words[i], want)
			}
		}
	}
}

// write commits payload in whole words, the last one filled with zeros, as the golden images have it.
func write(t *testing.T, p *Producer, kind uint16, payload []byte) {
	t.Helper()
	room := reserve(t, p, len(payload))
	whole := p.words.Bytes(p.tail+16, (len(payload)+7)&^7)
	clear(whole[copy(whole, payload):])
	p.Commit(room, len(payload), kind)
}

func reserve(t *testing.T, p *Producer, payload int) Room {
	t.Helper()
	room, err := p.Reserve(payload)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

// pair is both halves of a ring in words.
func pair(t testing.TB, words []uint64, start Cursor) (*Producer, *Consumer) {
	t.Helper()
	position := new(uint64)
	*position = start.Position
	shared := memory.OfSlice(words)
	p, err := NewProducer(shared, memory.WordOf(position), start)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConsumer(shared, &WordPosition{memory.WordOf(position)}, start)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}
