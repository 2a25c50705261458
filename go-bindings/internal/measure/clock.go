package measure

import (
	"fmt"
	"time"
)

// Clock is the one that the other side reads too: the processor's counter where it trusts that.
type Clock struct{ counter bool }

// ClockOf finds the clock of this name: tsc or monotonic.
func ClockOf(name string) (Clock, error) {
	switch {
	case name == "tsc" && hasCounter:
		return Clock{counter: true}, nil
	case name == "monotonic":
		return Clock{}, nil
	}
	return Clock{}, fmt.Errorf("there is no clock %q here", name)
}

// Best is the clock that costs least: the processor's counter where there is one.
func Best() Clock { return Clock{counter: hasCounter} }

// Ticks now; only differences mean something. A tick of the monotonic clock is a nanosecond.
func (c Clock) Ticks() uint64 {
	if c.counter {
		return counter()
	}
	return uint64(time.Since(start))
}

var start = time.Now()

// Rate is the number of ticks in a second, found by waiting for 20 ms.
func (c Clock) Rate() float64 {
	if !c.counter {
		return 1e9
	}
	const calibration = 20 * time.Millisecond
	began, first := time.Now(), c.Ticks()
	for time.Since(began) < calibration {
	}
	last, elapsed := c.Ticks(), time.Since(began)
	return float64(last-first) / elapsed.Seconds()
}

// Short keeps a duration in 32 bits; longer ones count as the longest.
func Short(ticks uint64) uint32 { return uint32(min(ticks, 1<<32-1)) }
