package ring

import (
	"math"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Run is lines of an open batch that need nothing but stores: for records of one size, of one line each, with
// room for all of them, and which no payload has soiled.
//
//	 first of the batch                                              the ring's end, or …
//	┌──────────────┬──────────────┬──────────────┬──────────────┬─  ─┬──────────────┬─ ─
//	│  payload     │H payload     │H lent        │              │    │              │ not looked at
//	└──────────────┴──────────────┴──────────────┴──────────────┴─  ─┴──────────────┴─ ─
//	                               ▲ next                             ▲ stop: may be lent too
//
// It is there because of what a stream costs between two cores far apart: not its stores, but how often one
// goes to another line than the one before. A record costs the way of its line, 38 ns, where that is written
// in one go and no other line is; 48 with stores to one other line from record to record; 72 with two, of
// which a call is one: it stores where to return to. So Claim and Append are small enough for the compiler
// to put them into a program's own loop, and all that they change lies on one line. To call what is handed
// in is cheaper in the compiler's eyes than to call it by name; it finds out afterwards what that is.
//
// A lent line has its header at once, for the batch is not visible before its first record has one. Where the
// run ends with that claim open, the header is taken back.
//
// A run may also be the one line at the committed end, got ready for a record that goes alone while its owner
// waited for a reply: see Producer.Ready. Claim stores 0 where its header will be.
//
// A Run has one owner, who keeps it beside the Producer, and hands it over with each AppendRun.
type Run struct {
	next   uint64        // the line of the next record, among all of the ring
	lent   *memory.Line  // the line of the open claim
	stop   uint64        // the last line that may be lent; its record is appended by AppendRun
	size   int           // bytes of each payload; nobody's where there is no run
	number uint64        // a record's number, less what next is behind it
	header uint64        // its header, less next times step
	step   uint64        // 1 << 32; 0 where the run is one line that goes alone
	upper  uint64        // the high half of its number
	lines  []memory.Line // all of the ring

	Owner any // of the run, for what Claim and Append call
}

// noSize is a size that nobody asks for: Claim may be handed any int, -1 as well. Whoever asks for it all the
// same finds no line: where there is no run, next is behind them all, which is a panic before any store.
const noSize = math.MinInt

// NewRun is an owner's run, for this producer alone.
func (p *Producer) NewRun(owner any) Run {
	return Run{lines: p.lines, next: uint64(len(p.lines)), size: noSize, Owner: owner}
}

// Claim lends the payload of the next record; slowly does it where the run has none. An open claim is given
// up.
func (r *Run) Claim(payload int, slowly func(*Run, int) ([]byte, error)) ([]byte, error) {
	if payload != r.size {
		return slowly(r, payload)
	}
	r.lent = &r.lines[r.next]
	r.lent.Header = r.next*r.step + r.header
	return r.lent.Payload[:payload:payload], nil
}

// Append adds what Claim lent to the batch and returns its number; slowly does it where that was not from the
// run.
func (r *Run) Append(kind uint16, slowly func(*Run, uint16) (uint64, error)) (uint64, error) {
	if r.lent == nil || r.next == r.stop {
		return slowly(r, kind)
	}
	r.lent.Second = r.upper | uint64(kind)
	r.lent = nil
	r.next++
	return r.next + r.number, nil
}

// Next is the number of the next record, where there is a run.
func (r *Run) Next() uint64 { return r.next + r.number + 1 }

// Lent says how many bytes the run's open claim has, if there is one.
func (r *Run) Lent() (payload int, open bool) { return r.size, r.lent != nil }

// IsReady says whether the open claim is of a line that goes alone.
func (r *Run) IsReady() bool { return r.step == 0 && r.lent != nil }

// CommitReady makes the open claim of a line that goes alone visible, and returns its number. For functions
// that are not inlined themselves: see sys.StoreReleaseHere. The producer is told behind it, with Committed:
// what the engine waits for comes first.
func (r *Run) CommitReady(kind uint16) uint64 {
	number := r.next + r.number + 1
	r.lent.Second = r.upper | uint64(kind)
	sys.StoreReleaseHere(&r.lent.Header, recordWord(uint32(r.size), number)) // `commit`, with Words.Observe
	return number
}

// begin makes lines from next on the run, for records from number on: as many as may be appended, and one
// more that may be lent.
func (r *Run) begin(next, count, number uint64, payload uint32) {
	r.next, r.stop, r.size = next, next+count, int(payload)
	r.number = number - next - 1
	r.header, r.step = recordWord(payload, number-next), 1<<32
	r.upper = secondWord(0, 0, number)
}

// beginAlone makes line next the run, for record number, which nothing is appended to.
func (r *Run) beginAlone(next, number uint64, payload uint32) {
	r.begin(next, 0, number, payload)
	r.header, r.step = 0, 0
}

// end takes the lines away. Where a claim is open on one its header goes: the line lies behind the batch.
func (r *Run) end(words *memory.Words, tail uint64) {
	if r.lent != nil {
		words.Store(tail, 0)
	}
	r.forget()
}

// forget makes the run one without lines.
func (r *Run) forget() { r.lent, r.size, r.next = nil, noSize, uint64(len(r.lines)) }
