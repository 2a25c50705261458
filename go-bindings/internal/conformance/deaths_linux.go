//go:build linux && (amd64 || arm64)

package conformance

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Ends: of an engine in good order, by a kill, and of hosts.
var deathTests = map[string]func(*testing.T, Start){
	"an engine halts in good order":         haltTest,
	"a killed engine says nothing":          killTest,
	"a host that vanishes leaves nothing":   vanishTest,
	"what a vanished host left is harmless": leftTest,
}

// notice hears a notice of that kind.
func (h *RawHost) notice(kind wire.Kind) {
	h.t.Helper()
	received, err := h.hear()
	if err != nil {
		h.t.Fatalf("%v was due: %v", kind, err)
	}
	if notice, err := wire.DecodeNotice(received.Message); err != nil || notice.Kind != kind {
		h.t.Fatalf("%v was due and came: %+v, %v", kind, notice, err)
	}
}

func (h *RawHost) hungUp() {
	h.t.Helper()
	if _, err := h.hear(); !errors.Is(err, wire.ErrHungUp) {
		h.t.Fatalf("the hang-up was due: %v", err)
	}
}

func haltTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	l.call(KindEmpty, nil) // once a shard serves it, the host is there
	engine.Freeze()
	for i := range 10 {
		if err := l.put(KindEcho, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	engine.Thaw()
	engine.Halt()
	h.notice(wire.KindDraining)
	h.notice(wire.KindDetach)
	h.hungUp()
	for i := range 10 {
		if r, ok := l.replies.Next(); !ok || r.Payload[0] != byte(i) {
			t.Fatalf("reply %d: %v, %v", i+2, r, ok)
		}
	}
	if _, err := os.Lstat(engine.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an engine that left in good order leaves its socket: %v", err)
	}
	engine.Restart()
	attach(t, engine.Path(), wishes())
}

func killTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	l.call(KindEcho, nil)
	engine.Kill()
	h.hungUp()
	if _, err := os.Lstat(engine.Path()); err != nil {
		t.Errorf("who is killed cannot clear away: %v", err)
	}
	engine.Restart() // takes the stale socket over
	attach(t, engine.Path(), wishes()).lane(0, ring.Start).call(KindEcho, nil)
}

func vanishTest(t *testing.T, start Start) {
	engine := start(t, "hosts=40")
	other := attach(t, engine.Path(), wishes()).lane(0, ring.Start)
	other.call(KindEmpty, nil)
	before := engine.Descriptors()
	for range 30 {
		h := attach(t, engine.Path(), wishes())
		if err := h.lane(0, ring.Start).put(KindEmpty, nil); err != nil {
			t.Fatal(err)
		}
		h.close()
		other.call(KindEcho, []byte("meanwhile"))
	}
	for until := time.Now().Add(patience); engine.Descriptors() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d descriptors are open, %d were before 30 hosts came and went", engine.Descriptors(), before)
		}
	}
}

func leftTest(t *testing.T, start Start) {
	engine := start(t)
	other := attach(t, engine.Path(), wishes()).lane(0, ring.Start)
	for _, kind := range []uint16{KindPanic, KindTooLarge, KindSlow} {
		engine.Freeze()
		h := attachFrozen(t, engine, wishes())
		l := h.lane(0, ring.Start)
		for range 3 {
			if err := l.put(kind, []byte{100, 0, 0, 0}); err != nil {
				t.Fatal(err)
			}
		}
		l.raw(4<<32|3, 0) // and nonsense at the end
		h.close()
		engine.Thaw()
		if r := other.call(KindEcho, []byte("meanwhile")); string(r.Payload) != "meanwhile" {
			t.Errorf("after kind %d: %v", kind, r)
		}
	}
}

// attachFrozen attaches to an engine that is stopped as soon as it has attached.
func attachFrozen(t *testing.T, engine Engine, wishes wire.Wishes) *RawHost {
	t.Helper()
	engine.Thaw()
	h := attach(t, engine.Path(), wishes)
	engine.Freeze()
	return h
}
