package wire

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Head is the common header of a message.
type Head struct {
	// Kind is what the message is.
	Kind Kind
	// Version is the layout version of its form.
	Version uint32
	// Length is its length in bytes, as it says itself.
	Length uint32
}

// HeadOf reads the header of message: *MessageError if there is none.
func HeadOf(message []byte) (Head, error) {
	if len(message) < headerBytes {
		return Head{}, malformed("a message of %d bytes is too short: each starts with a header of 16",
			len(message))
	}
	word := binary.LittleEndian.Uint32
	if magic := word(message[magicOffset:]); magic != Magic {
		return Head{}, malformed("the magic word is %#010x and must be %#010x: this is not Ironhoard",
			magic, Magic)
	}
	return Head{
		Kind:    Kind(word(message[kindOffset:])),
		Version: word(message[versionOffset:]),
		Length:  word(message[lengthOffset:]),
	}, nil
}

// expectHead demands the kind and our version.
func expectHead(message []byte, kind Kind) error {
	head, err := HeadOf(message)
	switch {
	case err != nil:
		return err
	case head.Kind != kind:
		return malformed("a message of kind %d came where %v was expected", head.Kind, kind)
	case head.Version != Version:
		return malformed("the message is of layout version %d and %d was agreed", head.Version, Version)
	}
	return nil
}

// reader reads a message whose length was checked. It remembers which bytes were asked for: what nobody
// asked for is reserved, and finish demands that it is zero, so that no field can be forgotten there.
// The first error stays; what is read after it is zero.
type reader struct {
	message []byte
	named   []bool
	err     error
}

// newReader begins a message that must have exactly expected bytes.
func newReader(message []byte, expected int) (*reader, error) {
	head, err := HeadOf(message)
	if err != nil {
		return nil, err
	}
	if len(message) != expected || uint64(head.Length) != uint64(expected) {
		return nil, malformed("the message says that it has %d bytes, %d came and %d are right: "+
			"send exactly what the layout version says", head.Length, len(message), expected)
	}
	r := &reader{message: message, named: make([]bool, expected)}
	r.bytes(0, headerBytes)
	return r, nil
}

func (r *reader) bytes(at, count int) []byte {
	for i := at; i < at+count; i++ {
		r.named[i] = true
	}
	return r.message[at : at+count]
}

func (r *reader) u16(at int) uint16 { return binary.LittleEndian.Uint16(r.bytes(at, 2)) }
func (r *reader) u32(at int) uint32 { return binary.LittleEndian.Uint32(r.bytes(at, 4)) }
func (r *reader) u64(at int) uint64 { return binary.LittleEndian.Uint64(r.bytes(at, 8)) }

// flag reads a word that is 0 or 1.
func (r *reader) flag(at int, field string) bool {
	return r.atMost(at, 0, 1, field) == 1
}

// atMost reads a word that has a meaning from low to high only.
func (r *reader) atMost(at int, low, high uint32, field string) uint32 {
	value := r.u32(at)
	if value < low || value > high {
		r.fail(meaningless(field, uint64(value)))
		return low
	}
	return value
}

// name reads 64 bytes of UTF-8 without control characters, filled up with zeros.
func (r *reader) name(at int) string {
	raw := string(r.bytes(at, NameBytes))
	name, rest, _ := strings.Cut(raw, "\x00")
	if !FitsName(name) || strings.Trim(rest, "\x00") != "" {
		r.fail(malformed("the name at offset %d must be UTF-8 without control characters, "+
			"filled up with zeros", at))
		return ""
	}
	return name
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// finish is the first error, or the first reserved byte that is not zero.
func (r *reader) finish() error {
	if r.err != nil {
		return r.err
	}
	for offset, value := range r.message {
		if value != 0 && !r.named[offset] {
			return malformed("the reserved byte at offset %d is not zero: "+
				"set what this version does not name to 0", offset)
		}
	}
	return nil
}

// writer fills a message; reserved bytes are zero by themselves.
type writer []byte

func newWriter(kind Kind, version uint32, length int) writer {
	w := make(writer, length)
	w.u32(magicOffset, Magic)
	w.u32(kindOffset, uint32(kind))
	w.u32(versionOffset, version)
	w.u32(lengthOffset, uint32(length))
	return w
}

func (w writer) u16(at int, value uint16) { binary.LittleEndian.PutUint16(w[at:], value) }
func (w writer) u32(at int, value uint32) { binary.LittleEndian.PutUint32(w[at:], value) }
func (w writer) u64(at int, value uint64) { binary.LittleEndian.PutUint64(w[at:], value) }

func (w writer) flag(at int, value bool) {
	if value {
		w.u32(at, 1)
	}
}

// name writes a name that FitsName.
func (w writer) name(at int, name string) { copy(w[at:at+NameBytes], name) }

// FitsName says whether name can be said in a message: at most 64 bytes of UTF-8 without control
// characters.
func FitsName(name string) bool {
	return len(name) <= NameBytes && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
