package ironhoard

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// Who leaves the shared lane looks at the queue, for whoever sleeps there relies on it.
func TestACallThatSleptWhileTheLaneWasTakenIsMade(t *testing.T) {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := Dial(context.Background(), engine.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &client.shared
	for range 20 {
		s.lockNow()
		made := make(chan error)
		go func() {
			_, err := client.Call(context.Background(), 1, []byte("asleep"), nil)
			made <- err
		}()
		for w := s.queue.Load(); w == nil || w.parked.Load() == 0; w = s.queue.Load() {
			runtime.Gosched()
		}
		time.Sleep(time.Millisecond) // until it has found the lane taken once more
		s.leave()
		mustBeMade(t, made)
	}
}

// Who is to lead may give its call up between the choice and the free lock, when it finds the lock taken and
// rouses nobody. Whoever else waits must be served all the same.
func TestALeaderMayGiveUpWhileItIsChosen(t *testing.T) {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := Dial(context.Background(), engine.Path(), WithSpin(0))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &client.shared
	call := func(ctx context.Context) chan error {
		made := make(chan error, 1)
		go func() {
			_, err := client.Call(ctx, 1, []byte("asleep"), nil)
			made <- err
		}()
		time.Sleep(20 * time.Millisecond) // it is committed, and asleep
		return made
	}
	engine.Freeze()
	ctx, giveUp := context.WithCancel(context.Background())
	one, two := call(ctx), call(context.Background())
	s.lockNow()
	leader, queued := s.successors()
	giveUp()
	if err := <-one; err == nil {
		t.Fatal("the call was not given up")
	}
	if !s.handOn(leader, queued) {
		s.leave()
	}
	engine.Thaw()
	mustBeMade(t, two)
}

// mustBeMade waits for a call that nobody may forget.
func mustBeMade(t *testing.T, made <-chan error) {
	t.Helper()
	select {
	case err := <-made:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the call sleeps on")
	}
}
