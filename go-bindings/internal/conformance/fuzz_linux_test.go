//go:build linux && (amd64 || arm64)

package conformance

import (
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// stillServes demands that the engine answers a host that behaves.
func stillServes(t *testing.T, path string) {
	t.Helper()
	h := attach(t, path, wishes())
	if r := h.lane(0, ring.Start).call(1, []byte("sane")); string(r.Payload) != "sane" {
		t.Errorf("a good host gets %q", r.Payload)
	}
	h.close()
}

// FuzzFirstMessage says anything first. The engine refuses, hangs up or agrees; it goes on serving others.
func FuzzFirstMessage(f *testing.F) {
	engine := enginetest.New(enginetest.Echo, enginetest.WithMaxCapacity(1<<16), enginetest.WithMaxLanes(8))
	f.Cleanup(engine.Close)
	f.Add(wire.NewHello(wishes(), nil).Encode())
	f.Add(wire.NewHello(wishes(), &wire.Resume{Epoch: 2, Lanes: make([]wire.LaneResume, 1)}).Encode())
	f.Add([]byte("IHRD"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) > wire.MaxBytes {
			return
		}
		h := connect(t, engine.Path())
		h.say(message)
		if received, err := h.hear(); err == nil {
			received.Close()
		}
		h.close()
		stillServes(t, engine.Path())
	})
}

// FuzzRequestRing writes anything where a request, and a reply position, should be. The engine answers or
// closes the lane; it goes on serving others.
func FuzzRequestRing(f *testing.F) {
	engine := enginetest.New(enginetest.Echo)
	f.Cleanup(engine.Close)
	f.Add(uint64(1<<32|16), uint64(0), uint64(0), uint64(2<<32|16))
	f.Add(uint64(1<<32|16+512), uint64(1), uint64(64), uint64(0))
	f.Add(uint64(1<<32|1<<31|4096), uint64(1)<<40, ^uint64(0), uint64(2<<32|1<<31|4032))
	f.Fuzz(func(t *testing.T, header, second, position, next uint64) {
		h := attach(t, engine.Path(), wishes())
		l := h.lane(0, ring.Start)
		word := h.request.Word(layout.ReplyPositionOffset(0, 1))
		word.Release(position)
		l.words.Store(64, next)
		l.raw(header, second)
		stillServes(t, engine.Path())
		h.close()
		stillServes(t, engine.Path())
	})
}
