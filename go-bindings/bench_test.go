//go:build linux

package ironhoard_test

import (
	"bufio"
	"context"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// The benchmarks of the binding beside what Go has of its own, all with 48 bytes there and back.
//
//	go test -run '^$' -bench .                                       an engine in Go, in this process
//	IRONHOARD_ECHO=…/examples/echo_engine go test -run '^$' -bench . the Rust engine, a process of its own
//
// With an engine in the same process the scheduler's work is measured too; what a host really pays, beside
// the floor of the machine, is `ironhoard bench go`'s to say.

const (
	benchKind    = 1
	benchPayload = 48
)

// benchEngine is the path of an engine that echoes.
func benchEngine(b *testing.B) string {
	program := os.Getenv("IRONHOARD_ECHO")
	if program == "" {
		engine := enginetest.New(enginetest.Echo)
		b.Cleanup(engine.Close)
		return engine.Path()
	}
	path := filepath.Join(b.TempDir(), "echo.sock")
	command := exec.Command(program, path)
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		input.Close() // ends it
		_ = command.Wait()
	})
	_, _ = bufio.NewReader(output).ReadString('\n') // it says when it listens
	return path
}

func benchClient(b *testing.B, options ...ironhoard.Option) *ironhoard.Client {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := ironhoard.Dial(ctx, benchEngine(b), options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return client
}

// roundTrips benchmarks calls one after the other; each reply is compared with its request.
func roundTrips(b *testing.B, once func(request, reply []byte) ([]byte, error)) {
	request, reply := make([]byte, benchPayload), make([]byte, 0, benchPayload)
	spread, number := measure.NewSpread(), uint64(0)
	b.ReportAllocs()
	spread.Again()
	for b.Loop() {
		number++
		measure.Fill(request, number)
		got, err := once(request, reply)
		if err != nil || !measure.Is(got, benchPayload, number) {
			b.Fatal(got, err)
		}
		spread.Add()
	}
	spread.Report(b)
}

func BenchmarkCall(b *testing.B) {
	client, ctx := benchClient(b), context.Background()
	roundTrips(b, func(request, reply []byte) ([]byte, error) {
		return client.Call(ctx, benchKind, request, reply)
	})
}

func BenchmarkCallFunc(b *testing.B) {
	client, ctx := benchClient(b), context.Background()
	var request, reply []byte
	fill := func(lent []byte) error { copy(lent, request); return nil }
	read := func(lent []byte) error { reply = append(reply, lent...); return nil }
	roundTrips(b, func(sent, room []byte) ([]byte, error) {
		request, reply = sent, room
		err := client.CallFunc(ctx, benchKind, benchPayload, fill, read)
		return reply, err
	})
}

func benchProducer(b *testing.B) *ironhoard.Producer {
	producer, err := benchClient(b, ironhoard.WithLanes(1)).NewProducer(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { producer.Close() })
	return producer
}

func BenchmarkProducer(b *testing.B) {
	producer, ctx := benchProducer(b), context.Background()
	roundTrips(b, func(request, reply []byte) ([]byte, error) {
		return producer.Call(ctx, benchKind, request, reply)
	})
}

// BenchmarkProducerWindow keeps up to 1024 requests under way, made visible in groups of 16.
func BenchmarkProducerWindow(b *testing.B) {
	producer, ctx := benchProducer(b), context.Background()
	take := func() {
		if reply, err := producer.Wait(ctx); err != nil || len(reply.Payload) != benchPayload {
			b.Fatal(reply, err)
		}
	}
	number := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		number++
		claim, err := producer.ClaimWait(ctx, benchPayload)
		if err != nil {
			b.Fatal(err)
		}
		measure.Fill(claim, number)
		if _, err := producer.Append(benchKind); err != nil {
			b.Fatal(err)
		}
		if number%16 == 0 {
			if err := producer.Flush(); err != nil {
				b.Fatal(err)
			}
			for producer.Outstanding() > 1024 {
				take()
			}
		}
	}
	for producer.Outstanding() > 0 {
		take()
	}
}

// Benchmark1000Goroutines shares one client between a thousand goroutines.
func Benchmark1000Goroutines(b *testing.B) {
	client, ctx := benchClient(b), context.Background()
	const goroutines = 1000
	b.ReportAllocs()
	var wait sync.WaitGroup
	for id := range goroutines {
		calls := b.N / goroutines
		if id < b.N%goroutines {
			calls++
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			request, reply := make([]byte, benchPayload), make([]byte, 0, benchPayload)
			for call := range calls {
				number := uint64(id)<<32 + uint64(call)
				measure.Fill(request, number)
				got, err := client.Call(ctx, benchKind, request, reply)
				if err != nil || !measure.Is(got, benchPayload, number) {
					b.Errorf("%x, %v", got, err)
					return
				}
			}
		}()
	}
	wait.Wait()
}

// BenchmarkChannel is a goroutine that answers on another channel.
func BenchmarkChannel(b *testing.B) {
	requests, replies := make(chan [benchPayload]byte), make(chan [benchPayload]byte)
	defer close(requests)
	go func() {
		for request := range requests {
			replies <- request
		}
	}()
	roundTrips(b, func(request, reply []byte) ([]byte, error) {
		requests <- [benchPayload]byte(request)
		got := <-replies
		return append(reply, got[:]...), nil
	})
}

// BenchmarkUnixSocket is a goroutine that answers on a Unix socket.
func BenchmarkUnixSocket(b *testing.B) {
	host := unixSocket(b, func(connection net.Conn) {
		buffer := make([]byte, benchPayload)
		for {
			n, err := connection.Read(buffer)
			if err != nil {
				return
			}
			if _, err := connection.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	roundTrips(b, func(request, reply []byte) ([]byte, error) {
		if _, err := host.Write(request); err != nil {
			return nil, err
		}
		n, err := host.Read(reply[:benchPayload])
		return reply[:n], err
	})
}

// unixSocket connects to a server of one connection.
func unixSocket(b *testing.B, serve func(net.Conn)) net.Conn {
	listener, err := net.Listen("unix", filepath.Join(b.TempDir(), "rival.sock"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		if connection, err := listener.Accept(); err == nil {
			defer connection.Close()
			serve(connection)
		}
	}()
	host, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { host.Close() })
	return host
}

// EchoService is what net/rpc calls.
type EchoService struct{}

// Echo answers with the request.
func (EchoService) Echo(request []byte, reply *[]byte) error {
	*reply = request
	return nil
}

// BenchmarkNetRPC is net/rpc on a Unix socket.
func BenchmarkNetRPC(b *testing.B) {
	server := rpc.NewServer()
	if err := server.RegisterName("Echo", EchoService{}); err != nil {
		b.Fatal(err)
	}
	host := rpc.NewClient(unixSocket(b, func(connection net.Conn) { server.ServeConn(connection) }))
	defer host.Close()
	roundTrips(b, func(request, _ []byte) ([]byte, error) {
		var got []byte
		err := host.Call("Echo.Echo", request, &got)
		return got, err
	})
}
