package ironhoard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// start is an engine that answers each request with its own bytes, in this process. In production it is
// a process of its own, and its path comes from the configuration.
func start() (path string, stop func()) {
	engine := enginetest.New(enginetest.Echo)
	return engine.Path(), engine.Close
}

func Example() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	reply, err := client.Call(ctx, 1, []byte("hello"), nil)
	fmt.Println(string(reply), err)
	// Output: hello <nil>
}

func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := ironhoard.Dial(ctx, "/nobody/listens/here.sock")
	var none *ironhoard.NoEngineError
	fmt.Println(errors.As(err, &none))
	// Output: true
}

func ExampleClient_Call() {
	path, stop := start()
	defer stop()
	client, err := ironhoard.Dial(context.Background(), path, ironhoard.WithName("example"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	// The same buffers again and again: nothing is allocated.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, reply := make([]byte, 8), make([]byte, 0, 8)
	sum := uint64(0)
	for n := range uint64(10) {
		binary.LittleEndian.PutUint64(request, n)
		if reply, err = client.Call(ctx, 1, request, reply[:0]); err != nil {
			log.Fatal(err)
		}
		sum += binary.LittleEndian.Uint64(reply)
	}
	fmt.Println(sum)
	// Output: 45
}

func ExampleClient_Call_errors() {
	path, stop := start()
	defer stop()
	client, err := ironhoard.Dial(context.Background(), path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	_, err = client.Call(context.Background(), 1, make([]byte, 1<<20), nil)
	var (
		large     *ironhoard.TooLargeError
		remote    *ironhoard.RemoteError
		uncertain *ironhoard.UncertainError
	)
	switch {
	case errors.As(err, &large):
		fmt.Println("at most", large.Limit, "bytes")
	case errors.As(err, &remote):
		fmt.Println("the handler said", remote.Code)
	case errors.As(err, &uncertain):
		fmt.Println("it may have been executed")
	case errors.Is(err, ironhoard.ErrEngineGone):
		fmt.Println("attach again")
	}
	// Output: at most 131072 bytes
}

func ExampleClient_CallFunc() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	err = client.CallFunc(ctx, 1, 16,
		func(request []byte) error { // in the request ring
			binary.LittleEndian.PutUint64(request[0:], 40)
			binary.LittleEndian.PutUint64(request[8:], 2)
			return nil
		},
		func(reply []byte) error { // in the reply ring
			fmt.Println(binary.LittleEndian.Uint64(reply[0:]) + binary.LittleEndian.Uint64(reply[8:]))
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 42
}

func ExampleProducer() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithLanes(1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer, err := client.NewProducer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = producer.Close() }()

	// Sixteen requests, visible in one step.
	for n := range uint64(16) {
		request, err := producer.ClaimWait(ctx, 8)
		if err != nil {
			log.Fatal(err)
		}
		binary.LittleEndian.PutUint64(request, n)
		if _, err := producer.Append(1); err != nil {
			log.Fatal(err)
		}
	}
	if err := producer.Flush(); err != nil {
		log.Fatal(err)
	}

	// Their replies, in the same order.
	sum := uint64(0)
	for reply, err := range producer.Replies(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		sum += binary.LittleEndian.Uint64(reply.Payload)
	}
	fmt.Println(sum, "outstanding:", producer.Outstanding())
	// Output: 120 outstanding: 0
}

func ExampleProducer_Claim() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithLanes(1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer, err := client.NewProducer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = producer.Close() }()

	request, err := producer.Claim(5)
	if errors.Is(err, ironhoard.ErrFull) {
		fmt.Println("take replies first") // an ordinary answer
		return
	}
	copy(request, "hello")
	number, err := producer.Commit(1)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := producer.Wait(ctx)
	fmt.Println(reply.Number == number, string(reply.Payload), err)

	_, err = producer.Commit(1)
	fmt.Println(errors.Is(err, ironhoard.ErrNoClaim))
	// Output:
	// true hello <nil>
	// true
}

func ExampleProducer_ClaimGroup() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithLanes(1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer, err := client.NewProducer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = producer.Close() }()

	// Sixteen requests of eight bytes, claimed at once and visible in one step.
	group, err := producer.ClaimGroup(1, 8, 16)
	if err != nil {
		log.Fatal(err) // ErrFull where the engine is behind: take replies and come back
	}
	for i := range group.Len() { // fewer where the ring has less room
		binary.LittleEndian.PutUint64(group.At(i), uint64(i))
	}
	first, err := producer.CommitGroup(&group, group.Len())
	if err != nil {
		log.Fatal(err)
	}
	sum := uint64(0)
	for reply, err := range producer.Replies(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		sum += binary.LittleEndian.Uint64(reply.Payload)
	}
	fmt.Println("from", first, "on:", sum)
	// Output: from 1 on: 120
}

func ExampleProducer_Poll() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithLanes(1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer, err := client.NewProducer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	if _, err := producer.Call(ctx, 1, []byte("one round trip on this lane"), nil); err != nil {
		log.Fatal(err)
	}
	_, ok, err := producer.Poll() // never blocks
	fmt.Println(ok, err)
	// Output: false <nil>
}

func ExampleClient_Drain() {
	path, stop := start()
	defer stop()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	drained := client.Drain(ctx) // calls under way get their replies, new ones ErrClosed
	_, refused := client.Call(ctx, 1, nil, nil)
	fmt.Println(drained, errors.Is(refused, ironhoard.ErrClosed), client.Close())
	// Output: <nil> true <nil>
}

func ExampleWithHooks() {
	path, stop := start()
	defer stop()
	client, err := ironhoard.Dial(context.Background(), path,
		ironhoard.WithLogger(slog.Default().With("part", "engine")),
		ironhoard.WithHooks(ironhoard.Hooks{
			Resumed: func(epoch uint64) { fmt.Println("engine number", epoch) },
			Gone:    func(err error) { fmt.Println("attach again:", err) },
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	stats := client.Stats()
	fmt.Println(stats.Calls, stats.Resumes, stats.Epoch)
	// Output: 0 0 1
}
