package hunt

import (
	"encoding/binary"
	"fmt"
)

// KindMove is the kind of a request record that carries a move.
const KindMove uint16 = 1

// Sizes and values of a move.
const (
	// MoveSize is the number of bytes of a move.
	MoveSize = 48
	// TagSize is the number of bytes of a tag, the last ones of a move.
	TagSize = 16
	// signedSize is the number of bytes that the tag covers: all before it.
	signedSize = MoveSize - TagSize

	// MoveStep is the one kind of move there is today: the player says where it is.
	MoveStep uint8 = 0
	// NoTreasure is the treasure of a move that is about none.
	NoTreasure uint32 = 1<<32 - 1
)

// Move is a player's claim to be at a place at a time.
type Move struct {
	// Player says who moves.
	Player uint64
	// Sequence is the player's own count of its moves; each is judged once.
	Sequence uint32
	// TimeMS is the player's clock in milliseconds.
	TimeMS uint32
	// From is the node that the arc leaves, To the node that it reaches.
	From, To uint32
	// OffsetDM is how far along the arc the player is: decimetres, from 0 at From to its length at To.
	OffsetDM uint16
	// Kind is MoveStep.
	Kind uint8
	// Flags is zero today; anything else is answered as malformed.
	Flags uint8
	// Treasure is NoTreasure where the move is about none.
	Treasure uint32
	// Tag proves that the player's key signed the bytes before it. See [Key.Sign].
	Tag [TagSize]byte
}

// Put writes the move to the first [MoveSize] bytes of b, where it is to lie: into a claim, for example.
//
// It panics if b is shorter.
func (m *Move) Put(b []byte) {
	_ = b[MoveSize-1]
	binary.LittleEndian.PutUint64(b[0:], m.Player)
	binary.LittleEndian.PutUint32(b[8:], m.Sequence)
	binary.LittleEndian.PutUint32(b[12:], m.TimeMS)
	binary.LittleEndian.PutUint32(b[16:], m.From)
	binary.LittleEndian.PutUint32(b[20:], m.To)
	binary.LittleEndian.PutUint16(b[24:], m.OffsetDM)
	b[26], b[27] = m.Kind, m.Flags
	binary.LittleEndian.PutUint32(b[28:], m.Treasure)
	copy(b[signedSize:MoveSize], m.Tag[:])
}

// AppendBinary appends the move's bytes to b; the error is always nil.
func (m *Move) AppendBinary(b []byte) ([]byte, error) {
	var bytes [MoveSize]byte
	m.Put(bytes[:])
	return append(b, bytes[:]...), nil
}

// MarshalBinary gives the move's bytes; the error is always nil.
func (m *Move) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary reads the move out of exactly [MoveSize] bytes. Every 48 bytes are a move; whether a
// sane one is for the engine to say. On an error the move is as before.
func (m *Move) UnmarshalBinary(b []byte) error {
	if len(b) != MoveSize {
		return &SizeError{What: "move", Size: len(b), Want: MoveSize}
	}
	*m = Move{
		Player:   binary.LittleEndian.Uint64(b[0:]),
		Sequence: binary.LittleEndian.Uint32(b[8:]),
		TimeMS:   binary.LittleEndian.Uint32(b[12:]),
		From:     binary.LittleEndian.Uint32(b[16:]),
		To:       binary.LittleEndian.Uint32(b[20:]),
		OffsetDM: binary.LittleEndian.Uint16(b[24:]),
		Kind:     b[26],
		Flags:    b[27],
		Treasure: binary.LittleEndian.Uint32(b[28:]),
		Tag:      [TagSize]byte(b[signedSize:]),
	}
	return nil
}

// SizeError says that bytes cannot be the record they should be, because there are too many or too few.
type SizeError struct {
	// What the bytes should be: "move" or "reply".
	What string
	// Size is the number of bytes there were, Want the number there must be.
	Size, Want int
}

// Error says both sizes.
func (e *SizeError) Error() string {
	return fmt.Sprintf("hunt: a %s has %d bytes, not %d; is this another kind of record?", e.What, e.Want, e.Size)
}
