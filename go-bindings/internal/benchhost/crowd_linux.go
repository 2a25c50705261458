package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/measure"
)

// crowdPayload is the payload of a crowd's calls.
const crowdPayload = 48

// caller is one goroutine of a crowd: calls, each with other words, each reply compared.
type caller struct {
	host           *host
	request, reply []byte
	number         uint64
}

func (h *host) caller(id int) *caller {
	return &caller{
		host: h, request: make([]byte, crowdPayload), reply: make([]byte, 0, crowdPayload),
		number: uint64(id) << 40,
	}
}

func (c *caller) call() error {
	c.number++
	measure.Fill(c.request, c.number)
	got, err := c.host.client.Call(context.Background(), kindEcho, c.request, c.reply)
	if err != nil {
		return err
	}
	return compare(got, crowdPayload, c.number)
}

// crowd runs each of count goroutines to its end and gives the first error.
func crowd(count int, each func(id int) error) error {
	var wait sync.WaitGroup
	var first atomic.Pointer[error]
	for id := range count {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := each(id); err != nil {
				first.CompareAndSwap(nil, &err)
			}
		}()
	}
	wait.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// closedLoop lets goroutines call as fast as they can: goroutines, milliseconds. Answers with calls and
// ticks.
func (h *host) closedLoop(n []uint64) (measure.Answer, error) {
	count, duration := int(n[0]), time.Duration(n[1])*time.Millisecond
	callers := make([]*caller, count)
	for id := range callers {
		callers[id] = h.caller(id)
	}
	var over atomic.Bool
	var calls atomic.Uint64
	timer := time.AfterFunc(duration, func() { over.Store(true) })
	defer timer.Stop()
	start := h.clock.Ticks()
	err := crowd(count, func(id int) error {
		made := uint64(0)
		defer func() { calls.Add(made) }()
		for ; !over.Load(); made++ {
			if err := callers[id].call(); err != nil {
				return err
			}
		}
		return nil
	})
	return measure.Answer{Numbers: []uint64{calls.Load(), h.clock.Ticks() - start}}, err
}

// bursts releases all goroutines at once, so often that their calls come to the wanted rate: goroutines,
// calls a second, milliseconds. Each call is timed from its own beginning, and from its burst's moment; the
// moments are fixed before, so that a late burst counts as late. Answers with calls and ticks, and with
// timings of both kinds, one behind the other.
func (h *host) bursts(n []uint64) (measure.Answer, error) {
	count, rate, duration := int(n[0]), float64(n[1]), float64(n[2])/1e3
	bursts := max(1, int(rate*duration/float64(count)))
	period := h.rate * float64(count) / rate
	own := make([]uint32, count*bursts)
	intended := make([]uint32, count*bursts)
	release := make([]chan uint64, count)
	for id := range release {
		release[id] = make(chan uint64, bursts)
	}
	start := h.clock.Ticks()
	go func() {
		for burst := range bursts {
			due := start + uint64(float64(burst+1)*period)
			h.sleepUntil(due)
			for _, one := range release {
				one <- due
			}
		}
	}()
	err := crowd(count, func(id int) error {
		caller := h.caller(id)
		for burst := range bursts {
			due := <-release[id]
			began := h.clock.Ticks()
			if err := caller.call(); err != nil {
				return err
			}
			ended := h.clock.Ticks()
			own[burst*count+id] = measure.Short(ended - began)
			intended[burst*count+id] = measure.Short(ended - due)
		}
		return nil
	})
	numbers := []uint64{uint64(count * bursts), h.clock.Ticks() - start}
	return measure.Answer{Numbers: numbers, Timings: append(own, intended...)}, err
}

// sleepUntil sleeps most of the time and yields for the rest of it.
func (h *host) sleepUntil(due uint64) {
	const margin = 200 * time.Microsecond
	for {
		now := h.clock.Ticks()
		if now >= due {
			return
		}
		left := time.Duration(float64(due-now) / h.rate * 1e9)
		if left > margin {
			time.Sleep(left - margin)
			continue
		}
		yield()
	}
}
