//go:build linux && (amd64 || arm64)

package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// readerTests are about the Go host's readers of events.
var readerTests = map[string]func(*testing.T, Start){
	"events come in order and overruns are exact":   readOrderTest,
	"a waiter for events sleeps and is woken":       readSleepTest,
	"another engine is another life of events":      readLivesTest,
	"refusals and ends of event readers":            readRefusalTest,
	"several readers beside an engine that is busy": readBusyTest,
}

// Two event rings of 64 KiB.
const moreEvents = "events=2:65536"

// ReaderOf takes an event ring for the time of a test.
func ReaderOf(t *testing.T, client *ironhoard.Client, ring int) *ironhoard.Events {
	t.Helper()
	events, err := client.Events(ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	return events
}

// publishAll has the engine publish count events of size bytes and says the number of the last.
func publishAll(t *testing.T, client *ironhoard.Client, count, size uint32) uint64 {
	t.Helper()
	reply, err := client.Call(context.Background(), KindPublish, Publishing(count, size), nil)
	if err != nil || len(reply) != 8 {
		t.Error(reply, err)
		return 0
	}
	return binary.LittleEndian.Uint64(reply)
}

// isPublished says whether an event is as the engine publishes it.
func isPublished(event ironhoard.Event, number uint64, size int) bool {
	return event.Number == number && event.Kind == uint16(number) && event.Size == size &&
		len(event.Payload) == size && isEvent(number, event.Payload)
}

func readOrderTest(t *testing.T, start Start) {
	client := dial(t, start(t, moreEvents, "wait=park"), ironhoard.WithEventRings(2))
	if terms := client.Terms(); terms.EventRings != 2 || terms.EventCapacity != 65536 || terms.Life == 0 {
		t.Errorf("the terms are %+v", terms)
	}
	events, quiet := ReaderOf(t, client, 0), ReaderOf(t, client, 1)
	payload := make([]byte, events.PayloadLimit())
	next := uint64(1)
	for _, size := range []uint32{0, 1, 48, 49, 500, 8192} {
		last := publishAll(t, client, 3, size)
		for ; next <= last; next++ {
			event, ok, err := events.Poll(payload)
			if err != nil || !ok || !isPublished(event, next, int(size)) {
				t.Fatalf("%+v, %v, %v instead of event %d of %d bytes", event, ok, err, next, size)
			}
		}
	}
	if event, ok, err := events.Poll(payload); ok || err != nil {
		t.Errorf("behind the last event: %+v, %v, %v", event, ok, err)
	}
	last := publishAll(t, client, 5000, 48) // the ring holds 1024
	_, _, err := events.Poll(payload)
	var lost *ironhoard.OverrunError
	if !errors.As(err, &lost) || lost.First != next || lost.Last >= last || client.Stats().Lost != lost.Count() {
		t.Fatalf("%v; %d was next and %d the last", err, next, last)
	}
	for next = lost.Last + 1; next <= last; next++ {
		if event, ok, err := events.Poll(payload); err != nil || !ok || !isPublished(event, next, 48) {
			t.Fatalf("%+v, %v, %v instead of event %d", event, ok, err, next)
		}
	}
	publishAll(t, client, 7, 8)
	if skipped, err := events.SkipToEnd(); skipped != 7 || err != nil || events.NextNumber() != last+8 {
		t.Errorf("skipped %d, %v, next %d", skipped, err, events.NextNumber())
	}
	if _, ok, err := quiet.Poll(payload); ok || err != nil {
		t.Errorf("the ring that nobody writes: %v, %v", ok, err)
	}
}

func readSleepTest(t *testing.T, start Start) {
	engine := start(t, moreEvents, "wait=park")
	caller := dial(t, engine)
	for name, client := range map[string]*ironhoard.Client{
		"host":        dial(t, engine, ironhoard.WithEventRings(1), ironhoard.WithSpin(0)),
		"events only": dial(t, engine, ironhoard.WithEventsOnly()),
	} {
		// Each by another reader of the same line: the engine rings once for each value of its flag, and none
		// may be used twice.
		for round := range 4 {
			events := ReaderOf(t, client, 0)
			if _, err := events.SkipToEnd(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			number := make(chan uint64)
			parks := client.Stats().Parks
			go func() {
				for client.Stats().Parks == parks {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(5 * time.Millisecond)
				number <- publishAll(t, caller, 1, 100)
			}()
			if err := events.Wait(ctx); err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			payload := make([]byte, 100)
			event, ok, err := events.Poll(payload)
			if last := <-number; err != nil || !ok || !isPublished(event, last, 100) {
				t.Errorf("%s: %+v, %v, %v instead of event %d", name, event, ok, err, last)
			}
			cancel()
			if err := events.Wait(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: a wait whose context is over: %v", name, err)
			}
			if err := events.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// When the engine dies its last events are read to the end, then the next engine's from 1.
func readLivesTest(t *testing.T, start Start) {
	engine := start(t, moreEvents, "wait=park")
	client := dial(t, engine, ironhoard.WithEventRings(2))
	only := dial(t, engine, ironhoard.WithEventsOnly())
	before := client.Terms().Life
	readers := []*ironhoard.Events{ReaderOf(t, client, 0), ReaderOf(t, only, 0)}
	publishAll(t, client, 20, 10)
	engine.Kill()
	engine.Restart()
	publishAll(t, client, 5, 10)
	for _, events := range readers {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		var numbers []uint64
		life := uint64(0)
		for event, err := range events.All(ctx) {
			var other *ironhoard.NewLifeError
			if errors.As(err, &other) {
				life = other.Life
			} else if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, event.Number)
			if len(numbers) == 26 {
				break
			}
		}
		cancel()
		for i, number := range numbers {
			want := uint64(i) + 1
			if i >= 20 {
				want = uint64(i) - 20
			}
			if number != want {
				t.Errorf("the numbers are %v", numbers)
				break
			}
		}
		if life == 0 || life == before {
			t.Errorf("life %#x behind %#x", life, before)
		}
	}
}

func readRefusalTest(t *testing.T, start Start) {
	engine := start(t, moreEvents, "wait=park")
	var refused *ironhoard.RefusedError
	_, err := ironhoard.Dial(t.Context(), engine.Path(), ironhoard.WithEventRings(3))
	if !errors.As(err, &refused) || refused.Limit != 2 {
		t.Errorf("three rings of two: %v", err)
	}
	for _, impossible := range [][]ironhoard.Option{
		{ironhoard.WithEventRings(49)}, {ironhoard.WithEventRings(-2)},
		{ironhoard.WithEventsOnly(), ironhoard.WithLanes(1)},
	} {
		if _, err := ironhoard.Dial(t.Context(), engine.Path(), impossible...); err == nil {
			t.Error("an impossible wish passed")
		}
	}
	client := dial(t, engine, ironhoard.WithEventsOnly(), ironhoard.WithPatience(0))
	if _, err := client.Call(t.Context(), 1, nil, nil); !errors.Is(err, ironhoard.ErrNoLanes) {
		t.Errorf("a call without lanes: %v", err)
	}
	if err := client.CallFunc(t.Context(), 1, 0, nil, nil); !errors.Is(err, ironhoard.ErrNoLanes) {
		t.Errorf("a call in place without lanes: %v", err)
	}
	if _, err := client.NewProducer(t.Context()); !errors.Is(err, ironhoard.ErrNoLanes) {
		t.Errorf("a producer without lanes: %v", err)
	}
	events := ReaderOf(t, client, 0)
	var none *ironhoard.NoEventRingError
	if _, err := client.Events(2); !errors.As(err, &none) || none.Rings != 2 {
		t.Errorf("ring 2: %v", err)
	}
	if _, err := client.Events(0); !errors.Is(err, ironhoard.ErrEventRingTaken) {
		t.Errorf("a ring that is taken: %v", err)
	}
	caller := dial(t, engine)
	publishAll(t, caller, 2, 8)
	engine.Kill()
	count := 0
	for event, err := range events.All(t.Context()) {
		if err == nil && isPublished(event, uint64(count)+1, 8) {
			count++
		} else if !errors.Is(err, ironhoard.ErrEngineGone) || count != 2 {
			t.Errorf("behind %d events: %v", count, err)
		}
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if _, _, err := events.Poll(nil); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("behind the client's Close: %v", err)
	}
}

// Four readers, asleep and awake, of an engine that never stops publishing: each answers for every number.
func readBusyTest(t *testing.T, start Start) {
	engine := start(t, moreEvents)
	caller := dial(t, engine)
	const events = 20_000
	done := make(chan error, 4)
	for range cap(done) {
		reader := ReaderOf(t, dial(t, engine, ironhoard.WithEventRings(1)), 0)
		go func() { done <- readAll(t.Context(), reader, events) }()
	}
	for range events / 100 {
		publishAll(t, caller, 100, 40)
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// readAll reads until event last, each number answered or lost, once.
func readAll(ctx context.Context, reader *ironhoard.Events, last uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 6*patience)
	defer cancel()
	next := uint64(1)
	for event, err := range reader.All(ctx) {
		var lost *ironhoard.OverrunError
		switch {
		case errors.As(err, &lost) && lost.First == next:
			next = lost.Last + 1
		case err != nil:
			return err
		case !isPublished(event, next, 40):
			return fmt.Errorf("%+v where event %d was due", event, next)
		default:
			next++
		}
		if next > last {
			return nil
		}
	}
	return errors.New("the events ended")
}
