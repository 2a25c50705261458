//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

// What can only be seen where the engine is another process: whose mappings, descriptors and allocations they
// are. The rest of events is conformance's.

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

// publish has the engine publish count events of size bytes.
func publish(t *testing.T, client *ironhoard.Client, count, size uint32) {
	t.Helper()
	request := conformance.Publishing(count, size)
	if _, err := client.Call(context.Background(), conformance.KindPublish, request, nil); err != nil {
		t.Fatal(err)
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
	events := conformance.ReaderOf(t, client, 1)
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
	events, payload := conformance.ReaderOf(t, client, 0), make([]byte, 64)
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
