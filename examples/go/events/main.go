// Command events reads what an engine publishes to all: it prints each event of the engine's first ring.
//
//	ironhoard serve --map city.ihmap --socket /tmp/hunt.sock          any engine that has event rings
//	cd examples/go && go run ./events /tmp/hunt.sock [COUNT]          in another terminal
//
// It has no lane, costs the engine nothing while it reads, and ends when COUNT events have come or were lost;
// without COUNT when the engine is gone. The same program in other languages: examples/events.rs,
// examples/c/events.c.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"

	"github.com/ironhoard/ironhoard/go-bindings"
)

// shown is how many bytes of a payload are printed.
const shown = 16

func main() {
	count := uint64(math.MaxUint64)
	var err error
	if len(os.Args) == 3 {
		count, err = strconv.ParseUint(os.Args[2], 10, 64)
	}
	if err != nil || len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: events PATH [COUNT]")
	}
	if err := run(context.Background(), os.Args[1], count); err != nil {
		log.Fatal("events: ", err)
	}
}

func run(ctx context.Context, path string, count uint64) error {
	client, err := ironhoard.Dial(ctx, path, ironhoard.WithEventsOnly(), ironhoard.WithName("events"))
	if err != nil {
		return err
	}
	defer client.Close()
	events, err := client.Events(0)
	if err != nil {
		return err
	}
	defer events.Close()
	fmt.Fprintln(os.Stderr, "reading events")
	read, lost, err := printAll(ctx, events, count)
	if err != nil && !errors.Is(err, ironhoard.ErrEngineGone) {
		return err
	}
	fmt.Printf("%d events, %d lost\n", read, lost)
	return nil
}

// printAll prints what comes until count events have come or were lost, or there will be no more.
func printAll(ctx context.Context, events *ironhoard.Events, count uint64) (read, lost uint64, _ error) {
	for event, err := range events.All(ctx) {
		var overrun *ironhoard.OverrunError
		var other *ironhoard.NewLifeError
		switch {
		case errors.As(err, &overrun):
			fmt.Printf("events %d to %d are lost\n", overrun.First, overrun.Last)
			lost += overrun.Count()
		case errors.As(err, &other):
			fmt.Println("another engine: numbers begin anew")
		case err != nil:
			return read, lost, err
		default:
			fmt.Printf("event %d of kind %d, %d bytes: %x\n", event.Number, event.Kind, event.Size,
				event.Payload[:min(shown, len(event.Payload))])
			read++
		}
		if read+lost >= count {
			break
		}
	}
	return read, lost, nil
}
