package ironhoard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// Needs an engine with event rings, so it is compiled and not run.
func ExampleEvents_All() {
	ctx := context.Background()
	client, err := ironhoard.Dial(ctx, "/run/hunt.sock", ironhoard.WithEventsOnly())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	events, err := client.Events(0)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = events.Close() }()
	for event, err := range events.All(ctx) {
		var lost *ironhoard.OverrunError
		var other *ironhoard.NewLifeError
		switch {
		case errors.As(err, &lost):
			fmt.Println("too slow by", lost.Count(), "events") // and it goes on
		case errors.As(err, &other):
			fmt.Println("another engine, numbers begin anew") // and it goes on
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(event.Number, event.Kind, len(event.Payload))
		}
	}
}

// A loop of one's own: the buffer is the caller's, and what comes is looked at between other work.
func ExampleEvents_Poll() {
	client, err := ironhoard.Dial(context.Background(), "/run/hunt.sock", ironhoard.WithEventRings(1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	events, err := client.Events(0)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := events.SkipToEnd(); err != nil { // only what comes from now on
		log.Fatal(err)
	}
	payload := make([]byte, events.PayloadLimit())
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := events.Wait(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			continue // time for something else
		}
		event, found, err := events.Poll(payload)
		fmt.Println(event.Number, found, err)
	}
}

func ExampleWithEventsOnly() {
	path, stop := start() // an engine that publishes nothing
	defer stop()
	_, err := ironhoard.Dial(context.Background(), path, ironhoard.WithEventsOnly())
	var refused *ironhoard.RefusedError
	fmt.Println(errors.As(err, &refused))

	client, err := ironhoard.Dial(context.Background(), path, ironhoard.WithEventRings(ironhoard.AllEventRings))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	_, err = client.Events(0)
	var none *ironhoard.NoEventRingError
	fmt.Println(errors.As(err, &none) && none.Rings == 0)
	// Output:
	// true
	// true
}
