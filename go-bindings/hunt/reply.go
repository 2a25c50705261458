package hunt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ReplySize is the number of bytes of a reply's payload. Only a move of the wrong size is answered
// without one.
const ReplySize = 32

// Marks of a reply.
const (
	markDuplicate = 1
	markPlaced    = 2
)

// ErrMarks says that a reply carries marks which this version does not know: the engine is newer.
var ErrMarks = errors.New("hunt: the reply carries unknown marks; update this module to the engine's version")

// Code is what the engine answers to a move: the kind of the reply record.
type Code uint16

// The codes: what the hunt answers, to moves and to its other requests.
const (
	// Accepted: the move happened; the player is where it says.
	Accepted Code = iota
	// BadTag: the tag is not that of the player's key over this move.
	BadTag
	// TooOld: the sequence is 64 or more behind the player's highest.
	TooOld
	// UnknownPlayer: no such player.
	UnknownPlayer
	// UnknownEdge: the map has no arc between these nodes.
	UnknownEdge
	// BadOffset: the offset is beyond the end of the arc.
	BadOffset
	// TooFast: nobody is that fast; a teleport.
	TooFast
	// BadTime: the player's clock is behind that of its last accepted move.
	BadTime
	// Malformed: the payload is not 48 bytes, or carries a kind or flags that do not exist.
	Malformed
	// NoSession: the player is in no session, or not in the one that was named.
	NoSession
	// SessionsFull: all sessions are taken by players that are awake.
	SessionsFull
	// TreasureGone: there is no such treasure, or somebody was faster.
	TreasureGone
	// TooFar: the treasure is farther away than an arm reaches.
	TooFar
	// TreasuresFull: there are as many treasures as the game was started for.
	TreasuresFull
	// UnknownBoard: no such board.
	UnknownBoard
	// BoardFull: the board has as many players as it was started for.
	BoardFull
	// NotRanked: the player is not on the board.
	NotRanked
	// ScoreRange: the score would leave the range of 64 bits.
	ScoreRange
	// AreaTooLarge: the search would visit more of the map than one request may.
	AreaTooLarge
	// UnknownNode: the map has no such node.
	UnknownNode
	// UnknownOperator: no such operator.
	UnknownOperator
)

var codeNames = [...]string{
	Accepted:        "accepted",
	BadTag:          "bad_tag",
	TooOld:          "too_old",
	UnknownPlayer:   "unknown_player",
	UnknownEdge:     "unknown_edge",
	BadOffset:       "bad_offset",
	TooFast:         "too_fast",
	BadTime:         "bad_time",
	Malformed:       "malformed",
	NoSession:       "no_session",
	SessionsFull:    "sessions_full",
	TreasureGone:    "no_treasure",
	TooFar:          "too_far",
	TreasuresFull:   "treasures_full",
	UnknownBoard:    "unknown_board",
	BoardFull:       "board_full",
	NotRanked:       "not_ranked",
	ScoreRange:      "score_range",
	AreaTooLarge:    "area_too_large",
	UnknownNode:     "unknown_node",
	UnknownOperator: "unknown_operator",
}

// IsKnown says whether this is one of the codes above. The engine itself answers with others, from
// 0xff00 on.
func (c Code) IsKnown() bool { return int(c) < len(codeNames) }

// String is the code's name in tables, logs and JSON.
func (c Code) String() string {
	if c.IsKnown() {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Point is a place in centimetres from the earth's centre: x towards longitude 0, y towards 90° east,
// z towards the north pole.
type Point struct{ X, Y, Z int32 }

// Degrees gives longitude and latitude.
func (p Point) Degrees() (longitude, latitude float64) {
	x, y, z := float64(p.X), float64(p.Y), float64(p.Z)
	const degrees = 180 / math.Pi
	return math.Atan2(y, x) * degrees, math.Atan2(z, math.Hypot(x, y)) * degrees
}

// Reply is the engine's answer to a move.
type Reply struct {
	// Code says whether the move happened, and if not, why.
	Code Code
	// Player and Sequence are those of the move.
	Player   uint64
	Sequence uint32
	// TimeMS is the player's clock at its last accepted move.
	TimeMS uint32
	// Place is where the player was last accepted, if Placed.
	Place Point
	// Placed says whether the player has a place; without one Place and TimeMS are zero.
	Placed bool
	// Strikes counts how often the player has said what cannot be; it stays at 65,535.
	Strikes uint16
	// Duplicate says that the sequence was judged before: Code is that of the first time.
	Duplicate bool
}

// UnmarshalBinary reads everything but the code out of exactly [ReplySize] bytes. On an error the reply
// is as before.
func (r *Reply) UnmarshalBinary(b []byte) error {
	if len(b) != ReplySize {
		return &SizeError{What: "reply", Size: len(b), Want: ReplySize}
	}
	marks := b[30]
	if marks&^(markDuplicate|markPlaced) != 0 || b[31] != 0 {
		return ErrMarks
	}
	*r = Reply{
		Code:      r.Code,
		Player:    binary.LittleEndian.Uint64(b[0:]),
		Sequence:  binary.LittleEndian.Uint32(b[8:]),
		TimeMS:    binary.LittleEndian.Uint32(b[12:]),
		Placed:    marks&markPlaced != 0,
		Strikes:   binary.LittleEndian.Uint16(b[28:]),
		Duplicate: marks&markDuplicate != 0,
	}
	if r.Placed {
		r.Place = Point{
			X: int32(binary.LittleEndian.Uint32(b[16:])),
			Y: int32(binary.LittleEndian.Uint32(b[20:])),
			Z: int32(binary.LittleEndian.Uint32(b[24:])),
		}
	}
	return nil
}

// AppendBinary appends the reply's bytes, without its code, to b; for engines in tests. The error is
// always nil.
func (r *Reply) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, r.Player)
	b = binary.LittleEndian.AppendUint32(b, r.Sequence)
	b = binary.LittleEndian.AppendUint32(b, r.TimeMS)
	var place Point
	var marks byte
	if r.Placed {
		place, marks = r.Place, marks|markPlaced
	}
	if r.Duplicate {
		marks |= markDuplicate
	}
	for _, part := range [...]int32{place.X, place.Y, place.Z} {
		b = binary.LittleEndian.AppendUint32(b, uint32(part))
	}
	b = binary.LittleEndian.AppendUint16(b, r.Strikes)
	return append(b, marks, 0), nil
}
