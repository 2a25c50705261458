package ironhoard

import (
	"fmt"
	"math"

	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
)

// Group is room for requests of one size and kind, claimed by [Producer.ClaimGroup] and committed by
// [Producer.CommitGroup]: the fastest way to send many. It is valid as long as the claim is.
type Group struct{ lines ring.Group }

// Len is how many requests there is room for.
func (g *Group) Len() int { return g.lines.Len() }

// At lends the payload of request i, to be written in place; it holds whatever was there before. It panics
// where there is no such request, and where the group was committed or given up. Requests may be written in
// any order, and more than once.
func (g *Group) At(i int) []byte { return g.lines.At(i) }

// openGroup is Producer.claim where the open claim is a group's.
const openGroup = math.MaxUint32

// ClaimGroup takes room for up to count requests of n bytes each and of this kind: for as many as there is
// room for now, before the ring's end, but for one at least. It never blocks. A claim that is still open is
// aborted, requests that were appended become visible.
//
// A group costs half of what the same requests cost by Claim and Append: between two of them nothing is
// stored but their own lines.
//
// Errors: as [Producer.Claim].
func (p *Producer) ClaimGroup(kind uint16, n, count int) (Group, error) {
	l := p.lane
	p.giveUp()
	if err := p.learn(); err != nil {
		return Group{}, err
	}
	lines, err := l.producer.ReserveGroup(n, count, kind)
	l.ringIfAsleep() // a group that was appended may have become visible
	if err != nil {
		return Group{}, l.claimError(err, n)
	}
	p.claim = openGroup
	return Group{lines}, nil
}

// CommitGroup makes the first used requests of the group visible to the engine in one step, and returns the
// number of the first; the others follow on it. What remains of the group is given up.
//
// Errors: [ErrNoClaim] where the group is not the open claim, or has not as many requests; as
// [Producer.Commit]. Nothing was sent then.
func (p *Producer) CommitGroup(g *Group, used int) (first uint64, err error) {
	l := p.lane
	if err := p.learn(); err != nil {
		return 0, err
	}
	if p.claim != openGroup || !l.producer.Holds(&g.lines) {
		return 0, ErrNoClaim
	}
	if used < 1 || used > g.Len() {
		return 0, fmt.Errorf("ironhoard: commit of %d requests of a group of %d: %w", used, g.Len(), ErrNoClaim)
	}
	p.claim = 0
	p.committed()
	first = l.producer.CommitGroup(&g.lines, used)
	l.ringIfAsleep()
	return first, nil
}
