//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/internal/conformance"
)

// soakTime is how long the soak lasts.
func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("IRONHOARD_SOAK")
	switch {
	case text == "" && testing.Short():
		return 2 * time.Second
	case text == "":
		return 20 * time.Second
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("IRONHOARD_SOAK is a duration such as 10m: %v", err)
	}
	return duration
}

// soak is 1000 goroutines that call, give up and close, at an engine that is killed and started again.
//
// Every request carries a name that is given once. A reply must carry the name of its request: one that was
// lost leaves a caller waiting, one that came twice would be somebody else's.
type soak struct {
	t      *testing.T
	engine conformance.Engine
	until  time.Time
	client atomic.Pointer[ironhoard.Client] // the present one
	names  atomic.Uint64

	answered, givenUp, closed, produced, poisoned, lives, clients atomic.Uint64
}

func TestSoak(t *testing.T) {
	conformance.CheckLeaks(t)
	s := &soak{t: t, engine: startRust(t), until: time.Now().Add(soakTime(t))}
	s.client.Store(s.dial())
	var all sync.WaitGroup
	start := func(f func()) {
		all.Add(1)
		go func() {
			defer all.Done()
			f()
		}()
	}
	for range 1000 {
		start(s.call)
	}
	for range 4 {
		start(s.produce)
	}
	start(s.kill)
	start(s.swap)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(time.Until(s.until) + time.Minute):
		t.Fatal("somebody waits for a reply that was lost")
	}
	s.client.Load().Close()
	t.Logf("%d calls answered, %d given up, %d ended by Close, %d poisoned, %d by producers; %d engines, %d clients",
		s.answered.Load(), s.givenUp.Load(), s.closed.Load(), s.poisoned.Load(), s.produced.Load(),
		s.lives.Load(), s.clients.Load())
	for what, count := range map[string]uint64{"answered": s.answered.Load(), "given up": s.givenUp.Load(),
		"ended by Close": s.closed.Load(), "of producers": s.produced.Load(), "engines": s.lives.Load()} {
		if count == 0 {
			t.Errorf("nothing was tested: 0 %s", what)
		}
	}
}

func (s *soak) dial() *ironhoard.Client {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		client, err := ironhoard.Dial(ctx, s.engine.Path(), ironhoard.WithLanes(8),
			ironhoard.WithCapacity(1<<16, 1<<16), ironhoard.WithPages(ironhoard.PagesSmall))
		cancel()
		if err == nil {
			s.clients.Add(1)
			return client
		}
		if time.Now().After(s.until.Add(10 * time.Second)) {
			s.t.Fatalf("no client: %v", err)
		}
		time.Sleep(time.Millisecond) // between two engines nobody listens
	}
}

func (s *soak) over() bool { return time.Now().After(s.until) }

// name is a payload that no other request has, of a size of its own.
func (s *soak) name() []byte {
	number := s.names.Add(1)
	return binary.LittleEndian.AppendUint64(make([]byte, number%150), number)
}

// call makes calls until the soak is over; every eighth is given up early.
func (s *soak) call() {
	var dst []byte
	for !s.over() {
		client, name := s.client.Load(), s.name()
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		hasty := name[len(name)-8]%8 == 0
		if hasty {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.Int64N(int64(2*time.Millisecond))))
		}
		var err error
		if name[len(name)-8]%4 == 1 {
			err = s.inPlace(ctx, client, name)
		} else {
			dst, err = s.copied(ctx, client, name, dst)
		}
		cancel()
		switch {
		case err == nil:
			s.answered.Add(1)
		case errors.Is(err, ironhoard.ErrClosed):
			s.closed.Add(1)
		case isPoison(err): // two engines were killed while it was next: that is the promise
			s.poisoned.Add(1)
		case hasty && errors.Is(err, context.DeadlineExceeded):
			s.givenUp.Add(1)
		default:
			s.t.Errorf("a call: %v", err)
			return
		}
	}
}

func (s *soak) copied(ctx context.Context, client *ironhoard.Client, name, dst []byte) ([]byte, error) {
	got, err := client.Call(ctx, conformance.KindEcho, name, dst[:0])
	if err != nil {
		return nil, err // where the call was given up, its buffer is
	}
	return got, mine(name, got)
}

func (s *soak) inPlace(ctx context.Context, client *ironhoard.Client, name []byte) error {
	fill := func(room []byte) error { copy(room, name); return nil }
	read := func(reply []byte) error { return mine(name, reply) }
	return client.CallFunc(ctx, conformance.KindEcho, len(name), fill, read)
}

func isPoison(err error) bool {
	var remote *ironhoard.RemoteError
	return errors.As(err, &remote) && remote.Code == ironhoard.StatusPoison
}

func mine(name, got []byte) error {
	if string(name) == string(got) {
		return nil
	}
	return fmt.Errorf("the request %x got the reply %x", name, got)
}

// produce takes lanes and gives them back, with up to 30 requests under way.
func (s *soak) produce() {
	for !s.over() {
		producer, err := s.client.Load().NewProducer(context.Background())
		if err == nil {
			err = s.rounds(producer)
			producer.Close()
		}
		if err != nil && !errors.Is(err, ironhoard.ErrClosed) {
			s.t.Errorf("a producer: %v", err)
			return
		}
	}
}

func (s *soak) rounds(producer *ironhoard.Producer) error {
	ctx := context.Background()
	for range 1 + rand.IntN(200) {
		var names [][]byte
		for range 1 + rand.IntN(30) {
			name := s.name()
			room, err := producer.ClaimWait(ctx, len(name))
			if err != nil {
				return err
			}
			copy(room, name)
			if _, err := producer.Append(conformance.KindEcho); err != nil {
				return err
			}
			names = append(names, name)
		}
		due := 0
		for reply, err := range producer.Replies(ctx) {
			if err != nil {
				return err
			}
			if due >= len(names) {
				return fmt.Errorf("a reply too many: %x", reply.Payload)
			}
			err := reply.Err()
			if err == nil {
				err = mine(names[due], reply.Payload)
			}
			if err != nil && !isPoison(err) {
				return err
			}
			due++
		}
		if due != len(names) {
			return fmt.Errorf("%d replies to %d requests", due, len(names))
		}
		s.produced.Add(uint64(due))
	}
	return nil
}

// kill ends the engine again and again, mostly by SIGKILL, and starts the next.
func (s *soak) kill() {
	for !s.over() {
		time.Sleep(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		if rand.IntN(4) == 0 {
			s.engine.Halt()
		} else {
			s.engine.Kill()
		}
		time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		s.engine.Restart()
		s.lives.Add(1)
	}
}

// swap closes the client under everybody and makes another.
func (s *soak) swap() {
	for !s.over() {
		time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Millisecond))))
		old := s.client.Swap(s.dial())
		if err := old.Close(); err != nil {
			s.t.Errorf("closing: %v", err)
		}
	}
}
