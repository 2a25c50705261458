//go:build linux && (amd64 || arm64)

package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Requests and replies: order, sizes, the ring's end, full rings, nonsense.
var recordTests = map[string]func(*testing.T, Start){
	"replies come in order over many laps":         lapsTest,
	"every size up to the limit, in and out":       sizesTest,
	"statuses of the handler and of the engine":    statusTest,
	"an unknown flag is refused and one may pass":  flagTest,
	"batches are answered whole":                   batchTest,
	"no reply is lost when nobody takes replies":   noRoomTest,
	"nonsense in a ring costs that lane alone":     nonsenseTest,
	"an impossible position costs that lane alone": positionTest,
	"lanes do not mix":                             lanesTest,
	"the engine says how far it is":                positionsTest,
}

func lapsTest(t *testing.T, start Start) {
	engine := start(t)
	l := attach(t, engine.Path(), wishes()).lane(0, ring.Start)
	payload := make([]byte, 0, 512)
	for number := uint64(1); number <= 5000; number++ {
		payload = payload[:number*31%513]
		for i := range payload {
			payload[i] = byte(number + uint64(i))
		}
		if r := l.call(KindEcho, payload); r.Number != number || r.Kind != 0 || !bytes.Equal(r.Payload, payload) {
			t.Fatalf("request %d of %d bytes: reply %d, status %#x, %d bytes", number, len(payload), r.Number,
				r.Kind, len(r.Payload))
		}
	}
}

func sizesTest(t *testing.T, start Start) {
	engine := start(t)
	wanted := wishes()
	wanted.RequestCapacity, wanted.ReplyCapacity = 1<<16, 1<<15
	l := attach(t, engine.Path(), wanted).lane(0, ring.Start)
	limit := int(layout.PayloadLimit(1 << 15))
	for _, size := range []int{0, 1, 47, 48, 49, 63, 64, 111, 112, 113, 1000, limit - 1, limit} {
		r := l.call(KindPattern, binary.LittleEndian.AppendUint32(nil, uint32(size)))
		if r.Kind != 0 || len(r.Payload) != size {
			t.Fatalf("a reply of %d bytes: status %#x, %d bytes", size, r.Kind, len(r.Payload))
		}
		for i, value := range r.Payload {
			if value != byte(r.Number+uint64(i)) {
				t.Fatalf("a reply of %d bytes: byte %d is %d", size, i, value)
			}
		}
	}
	largest := bytes.Repeat([]byte{200}, int(layout.PayloadLimit(1<<16)))
	if r := l.call(KindSum, largest); binary.LittleEndian.Uint64(r.Payload) != uint64(len(largest))*200 {
		t.Errorf("the largest request: %v", r.Payload)
	}
	if r := l.call(KindEcho, largest); r.Kind != layout.StatusTooLarge || len(r.Payload) != 0 {
		t.Errorf("a reply that its ring does not hold: status %#x, %d bytes", r.Kind, len(r.Payload))
	}
}

func statusTest(t *testing.T, start Start) {
	l := attach(t, start(t).Path(), wishes()).lane(0, ring.Start)
	for _, want := range []struct {
		kind    uint16
		payload []byte
		status  uint16
		reply   string
	}{
		{KindCode, []byte{7, 0, 'x'}, 7, "x"},
		{KindCode, []byte{0xff, 0xfe}, 0xfeff, ""},
		{KindPanic, nil, layout.StatusPanic, ""},
		{KindTooLarge, nil, layout.StatusTooLarge, ""},
		{KindEmpty, []byte("anything"), 0, ""},
		{KindEcho, []byte("and it goes on"), 0, "and it goes on"},
	} {
		if r := l.call(want.kind, want.payload); r.Kind != want.status || string(r.Payload) != want.reply {
			t.Errorf("kind %d: status %#x and %q, due are %#x and %q", want.kind, r.Kind, r.Payload,
				want.status, want.reply)
		}
	}
}

// raw writes a record with any header, as no producer would, at the committed end of a lane's ring.
func (l *rawLane) raw(header, second uint64) {
	at := l.requests.Cursor().Position
	l.words.Store(at+8, second)
	l.words.Publish(at, header)
	l.ring()
}

func flagTest(t *testing.T, start Start) {
	engine := start(t)
	for flags, status := range map[uint64]uint16{
		0x0001: layout.StatusUnknownFlag, 0x0080: layout.StatusUnknownFlag, 0x0100: 0, 0x8000: 0,
	} {
		l := attach(t, engine.Path(), wishes()).lane(0, ring.Start)
		l.raw(1<<32|16, uint64(KindEmpty)|flags<<16)
		if r := l.take(); r.Kind != status || r.Flags != 0 {
			t.Errorf("flags %#x: status %#x, flags %#x", flags, r.Kind, r.Flags)
		}
	}
}

func batchTest(t *testing.T, start Start) {
	l := attach(t, start(t).Path(), wishes()).lane(0, ring.Start)
	number := byte(0)
	for range 200 {
		for range 16 {
			room, err := l.requests.Reserve(1)
			if err != nil {
				t.Fatal(err)
			}
			number++
			l.requests.Payload(room)[0] = number
			l.requests.Append(room, 1, KindEcho)
		}
		l.requests.Publish()
		l.ring()
		for due := number - 15; due != number+1; due++ {
			if r := l.take(); len(r.Payload) != 1 || r.Payload[0] != due {
				t.Fatalf("reply %d is %v, due is %d", r.Number, r.Payload, due)
			}
		}
	}
}

func noRoomTest(t *testing.T, start Start) {
	l := attach(t, start(t, "wait=park").Path(), wishes()).lane(0, ring.Start)
	sent, taken := 0, 0
	for round := range 20 {
		for l.put(KindPattern, binary.LittleEndian.AppendUint32(nil, 400)) == nil {
			sent++
		}
		if sent-taken < 8 {
			t.Fatalf("round %d: only %d requests fitted", round, sent-taken)
		}
		time.Sleep(5 * time.Millisecond) // the engine stops, and sleeps: replies have no room
		for range 3 + round%5 {
			taken++
			if r := l.take(); r.Kind != 0 || len(r.Payload) != 400 || r.Number != uint64(taken) {
				t.Fatalf("reply %d: number %d, status %#x", taken, r.Number, r.Kind)
			}
		}
	}
	for ; taken < sent; taken++ {
		if r := l.take(); r.Number != uint64(taken+1) {
			t.Fatalf("reply %d has the number %d", taken+1, r.Number)
		}
	}
}

// laneClosed demands that the engine closes lane and says so.
func (h *RawHost) laneClosed(lane uint32) {
	h.t.Helper()
	_, err := h.hear()
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) || refusal.Code != wire.LaneClosed || refusal.Limit != uint64(lane) {
		h.t.Fatalf("LaneClosed of lane %d was due and came: %v (%+v)", lane, err, refusal)
	}
}

func nonsenseTest(t *testing.T, start Start) {
	engine := start(t)
	for name, wrong := range map[string]struct{ header, second uint64 }{
		"length below the header": {1<<32 | 15, 0},
		"above the limit":         {1<<32 | 16 + 513, 0},
		"padding at offset 0":     {1<<32 | 1<<31 | 4096, 0},
		"high half of the number": {1<<32 | 16, 1 << 32},
	} {
		wanted := wishes()
		wanted.Lanes = 2
		h := attach(t, engine.Path(), wanted)
		good, bad := h.lane(1, ring.Start), h.lane(0, ring.Start)
		bad.raw(wrong.header, wrong.second)
		h.laneClosed(0)
		if r := good.call(KindEcho, []byte(name)); string(r.Payload) != name {
			t.Errorf("%s: the other lane answers %q", name, r.Payload)
		}
	}
}

func positionTest(t *testing.T, start Start) {
	engine := start(t)
	for _, position := range []uint64{1, 63, 1 << 40, ^uint64(63)} {
		wanted := wishes()
		wanted.Lanes = 2
		h := attach(t, engine.Path(), wanted)
		good, bad := h.lane(0, ring.Start), h.lane(1, ring.Start)
		word := h.request.Word(layout.ReplyPositionOffset(1, h.terms.Epoch))
		word.Release(position)
		for bad.put(KindPattern, binary.LittleEndian.AppendUint32(nil, 400)) == nil {
			continue // until the engine looks at the position
		}
		h.laneClosed(1)
		if r := good.call(KindEcho, []byte("still here")); string(r.Payload) != "still here" {
			t.Errorf("position %d: the other lane answers %q", position, r.Payload)
		}
	}
}

// positionsTest looks at the word that the engine publishes: the committed end when the ring is found empty,
// and never further behind than an eighth of the ring and one record while it is not.
func positionsTest(t *testing.T, start Start) {
	l := attach(t, start(t).Path(), wishes()).lane(0, ring.Start)
	word := l.host.reply.Word(layout.LaneControlOffset(0) + layout.LaneRequestPosition)
	for _, size := range []int{0, 100, 500, 512} {
		l.call(KindSum, make([]byte, size))
		eventually(t, "the position is not published when the ring is empty", func() bool {
			return word.Load() == l.requests.Cursor().Position
		})
	}
	var ends []uint64
	for range 20 {
		if err := l.put(KindSlow, slow(2*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, l.requests.Cursor().Position)
	}
	for _, end := range ends {
		l.take()
		if published := word.Load(); end-published > 4096/8+2*layout.Line && end > published {
			t.Errorf("request up to %d is answered, and the position is %d", end, published)
		}
	}
}

func lanesTest(t *testing.T, start Start) {
	engine := start(t, "shards=2")
	wanted := wishes()
	wanted.Lanes = 32
	h := attach(t, engine.Path(), wanted)
	var lanes []*rawLane
	for i := range wanted.Lanes {
		lanes = append(lanes, h.lane(i, ring.Start))
	}
	for number := range uint64(50) {
		for i, l := range lanes {
			if err := l.put(KindEcho, []byte{byte(i), byte(number)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range lanes {
			if r := l.take(); !bytes.Equal(r.Payload, []byte{byte(i), byte(number)}) || r.Number != number+1 {
				t.Fatalf("lane %d, request %d: reply %d is %v", i, number+1, r.Number, r.Payload)
			}
		}
	}
}
