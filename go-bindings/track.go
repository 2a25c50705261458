package ironhoard

import (
	"runtime"
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// track is where a lane's reply consumer stood when it last released: epoch, position and number of one
// moment, so that the tender can read a dead engine's ring on from there. And it is the gate by which the
// tender makes the lane stop publishing to an engine that is dead.
//
// One writer (whoever owns the lane), one reader (the tender). The sequence is odd while the lane is at it.
// The writer's stores are sys.StoreRelease: plain on amd64, in program order everywhere.
type track struct {
	sequence uint64
	epoch    uint64
	position uint64
	number   uint64
	allowed  atomic.Uint64 // positions of earlier epochs are no longer published; the tender's
	mine     uint64        // the sequence, for its writer
}

// release notes where the lane stands, and publishes its position if its engine is not known to be dead.
//
// Label `silence`: sequence odd, barrier, look at the gate. The tender: gate, barrier, wait until the
// sequence is even. So either the lane sees the gate, or the tender waits for its store.
func (t *track) release(epoch uint64, at ring.Cursor, word *memory.Word, fencing bool) {
	t.mine += 2
	sys.StoreRelease(&t.sequence, t.mine-1) // `track`: odd before the values
	if fencing {
		sys.Fence() // `silence`; with membarrier the tender's call stands in for it
	}
	sys.StoreRelease(&t.epoch, epoch)
	sys.StoreRelease(&t.position, at.Position)
	sys.StoreRelease(&t.number, at.Number)
	// The note first: what the engine may overwrite is never what a resume would read.
	if epoch >= t.allowed.Load() {
		word.Release(at.Position) // `release`, with the engine's look at its reply ring
	}
	sys.StoreRelease(&t.sequence, t.mine) // `track`: all before even
}

// silence: from now on nothing is published for epochs before epoch.
func (t *track) silence(epoch uint64, fencing bool) {
	t.allowed.Store(epoch) // `silence`
	sleeperBarrier(fencing)
	for atomic.LoadUint64(&t.sequence)%2 == 1 {
		runtime.Gosched() // `track`, with the lane's last store
	}
}

// read is epoch and cursor, of one moment.
func (t *track) read() (uint64, ring.Cursor) {
	for {
		before := atomic.LoadUint64(&t.sequence) // `track`
		epoch := atomic.LoadUint64(&t.epoch)
		at := ring.Cursor{Position: atomic.LoadUint64(&t.position), Number: atomic.LoadUint64(&t.number)}
		if before%2 == 0 && before == atomic.LoadUint64(&t.sequence) {
			return epoch, at
		}
		runtime.Gosched()
	}
}

// sleeperBarrier is the sleeper's half of the wake protocol (label `doze`): between the raise of need_wakeup
// and the last look at the rings.
func sleeperBarrier(fencing bool) {
	if !fencing {
		sys.Membarrier()
	}
	sys.Fence()
}

// turnBarrier is sleeperBarrier between the goroutines of this process.
func turnBarrier(fencing bool) {
	if !fencing {
		sys.MembarrierHere()
	}
	sys.Fence()
}
