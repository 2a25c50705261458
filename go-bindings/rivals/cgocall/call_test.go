//go:build cgo

package cgocall

import (
	"bytes"
	"testing"
)

func BenchmarkCgo(b *testing.B) {
	request, reply := bytes.Repeat([]byte{7}, 48), make([]byte, 48)
	b.ReportAllocs()
	for b.Loop() {
		Echo(reply, request)
	}
	if !bytes.Equal(request, reply) {
		b.Fatal("C copied something else")
	}
}
