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

// meaning of a header word to a consumer that expects a certain record.
type meaning uint8

const (
	isEmpty meaning = iota // nothing is committed there, whatever the word is
	isRecord
	isPadding
	isCorrupt // the expected number with an impossible length
)

// judge says what word means where record number is expected, toEnd bytes before the ring's end: a record
// of so many bytes of payload, a padding of so many bytes, nothing, or nonsense and why.
func judge(word, number, toEnd, capacity uint64, limit uint32) (meaning, uint32, string) {
	length := uint32(word)
	if uint32(word>>32) != uint32(number) || length == 0 {
		return isEmpty, 0, ""
	}
	payload := length - layout.HeaderBytes
	switch {
	case payload <= limit && layout.RecordBytes(payload) <= toEnd:
		return isRecord, payload, ""
	case payload <= limit:
		return isCorrupt, 0, "record past the ring's end"
	case length&layout.PaddingBit != 0:
		bytes := length &^ layout.PaddingBit
		if uint64(bytes) == toEnd && toEnd != capacity {
			return isPadding, bytes, ""
		}
		return isCorrupt, 0, "impossible padding"
	case length < layout.HeaderBytes:
		return isCorrupt, 0, "length below the header's own"
	default:
		return isCorrupt, 0, "length above the ring's limit"
	}
}
