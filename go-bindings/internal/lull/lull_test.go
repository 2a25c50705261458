package lull

import "testing"

// after is a lull after these looks, so many times each.
func after(looks ...[2]uint32) *Lull {
	var lull Lull
	for _, look := range looks {
		for range look[1] {
			lull.FoundWith(look[0])
		}
	}
	return &lull
}

func TestItPassesAsNothing(t *testing.T) {
	for _, value := range []uint64{0, 1, 3, 64, 1<<64 - 1} {
		for _, lull := range []*Lull{after(), after([2]uint32{1, 100})} {
			if got := lull.Pass(value); got != 0 {
				t.Errorf("a lull of %d behind %d passed as %d", lull.eighths, value, got)
			}
		}
	}
}

func TestEarlyLooksMakeItLongerAndOthersShorter(t *testing.T) {
	for _, c := range []struct {
		why   string
		looks [][2]uint32
		want  uint32
	}{
		{"nothing learned", nil, 0},
		{"early looks", [][2]uint32{{1, 50}}, 50 * longer},
		{"later ones count the same", [][2]uint32{{3, 50}}, 50 * longer},
		{"as many that found something", [][2]uint32{{1, 50}, {0, 50}}, 50 * (longer - shorter)},
		{"many that found something", [][2]uint32{{1, 50}, {0, 600}}, 0},
		{"it has an end", [][2]uint32{{1, 10_000}}, longest},
		{"long waits teach nothing", [][2]uint32{{fewLooks, 100}}, 0},
		{"a wait that is just not long", [][2]uint32{{fewLooks - 1, 100}}, 100 * longer},
	} {
		if got := after(c.looks...).eighths; got != c.want {
			t.Errorf("%s: %d eighths, not %d", c.why, got, c.want)
		}
	}
}

func TestItSettlesWhereOneLookInThirteenIsEarly(t *testing.T) {
	const arrives, rounds = 100 * step, 10_000
	var lull Lull
	early := 0
	for round := range rounds {
		look := uint32(0)
		if lull.eighths < arrives {
			look = 1
			if round >= rounds/2 {
				early++
			}
		}
		lull.FoundWith(look)
	}
	if early < 350 || early > 420 {
		t.Errorf("%d early looks of %d", early, rounds/2)
	}
	if off := max(lull.eighths, arrives) - min(lull.eighths, arrives); off > longer {
		t.Errorf("it settled at %d, where %d is right", lull.eighths, arrives)
	}
}
