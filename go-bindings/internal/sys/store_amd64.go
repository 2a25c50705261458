//go:build amd64 && !race

package sys

// StoreRelease stores value so that whoever loads it with an acquire (atomic.LoadUint64) also sees all that
// was stored before: label `commit` for headers, `release` for positions.
//
// On amd64 every store releases, so a plain one will do. atomic.StoreUint64 is an XCHG there: 55 ns a record
// in a stream instead of 6. The function is not inlined, because the compiler may drop or move an inlined
// store whose value nobody in this program reads, and may not across a call.
//
//go:noinline
func StoreRelease(word *uint64, value uint64) { *word = value }

// StoreReleaseHere is StoreRelease for functions that are not inlined themselves: a call is a store too, of
// where to return to, and this one has none. The compiler keeps the stores of a function in their order, for
// each makes its memory out of the one before, and all of them are done where the function returns.
func StoreReleaseHere(word *uint64, value uint64) { *word = value }
