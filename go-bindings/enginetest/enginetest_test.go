//go:build linux && (amd64 || arm64)

package enginetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

func dial(t *testing.T, engine *enginetest.Engine) *ironhoard.Client {
	t.Helper()
	client, err := ironhoard.Dial(context.Background(), engine.Path(), ironhoard.WithPages(ironhoard.PagesSmall))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestCloseLeavesNothing(t *testing.T) {
	conformance.CheckLeaks(t)
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), "ironhoard-*"))
	for range 10 {
		engine := enginetest.New(enginetest.Echo, enginetest.WithShards(3))
		client := dial(t, engine)
		if _, err := client.Call(context.Background(), 1, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		client.Close()
		if _, err := os.Stat(engine.Path()); err != nil {
			t.Error(err)
		}
		engine.Close()
		engine.Close()
	}
	after, _ := filepath.Glob(filepath.Join(os.TempDir(), "ironhoard-*"))
	if len(after) > len(before) {
		t.Errorf("directories are left: %v", after)
	}
}

func TestAPathIsOneEngines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.sock")
	first, err := enginetest.Listen(path, enginetest.Echo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enginetest.Listen(path, enginetest.Echo); err == nil || !strings.Contains(err.Error(), "lives at") {
		t.Errorf("a second engine at the same path: %v", err)
	}
	first.Kill()
	second, err := enginetest.Listen(path, enginetest.Echo)
	if err != nil {
		t.Fatalf("a dead engine's path: %v", err)
	}
	if err := first.Restart(); err == nil {
		t.Error("the first is back at a path that is taken")
	}
	second.Close()
	if err := first.Restart(); err != nil {
		t.Errorf("the path is free again: %v", err)
	}
	first.Close()
}

func TestAPathThatCannotBe(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("unixpacket", filepath.Join(directory, "stranger"))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for _, path := range []string{
		file, stranger.Addr().String(), filepath.Join(directory, "none", "s"),
		filepath.Join(directory, strings.Repeat("long", 40)),
	} {
		if engine, err := enginetest.Listen(path, enginetest.Echo); err == nil {
			t.Errorf("listening at %s", path)
			engine.Close()
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("somebody else's file is gone: %v", err)
	}
}

func TestAHandlerThatEndsItsGoroutine(t *testing.T) {
	var log bytes.Buffer
	goexit := func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		if request.Kind == 1 {
			runtime.Goexit() // as FailNow of a test does
		}
		return reply, 0xff77
	}
	engine := enginetest.New(goexit, enginetest.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	client := dial(t, engine)
	for kind := range uint16(3) {
		_, err := client.Call(context.Background(), kind, nil, nil)
		var remote *ironhoard.RemoteError
		if !errors.As(err, &remote) || remote.Code != ironhoard.StatusPanic {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	client.Close()
	engine.Close()
	if counts := engine.Counts(); counts.Panics != 3 {
		t.Errorf("%+v", counts)
	}
	if text := log.String(); !strings.Contains(text, "FailNow") || !strings.Contains(text, "0xff77") {
		t.Errorf("the reasons are not in the log:\n%s", text)
	}
}

func TestAKilledEngineDoesNotAnswer(t *testing.T) {
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		if request.Kind == 1 {
			begun <- struct{}{}
			<-goOn
		}
		return append(reply, request.Payload...), enginetest.OK
	}, enginetest.WithPoisonAfter(5))
	defer engine.Close()
	client := dial(t, engine)
	done := make(chan error, 1)
	go func() {
		_, err := client.Call(context.Background(), 1, []byte("twice"), nil)
		done <- err
	}()
	<-begun
	engine.Kill() // in the middle of the request, whose handler goes on
	if err := engine.Restart(); err != nil {
		t.Fatal(err)
	}
	<-begun // it is executed again
	select {
	case err := <-done:
		t.Fatalf("answered by nobody: %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if counts := engine.Counts(); counts.Requests != 1 || counts.Resumed != 1 {
		t.Errorf("executed twice, answered once: %+v", counts)
	}
}

func TestTheHandlerSeesTheRequest(t *testing.T) {
	var seen []enginetest.Request
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		kept := *request
		kept.Payload = bytes.Clone(request.Payload)
		seen = append(seen, kept)
		return reply, enginetest.OK
	})
	client := dial(t, engine)
	for i := range 3 {
		if _, err := client.Call(context.Background(), uint16(i), []byte{byte(i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	id := client.Terms().HostID
	client.Close()
	engine.Close()
	for i, request := range seen {
		if request.Kind != uint16(i) || request.Number != uint64(i+1) || request.HostID != id ||
			request.Lane != 0 || !bytes.Equal(request.Payload, []byte{byte(i)}) {
			t.Errorf("request %d: %+v", i+1, request)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d requests were seen", len(seen))
	}
}

// herald publishes an event of kind 7 with the request's payload in the ring that the request's kind names.
func herald(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
	number, err := request.Publish(int(request.Kind), 7, request.Payload)
	for code, reason := range []error{nil, enginetest.ErrNoEventRing, enginetest.ErrEventTooLarge} {
		if err == reason {
			return fmt.Append(reply, number), enginetest.Status(code)
		}
	}
	return reply, 99
}

func TestPublishSaysWhatCannotBe(t *testing.T) {
	engine := enginetest.New(herald, enginetest.WithEventRings(1, 4096))
	defer engine.Close()
	client := dial(t, engine)
	for _, c := range []struct {
		ring   uint16
		size   int
		status uint16
	}{{0, 512, 0}, {1, 8, 1}, {0, 513, 2}, {0, 0, 0}} {
		_, err := client.Call(context.Background(), c.ring, make([]byte, c.size), nil)
		var remote *ironhoard.RemoteError
		if status := uint16(0); errors.As(err, &remote) {
			if status = remote.Code; status != c.status {
				t.Errorf("%+v: %v", c, err)
			}
		} else if err != nil || c.status != 0 {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if counts := engine.Counts(); counts.Events != 2 {
		t.Errorf("%+v", counts)
	}
	var alone enginetest.Request // as a test of the handler alone makes it
	if _, err := alone.Publish(0, 1, nil); err != enginetest.ErrNoEventRing || alone.NextEvent(0) != 0 {
		t.Error(err)
	}
}

func TestEventRingsThatCannotBe(t *testing.T) {
	for _, options := range [][]enginetest.Option{
		{enginetest.WithEventRings(49, 4096)}, {enginetest.WithEventRings(1<<40, 4096)},
		{enginetest.WithEventRings(25, 4096), enginetest.WithShards(2)},
		{enginetest.WithEventRings(1, 2048)}, {enginetest.WithEventRings(1, 5000)},
		{enginetest.WithEventRings(1, 1<<31)},
	} {
		path := filepath.Join(t.TempDir(), "s")
		if engine, err := enginetest.Listen(path, enginetest.Echo, options...); err == nil {
			t.Error("event rings that cannot be were made")
			engine.Close()
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a socket is left behind")
		}
	}
}

// The dead publish nothing: not even a handler that was at it when its engine was killed.
func TestAKilledEngineDoesNotPublish(t *testing.T) {
	begun, goOn, published := make(chan struct{}), make(chan struct{}), make(chan error)
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		if request.Kind == 1 {
			begun <- struct{}{}
			<-goOn
		}
		_, err := request.Publish(0, request.Kind, nil)
		published <- err
		return reply, enginetest.OK
	}, enginetest.WithEventRings(1, 4096), enginetest.WithState("it was in the closure"))
	defer engine.Close()
	client, err := ironhoard.Dial(context.Background(), engine.Path(), ironhoard.WithPages(ironhoard.PagesSmall),
		ironhoard.WithEventRings(1))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	events, err := client.Events(0)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	go client.Call(context.Background(), 1, nil, nil)
	<-begun
	engine.Kill()
	close(goOn)
	if err := <-published; err != enginetest.ErrKilled {
		t.Errorf("published behind the death: %v", err)
	}
	if event, ok, _ := events.Poll(nil); ok {
		t.Errorf("an event of the dead: %+v", event)
	}
}

// A host that falls asleep before the shard has heard of it is rung all the same: the shard is busy with a
// handler from before the host comes until it has published.
func TestAReaderThatComesWhileTheHandlerRunsIsRung(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	engine := enginetest.New(func(request *enginetest.Request, reply []byte) ([]byte, enginetest.Status) {
		begun <- struct{}{}
		<-goOn
		if _, err := request.Publish(0, 1, nil); err != nil {
			return reply, 1
		}
		return reply, enginetest.OK
	}, enginetest.WithEventRings(1, 4096))
	defer engine.Close()
	caller := dial(t, engine)
	done := make(chan error, 1)
	go func() {
		_, err := caller.Call(context.Background(), 1, nil, nil)
		done <- err
	}()
	<-begun
	reader, err := ironhoard.Dial(context.Background(), engine.Path(), ironhoard.WithPages(ironhoard.PagesSmall),
		ironhoard.WithEventsOnly(), ironhoard.WithSpin(0))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	events, err := reader.Events(0)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	woken := make(chan error, 1)
	go func() { woken <- events.Wait(ctx) }()
	for reader.Stats().Parks == 0 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	if err := errors.Join(<-done, <-woken); err != nil {
		t.Errorf("the event was slept through: %v", err)
	}
	if event, ok, err := events.Poll(nil); !ok || err != nil || event.Number != 1 {
		t.Errorf("%+v, %v, %v", event, ok, err)
	}
}
