package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/hunt"
)

// pause is how many milliseconds of its own clock a player lets pass between two steps.
const pause = 600_000

// lie is what a player may do instead of walking.
type lie int

const (
	honest   lie = iota
	twice        // the same move again
	wrongTag     // signed with somebody else's key
	noStreet     // along a street that does not exist
	back         // by a clock that goes back
	lies
)

// walker is one player.
type walker struct {
	session *hunt.Session
	forger  *hunt.Session // the same player with another key
	town    *town
	at      uint32
	timeMS  uint32
	random  *rand.Rand
	tally   *tally
}

func newWalker(caller hunt.Caller, player uint64, key hunt.Key, town *town) *walker {
	w := &walker{
		session: hunt.NewSession(caller, player, key),
		forger:  hunt.NewSession(caller, player, hunt.SecretFromSeed(^uint64(0)).Key(player)),
		town:    town,
		random:  rand.New(rand.NewPCG(player, 0)),
		tally:   newTally(),
	}
	for len(town.next[w.at]) == 0 {
		w.at = (w.at + 1) % uint32(len(town.next))
	}
	return w
}

// walk makes so many moves; every tenth is a lie.
func (w *walker) walk(ctx context.Context, moves int) error {
	for i := range moves {
		kind := honest
		if i%10 == 9 {
			kind = lie(w.random.IntN(int(lies)))
		}
		start := time.Now()
		got, want, err := w.move(ctx, kind)
		if err != nil {
			return err
		}
		w.tally.count(got, got.Code == want && got.Duplicate == (kind == twice), time.Since(start))
	}
	return nil
}

// move makes one move and says what the answer must be.
func (w *walker) move(ctx context.Context, kind lie) (got hunt.Reply, want hunt.Code, err error) {
	next := w.town.next[w.at]
	to := next[w.random.IntN(len(next))]
	switch kind {
	case twice:
		got, err = w.session.Again(ctx)
		return got, w.tally.last, err
	case wrongTag:
		got, err = w.forger.Step(ctx, w.timeMS, w.at, to, 0)
		return got, hunt.BadTag, err
	case noStreet:
		got, err = w.session.Step(ctx, w.timeMS, w.at, w.nowhere(), 0)
		return got, hunt.UnknownEdge, err
	case back:
		if w.timeMS > 0 {
			got, err = w.session.Step(ctx, w.timeMS-1, w.at, to, 0)
			return got, hunt.BadTime, err
		}
	}
	w.timeMS += pause
	got, err = w.session.Step(ctx, w.timeMS, w.at, to, 0)
	if len(w.town.next[to]) > 0 {
		w.at = to
	}
	return got, hunt.Accepted, err
}

// nowhere is a node to which no street leads from here.
func (w *walker) nowhere() uint32 {
	node := w.at // no street leads to where it begins
	for slices.Contains(w.town.next[w.at], node) {
		node = (node + 1) % uint32(len(w.town.next))
	}
	return node
}

// tally is what players were told.
type tally struct {
	codes map[hunt.Code]int
	wrong int
	last  hunt.Code
	took  []time.Duration
}

func newTally() *tally { return &tally{codes: map[hunt.Code]int{}} }

func (t *tally) count(got hunt.Reply, right bool, took time.Duration) {
	if t.codes[got.Code]++; !right {
		t.wrong++
	}
	t.took = append(t.took, took)
	if got.Code != hunt.BadTag { // a forged move was not one of this player's
		t.last = got.Code
	}
}

func (t *tally) add(other *tally) {
	for code, count := range other.codes {
		t.codes[code] += count
	}
	t.wrong += other.wrong
	t.took = append(t.took, other.took...)
}

func (t *tally) show(elapsed time.Duration) {
	count := len(t.took)
	if count == 0 {
		return
	}
	slices.Sort(t.took)
	for code := hunt.Accepted; code.IsKnown(); code++ {
		if n := t.codes[code]; n > 0 {
			fmt.Printf("%-14s %8d\n", code, n)
		}
	}
	fmt.Printf("%d moves, %d wrong answers, %.0f a second; a call: p50 %v, p99 %v\n",
		count, t.wrong, float64(count)/elapsed.Seconds(), t.took[count/2], t.took[count*99/100])
}
