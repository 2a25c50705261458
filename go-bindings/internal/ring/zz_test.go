package ring
import ("testing";"encoding/binary";"github.com/ironhoard/ironhoard/go-bindings/internal/memory")
func BenchmarkFill(b *testing.B) {
	words := make([]uint64, 1<<17)
	var pos uint64
	p, err := NewProducer(memory.OfSlice(words), memory.WordOf(&pos), Start)
	if err != nil { b.Fatal(err) }
	n := 0
	for b.Loop() {
		room, err := p.Reserve(48)
		if err != nil { pos = p.Cursor().Position; continue }
		s := (*[48]byte)(p.Payload(room)); k := p.Next()
		binary.LittleEndian.PutUint64(s[0:8], k+1<<48)
		binary.LittleEndian.PutUint64(s[8:16], k+2<<48)
		binary.LittleEndian.PutUint64(s[16:24], k+3<<48)
		binary.LittleEndian.PutUint64(s[24:32], k+4<<48)
		binary.LittleEndian.PutUint64(s[32:40], k+5<<48)
		binary.LittleEndian.PutUint64(s[40:48], k+6<<48)
		p.Append(room, 48, 1)
		n++
		if p.Pending() >= 16 { p.Publish() }
	}
}
