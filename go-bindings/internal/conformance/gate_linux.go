//go:build linux && (amd64 || arm64)

package conformance

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// gateTests are about not getting in.
var gateTests = map[string]func(*testing.T, Start){
	"nobody at the path":            nobodyTest,
	"something else at the path":    strangerTest,
	"a refused uid":                 refusedUIDTest,
	"another service":               serviceTest,
	"more lanes than may be had":    lanesRefusedTest,
	"an engine of another version":  versionTest,
	"an engine that says nothing":   muteTest,
	"an engine that talks nonsense": nonsenseEngineTest,
	"impossible options":            optionsTest,
}

// dialError is the error of attaching, which must say what to do.
func dialError(t *testing.T, path string, options ...ironhoard.Option) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(always, patience)
	defer cancel()
	client, err := ironhoard.Dial(ctx, path, options...)
	if err == nil {
		client.Close()
		t.Fatal("attached")
	}
	if !strings.Contains(err.Error(), ":") {
		t.Errorf("an error should say what to do: %v", err)
	}
	return err
}

func nobodyTest(t *testing.T, start Start) {
	for _, path := range []string{filepath.Join(t.TempDir(), "s"), "/nowhere/at/all"} {
		var none *ironhoard.NoEngineError
		if err := dialError(t, path); !errors.As(err, &none) || none.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	engine := start(t)
	engine.Kill() // leaves its socket
	var none *ironhoard.NoEngineError
	if err := dialError(t, engine.Path()); !errors.As(err, &none) {
		t.Errorf("a dead engine's socket: %v", err)
	}
	dialError(t, strings.Repeat("/long", 40))
}

func strangerTest(t *testing.T, _ Start) {
	directory := t.TempDir()
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dialError(t, file)
	stream, err := net.Listen("unix", filepath.Join(directory, "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var incompatible *ironhoard.IncompatibleError
	if err := dialError(t, stream.Addr().String()); !errors.As(err, &incompatible) {
		t.Errorf("a stream socket: %v", err)
	}
}

func refusedUIDTest(t *testing.T, start Start) {
	engine := start(t, "uid="+strconv.Itoa(os.Getuid()+1))
	var refused *ironhoard.RefusedError
	if err := dialError(t, engine.Path()); !errors.As(err, &refused) || refused.Code != uint32(wire.UID) {
		t.Errorf("a uid that is not listed: %v", err)
	}
}

func serviceTest(t *testing.T, start Start) {
	engine := start(t, "service=hunt:3")
	for _, wanted := range []ironhoard.Option{
		ironhoard.WithService("chess", 0), ironhoard.WithService("hunt", 4),
	} {
		var incompatible *ironhoard.IncompatibleError
		if err := dialError(t, engine.Path(), wanted); !errors.As(err, &incompatible) {
			t.Errorf("another service: %v", err)
		}
	}
	client := dial(t, engine, ironhoard.WithService("hunt", 3))
	if terms := client.Terms(); terms.Service != "hunt" || terms.ServiceVersion != 3 {
		t.Errorf("%+v", terms)
	}
}

func lanesRefusedTest(t *testing.T, start Start) {
	engine := start(t, "lanes=4")
	var refused *ironhoard.RefusedError
	err := dialError(t, engine.Path(), ironhoard.WithLanes(4)) // and the shared one
	if !errors.As(err, &refused) || refused.Code != uint32(wire.Lanes) || refused.Limit != 4 {
		t.Errorf("too many lanes: %v", err)
	}
}

// impostor listens and answers each host's first message with answer; nil says nothing.
func impostor(t *testing.T, answer []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			socket, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			conn, err := wire.NewConn(socket)
			if err != nil {
				return
			}
			if _, err := conn.Receive(); err == nil && answer != nil {
				_ = conn.Send(answer)
			}
			_, _ = conn.Receive() // until the host hangs up
			conn.Close()
		}
	}()
	return path
}

func versionTest(t *testing.T, _ Start) {
	old := &wire.Refusal{Code: wire.NoVersion, Text: "this engine speaks layout version 9: update", Limit: 9}
	var incompatible *ironhoard.IncompatibleError
	var refused *ironhoard.RefusedError
	err := dialError(t, impostor(t, old.Encode()))
	if !errors.As(err, &incompatible) || !errors.As(err, &refused) || refused.Limit != 9 {
		t.Errorf("no version in common: %v", err)
	}
	welcome := (&wire.Welcome{}).Encode()
	welcome[8] = 2
	if err := dialError(t, impostor(t, welcome)); !errors.As(err, &incompatible) {
		t.Errorf("a WELCOME of version 2: %v", err)
	}
}

func muteTest(t *testing.T, _ Start) {
	path := impostor(t, nil)
	ctx, cancel := context.WithTimeout(always, 30*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := ironhoard.Dial(ctx, path)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an engine that says nothing: %v", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("noticed after %v", took)
	}
}

func nonsenseEngineTest(t *testing.T, _ Start) {
	welcome := wire.Welcome{
		HostID: 1, Epoch: 1, Shards: 1, RequestCapacity: 4096, ReplyCapacity: 4096, RequestBytes: 20480,
		ReplyBytes: 20480, RequestPages: wire.PagesSmall4K, ReplyPages: wire.PagesSmall4K, LaneShards: []uint16{0},
	}
	var incompatible *ironhoard.IncompatibleError
	for name, answer := range map[string][]byte{
		"another protocol":         []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"READY instead of WELCOME": wire.EncodeStep(wire.KindReady),
		"WELCOME cut off":          welcome.Encode()[:200],
		"no descriptors":           welcome.Encode(),
		"one byte":                 {1},
	} {
		if err := dialError(t, impostor(t, answer)); !errors.As(err, &incompatible) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func optionsTest(t *testing.T, start Start) {
	path := start(t).Path()
	for name, option := range map[string]ironhoard.Option{
		"capacity":    ironhoard.WithCapacity(5000, 4096),
		"no capacity": ironhoard.WithCapacity(4096, 0),
		"lanes":       ironhoard.WithLanes(1024),
		"minus":       ironhoard.WithLanes(-1),
		"name":        ironhoard.WithName("a\x00b"),
		"service":     ironhoard.WithService(strings.Repeat("n", 65), 0),
	} {
		t.Log(name, dialError(t, path, option))
	}
}
