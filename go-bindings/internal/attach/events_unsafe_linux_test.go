//go:build linux && (amd64 || arm64)

package attach

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

const regionName = "ironhoard-attach-test"

// eventRegion is the descriptor of a region of 8192 bytes with header and seals, open with mode.
func eventRegion(t *testing.T, header region.Header, seals region.Seals, mode int) int {
	t.Helper()
	number := uintptr(319) // memfd_create on amd64
	if runtime.GOARCH == "arm64" {
		number = 279
	}
	name := append([]byte(regionName), 0)
	// SAFETY: the kernel reads the name up to its zero byte, while the call lasts, and keeps nothing of it.
	fd, _, errno := syscall.Syscall(number, uintptr(unsafe.Pointer(&name[0])), 1|2, 0) // CLOEXEC, ALLOW_SEALING
	if errno != 0 {
		t.Fatal(errno)
	}
	defer func() { _ = syscall.Close(int(fd)) }()
	if err := syscall.Fallocate(int(fd), 0, 0, 8192); err != nil {
		t.Fatal(err)
	}
	mapping, err := region.ReadWrite(int(fd), 8192)
	if err != nil {
		t.Fatal(err)
	}
	mapping.WriteHeader(header)
	mapping.Release()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, 1033, uintptr(seals)); errno != 0 { // F_ADD_SEALS
		t.Fatal(errno)
	}
	again, err := syscall.Open(fmt.Sprintf("/proc/self/fd/%d", fd), mode|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(again) })
	return again
}

// eventTerms are those of rings small event rings, for a host that asked for them.
func eventTerms(rings int) *wire.Welcome {
	terms := &wire.Welcome{Epoch: 1, Shards: 2, Life: 77, EventCapacity: 4096, LaneShards: []uint16{0}}
	for range rings {
		terms.EventRings = append(terms.EventRings, wire.EventRing{Bytes: 8192, Pages: wire.PagesSmall4K, Shard: 1})
	}
	return terms
}

func mappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), regionName)
}

// What an engine hands out as an event ring is believed where all is right, and nothing stays mapped else.
func TestOnlySoundEventRegionsAreMapped(t *testing.T) {
	sound := region.Header{Version: layout.Version, Role: layout.RoleEvent, HostID: 77, Epoch: 1}
	for name, c := range map[string]struct {
		change func(*region.Header)
		bytes  uint64
		seals  region.Seals
		mode   int
		says   string
	}{
		"sound":          {},
		"version":        {change: func(h *region.Header) { h.Version = 2 }, says: "header"},
		"role":           {change: func(h *region.Header) { h.Role = layout.RoleReply }, says: "header"},
		"life":           {change: func(h *region.Header) { h.HostID = 78 }, says: "header"},
		"index":          {change: func(h *region.Header) { h.Epoch = 0 }, says: "header"},
		"size":           {bytes: 12288, says: "bytes"},
		"seals":          {seals: region.SizeSealed, says: "seals"},
		"can be written": {mode: syscall.O_RDWR, says: "mode"},
	} {
		header, seals := sound, region.WriteSealed
		if c.change != nil {
			c.change(&header)
		}
		if c.seals != 0 {
			seals = c.seals
		}
		first := sound
		first.Epoch = 0
		engine := &Engine{Terms: eventTerms(2), pidfd: -1}
		if c.bytes != 0 {
			engine.Terms.EventRings[1].Bytes = c.bytes
		}
		err := engine.openEvents([]int{
			eventRegion(t, first, region.WriteSealed, syscall.O_RDONLY), eventRegion(t, header, seals, c.mode),
		})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (len(engine.Events) != 2 || mappings(t) != 2) {
			t.Errorf("%s: %d of 2 event rings are mapped", name, mappings(t))
		}
		engine.Close()
		if left := mappings(t); left != 0 {
			t.Errorf("%s: %d mappings are left", name, left)
		}
	}
}

// Terms of event rings that cannot be, or were not wished for, are refused before anything is mapped.
func TestImpossibleTermsOfEventRings(t *testing.T) {
	for name, c := range map[string]struct {
		wish   uint32
		change func(*wire.Welcome)
		fits   bool
	}{
		"as wished":       {wish: 2, fits: true},
		"all":             {wish: wire.AllEventRings, fits: true},
		"fewer":           {wish: 3},
		"more":            {wish: 1},
		"unwished":        {wish: 0},
		"no life":         {wish: 2, change: func(w *wire.Welcome) { w.Life = 0 }},
		"capacity":        {wish: 2, change: func(w *wire.Welcome) { w.EventCapacity = 4097 }},
		"capacity 0":      {wish: 2, change: func(w *wire.Welcome) { w.EventCapacity = 0 }},
		"vast":            {wish: 2, change: func(w *wire.Welcome) { w.EventCapacity = 1 << 31 }},
		"bytes":           {wish: 2, change: func(w *wire.Welcome) { w.EventRings[1].Bytes = 12288 }},
		"pages":           {wish: 2, change: func(w *wire.Welcome) { w.EventRings[0].Pages = wire.PagesHuge2M }},
		"shard":           {wish: 2, change: func(w *wire.Welcome) { w.EventRings[1].Shard = 2 }},
		"none":            {wish: 2, change: func(w *wire.Welcome) { w.EventRings = nil }},
		"none of all":     {wish: wire.AllEventRings, change: noEvents, fits: true},
		"none, with life": {wish: 0, change: func(w *wire.Welcome) { noEvents(w); w.Life = 1 }},
		"nothing at all":  {wish: wire.AllEventRings, change: func(w *wire.Welcome) { noEvents(w); w.LaneShards = nil }},
	} {
		terms := eventTerms(2)
		if c.change != nil {
			c.change(terms)
		}
		if fits := eventsFit(terms, &wire.Wishes{EventRings: c.wish}); fits != c.fits {
			t.Errorf("%s: fits %v", name, fits)
		}
	}
}

func noEvents(w *wire.Welcome) { w.EventRings, w.Life, w.EventCapacity = nil, 0, 0 }
