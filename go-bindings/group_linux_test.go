package ironhoard

import (
	"context"
	"testing"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
)

// producerAt is a producer of an engine of its own, with small rings.
func producerAt(t *testing.T, ctx context.Context) (*Producer, *enginetest.Engine) {
	t.Helper()
	engine := enginetest.New(enginetest.Echo)
	t.Cleanup(func() { engine.Close() })
	client, err := Dial(ctx, engine.Path(), WithLanes(1), WithCapacity(4096, 4096))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	p, err := client.NewProducer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return p, engine
}

// A claim that finds no room before the ring's end makes the open group visible: an engine that sleeps must
// be rung for it.
func TestAGroupThatAClaimMakesVisibleIsRungFor(t *testing.T) {
	for how, goOn := range map[string]func(*Producer){"aborted": (*Producer).Abort, "open": func(*Producer) {}} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p, _ := producerAt(t, ctx)
		for range 61 {
			if _, err := p.Call(ctx, 1, []byte("one line"), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := p.Claim(8); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Append(1); err != nil {
				t.Fatal(err)
			}
		}
		if _, found, err := p.Poll(); found || err != nil { // gives back what was taken, and has rung for that
			t.Fatal(found, err)
		}
		time.Sleep(100 * time.Millisecond) // the engine falls asleep
		if _, err := p.Claim(100); err != nil {
			t.Fatal(err)
		}
		goOn(p)
		if _, err := p.Wait(ctx); err != nil {
			t.Errorf("with the claim %s: %v", how, err)
		}
	}
}

// At stores headers: on a group whose claim is over it would send what nobody sent.
func TestAGroupWhoseClaimIsOverIsNotWrittenTo(t *testing.T) {
	for how, end := range map[string]func(*Producer, *Group){
		"aborted":   func(p *Producer, _ *Group) { p.Abort() },
		"committed": func(p *Producer, g *Group) { _, _ = p.CommitGroup(g, 1) },
		"replaced":  func(p *Producer, _ *Group) { _, _ = p.ClaimGroup(1, 8, 3) },
		"followed":  func(p *Producer, _ *Group) { _, _ = p.Claim(8); _, _ = p.Commit(1) },
		"closed":    func(p *Producer, _ *Group) { p.Abort(); _ = p.Close() },
	} {
		p, _ := producerAt(t, context.Background())
		group, err := p.ClaimGroup(1, 8, 3)
		if err != nil {
			t.Fatal(err)
		}
		kept := group
		end(p, &group)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a group that was %s was written to", how)
				}
			}()
			kept.At(1)
		}()
	}
}

func TestNothingIsLentBehindTheClientsClose(t *testing.T) {
	ctx := context.Background()
	p, _ := producerAt(t, ctx)
	if _, err := p.Call(ctx, 1, []byte("same size"), nil); err != nil {
		t.Fatal(err)
	}
	p.lane.client.Close()
	for _, size := range []int{200, 9, 9} {
		if _, err := p.Claim(size); err != ErrClosed {
			t.Errorf("a claim of %d bytes: %v", size, err)
		}
	}
}
