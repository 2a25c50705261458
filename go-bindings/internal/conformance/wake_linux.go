//go:build linux && (amd64 || arm64)

package conformance

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Waking: no request and no reply is slept through, whichever barrier was agreed.
var wakeTests = map[string]func(*testing.T, Start){
	"a parked engine is rung awake":           func(t *testing.T, start Start) { parkedTest(t, start, false) },
	"a parked engine, with membarrier":        func(t *testing.T, start Start) { parkedTest(t, start, true) },
	"a sleeping host is rung awake":           sleeperTest,
	"a flag that stands odd is rung for once": ringOnceTest,
	"a reply is rung for before the next":     ringEarlyTest,
}

// wake wishes for membarrier where this process can have it.
func wake(t *testing.T, membarrier bool) wire.Wishes {
	wanted := wishes()
	if wanted.Membarrier = membarrier; membarrier && !sys.RegisterMembarrier() {
		t.Skip("this kernel or sandbox has no membarrier")
	}
	return wanted
}

func parkedTest(t *testing.T, start Start, membarrier bool) {
	h := attach(t, start(t, "wait=park").Path(), wake(t, membarrier))
	if h.terms.Membarrier != membarrier {
		t.Errorf("membarrier is agreed to be %v", h.terms.Membarrier)
	}
	l := h.lane(0, ring.Start)
	for i := range 2000 {
		if i%100 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
		if r := l.call(KindEcho, []byte{byte(i)}); r.Payload[0] != byte(i) {
			t.Fatalf("request %d: %v", i, r)
		}
	}
}

// awaitRing waits for a byte on the shard's doorbell.
func (h *RawHost) awaitRing(shard int, limit time.Duration) error {
	var byteRead [16]byte
	for until := time.Now().Add(limit); ; time.Sleep(100 * time.Microsecond) {
		read, err := syscall.Read(h.doorbells[shard], byteRead[:])
		switch {
		case read > 0:
			return nil
		case err != syscall.EAGAIN:
			return errors.Join(errors.New("the doorbell hung up"), err)
		case time.Now().After(until):
			return os.ErrDeadlineExceeded
		}
	}
}

func sleeperTest(t *testing.T, start Start) {
	h := attach(t, start(t).Path(), wishes())
	l := h.lane(0, ring.Start)
	flag := h.request.Word(layout.LaneControlOffset(0) + layout.LaneNeedWakeup)
	for nap := uint64(0); nap < 100; nap++ {
		flag.Store(2*nap + 1)
		if err := l.put(KindSlow, []byte{byte(nap), 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		if err := h.awaitRing(0, patience); err != nil {
			t.Fatalf("nap %d: %v", nap, err)
		}
		flag.Store(2*nap + 2)
		l.take()
	}
}

// ringEarlyTest: who sleeps for a reply does not wait for those behind it.
func ringEarlyTest(t *testing.T, start Start) {
	engine := start(t)
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	flag := h.request.Word(layout.LaneControlOffset(0) + layout.LaneNeedWakeup)
	l.call(KindEmpty, nil)
	engine.Freeze()
	flag.Store(1)
	for _, duration := range []time.Duration{0, 1500 * time.Millisecond} {
		if err := l.put(KindSlow, slow(duration)); err != nil {
			t.Fatal(err)
		}
	}
	engine.Thaw()
	if err := h.awaitRing(0, time.Second); err != nil {
		t.Errorf("the first reply: %v", err)
	}
}

func ringOnceTest(t *testing.T, start Start) {
	h := attach(t, start(t).Path(), wishes())
	l := h.lane(0, ring.Start)
	flag := h.request.Word(layout.LaneControlOffset(0) + layout.LaneNeedWakeup)
	flag.Store(7)
	for range 20 {
		l.call(KindEmpty, nil)
	}
	if err := h.awaitRing(0, patience); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		l.call(KindEmpty, nil)
	}
	if err := h.awaitRing(0, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("rung again for the same nap: %v", err)
	}
	flag.Store(8)
	l.call(KindEmpty, nil)
	if err := h.awaitRing(0, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("rung for a host that is awake: %v", err)
	}
}
