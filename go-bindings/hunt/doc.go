// Package hunt gives typed access to the treasure-hunt engine that ships with Ironhoard.
//
// A move travels in one cache line, and so does its reply:
//
//	move, 48 bytes                                          little-endian throughout
//	0             8           12        16         20       24           26     27      28         32     48
//	├─ player u64 ┼─ sequence ┼─ time ──┼─ from ───┼─ to ───┼─ offset u16 ┼ kind ┼ flags ┼ treasure ┼─ tag ─┤
//	│             │ u32       │ u32 ms  │ node u32 │ u32    │ dm          │ u8   │ u8    │ u32      │ 16 B  │
//
//	reply, 32 bytes; its [Code] is the kind of the reply record
//	0             8           12        16         20       24           28           30     31     32
//	├─ player u64 ┼─ sequence ┼─ time ──┼─ x i32 ──┼─ y i32 ┼─ z i32 ─────┼ strikes u16 ┼ marks ┼ zero ┤
//
// The place of a move is (from, to, offset): so many decimetres along the arc between two nodes of the
// map. The place in a reply is where the engine believes the player to be, in centimetres from the
// earth's centre.
//
// A [Key] signs moves; a [Session] counts a player's moves, signs them and sends them through anything
// that can make a call, such as an ironhoard.Client. Nothing in this package allocates for a move.
package hunt
