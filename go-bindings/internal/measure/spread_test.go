package measure

import (
	"math"
	"testing"
)

type metrics map[string]float64

func (m metrics) ReportMetric(n float64, unit string) { m[unit] = n }

func TestPercentiles(t *testing.T) {
	s := &Spread{rate: 1e9}
	if s.Quantile(0.5) != 0 {
		t.Error("nothing has a median")
	}
	for i := range 100 {
		s.timings = append(s.timings, uint32(100-i))
	}
	found := metrics{}
	s.Report(found)
	if found["p50-ns"] != 51 || found["p99-ns"] != 100 || s.Quantile(1) != 100 || s.Quantile(0) != 1 {
		t.Error(found)
	}
}

func TestATimingIsTheTimeSinceTheLastOne(t *testing.T) {
	s := NewSpread()
	s.last, s.clock = s.clock.Ticks()-1<<20, Best()
	s.Add()
	s.Add()
	if s.timings[0] < 1<<20 || s.timings[1] >= 1<<20 {
		t.Error(s.timings)
	}
	if allocations := testing.AllocsPerRun(100, s.Add); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if rate := s.clock.Rate() / s.rate; math.Abs(rate-1) > 0.1 {
		t.Errorf("two calibrations differ by %v", rate)
	}
}
