//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// publishEvents is the kind of request at which the engine publishes.
const publishEvents = 10

// eventEngine is an engine with two event rings of 64 KiB.
func eventEngine(t *testing.T) *rust { return newRust(t, "events=2:65536", "wait=park") }

func dial(t *testing.T, e *rust, options ...ironhoard.Option) *ironhoard.Client {
	t.Helper()
	client, err := ironhoard.Dial(t.Context(), e.path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func reading(t *testing.T, client *ironhoard.Client, ring int) *ironhoard.Events {
	t.Helper()
	events, err := client.Events(ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	return events
}

// publish has the engine publish count events of size bytes and says the number of the last.
func publish(t *testing.T, client *ironhoard.Client, count, size uint32) uint64 {
	t.Helper()
	request := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, count), size)
	reply, err := client.Call(context.Background(), publishEvents, request, nil)
	if err != nil || len(reply) != 8 {
		t.Error(reply, err)
		return 0
	}
	return binary.LittleEndian.Uint64(reply)
}

// isRight says whether an event is as the engine writes it.
func isRight(event ironhoard.Event, number uint64, size int) bool {
	for i, b := range event.Payload {
		if b != byte(number+uint64(i)) {
			return false
		}
	}
	return event.Number == number && event.Kind == uint16(number) && event.Size == size &&
		len(event.Payload) == size
}

func TestEventsComeInOrderAndOverrunsAreExact(t *testing.T) {
	client := dial(t, eventEngine(t), ironhoard.WithEventRings(2))
	if terms := client.Terms(); terms.EventRings != 2 || terms.EventCapacity != 65536 || terms.Life == 0 {
		t.Errorf("the terms are %+v", terms)
	}
	events, quiet := reading(t, client, 0), reading(t, client, 1)
	payload := make([]byte, events.PayloadLimit())
	next := uint64(1)
	for _, size := range []uint32{0, 1, 48, 49, 500, 8192} {
		last := publish(t, client, 3, size)
		for ; next <= last; next++ {
			event, ok, err := events.Poll(payload)
			if err != nil || !ok || !isRight(event, next, int(size)) {
				t.Fatalf("%+v, %v, %v instead of event %d of %d bytes", event, ok, err, next, size)
			}
		}
	}
	if event, ok, err := events.Poll(payload); ok || err != nil {
		t.Errorf("behind the last event: %+v, %v, %v", event, ok, err)
	}
	last := publish(t, client, 5000, 48) // the ring holds 1024
	_, _, err := events.Poll(payload)
	var lost *ironhoard.OverrunError
	if !errors.As(err, &lost) || lost.First != next || lost.Last >= last || client.Stats().Lost != lost.Count() {
		t.Fatalf("%v; %d was next and %d the last", err, next, last)
	}
	for next = lost.Last + 1; next <= last; next++ {
		if event, ok, err := events.Poll(payload); err != nil || !ok || !isRight(event, next, 48) {
			t.Fatalf("%+v, %v, %v instead of event %d", event, ok, err, next)
		}
	}
	publish(t, client, 7, 8)
	if skipped, err := events.SkipToEnd(); skipped != 7 || err != nil || events.NextNumber() != last+8 {
		t.Errorf("skipped %d, %v, next %d", skipped, err, events.NextNumber())
	}
	if _, ok, err := quiet.Poll(payload); ok || err != nil {
		t.Errorf("the ring that nobody writes: %v, %v", ok, err)
	}
}

func TestAWaiterForEventsSleepsAndIsWoken(t *testing.T) {
	engine := eventEngine(t)
	caller := dial(t, engine)
	for name, client := range map[string]*ironhoard.Client{
		"host":        dial(t, engine, ironhoard.WithEventRings(1), ironhoard.WithSpin(0)),
		"events only": dial(t, engine, ironhoard.WithEventsOnly()),
	} {
		// Each by another reader of the same line: the engine rings once for each value of its flag, and none
		// may be used twice.
		for round := range 4 {
			events := reading(t, client, 0)
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
				number <- publish(t, caller, 1, 100)
			}()
			if err := events.Wait(ctx); err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			payload := make([]byte, 100)
			event, ok, err := events.Poll(payload)
			if last := <-number; err != nil || !ok || !isRight(event, last, 100) {
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
func TestAnotherEngineIsAnotherLifeOfEvents(t *testing.T) {
	engine := eventEngine(t)
	client := dial(t, engine, ironhoard.WithEventRings(2))
	only := dial(t, engine, ironhoard.WithEventsOnly())
	before := client.Terms().Life
	readers := []*ironhoard.Events{reading(t, client, 0), reading(t, only, 0)}
	publish(t, client, 20, 10)
	engine.Kill()
	engine.Restart()
	publish(t, client, 5, 10)
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

func TestRefusalsAndEndsOfEventReaders(t *testing.T) {
	engine := eventEngine(t)
	var refused *ironhoard.RefusedError
	_, err := ironhoard.Dial(t.Context(), engine.path, ironhoard.WithEventRings(3))
	if !errors.As(err, &refused) || refused.Limit != 2 {
		t.Errorf("three rings of two: %v", err)
	}
	for _, impossible := range [][]ironhoard.Option{
		{ironhoard.WithEventRings(49)}, {ironhoard.WithEventRings(-2)},
		{ironhoard.WithEventsOnly(), ironhoard.WithLanes(1)},
	} {
		if _, err := ironhoard.Dial(t.Context(), engine.path, impossible...); err == nil {
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
	events := reading(t, client, 0)
	var none *ironhoard.NoEventRingError
	if _, err := client.Events(2); !errors.As(err, &none) || none.Rings != 2 {
		t.Errorf("ring 2: %v", err)
	}
	if _, err := client.Events(0); !errors.Is(err, ironhoard.ErrEventRingTaken) {
		t.Errorf("a ring that is taken: %v", err)
	}
	caller := dial(t, engine)
	publish(t, caller, 2, 8)
	engine.Kill()
	count := 0
	for event, err := range events.All(t.Context()) {
		if err == nil && isRight(event, uint64(count)+1, 8) {
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

// Nothing of an event ring is left behind: no descriptor while it is read, no mapping when it is closed, and
// what is mapped is mapped for reading only.
func TestEventRegionsAreReadOnlyAndGoWithTheirReaders(t *testing.T) {
	regions := func() (found []string) {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(maps)) {
			if strings.Contains(line, "ironhoard-event") {
				found = append(found, line)
			}
		}
		return found
	}
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, entry := range entries {
			name, err := os.Readlink("/proc/self/fd/" + entry.Name())
			if err == nil && strings.Contains(name, "ironhoard-event") {
				count++
			}
		}
		return count
	}
	client := dial(t, eventEngine(t), ironhoard.WithEventRings(ironhoard.AllEventRings))
	events := reading(t, client, 1)
	mapped := regions()
	if len(mapped) != 2 || descriptors() != 0 {
		t.Errorf("%d descriptors and %q", descriptors(), mapped)
	}
	for _, line := range mapped {
		if !strings.Contains(line, " r--s ") {
			t.Errorf("mapped otherwise than for reading: %s", line)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(events.Close(), events.Close()); err != nil || len(regions()) != 0 {
		t.Errorf("%v, left are %q", err, regions())
	}
}

func TestPollingEventsAllocatesNothing(t *testing.T) {
	client := dial(t, eventEngine(t), ironhoard.WithEventRings(1))
	events, payload := reading(t, client, 0), make([]byte, 64)
	publish(t, client, 600, 48)
	if allocated := testing.AllocsPerRun(500, func() {
		if _, ok, err := events.Poll(payload); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); allocated != 0 {
		t.Errorf("%v allocations for each event", allocated)
	}
	if allocated := testing.AllocsPerRun(100, func() { _, _, _ = events.Poll(payload) }); allocated != 0 {
		t.Errorf("%v allocations for each poll", allocated)
	}
}
