// Package memory is what a ring is made of: words that somebody hands it, in a mapping or in a slice.
//
// Every access masks its position, so that no value from a peer and no mistake of a caller touches a byte
// outside of the words that were handed over.
package memory

import (
	"sync/atomic"
	"unsafe"

	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Words is the record memory of a ring. Positions count bytes, free-running; they are masked here.
type Words struct {
	base   unsafe.Pointer
	mask   uint64
	shadow shadow
}

// OfSlice makes words of a slice whose length is a power of two. The slice lives as long as the words.
func OfSlice(words []uint64) Words {
	return Words{base: unsafe.Pointer(unsafe.SliceData(words)), mask: uint64(len(words))*8 - 8}
}

// OfMapping makes words of capacity bytes (a power of two) at base. The caller keeps them mapped as long
// as the words are used. Identity is equal for all mappings of the same ring, in this process; only the
// race detector asks for it.
func OfMapping(base unsafe.Pointer, capacity, identity uint64) Words {
	return Words{base: base, mask: capacity - 8, shadow: shadowOf(identity)}
}

// Line is a cache line of a ring, as a record that fills one.
type Line struct {
	Header  uint64
	Second  uint64
	Payload [Lineful]byte
}

// Lineful is how many bytes of payload one line carries beside its header.
const Lineful = 48

// lineful are these bytes, as words.
type lineful [Lineful / 8]uint64

// Lines are the words as lines, to be written with plain stores: only where [Plain] allows it, and only lines
// whose header some later release makes visible.
func (w *Words) Lines() []Line {
	return unsafe.Slice((*Line)(w.base), w.Count()*8/uint64(unsafe.Sizeof(Line{})))
}

// LineAt is the line at position, a multiple of its size.
func (w *Words) LineAt(position uint64) *Line { return (*Line)(unsafe.Pointer(w.at(position))) }

// Bytes lends bytes bytes from the payload's beginning on, those of the lines behind included; they must not
// run over the end of the words.
func (l *Line) Bytes(bytes int) []byte { return unsafe.Slice(&l.Payload[0], bytes) }

// Count is the number of words; a power of two.
func (w *Words) Count() uint64 { return w.mask/8 + 1 }

func (w *Words) at(position uint64) *uint64 {
	return (*uint64)(unsafe.Add(w.base, position&w.mask))
}

// Observe loads a header word. Acquire: label `commit`, with Publish.
func (w *Words) Observe(position uint64) uint64 {
	value := atomic.LoadUint64(w.at(position))
	w.shadow.acquire(position) // behind the load: what was released before the word was stored is seen
	return value
}

// Publish stores a header word. Release: label `commit`, with Observe.
func (w *Words) Publish(position, value uint64) {
	w.shadow.release(position)
	sys.StoreRelease(w.at(position), value)
}

// PublishHere is Publish for functions that are not inlined themselves.
func (w *Words) PublishHere(position, value uint64) {
	w.shadow.release(position)
	sys.StoreReleaseHere(w.at(position), value)
}

// Load reads a word once whose visibility an earlier Observe has settled.
func (w *Words) Load(position uint64) uint64 { return atomic.LoadUint64(w.at(position)) }

// Store writes a word that a later Publish makes visible, and that a consumer may look at already.
func (w *Words) Store(position, value uint64) { storeWord(w.at(position), value) }

// Expect says that the lines lines from position on will be read soon.
func (w *Words) Expect(position uint64, lines int) {
	for line := range lines {
		sys.Prefetch(w.at(position + 64*uint64(line)))
	}
}

// ExpectWrite says that the lines lines from position on will be written soon.
func (w *Words) ExpectWrite(position uint64, lines int) {
	for line := range lines {
		sys.PrefetchWrite(w.at(position + 64*uint64(line)))
	}
}

// Bytes lends bytes bytes from position on; they must not run over the end of the words.
func (w *Words) Bytes(position uint64, bytes int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(w.at(position))), bytes)
}

// Word is one shared word: a position or a flag. The zero Word must not be used.
type Word struct {
	word   *uint64
	shadow shadow
}

// WordAt is the word at address, a multiple of 8; identity as in OfMapping.
func WordAt(address unsafe.Pointer, identity uint64) Word {
	return Word{word: (*uint64)(address), shadow: shadowOf(identity)}
}

// WordOf is a word of this process's own.
func WordOf(word *uint64) Word { return Word{word: word} }

// Load reads the word with acquire.
func (w *Word) Load() uint64 {
	value := atomic.LoadUint64(w.word)
	w.shadow.acquire(0)
	return value
}

// Release stores the word with release.
func (w *Word) Release(value uint64) {
	w.shadow.release(0)
	sys.StoreRelease(w.word, value)
}

// Store stores the word and keeps it before every load that follows, as a sleeper's flag must be.
func (w *Word) Store(value uint64) { atomic.StoreUint64(w.word, value) }

// Append appends source to destination: with CopyIn where there is room, which is the shorter way for little.
func Append(destination, source []byte) []byte {
	begin := len(destination)
	if cap(destination)-begin < len(source) {
		return append(destination, source...)
	}
	destination = destination[:begin+len(source)]
	if len(source) == Lineful {
		CopyLineful(destination[begin:], source)
	} else {
		CopyIn(destination[begin:], source)
	}
	return destination
}
