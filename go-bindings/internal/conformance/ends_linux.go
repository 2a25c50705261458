//go:build linux && (amd64 || arm64)

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// endTests are about engines that die and clients that close.
var endTests = map[string]func(*testing.T, Start){
	"calls under way survive the engine":           func(t *testing.T, start Start) { survive(t, start, Engine.Kill) },
	"calls under way survive a halt":               func(t *testing.T, start Start) { survive(t, start, Engine.Halt) },
	"calls sleep through a restart":                sleepThroughTest,
	"a producer's requests survive the engine":     producerSurvivesTest,
	"a poisoned request ends and the rest goes on": poisonedTest,
	"a stateful engine's death is said":            statefulTest,
	"patience ends":                                patienceTest,
	"close under fire":                             closeUnderFireTest,
	"close while the engine is gone":               closeWithoutEngineTest,
	"after close":                                  afterCloseTest,
}

// survive lets an engine end and come again under 50 goroutines that call: each call gets its reply.
func survive(t *testing.T, start Start, end func(Engine)) {
	engine := start(t)
	var resumed atomic.Uint64
	client := dial(t, engine, ironhoard.WithHooks(ironhoard.Hooks{
		Resumed: func(epoch uint64) { resumed.Store(epoch) },
	}))
	stop := make(chan struct{})
	var all sync.WaitGroup
	for g := range 50 {
		all.Add(1)
		go func() {
			defer all.Done()
			var dst []byte
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				var err error
				if dst, err = oneCall(client, text(fmt.Sprintf("%d/%d ", g, i), i%100), dst, i%5 == 0); err != nil {
					t.Errorf("goroutine %d, call %d: %v", g, i, err)
					return
				}
			}
		}()
	}
	for life := range uint64(8) {
		time.Sleep(10 * time.Millisecond)
		end(engine)
		time.Sleep(5 * time.Millisecond)
		engine.Restart()
		eventually(t, "nobody resumed", func() bool { return resumed.Load() == life+2 })
	}
	close(stop)
	all.Wait()
	if stats := client.Stats(); stats.Resumes != 8 || stats.Epoch != 9 {
		t.Errorf("8 engines came after the first: %+v", stats)
	}
}

func sleepThroughTest(t *testing.T, start Start) {
	engine := start(t)
	client := dial(t, engine)
	engine.Freeze()
	answers := make(chan error, 20)
	for i := range cap(answers) {
		go func() {
			_, err := oneCall(client, text(fmt.Sprint("sleeper ", i), 60), nil, i%2 == 0)
			answers <- err
		}()
	}
	eventually(t, "nobody sleeps", func() bool { return client.Stats().Parks > 0 })
	engine.Kill()
	time.Sleep(20 * time.Millisecond)
	engine.Restart()
	for range cap(answers) {
		select {
		case err := <-answers:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("somebody sleeps for ever")
		}
	}
}

func producerSurvivesTest(t *testing.T, start Start) {
	engine := start(t)
	p := producer(t, dial(t, engine, ironhoard.WithCapacity(1<<14, 1<<14), ironhoard.WithLanes(1)))
	number := uint64(0)
	for life := range 10 {
		for i := range 5 + life*3 {
			if i == 5+life {
				engine.Freeze() // some are answered by this engine, some by the next
			}
			claim(t, p, text(fmt.Sprint("life ", life, " "), i*10))
			number++
			if got, err := p.Commit(KindEcho); err != nil || got != number {
				t.Fatalf("commit %d: %d, %v", number, got, err)
			}
		}
		engine.Kill()
		engine.Restart()
		first := number - uint64(5+life*3) + 1
		for i := range 5 + life*3 {
			wait(t, p, first+uint64(i), text(fmt.Sprint("life ", life, " "), i*10))
		}
	}
}

func poisonedTest(t *testing.T, start Start) {
	engine := start(t)
	client := dial(t, engine, ironhoard.WithLanes(1))
	p := producer(t, client)
	poisoned := make(chan error, 1)
	go func() {
		_, err := p.Call(always, KindDie, nil, nil)
		poisoned <- err
	}()
	for life := uint64(1); life < 3; life++ {
		eventually(t, "the engine does not die", func() bool { return !alive(engine) })
		engine.Restart()
		eventually(t, "nobody resumed", func() bool { return client.Stats().Resumes == life })
	}
	var remote *ironhoard.RemoteError
	if err := <-poisoned; !errors.As(err, &remote) || remote.Code != ironhoard.StatusPoison {
		t.Errorf("a request that killed two engines: %v", err)
	}
	hammer(t, client, 5, 100)
}

// alive says whether somebody answers at the engine's path.
func alive(engine Engine) bool {
	ctx, cancel := context.WithTimeout(always, patience)
	defer cancel()
	client, err := ironhoard.Dial(ctx, engine.Path(), ironhoard.WithPages(ironhoard.PagesSmall))
	if err != nil {
		return false
	}
	client.Close()
	return true
}

func statefulTest(t *testing.T, start Start) {
	engine := start(t, "state=yes")
	var told atomic.Bool
	client := dial(t, engine, ironhoard.WithHooks(ironhoard.Hooks{Gone: func(error) { told.Store(true) }}))
	engine.Freeze()
	under := make(chan error, 3)
	for range cap(under) {
		go func() {
			_, err := client.Call(always, KindEcho, []byte("perhaps"), nil)
			under <- err
		}()
	}
	eventually(t, "nothing was sent", func() bool { return client.Stats().Calls == 3 })
	engine.Kill()
	engine.Restart()
	for range cap(under) {
		err := <-under
		var uncertain *ironhoard.UncertainError
		var refused *ironhoard.RefusedError
		if !errors.As(err, &uncertain) || !errors.Is(err, ironhoard.ErrEngineGone) || !errors.As(err, &refused) {
			t.Errorf("a call at an engine whose state died: %v", err)
		}
	}
	_, err := client.Call(always, KindEcho, nil, nil)
	var uncertain *ironhoard.UncertainError
	if !errors.Is(err, ironhoard.ErrEngineGone) || errors.As(err, &uncertain) {
		t.Errorf("a call behind its death: %v", err)
	}
	if !told.Load() {
		t.Error("the hook was not called")
	}
	dial(t, engine).Close() // a new client is welcome
}

func patienceTest(t *testing.T, start Start) {
	for _, limit := range []time.Duration{0, 50 * time.Millisecond} {
		engine := start(t)
		client := dial(t, engine, ironhoard.WithPatience(limit))
		if _, err := client.Call(always, KindEcho, nil, nil); err != nil {
			t.Fatal(err)
		}
		engine.Kill()
		begun := time.Now()
		eventually(t, "the client waits for ever", func() bool {
			ctx, cancel := context.WithTimeout(always, time.Second)
			defer cancel()
			_, err := client.Call(ctx, KindEcho, nil, nil)
			return errors.Is(err, ironhoard.ErrEngineGone)
		})
		if took := time.Since(begun); took > limit+2*time.Second {
			t.Errorf("patience of %v lasted %v", limit, took)
		}
		client.Close()
	}
}

// closeUnderFireTest closes a client under 1000 goroutines. Each call ends, in one of the ways that are
// documented, and nothing faults.
func closeUnderFireTest(t *testing.T, start Start) {
	engine := start(t)
	for round := range 5 {
		client := dial(t, engine, ironhoard.WithLanes(8))
		var all, producing sync.WaitGroup
		var calls atomic.Uint64
		for g := range 1000 {
			all.Add(1)
			go func() {
				defer all.Done()
				fire(t, client, g, &calls)
			}()
		}
		for range 8 {
			producing.Add(1)
			go func() {
				defer producing.Done()
				fireProducer(t, client, &calls)
			}()
		}
		eventually(t, "nobody calls", func() bool { return calls.Load() > uint64(round)*500 })
		client.Close()
		all.Wait()
		producing.Wait()
	}
}

// fire calls until the client is closed.
func fire(t *testing.T, client *ironhoard.Client, g int, calls *atomic.Uint64) {
	var dst []byte
	for i := 0; ; i++ {
		var err error
		dst, err = oneCall(client, text(fmt.Sprintf("%d/%d ", g, i), i%100), dst, (i+g)%4 == 0)
		calls.Add(1)
		if err != nil {
			if !errors.Is(err, ironhoard.ErrClosed) {
				t.Errorf("goroutine %d, call %d: %v", g, i, err)
			}
			return
		}
	}
}

func fireProducer(t *testing.T, client *ironhoard.Client, calls *atomic.Uint64) {
	p, err := client.NewProducer(always)
	if err != nil {
		if !errors.Is(err, ironhoard.ErrClosed) {
			t.Error(err)
		}
		return
	}
	defer p.Close()
	for i := 0; ; i++ {
		got, err := p.Call(always, KindEcho, []byte{byte(i)}, nil)
		calls.Add(1)
		if errors.Is(err, ironhoard.ErrClosed) {
			return
		}
		if err != nil || len(got) != 1 || got[0] != byte(i) {
			t.Errorf("lane %d, call %d: %v, %v", p.Lane(), i, got, err)
			return
		}
	}
}

func closeWithoutEngineTest(t *testing.T, start Start) {
	engine := start(t)
	client := dial(t, engine)
	engine.Kill()
	under := make(chan error, 3)
	for range cap(under) {
		go func() {
			_, err := client.Call(always, KindEcho, nil, nil)
			under <- err
		}()
	}
	time.Sleep(20 * time.Millisecond)
	begun := time.Now()
	client.Close()
	for range cap(under) {
		if err := <-under; !errors.Is(err, ironhoard.ErrClosed) {
			t.Errorf("a call that nobody could answer: %v", err)
		}
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func afterCloseTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	client.Close()
	nothing := func([]byte) error { return nil }
	_, call := client.Call(always, KindEcho, nil, nil)
	_, newProducer := client.NewProducer(always)
	for name, err := range map[string]error{
		"Call": call, "NewProducer": newProducer,
		"CallFunc": client.CallFunc(always, KindEcho, 1, nothing, nothing),
	} {
		var uncertain *ironhoard.UncertainError
		if !errors.Is(err, ironhoard.ErrClosed) || errors.As(err, &uncertain) {
			t.Errorf("%s of a closed client: %v", name, err)
		}
	}
	if err := errors.Join(client.Close(), client.Drain(always)); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	_, _ = client.Stats(), client.Terms()
}
