package ironhoard

import (
	"sync/atomic"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

func TestATrackIsNeverReadTorn(t *testing.T) {
	var track track
	word := new(uint64)
	var done atomic.Bool
	go func() {
		position := memory.WordOf(word)
		for n := uint64(1); n < 50_000; n++ {
			track.release(n, ring.Cursor{Position: n * 64, Number: n}, &position, true)
		}
		done.Store(true)
	}()
	for !done.Load() {
		epoch, at := track.read()
		if at.Position != epoch*64 || at.Number != epoch {
			t.Fatalf("epoch %d with %+v", epoch, at)
		}
	}
}

func TestASilencedLanePublishesNothingForTheDead(t *testing.T) {
	var track track
	word := new(uint64)
	position := memory.WordOf(word)
	track.release(1, ring.Cursor{Position: 64, Number: 2}, &position, false)
	track.silence(2, !sys.RegisterMembarrier())
	track.release(1, ring.Cursor{Position: 128, Number: 3}, &position, false)
	if *word != 64 {
		t.Errorf("position %d was published for a dead engine", *word)
	}
	if epoch, at := track.read(); epoch != 1 || at.Number != 3 {
		t.Errorf("noted were epoch %d and %+v", epoch, at)
	}
	track.release(2, ring.Cursor{Position: 192, Number: 4}, &position, false)
	if *word != 192 {
		t.Errorf("the next engine was not told: %d", *word)
	}
}
