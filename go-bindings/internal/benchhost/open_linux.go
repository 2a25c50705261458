package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// garbageObject is the size of one piece of garbage, garbageKept how many pieces are alive at a time: some
// megabytes that the collector has to walk through, as in a service with a cache.
const (
	garbageObject = 1 << 10
	garbageKept   = 1 << 14
)

// open makes calls at a steady rate from one goroutine, timed from the moment at which each was due: calls a
// second, milliseconds, bytes of garbage a second that another goroutine makes meanwhile. Answers with the
// bytes that were made.
func (h *host) open(n []uint64) (measure.Answer, error) {
	rate, duration, garbage := float64(n[0]), time.Duration(n[1])*time.Millisecond, n[2]
	count := uint64(rate * duration.Seconds())
	timings := make([]uint32, 0, count)
	var over atomic.Bool
	made := make(chan uint64, 1)
	go func() { made <- litter(garbage, &over) }()
	caller := h.caller(0)
	start := h.clock.Ticks()
	for i := range count {
		due := start + uint64(float64(i+1)*h.rate/rate)
		for h.clock.Ticks() < due {
			yield()
		}
		if err := caller.call(); err != nil {
			over.Store(true)
			return measure.Answer{}, err
		}
		timings = append(timings, measure.Short(h.clock.Ticks()-due))
	}
	over.Store(true)
	return measure.Answer{Numbers: []uint64{<-made}, Timings: timings}, nil
}

// piece is a piece of garbage with a pointer in it, so that the collector must follow it.
type piece struct {
	next *piece
	_    [garbageObject - 8]byte
}

// litter allocates so many bytes a second until it is over, in slices of a millisecond; says how many.
func litter(rate uint64, over *atomic.Bool) uint64 {
	if rate == 0 {
		return 0
	}
	var kept [garbageKept]*piece
	pieces := uint64(0)
	for start := time.Now(); !over.Load(); {
		due := uint64(time.Since(start).Seconds() * float64(rate) / garbageObject)
		for ; pieces < due && !over.Load(); pieces++ {
			kept[pieces%garbageKept] = &piece{next: kept[(pieces+1)%garbageKept]}
			kept[(pieces+1)%garbageKept] = nil
		}
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(&kept)
	return pieces * garbageObject
}

func yield() { runtime.Gosched() }
