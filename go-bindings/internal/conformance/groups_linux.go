//go:build linux && (amd64 || arm64)

package conformance

import (
	"errors"
	"math"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

func groupTest(t *testing.T, start Start) {
	engine := start(t)
	p := producer(t, dial(t, engine, ironhoard.WithLanes(1)))
	number := uint64(0)
	for round := range 200 {
		for i := range 16 {
			claim(t, p, []byte{byte(round), byte(i)})
			number++
			if got, err := p.Append(KindEcho); err != nil || got != number {
				t.Fatalf("append: %d, %v", got, err)
			}
		}
		if round%2 == 0 {
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
		} else {
			claim(t, p, []byte("last"))
			number++
			if _, err := p.Commit(KindEcho); err != nil {
				t.Fatal(err)
			}
		}
		due, last := number-uint64(15+round%2), number
		for reply, err := range p.Replies(always) {
			if err != nil || reply.Number != due {
				t.Fatalf("reply %d was due: %+v, %v", due, reply, err)
			}
			due++
		}
		if due != last+1 {
			t.Fatalf("replies ended before %d", due)
		}
	}
	claim(t, p, nil)
	if _, err := p.Append(KindEcho); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	if reply, found, err := p.Poll(); found || err != nil {
		t.Errorf("an appended request is answered before it is flushed: %+v, %v", reply, err)
	}
	wait(t, p, number+1, nil) // waiting flushes
}

// groupClaimTest does to a claim behind two equal requests of a group what can be done to one.
func groupClaimTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	p := producer(t, client)
	number := uint64(0)
	claimed := func() []byte {
		t.Helper()
		for range 2 {
			claim(t, p, []byte("same"))
			if got, err := p.Append(KindEcho); err != nil || got != number+1 {
				t.Fatalf("append: %d, %v", got, err)
			}
			number++
		}
		room, err := p.Claim(4)
		if err != nil {
			t.Fatal(err)
		}
		copy(room, "last")
		return room
	}
	due := func(last string) {
		t.Helper()
		wait(t, p, number-1, []byte("same"))
		wait(t, p, number, []byte(last))
	}
	finish := map[string]func(uint16) (uint64, error){"commit": p.Commit, "append": p.Append}
	for name, done := range finish {
		claimed()
		if got, err := done(KindEcho); err != nil || got != number+1 {
			t.Fatalf("%s: %d, %v", name, got, err)
		}
		for again, done := range finish {
			if _, err := done(KindEcho); err != ironhoard.ErrNoClaim {
				t.Errorf("%s behind %s: %v", again, name, err)
			}
		}
		wait(t, p, number-1, []byte("same"))
		number++
		due("last")
	}
	for name, done := range finish {
		claimed()
		due("same") // which makes the group visible
		if got, err := done(KindEcho); err != nil || got != number+1 {
			t.Fatalf("%s of a claim older than a wait: %d, %v", name, got, err)
		}
		number++
		wait(t, p, number, []byte("last"))
	}
	for name, done := range finish {
		claimed()
		p.Abort()
		if _, err := done(KindEcho); err != ironhoard.ErrNoClaim {
			t.Errorf("%s behind an abort: %v", name, err)
		}
		due("same")
	}
	claimed()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if free := client.Stats().LanesFree; free != 0 {
		t.Errorf("%d lanes are free while a claim of a closed producer is open", free)
	}
	if _, err := p.Append(KindEcho); err != ironhoard.ErrClosed {
		t.Errorf("appending behind Close: %v", err)
	}
	if free := client.Stats().LanesFree; free != 1 {
		t.Errorf("%d lanes are free behind that", free)
	}
}

// groupClosedTest closes the client under a claim amid a group.
func groupClosedTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	p := producer(t, client)
	for range 2 {
		claim(t, p, []byte("same"))
		if _, err := p.Append(KindEcho); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, p, []byte("last"))
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(KindEcho); err != ironhoard.ErrClosed {
		t.Errorf("committing when the client is closed: %v", err)
	}
	if _, err := p.Append(KindEcho); err == nil {
		t.Error("that claim was appended afterwards")
	}
	for range 65 { // as late as it may learn of it
		if _, err := p.Claim(4); err == nil {
			_, _ = p.Append(KindEcho)
		}
	}
	if _, err := p.Claim(4); err != ironhoard.ErrClosed {
		t.Errorf("claiming when the client is closed: %v", err)
	}
}

// nonsenseClaimTest asks for sizes that no record has: where nothing is claimed, behind a group, and closed.
func nonsenseClaimTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	p := producer(t, client)
	refused := func() {
		t.Helper()
		for _, size := range []int{-1, math.MinInt + 1, math.MaxInt, 1 << 33} {
			var large *ironhoard.TooLargeError
			if room, err := p.Claim(size); !errors.As(err, &large) {
				t.Fatalf("a claim of %d bytes: %d, %v", size, len(room), err)
			}
			if _, err := p.Append(KindEcho); !errors.Is(err, ironhoard.ErrNoClaim) {
				t.Fatalf("append of a claim that was refused: %v", err)
			}
		}
	}
	refused()
	for number := uint64(1); number <= 4; number++ {
		claim(t, p, []byte("alone"))
		if _, err := p.Commit(KindEcho); err != nil {
			t.Fatal(err)
		}
		refused() // the request is under way, and stays what it is
		wait(t, p, number, []byte("alone"))
	}
	for range 3 {
		claim(t, p, []byte("same"))
		if _, err := p.Append(KindEcho); err != nil {
			t.Fatal(err)
		}
	}
	refused()
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	refused()
	for number := uint64(5); number <= 7; number++ {
		wait(t, p, number, []byte("same"))
	}
	p.Close()
	if room, err := p.Claim(-1); !errors.Is(err, ironhoard.ErrClosed) {
		t.Fatalf("a claim of nonsense behind the end: %d, %v", len(room), err)
	}
}
