package rivals

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

func dial(t testing.TB) *GRPC {
	path := filepath.Join(t.TempDir(), "echo.sock")
	stop, err := ServeGRPC(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	host, err := DialGRPC(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	return host
}

func TestGRPCEchoes(t *testing.T) {
	host := dial(t)
	for _, size := range []int{0, 1, 48, 100_000} {
		request := bytes.Repeat([]byte{7}, size)
		if reply, err := host.Echo(request); err != nil || !bytes.Equal(reply, request) {
			t.Errorf("%d bytes: %d came back, %v", size, len(reply), err)
		}
	}
}

func BenchmarkGRPC(b *testing.B) {
	host := dial(b)
	request := make([]byte, 48)
	spread := measure.NewSpread()
	number := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		measure.Fill(request, number)
		reply, err := host.Echo(request)
		if err != nil || !measure.Is(reply, 48, number) {
			b.Fatal(reply, err)
		}
		spread.Add()
		number++
	}
	spread.Report(b)
}
