//go:build linux && (amd64 || arm64)

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// Calls that do not come to their end: given up, not begun, nested, drained.

// slow is the payload of a KindSlow of that time.
func slow(duration time.Duration) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(duration.Microseconds()))
}

func cancelTest(t *testing.T, start Start) {
	client := dial(t, start(t))
	for i := range 10 {
		ctx, cancel := context.WithTimeout(always, 5*time.Millisecond)
		begun := time.Now()
		_, err := client.Call(ctx, KindSlow, slow(100*time.Millisecond), nil)
		cancel()
		var uncertain *ironhoard.UncertainError
		if !errors.As(err, &uncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a call that is given up: %v", err)
		}
		if i == 0 && time.Since(begun) > 80*time.Millisecond {
			t.Errorf("it was given up after %v", time.Since(begun))
		}
		if !strings.Contains(err.Error(), "may have been executed") {
			t.Errorf("its error does not say that it may have been executed: %v", err)
		}
	}
	if got, err := client.Call(always, KindEcho, []byte("mine"), nil); err != nil || string(got) != "mine" {
		t.Errorf("the call behind them: %q, %v", got, err)
	}
	if stats := client.Stats(); stats.Abandoned != 10 || stats.Late != 10 {
		t.Errorf("10 calls were given up: %+v", stats)
	}
}

func overBeforeTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	ctx, cancel := context.WithCancel(always)
	cancel()
	nothing := func([]byte) error { return nil }
	_, call := client.Call(ctx, KindEcho, nil, nil)
	callFunc := client.CallFunc(ctx, KindEcho, 0, nothing, nothing)
	_, newProducer := client.NewProducer(ctx)
	_, dialled := ironhoard.Dial(ctx, "/nobody")
	for name, err := range map[string]error{
		"Call": call, "CallFunc": callFunc, "NewProducer": newProducer, "Dial": dialled,
	} {
		var uncertain *ironhoard.UncertainError
		if !errors.Is(err, context.Canceled) || errors.As(err, &uncertain) {
			t.Errorf("%s with a context that is over: %v", name, err)
		}
	}
	if stats := client.Stats(); stats.Calls != 0 {
		t.Errorf("nothing was to be sent: %+v", stats)
	}
}

func nestedTest(t *testing.T, start Start) {
	client := dial(t, start(t))
	nested := func([]byte) error {
		_, call := client.Call(always, KindEcho, nil, nil)
		nothing := func([]byte) error { return nil }
		callFunc := client.CallFunc(always, KindEcho, 0, nothing, nothing)
		for name, err := range map[string]error{
			"Call": call, "CallFunc": callFunc, "Drain": client.Drain(always), "Close": client.Close(),
		} {
			if !errors.Is(err, ironhoard.ErrNested) {
				t.Errorf("%s from a callback: %v", name, err)
			}
		}
		return nil
	}
	nothing := func([]byte) error { return nil }
	if err := client.CallFunc(always, KindEcho, 8, nested, nothing); err != nil {
		t.Error(err)
	}
	if err := client.CallFunc(always, KindEcho, 8, nothing, nested); err != nil {
		t.Error(err)
	}
	done := make(chan struct{})
	go func() { // another goroutine is no nested call, also while a callback runs
		defer close(done)
		hammer(t, client, 3, 1000)
	}()
	for range 500 {
		if err := client.CallFunc(always, KindEcho, 8, nested, nested); err != nil {
			t.Error(err)
		}
	}
	<-done
}

func callbackErrorTest(t *testing.T, start Start) {
	client := dial(t, start(t))
	no := errors.New("no")
	yes := func([]byte) error { return nil }
	refuse := func([]byte) error { return no }
	if err := client.CallFunc(always, KindEcho, 100, refuse, yes); err != no {
		t.Errorf("fill's error comes back as it is: %v", err)
	}
	if stats := client.Stats(); stats.Calls != 0 {
		t.Errorf("nothing was to be sent: %+v", stats)
	}
	if err := client.CallFunc(always, KindEcho, 100, yes, refuse); err != no {
		t.Errorf("read's error comes back as it is: %v", err)
	}
	for _, panics := range [][2]func([]byte) error{
		{func([]byte) error { panic("fill") }, yes}, {yes, func([]byte) error { panic("read") }},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a callback's panic is its caller's")
				}
			}()
			_ = client.CallFunc(always, KindEcho, 100, panics[0], panics[1])
		}()
		hammer(t, client, 2, 100)
	}
}

// quarrelTest lets every other callback fail under callers that queue behind it: nobody is forgotten.
func quarrelTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithSpin(0))
	no := errors.New("no")
	var all sync.WaitGroup
	for g := range 30 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range 300 {
				fill := func([]byte) error {
					runtime.Gosched() // others find the lane taken, and sleep
					if (g+i)%2 == 0 {
						return no
					}
					return nil
				}
				err := client.CallFunc(always, KindEcho, i, fill, func([]byte) error { return nil })
				if err != nil && err != no || (err == no) != ((g+i)%2 == 0) {
					t.Errorf("call %d: %v", i, err)
				}
				if _, err := oneCall(client, []byte{byte(g), byte(i)}, nil, false); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
		}()
	}
	within(t, "somebody waits for ever", all.Wait)
}

func drainTest(t *testing.T, start Start) {
	client := dial(t, start(t))
	under := make(chan error, 5)
	for range cap(under) {
		go func() {
			_, err := client.Call(always, KindSlow, slow(20*time.Millisecond), nil)
			under <- err
		}()
	}
	eventually(t, "nothing was sent", func() bool { return client.Stats().Calls == 5 })
	short, cancel := context.WithTimeout(always, time.Millisecond)
	defer cancel()
	if err := client.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("draining with too little time: %v", err)
	}
	if err := client.Drain(always); err != nil {
		t.Error(err)
	}
	for range cap(under) {
		if err := <-under; err != nil {
			t.Errorf("a call that was under way: %v", err)
		}
	}
	if _, err := client.Call(always, KindEcho, nil, nil); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a call behind Drain: %v", err)
	}
}

// lateTest gives calls up while their replies are on the way, and watches the memory they would have gone
// to.
func lateTest(t *testing.T, start Start) {
	engine := start(t)
	client := dial(t, engine)
	var given [][]byte
	for i := range 50 {
		engine.Freeze()
		dst := bytes.Repeat([]byte{0xee}, 64)
		ctx, cancel := context.WithTimeout(always, time.Millisecond)
		_, err := client.Call(ctx, KindPattern, binary.LittleEndian.AppendUint32(nil, 48), dst[:0])
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("call %d at a frozen engine: %v", i, err)
		}
		given = append(given, dst)
		engine.Thaw()
		got, err := client.Call(always, KindEcho, []byte{byte(i)}, nil)
		if err != nil || len(got) != 1 || got[0] != byte(i) {
			t.Fatalf("the call behind it: %v, %v", got, err)
		}
	}
	for i, dst := range given {
		if !bytes.Equal(dst, bytes.Repeat([]byte{0xee}, 64)) {
			t.Errorf("call %d was given up, and its memory was written: %x", i, dst)
		}
	}
	if stats := client.Stats(); stats.Late != 50 || stats.Abandoned != 50 {
		t.Errorf("50 replies came late: %+v", stats)
	}
}
