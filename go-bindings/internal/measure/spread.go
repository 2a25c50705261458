package measure

import "slices"

// mostTimings bounds what a Spread keeps: 16 MiB; then it begins anew at its beginning.
const mostTimings = 1 << 22

// Spread is how the timings of a benchmark are spread: percentiles beside go test's mean. One goroutine.
type Spread struct {
	clock   Clock
	rate    float64
	timings []uint32
	next    int
	last    uint64
}

// Metrics takes a figure and its unit; *testing.B is one.
type Metrics interface{ ReportMetric(n float64, unit string) }

// NewSpread begins with the first timing, and has room from the start so that adding allocates nothing.
func NewSpread() *Spread {
	clock := Best()
	s := &Spread{clock: clock, rate: clock.Rate(), timings: make([]uint32, 0, mostTimings)}
	s.last = clock.Ticks()
	return s
}

// Again begins the next timing now: what lies before it is not counted.
func (s *Spread) Again() { s.last = s.clock.Ticks() }

// Add ends a timing and begins the next.
func (s *Spread) Add() {
	now := s.clock.Ticks()
	if len(s.timings) < mostTimings {
		s.timings = append(s.timings, Short(now-s.last))
	} else {
		s.timings[s.next%mostTimings] = Short(now - s.last)
	}
	s.next++
	s.last = now
}

// Quantile gives a quantile of what was added, in nanoseconds; 0 where nothing was. It sorts the timings.
func (s *Spread) Quantile(q float64) float64 {
	if len(s.timings) == 0 {
		return 0
	}
	slices.Sort(s.timings)
	at := min(int(q*float64(len(s.timings))), len(s.timings)-1)
	return float64(s.timings[at]) * 1e9 / s.rate
}

// Report reports p50 and p99.
func (s *Spread) Report(b Metrics) {
	b.ReportMetric(s.Quantile(0.50), "p50-ns")
	b.ReportMetric(s.Quantile(0.99), "p99-ns")
}
