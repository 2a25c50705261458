package ironhoard

import (
	"math/rand/v2"
	"testing"
)

func TestPendingFindsEachCallOnceWhateverItsNumber(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var p pending
	waiting := map[uint64]*call{}
	oldest, next := uint64(1)<<40, uint64(1)<<40
	for range 100_000 {
		if random.IntN(2) == 0 && next-oldest < 5000 {
			if random.IntN(4) > 0 { // not every number has somebody waiting
				w := &call{number: next}
				w.state.Store(callCommitted)
				p.put(next, oldest, w)
				waiting[next] = w
			}
			next++
			continue
		}
		if oldest == next {
			continue
		}
		first := p.oldest(oldest)
		if got := p.take(oldest); got != waiting[oldest] {
			t.Fatalf("call %d: %v where %v waits", oldest, got, waiting[oldest])
		} else if got != nil && first != got {
			t.Fatalf("the oldest is %v where it is %v", first, got)
		}
		delete(waiting, oldest)
		oldest++
		if p.waiting != len(waiting) {
			t.Fatalf("%d wait, and it says %d", len(waiting), p.waiting)
		}
	}
}

func TestTheOldestIsNotOneWhoHasGone(t *testing.T) {
	var p pending
	for number := uint64(1); number <= 3; number++ {
		w := &call{number: number}
		w.state.Store(callAbandoned)
		if number == 3 {
			w.state.Store(callCommitted)
		}
		p.put(number, 1, w)
	}
	if first := p.oldest(1); first == nil || first.number != 3 {
		t.Errorf("%v leads", first)
	}
}

func TestCallListsKeepTheirOrder(t *testing.T) {
	var list callList
	all := []*call{{number: 1}, {number: 2}, {number: 3}}
	for _, w := range all {
		list.push(w)
	}
	list.pop()
	list.push(all[0])
	for _, want := range []uint64{2, 3, 1} {
		if list.head == nil || list.head.number != want {
			t.Fatalf("found %v where %d is", list.head, want)
		}
		list.pop()
	}
	if list.head != nil || list.tail != nil {
		t.Error("it should be empty")
	}
}
