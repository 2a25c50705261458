//go:build linux && (amd64 || arm64)

package conformance

import (
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
)

func TestSmoke(t *testing.T) {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	h := attach(t, engine.Path(), wishes())
	l := h.lane(0, ring.Start)
	for i := range 1000 {
		r := l.call(3, []byte("hello"))
		if string(r.Payload) != "hello" || r.Kind != 0 || r.Number != uint64(i+1) {
			t.Fatal(r)
		}
	}
	t.Log(engine.Counts())
}
