package memory

import (
	"bytes"
	"testing"
)

func TestAppendIsAppend(t *testing.T) {
	source := make([]byte, 300)
	for i := range source {
		source[i] = byte(i) | 1
	}
	for _, room := range []int{0, 10, 400} {
		for _, bytesIn := range []int{0, 1, 7, 8, 9, 63, 256, 257, 300} {
			to := append(make([]byte, 0, 5+room), "five."...)
			got := Append(to, source[:bytesIn])
			if want := append([]byte("five."), source[:bytesIn]...); !bytes.Equal(got, want) {
				t.Errorf("%d bytes with room for %d: %x", bytesIn, room, got)
			}
			if inPlace := &got[0] == &to[0]; inPlace != (bytesIn <= cap(to)-5) {
				t.Errorf("%d bytes with room for %d: in place is %v", bytesIn, room, inPlace)
			}
			beyond := got[len(got):cap(got)]
			if bytesIn <= cap(to)-5 && bytes.Count(beyond, []byte{0}) != len(beyond) {
				t.Errorf("%d bytes with room for %d: %x was written behind them", bytesIn, room, beyond)
			}
		}
	}
}

func TestAppendAllocatesNothingWhereThereIsRoom(t *testing.T) {
	to, source := make([]byte, 0, 64), make([]byte, 48)
	if made := testing.AllocsPerRun(100, func() { to = Append(to[:0], source) }); made != 0 {
		t.Errorf("%v allocations", made)
	}
}
