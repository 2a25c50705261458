//go:build linux && (amd64 || arm64)

package conformance

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// The conversation: what an engine agrees to, and what it refuses with which code.
var talkTests = map[string]func(*testing.T, Start){
	"terms are those that were wished for":        termsTest,
	"refusals name their reason":                  refusalTest,
	"a message that is none is refused":           garbledTest,
	"a silent host is refused":                    silenceTest,
	"a host that did not write its header":        headerTest,
	"descriptors that do not belong are refused":  descriptorTest,
	"a uid that is not listed is refused":         uidTest,
	"a host too many is refused and one may come": hostsTest,
}

func termsTest(t *testing.T, start Start) {
	engine := start(t, "shards=2", "service=hunt:3")
	wanted := wishes()
	wanted.Lanes, wanted.RequestCapacity, wanted.ReplyCapacity = 5, 8192, 1<<16
	wanted.Service, wanted.ServiceVersion, wanted.HostName = "hunt", 3, "tester"
	terms := attach(t, engine.Path(), wanted).terms
	if terms.Shards != 2 || terms.RequestCapacity != 8192 || terms.ReplyCapacity != 1<<16 || terms.Epoch != 1 ||
		terms.Service != "hunt" || terms.ServiceVersion != 3 || terms.Membarrier || len(terms.EventRings) != 0 ||
		terms.Features != 0 || terms.RequestPages != wire.PagesSmall4K || len(terms.LaneShards) != 5 {
		t.Errorf("terms: %+v", terms)
	}
	on := [2]int{}
	for _, shard := range terms.LaneShards {
		on[shard]++
	}
	if on != [2]int{3, 2} && on != [2]int{2, 3} {
		t.Errorf("lanes are dealt out as %v", terms.LaneShards)
	}
	if other := attach(t, engine.Path(), wanted).terms; other.HostID == terms.HostID {
		t.Errorf("two hosts have the id %d", terms.HostID)
	}
}

// refusedWith says message to the engine and demands that code.
func refusedWith(t *testing.T, path string, message []byte, code wire.Code) *wire.Refusal {
	t.Helper()
	h := connect(t, path)
	h.say(message)
	return h.refused(code)
}

// refused demands that REFUSED comes next, with that code and something to read, and then the hang-up.
func (h *RawHost) refused(code wire.Code) *wire.Refusal {
	h.t.Helper()
	_, err := h.hear()
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Text == "" {
		h.t.Fatalf("refusal %v was due and came: %v", code, err)
	}
	if _, err := h.hear(); !errors.Is(err, wire.ErrHungUp) {
		h.t.Errorf("after a refusal the engine hangs up: %v", err)
	}
	return refusal
}

func refusalTest(t *testing.T, start Start) {
	engine := start(t, "lanes=4", "capacity=65536", "service=hunt:3")
	type change = func(*wire.Hello)
	for name, wrong := range map[string]struct {
		change change
		code   wire.Code
		limit  uint64
	}{
		"feature":     {func(h *wire.Hello) { h.MustUnderstand = 1 << 40 }, wire.Feature, 0},
		"observer":    {func(h *wire.Hello) { h.Role = wire.RoleObserver }, wire.Role, 0},
		"no role":     {func(h *wire.Hello) { h.Role = 77 }, wire.Role, 0},
		"event rings": {func(h *wire.Hello) { h.Wishes.EventRings = 1 }, wire.EventRings, 0},
		"no lanes":    {func(h *wire.Hello) { h.Wishes.Lanes = 0 }, wire.Lanes, 4},
		"many lanes":  {func(h *wire.Hello) { h.Wishes.Lanes = 5 }, wire.Lanes, 4},
		"odd ring":    {func(h *wire.Hello) { h.Wishes.RequestCapacity = 4097 }, wire.Capacity, 65536},
		"small ring":  {func(h *wire.Hello) { h.Wishes.ReplyCapacity = 2048 }, wire.Capacity, 65536},
		"large ring":  {func(h *wire.Hello) { h.Wishes.ReplyCapacity = 1 << 17 }, wire.Capacity, 65536},
		"service":     {func(h *wire.Hello) { h.Wishes.Service = "hun" }, wire.Service, 0},
		"its version": {func(h *wire.Hello) { h.Wishes.ServiceVersion = 4 }, wire.Service, 0},
	} {
		hello := wire.NewHello(wishes(), nil)
		wrong.change(hello)
		if refusal := refusedWith(t, engine.Path(), hello.Encode(), wrong.code); refusal.Limit != wrong.limit {
			t.Errorf("%s: the limit is said to be %d and is %d", name, refusal.Limit, wrong.limit)
		}
	}
	newer := wire.NewHello(wishes(), nil)
	newer.Lowest, newer.Highest = 2, 7
	if refusal := refusedWith(t, engine.Path(), newer.Encode(), wire.NoVersion); refusal.Limit != wire.Version {
		t.Errorf("a host from the future is told version %d", refusal.Limit)
	}
	both := wire.NewHello(wishes(), nil)
	both.Highest, both.MayUnderstand = 7, 1<<40
	h := connect(t, engine.Path())
	h.say(both.Encode())
	if err := h.welcome(2); err != nil {
		t.Errorf("a host that also speaks later versions: %v", err)
	}
}

func garbledTest(t *testing.T, start Start) {
	engine := start(t)
	hello := wire.NewHello(wishes(), nil).Encode()
	reserved := append([]byte(nil), hello...)
	reserved[250] = 1
	for name, message := range map[string][]byte{
		"another protocol": []byte("GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
		"too short":        hello[:255], "too long": append(append([]byte(nil), hello...), 0), "reserved": reserved,
		"another step": wire.EncodeStep(wire.KindMapped), "one byte": {0},
	} {
		t.Log(name)
		refusedWith(t, engine.Path(), message, wire.Malformed)
	}
	h := connect(t, engine.Path())
	h.say(nil) // a packet of length 0 is a hang-up
	if _, err := h.hear(); !errors.Is(err, wire.ErrHungUp) {
		t.Errorf("an empty message: %v", err)
	}
	attach(t, engine.Path(), wishes()) // and the next host is welcome
}

func silenceTest(t *testing.T, start Start) {
	engine := start(t, "silence_ms=100")
	connect(t, engine.Path()).refused(wire.Silence)
	h := connect(t, engine.Path())
	h.say(wire.NewHello(wishes(), nil).Encode())
	if err := h.welcome(2); err != nil {
		t.Fatal(err)
	}
	h.refused(wire.Silence)
}

func headerTest(t *testing.T, start Start) {
	engine := start(t)
	for _, epoch := range []uint64{0, 2} {
		h := connect(t, engine.Path())
		h.say(wire.NewHello(wishes(), nil).Encode())
		if err := h.welcome(2); err != nil {
			t.Fatal(err)
		}
		if epoch != 0 {
			h.writeHeader(epoch)
		}
		h.say(wire.EncodeStep(wire.KindMapped))
		h.refused(wire.Region)
	}
}

func descriptorTest(t *testing.T, start Start) {
	engine := start(t)
	h := connect(t, engine.Path())
	h.say(wire.NewHello(wishes(), nil).Encode(), 0)
	h.refused(wire.Malformed)
	h = connect(t, engine.Path())
	h.say(wire.NewHello(wishes(), &wire.Resume{HostID: 1, Epoch: 2, Lanes: make([]wire.LaneResume, 1)}).Encode())
	h.refused(wire.Malformed)
}

func uidTest(t *testing.T, start Start) {
	mine := os.Getuid()
	engine := start(t, "uid="+strconv.Itoa(mine+1))
	connect(t, engine.Path()).refused(wire.UID)
	attach(t, start(t, "uid="+strconv.Itoa(mine)).Path(), wishes())
}

func hostsTest(t *testing.T, start Start) {
	engine := start(t, "hosts=1")
	first := attach(t, engine.Path(), wishes())
	connect(t, engine.Path()).refused(wire.Hosts)
	if r := first.lane(0, ring.Start).call(KindSum, []byte{1, 2}); binary.LittleEndian.Uint64(r.Payload) != 3 {
		t.Errorf("the host that is there: %v", r)
	}
	first.say(wire.EncodeStep(wire.KindDetach))
	if _, err := first.hear(); !errors.Is(err, wire.ErrHungUp) {
		t.Errorf("after DETACH: %v", err)
	}
	for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		h := connect(t, engine.Path())
		h.say(wire.NewHello(wishes(), nil).Encode())
		err := h.welcome(2)
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the place of a host that left is not free: %v", err)
		}
		h.close()
	}
}
