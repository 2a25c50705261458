//go:build linux && (amd64 || arm64)

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

func Example() {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := ironhoard.Dial(context.Background(), engine.Path())
	if err != nil {
		panic(err)
	}
	defer client.Close()
	reply, err := client.Call(context.Background(), 1, []byte("hello"), nil)
	fmt.Println(string(reply), err)
	// Output: hello <nil>
}

// A handler of one's own: it appends its reply, and chooses a status.
func ExampleNew() {
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		if len(request.Payload) == 0 {
			return reply, 7 // a code of the handler's own
		}
		return fmt.Appendf(reply, "kind %d: %d bytes", request.Kind, len(request.Payload)), enginetest.OK
	}, enginetest.WithService("counting", 1))
	defer engine.Close()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, engine.Path(), ironhoard.WithService("counting", 1))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	reply, _ := client.Call(ctx, 3, []byte("four"), nil)
	fmt.Println(string(reply))
	_, err = client.Call(ctx, 3, nil, nil)
	var remote *ironhoard.RemoteError
	fmt.Println(errors.As(err, &remote), remote.Code)
	// Output:
	// kind 3: 4 bytes
	// true 7
}

// An engine dies in the middle of everything, and another takes over: calls take longer, and do not fail.
func ExampleEngine_Kill() {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, engine.Path())
	if err != nil {
		panic(err)
	}
	defer client.Close()
	engine.Kill()
	go func() {
		time.Sleep(10 * time.Millisecond)
		if err := engine.Restart(); err != nil {
			panic(err)
		}
	}()
	reply, err := client.Call(ctx, 1, []byte("still here"), nil)
	fmt.Println(string(reply), err)
	// Output: still here <nil>
}

// A frozen engine is slow, not dead: only a context ends the waiting.
func ExampleEngine_Freeze() {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := ironhoard.Dial(context.Background(), engine.Path())
	if err != nil {
		panic(err)
	}
	defer client.Close()
	engine.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	_, err = client.Call(ctx, 1, nil, nil)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	engine.Thaw()
	_, err = client.Call(context.Background(), 1, nil, nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A handler that tells everybody: what it publishes is there before its reply is.
func ExampleRequest_Publish() {
	herald := func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		if _, err := request.Publish(0, request.Kind, request.Payload); err != nil {
			return reply, 1
		}
		return reply, enginetest.OK
	}
	engine := enginetest.New(herald, enginetest.WithEventRings(1, 4096))
	defer engine.Close()
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, engine.Path(), ironhoard.WithEventRings(1))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	events, err := client.Events(0)
	if err != nil {
		panic(err)
	}
	defer events.Close()
	if _, err := client.Call(ctx, 7, []byte("treasure found"), nil); err != nil {
		panic(err)
	}
	event, found, err := events.Poll(make([]byte, events.PayloadLimit()))
	fmt.Printf("event %d of kind %d: %s, %v, %v\n", event.Number, event.Kind, event.Payload, found, err)
	// Output: event 1 of kind 7: treasure found, true, <nil>
}
