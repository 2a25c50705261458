package ironhoard_test

import (
	"context"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// TestNothingIsAllocated runs each way to the engine and back. The engine in this process must not allocate
// either, because the figure is the process's.
func TestNothingIsAllocated(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := ironhoard.Dial(ctx, engine.Path(), ironhoard.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	producer, err := client.NewProducer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	request, reply := make([]byte, 48), make([]byte, 0, 48)
	ignore := func([]byte) error { return nil }
	try := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, way := range map[string]func(){
		"Call": func() {
			_, err := client.Call(ctx, 1, request, reply)
			try(err)
		},
		"CallFunc": func() { try(client.CallFunc(ctx, 1, 48, ignore, ignore)) },
		"Producer.Call": func() {
			_, err := producer.Call(ctx, 1, request, reply)
			try(err)
		},
		"Claim and Commit": func() {
			payload, err := producer.Claim(48)
			try(err)
			copy(payload, request)
			_, err = producer.Commit(1)
			try(err)
			_, err = producer.Wait(ctx)
			try(err)
		},
		"a group claimed at once": func() {
			group, err := producer.ClaimGroup(1, 48, 16)
			if err == ironhoard.ErrFull {
				return
			}
			try(err)
			for i := range group.Len() {
				copy(group.At(i), request)
			}
			_, err = producer.CommitGroup(&group, group.Len())
			try(err)
			for producer.Outstanding() > 0 {
				_, err = producer.Wait(ctx)
				try(err)
			}
		},
		"a group": func() {
			for range 16 {
				_, err := producer.Claim(48)
				try(err)
				_, err = producer.Append(1)
				try(err)
			}
			try(producer.Flush())
			for producer.Outstanding() > 0 {
				_, err = producer.Wait(ctx)
				try(err)
			}
		},
	} {
		way() // pools fill up, the pending table grows
		// Now and then a call parks and the runtime makes a timer or a waiter: below one is none.
		if allocations := testing.AllocsPerRun(2000, way); allocations >= 1 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
