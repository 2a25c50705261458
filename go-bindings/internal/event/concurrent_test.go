//go:build !race

package event

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Writer and readers at the same time: what a reader answers is whole, and every number is answered or
// lost, once. (Readers copy what may be overwritten meanwhile, and believe it only behind a look; the race
// detector, rightly, does not know that.)
func TestReadersBesideAWriter(t *testing.T) {
	const events = 100_000
	w := newWriter(4096)
	var started, done sync.WaitGroup
	var ended atomic.Bool
	read := func() {
		defer done.Done()
		reader, payload := readerOf(t, w.region), make([]byte, 512)
		started.Done()
		expected, lost := uint64(1), uint64(0)
		for last := false; expected <= events; {
			answer, err := reader.Poll(payload)
			switch {
			case err != nil:
				t.Errorf("at %d: %v", expected, err)
				return
			case answer.Found == AnEvent:
				e := answer.Event
				if e.Number != expected || !right(expected, payload[:e.Copied]) || e.Size != int(e.Number%200) {
					t.Errorf("%+v where %d was due", e, expected)
					return
				}
				expected++
			case answer.Found == AnOverrun:
				if answer.Lost.First != expected {
					t.Errorf("lost %+v at %d", answer.Lost, expected)
					return
				}
				lost += answer.Lost.Last + 1 - expected
				expected = answer.Lost.Last + 1
			case last:
				t.Errorf("empty at %d of %d", expected, events)
				return
			default:
				last = ended.Load()
			}
		}
		t.Logf("%d of %d events were lost", lost, events)
	}
	started.Add(2)
	done.Add(2)
	go read()
	go read()
	started.Wait()
	for n := 1; n <= events; n++ {
		w.publish(n % 200)
	}
	ended.Store(true)
	done.Wait()
}
