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
		select {
		case err := <-made:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the call sleeps on")
		}
	}
}
