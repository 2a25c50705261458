package ironhoard

import (
	"context"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
)

// The engine visits lanes that are in use in each of its rounds, others seldom. The shared lane is in use
// from Dial on: with its word at 0 every three-hundredth lone call was seen to take a hundred microseconds.
func TestLanesAreInUseWhileSomebodyMaySend(t *testing.T) {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := Dial(context.Background(), engine.Path(), WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	expect := func(when string, shared, own uint64) {
		t.Helper()
		for lane, want := range []uint64{shared, own} {
			word := client.request.Mapping.Word(layout.LaneControlOffset(uint32(lane)) + layout.LaneInUse)
			if found := word.Load(); found != want {
				t.Errorf("%s: the in-use word of lane %d is %d, not %d", when, lane, found, want)
			}
		}
	}
	expect("behind Dial", 1, 0)
	producer, err := client.NewProducer(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	expect("with a producer", 1, 1)
	if err := producer.Close(); err != nil {
		t.Fatal(err)
	}
	expect("behind its Close", 1, 0)
}
