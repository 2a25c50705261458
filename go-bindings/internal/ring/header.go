package ring

import "github.com/ironhoard/ironhoard/go-bindings/internal/layout"

// recordWord is the header word of record number with payload bytes.
func recordWord(payload uint32, number uint64) uint64 {
	return number<<32 | uint64(payload+layout.HeaderBytes)
}

// paddingWord is the header word of a padding of bytes bytes before record number.
func paddingWord(bytes, number uint64) uint64 {
	return number<<32 | uint64(uint32(bytes)|layout.PaddingBit)
}

// secondWord is the second word of a record.
func secondWord(kind, flags uint16, number uint64) uint64 {
	return uint64(kind) | uint64(flags)<<16 | number&^0xffff_ffff
}

// Meaning of a header word to a consumer that expects a certain record.
type Meaning uint8

const (
	IsEmpty Meaning = iota // nothing is committed there, whatever the word is
	IsRecord
	IsPadding
	IsCorrupt // the expected number with an impossible length
)

// Judge says what word means where record number is expected, toEnd bytes before the ring's end: a record
// of so many bytes of payload, a padding of so many bytes, nothing, or nonsense and why.
func Judge(word, number, toEnd, capacity uint64, limit uint32) (Meaning, uint32, string) {
	length := uint32(word)
	if uint32(word>>32) != uint32(number) || length == 0 {
		return IsEmpty, 0, ""
	}
	payload := length - layout.HeaderBytes
	switch {
	case payload <= limit && layout.RecordBytes(payload) <= toEnd:
		return IsRecord, payload, ""
	case payload <= limit:
		return IsCorrupt, 0, "record past the ring's end"
	case length&layout.PaddingBit != 0:
		bytes := length &^ layout.PaddingBit
		if uint64(bytes) == toEnd && toEnd != capacity {
			return IsPadding, bytes, ""
		}
		return IsCorrupt, 0, "impossible padding"
	case length < layout.HeaderBytes:
		return IsCorrupt, 0, "length below the header's own"
	default:
		return IsCorrupt, 0, "length above the ring's limit"
	}
}
