// Package lull is how long a host waits, after it has committed, before its first look for what comes back.
//
//	host    commit ── lull ──────────▶ look ─▶ commit ── lull ──────────▶ look
//	           ╲                      ╱           ╲                      ╱
//	engine      ▶ look ─▶ commit ─────────────────▶ look ─▶ commit ─────────
//
// With one request under way nothing can be there yet. A look too early takes the line away from the engine
// just when it is about to write it, which costs two ways of a line between the cores; a look too late costs
// its delay. How long the right lull is depends on where the two threads run now and on what the engine does,
// so it is learned from the looks: a first look that found nothing makes it longer, one that found something
// makes it shorter by less. No clock is read.
//
// A processor does not wait because the program says so: it runs ahead of a pause, and the look behind it may
// be over before the wait began. So the lull is arithmetic on which the address of the look depends.
//
// Measurements: docs/decisions/0012-go-host.md.
package lull

// What a lull is counted in.
const (
	step    = 8             // eighths: a step is one multiplication, some three cycles
	longer  = 12 * step / 8 // what a first look that found nothing adds
	shorter = step / 8      // what one that found something takes off: one look in thirteen is too early
	// The longest is about a third of a microsecond: two far ways of a line and a short handler.
	longest = 400 * step
	// From so many looks on, nobody was early: the engine had something else to do.
	fewLooks = 64
)

// QuickLooks come without a pause behind one that was early: what is waited for is nearly there.
const QuickLooks = 3

// Lull is how long to wait before a first look. The zero Lull is none.
type Lull struct {
	eighths uint32
	nothing uint64 // 0, which the compiler does not know
}

// Pass lets the lull pass. It answers with 0, later than after is there: to be added to whatever must not be
// used before.
func (l *Lull) Pass(after uint64) uint64 {
	value := after
	for range l.eighths / step {
		value *= value
	}
	return value & l.nothing
}

// FoundWith says that what was waited for was found with this look, the first being 0.
func (l *Lull) FoundWith(look uint32) {
	switch {
	case look == 0:
		l.eighths -= min(l.eighths, shorter)
	case look < fewLooks:
		l.eighths = min(l.eighths+longer, longest)
	}
}
