package ring

import (
	"math"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// Group is room for records of one size and kind that become visible together, claimed all at once. At is
// small enough for the compiler to put it into a program's own loop, and it changes nothing of the group:
// from record to record no other line is stored to than theirs. See Run for what that is worth.
//
//	 tail, nothing yet     ┌ each has its header as soon as it was lent
//	┌──────────────┬───────┴──────┬──────────────┬──────────────┬─ ─
//	│? At(0)       │H At(1)       │H At(2)       │              │
//	└──────────────┴──────────────┴──────────────┴──────────────┴─ ─
//	 ▲ CommitGroup stores it last
//
// A header that is stored behind the group's end could make a record of what nobody sent, so At looks whether
// the claim is open still.
type Group struct {
	lines  []memory.Line // all of it
	now    *uint64       // the producer's turn
	turn   uint64        // the group's
	header uint64        // of the first record
	second uint64
	stride int // lines of a record
	size   int // bytes of a payload
	count  int
}

// Len is how many records there is room for.
func (g *Group) Len() int { return g.count }

// At lends the payload of record i. It panics where there is no such record, or the claim is over.
func (g *Group) At(i int) []byte {
	if *g.now != g.turn {
		panic(overGroup)
	}
	line := &g.lines[i*g.stride]
	if i != 0 && memory.Plain {
		line.Header, line.Second = g.header+uint64(i)<<32, g.second
	}
	return line.Bytes(g.size)
}

// ReserveGroup takes room for up to count records of payload bytes: for as many as there is room for now,
// before the ring's end, but one at least. An open batch becomes visible. Errors as Reserve.
func (p *Producer) ReserveGroup(payload, count int, kind uint16) (Group, error) {
	p.Publish()
	if _, err := p.reserveSlowly(payload); err != nil {
		return Group{}, err
	}
	bytes := layout.RecordBytes(uint32(payload))
	wanted := uint64(min(max(count, 1), int(p.capacity/bytes)))
	if wanted*bytes > p.limit-p.tail {
		if err := p.lookAtConsumer(); err != nil {
			return Group{}, err
		}
	}
	toEnd := p.capacity - p.tail&(p.capacity-1)
	sameUpper := uint64(1)<<32 - p.tailNumber&math.MaxUint32
	fits := min(wanted, (p.limit-p.tail)/bytes, toEnd/bytes, sameUpper)
	p.soiled.soil(p.tail+layout.Line, p.tail+fits*bytes) // by headers with numbers to come, until they came
	line := p.tail / layout.Line & uint64(len(p.lines)-1)
	p.turn++
	p.near = p.tail // Reserve shall end it
	return Group{
		lines: p.lines[line : line+fits*bytes/layout.Line], now: &p.turn, turn: p.turn,
		header: recordWord(uint32(payload), p.tailNumber), second: secondWord(kind, 0, p.tailNumber),
		stride: int(bytes / layout.Line), size: payload, count: int(fits),
	}, nil
}

// overGroup is what At says when it panics.
const overGroup = "ironhoard: a group was written to whose claim is over"

// Holds says whether g is the group that is open.
func (p *Producer) Holds(g *Group) bool { return g.now == &p.turn && g.turn == p.turn }

// hasGroup says whether a group is open: each beginning and each end is a turn.
func (p *Producer) hasGroup() bool { return p.turn%2 != 0 }

// endGroup ends the open group, if there is one.
func (p *Producer) endGroup() {
	if p.hasGroup() {
		p.turn++
		p.near = p.limit
	}
}

// CommitGroup makes the first used records of the group that was reserved last visible in one step, and
// returns the number of the first. A record that was never lent carries whatever was there.
func (p *Producer) CommitGroup(g *Group, used int) uint64 {
	if used <= 0 || used > g.count || !p.Holds(g) {
		panic("ring: commit of a group that was not claimed")
	}
	at, number, bytes := p.tail, p.tailNumber, uint64(g.stride)*layout.Line
	for i := uint64(1); i < uint64(used); i++ {
		line := at + i*bytes
		p.soiled.take(line)
		header := g.header + i<<32
		if p.words.Load(line) != header || p.words.Load(line+8) != g.second { // it was never lent
			p.words.Store(line+8, g.second)
			p.words.Store(line, header)
		}
	}
	p.words.Store(at+8, g.second)
	p.last, p.tail, p.tailNumber = uint32(g.size), at+uint64(used)*bytes, number+uint64(used)
	p.endGroup()
	p.publishHeader(at, g.header, p.tail)
	return number
}
