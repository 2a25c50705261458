package ironhoard

import "fmt"

// OverrunError says that an [Events] was too slow: exactly the events First to Last are lost to it. It goes
// on behind them.
type OverrunError struct {
	Ring        int
	First, Last uint64
}

func (e *OverrunError) Error() string {
	return fmt.Sprintf("ironhoard: too slow for event ring %d: events %d to %d are lost; reading goes on behind them",
		e.Ring, e.First, e.Last)
}

// Count is how many events are lost.
func (e *OverrunError) Count() uint64 { return e.Last - e.First + 1 }

// NewLifeError says that another engine took over, and that all events of the last one have been taken:
// numbers begin anew. What the new engine has published so far comes next, as far as it is retained.
type NewLifeError struct {
	Ring int
	Life uint64 // the name of the engine's life, never 0
}

func (e *NewLifeError) Error() string {
	return fmt.Sprintf("ironhoard: another engine publishes event ring %d (life %#x): numbers begin anew",
		e.Ring, e.Life)
}

// NoEventRingError says that this client has no such event ring.
type NoEventRingError struct {
	Ring  int // that was asked for, from 0
	Rings int // that there are
}

func (e *NoEventRingError) Error() string {
	return fmt.Sprintf("ironhoard: there is no event ring %d, of %d: ask for more with WithEventRings, or look at "+
		"the engine's options", e.Ring, e.Rings)
}
