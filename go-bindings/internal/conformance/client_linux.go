//go:build linux && (amd64 || arm64)

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// RunClient holds the Go host, at an engine that start starts, to what its documentation says.
func RunClient(t *testing.T, start Start) {
	for name, test := range merged(callTests, producerTests, endTests, gateTests, pageTests, readerTests) {
		t.Run(name, func(t *testing.T) {
			CheckLeaks(t)
			test(t, start)
		})
	}
}

// callTests are about calls of a client that stays and an engine that lives.
var callTests = map[string]func(*testing.T, Start){
	"calls carry every size round the ring":        callSizesTest,
	"CallFunc carries every size round the ring":   callFuncTest,
	"statuses are remote errors":                   remoteTest,
	"a payload too large says the limit":           tooLargeTest,
	"a thousand goroutines get their own replies":  manyTest,
	"the same on one processor":                    oneProcessorTest,
	"rings meet callers who are falling asleep":    fallingAsleepTest,
	"a parked engine and a host that never spins":  sleepersTest,
	"a call that is given up":                      cancelTest,
	"a context that is over before":                overBeforeTest,
	"a call inside a callback is an error":         nestedTest,
	"errors and panics of callbacks send nothing":  callbackErrorTest,
	"callbacks that fail among others":             quarrelTest,
	"payloads of megabytes":                        megabytesTest,
	"small pages":                                  smallPagesTest,
	"two clients do not disturb each other":        twoClientsTest,
	"draining ends calls under way and no later":   drainTest,
	"late replies are counted and given to nobody": lateTest,
}

var always = context.Background()

// dial attaches for the time of a test. Where the test does not say otherwise with small pages: the pool of
// large ones belongs to whoever holds its lock.
func dial(t *testing.T, engine Engine, options ...ironhoard.Option) *ironhoard.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(always, patience)
	defer cancel()
	small := ironhoard.WithPages(ironhoard.PagesSmall)
	client, err := ironhoard.Dial(ctx, engine.Path(), append([]ironhoard.Option{small}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// CheckLeaks demands that the test leaves no goroutine, descriptor or mapping of a region behind. What
// the test starts is ended by cleanups that run before this one.
func CheckLeaks(t *testing.T) {
	if one, other, err := os.Pipe(); err == nil { // the runtime's poller has descriptors of its own from now on
		one.Close()
		other.Close()
	}
	before := resources()
	t.Cleanup(func() {
		for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			after := resources()
			if after.goroutines <= before.goroutines && after.descriptors <= before.descriptors &&
				after.mappings <= before.mappings {
				return
			}
			if time.Now().After(until) {
				stacks := make([]byte, 1<<16)
				stacks = stacks[:runtime.Stack(stacks, true)]
				t.Errorf("before %+v, after %+v\n%s", before, after, stacks)
				return
			}
		}
	})
}

// held is what a process holds.
type held struct{ goroutines, descriptors, mappings int }

func resources() held {
	entries, _ := os.ReadDir("/proc/self/fd")
	maps, _ := os.ReadFile("/proc/self/maps")
	return held{runtime.NumGoroutine(), len(entries), strings.Count(string(maps), "memfd:ironhoard")}
}

// eventually demands that ok becomes true soon.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(until) {
			t.Fatal(what)
		}
	}
}

// within demands that f returns at all.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(6 * patience): // the race detector on a busy machine takes its time
		stacks := make([]byte, 1<<16)
		t.Fatalf("%s\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// text is a payload of size bytes that no other request has.
func text(name string, size int) []byte {
	return bytes.Repeat([]byte(name), size/len(name)+1)[:size]
}

func callSizesTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithCapacity(4096, 4096))
	var dst []byte
	for i := range 3000 {
		req := text(fmt.Sprint("request ", i, " "), i*7%513)
		got, err := client.Call(always, KindEcho, req, dst[:0])
		if err != nil || !bytes.Equal(got, req) {
			t.Fatalf("request %d of %d bytes: %d bytes, %v", i, len(req), len(got), err)
		}
		dst = got
	}
	if got, err := client.Call(always, KindEcho, []byte("end"), []byte("from the beginning to the ")); err != nil ||
		string(got) != "from the beginning to the end" {
		t.Errorf("the reply is appended: %q, %v", got, err)
	}
}

func callFuncTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithCapacity(4096, 4096))
	for i := range 3000 {
		req := text(fmt.Sprint("request ", i, " "), i*11%513)
		fill := func(room []byte) error {
			if len(room) != len(req) {
				return fmt.Errorf("room for %d bytes", len(room))
			}
			copy(room, req)
			return nil
		}
		read := func(reply []byte) error {
			if !bytes.Equal(reply, req) {
				return fmt.Errorf("%q is no reply to %q", reply, req)
			}
			return nil
		}
		if err := client.CallFunc(always, KindEcho, len(req), fill, read); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
}

func remoteTest(t *testing.T, start Start) {
	client := dial(t, start(t))
	for _, want := range []struct {
		kind    uint16
		payload []byte
		code    uint16
		reply   string
	}{
		{KindCode, []byte{7, 0, 'x'}, 7, "x"},
		{KindCode, []byte{0xff, 0xfe}, 0xfeff, ""},
		{KindPanic, nil, ironhoard.StatusPanic, ""},
		{KindTooLarge, nil, ironhoard.StatusTooLarge, ""},
	} {
		got, err := client.Call(always, want.kind, want.payload, nil)
		var remote *ironhoard.RemoteError
		if !errors.As(err, &remote) || remote.Code != want.code || string(got) != want.reply {
			t.Errorf("kind %d: %q, %v; code %#x is due", want.kind, got, err, want.code)
		}
		err = client.CallFunc(always, want.kind, len(want.payload),
			func(room []byte) error { copy(room, want.payload); return nil },
			func([]byte) error { return errors.New("there is no success to read") })
		if !errors.As(err, &remote) || remote.Code != want.code {
			t.Errorf("kind %d by CallFunc: %v; code %#x is due", want.kind, err, want.code)
		}
	}
	if got, err := client.Call(always, KindEcho, []byte("on"), nil); err != nil || string(got) != "on" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

func tooLargeTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithCapacity(4096, 8192), ironhoard.WithLanes(1))
	producer, err := client.NewProducer(always)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	nothing := func([]byte) error { return nil }
	_, call := client.Call(always, KindEcho, make([]byte, 513), nil)
	_, claim := producer.Claim(513)
	_, claimWait := producer.ClaimWait(always, 1<<20)
	callFunc := client.CallFunc(always, KindEcho, 1<<40, nothing, nothing)
	for name, err := range map[string]error{
		"Call": call, "Claim": claim, "ClaimWait": claimWait, "CallFunc": callFunc,
	} {
		var large *ironhoard.TooLargeError
		if !errors.As(err, &large) || large.Limit != 512 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Call(always, KindEcho, make([]byte, 512), nil); err != nil {
		t.Errorf("the largest there is: %v", err)
	}
}

// hammer makes calls calls from each of goroutines goroutines, mixing the ways to call, and demands that
// everybody gets the reply to what it asked.
func hammer(t *testing.T, client *ironhoard.Client, goroutines, calls int) {
	t.Helper()
	var all sync.WaitGroup
	for g := range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			var dst []byte
			for i := range calls {
				var err error
				if dst, err = oneCall(client, text(fmt.Sprintf("%d/%d ", g, i), (g+i)*13%200), dst, i%8 == 0); err != nil {
					t.Errorf("goroutine %d, call %d: %v", g, i, err)
					return
				}
			}
		}()
	}
	within(t, "somebody waits for ever for a reply", all.Wait)
}

// oneCall is an echo, by Call or by CallFunc, that must come back as it was sent.
func oneCall(client *ironhoard.Client, req, dst []byte, inPlace bool) ([]byte, error) {
	wrong := func(got []byte) error {
		if bytes.Equal(got, req) {
			return nil
		}
		return fmt.Errorf("%q is no reply to %q", got, req)
	}
	if inPlace {
		fill := func(room []byte) error { copy(room, req); return nil }
		return dst, client.CallFunc(always, KindEcho, len(req), fill, wrong)
	}
	got, err := client.Call(always, KindEcho, req, dst[:0])
	if err != nil {
		return got, err
	}
	return got, wrong(got)
}

func manyTest(t *testing.T, start Start) { hammer(t, dial(t, start(t)), 1000, 50) }

func oneProcessorTest(t *testing.T, start Start) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	client := dial(t, start(t), ironhoard.WithLanes(1))
	hammer(t, client, 1, 1000)
	hammer(t, client, 50, 100)
	producer, err := client.NewProducer(always)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range 1000 {
		if got, err := producer.Call(always, KindEcho, []byte{byte(i)}, nil); err != nil || got[0] != byte(i) {
			t.Fatalf("call %d: %v, %v", i, got, err)
		}
	}
}

// fallingAsleepTest is a few callers, so that all of them sleep now and then: with the tender's look at the
// bell left out one run in ten ended with everybody asleep.
func fallingAsleepTest(t *testing.T, start Start) {
	engine := start(t)
	for range 12 {
		client := dial(t, engine)
		hammer(t, client, 4, 2000)
		client.Close()
	}
}

func sleepersTest(t *testing.T, start Start) {
	client := dial(t, start(t, "wait=park"), ironhoard.WithSpin(0), ironhoard.WithLanes(1))
	hammer(t, client, 1, 300)
	hammer(t, client, 20, 100)
	time.Sleep(20 * time.Millisecond)
	hammer(t, client, 3, 100)
	producer, err := client.NewProducer(always)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range 100 {
		req := binary.LittleEndian.AppendUint32(nil, uint32(i%3*1000))
		if _, err := producer.Call(always, KindSlow, req, nil); err != nil {
			t.Fatal(err)
		}
	}
	if stats := client.Stats(); stats.Rings == 0 || stats.Parks == 0 {
		t.Errorf("nobody slept: %+v", stats)
	}
}

func megabytesTest(t *testing.T, start Start) {
	const capacity = 32 << 20
	client := dial(t, start(t), ironhoard.WithCapacity(capacity, capacity), ironhoard.WithLanes(1))
	req := make([]byte, capacity/8)
	for i := range req {
		req[i] = byte(i * i >> 7)
	}
	var dst []byte
	for i := range 20 {
		size := len(req) - i*100_003
		got, err := client.Call(always, KindEcho, req[:size], dst[:0])
		if err != nil || !bytes.Equal(got, req[:size]) {
			t.Fatalf("%d bytes: %d came back, %v", size, len(got), err)
		}
		dst = got
	}
}

func smallPagesTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithPages(ironhoard.PagesSmall))
	if terms := client.Terms(); terms.RequestPages != "4 KiB" || terms.ReplyPages != "4 KiB" {
		t.Errorf("small pages were asked for: %+v", terms)
	}
	hammer(t, client, 4, 2000)
}

func twoClientsTest(t *testing.T, start Start) {
	engine := start(t, "shards=2")
	one, two := dial(t, engine), dial(t, engine)
	done := make(chan struct{})
	go func() {
		defer close(done)
		hammer(t, one, 10, 500)
	}()
	hammer(t, two, 10, 500)
	<-done
	one.Close()
	hammer(t, two, 2, 500)
}
