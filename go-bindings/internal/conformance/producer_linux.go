//go:build linux && (amd64 || arm64)

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// producerTests are about lanes of their own.
var producerTests = map[string]func(*testing.T, Start){
	"a producer's records go round the ring":   producerLapsTest,
	"groups become visible together":           groupTest,
	"a claim amid a group":                     groupClaimTest,
	"groups claimed at once go round the ring": claimGroupLapsTest,
	"a group claimed at once among others":     claimGroupAmongTest,
	"nonsense of groups":                       claimGroupNonsenseTest,
	"groups claimed at once and closed":        claimGroupClosedTest,
	"claims of nonsense":                       nonsenseClaimTest,
	"a client that is closed amid a group":     groupClosedTest,
	"a line that is ready":                     readyTest,
	"full is an answer":                        fullTest,
	"an abort uses no number":                  abortTest,
	"a commit without a claim is an error":     noClaimTest,
	"waiting for oneself is an error":          choked,
	"lanes are a pool":                         poolTest,
	"a producer's call that is given up":       producerCancelTest,
	"a producer that closes with replies due":  closeDueTest,
	"a claim that is kept outlives the client": keptClaimTest,
}

// producer takes a lane for the time of a test.
func producer(t *testing.T, client *ironhoard.Client) *ironhoard.Producer {
	t.Helper()
	p, err := client.NewProducer(always)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// claim is room for a copy of payload.
func claim(t *testing.T, p *ironhoard.Producer, payload []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(always, patience)
	defer cancel()
	room, err := p.ClaimWait(ctx, len(payload))
	if err != nil {
		t.Fatalf("claiming %d bytes: %v", len(payload), err)
	}
	copy(room, payload)
}

// wait demands the reply with that number and payload next.
func wait(t *testing.T, p *ironhoard.Producer, number uint64, payload []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(always, patience)
	defer cancel()
	reply, err := p.Wait(ctx)
	if err != nil || reply.Number != number || !bytes.Equal(reply.Payload, payload) || reply.Err() != nil {
		t.Fatalf("reply %d was due: %+v, %v", number, reply, err)
	}
}

func producerLapsTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithCapacity(4096, 4096), ironhoard.WithLanes(1))
	p := producer(t, client)
	if p.PayloadLimit() != 512 {
		t.Errorf("the limit is %d", p.PayloadLimit())
	}
	for number := uint64(1); number < 3000; number++ {
		payload := text(fmt.Sprint("request ", number, " "), int(number)*17%513)
		claim(t, p, payload)
		if got, err := p.Commit(KindEcho); err != nil || got != number {
			t.Fatalf("commit: %d, %v", got, err)
		}
		wait(t, p, number, payload)
	}
	if _, found, err := p.Poll(); found || err != nil {
		t.Errorf("nothing is due: %v, %v", found, err)
	}
	if _, err := p.Wait(always); err != ironhoard.ErrNothingOutstanding {
		t.Errorf("waiting for nothing: %v", err)
	}
}

func fullTest(t *testing.T, start Start) {
	engine := start(t)
	p := producer(t, dial(t, engine, ironhoard.WithCapacity(4096, 4096), ironhoard.WithLanes(1)))
	for round := range 5 {
		engine.Freeze()
		sent := uint64(0)
		for {
			room, err := p.Claim(4)
			if err == ironhoard.ErrFull {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			binary.LittleEndian.PutUint32(room, uint32(sent))
			if _, err := p.Commit(KindEcho); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if sent < 48 || sent > 64 || p.Outstanding() != int(sent) {
			t.Errorf("round %d: %d requests fitted into 64 lines, %d are outstanding", round, sent, p.Outstanding())
		}
		ctx, cancel := context.WithTimeout(always, 3*time.Millisecond)
		if _, err := p.ClaimWait(ctx, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for room at a frozen engine: %v", err)
		}
		cancel()
		engine.Thaw()
		due := uint32(0)
		for reply, err := range p.Replies(always) {
			if err != nil || binary.LittleEndian.Uint32(reply.Payload) != due {
				t.Fatalf("reply %d: %+v, %v", due, reply, err)
			}
			due++
		}
		if uint64(due) != sent {
			t.Fatalf("%d replies to %d requests", due, sent)
		}
	}
}

func abortTest(t *testing.T, start Start) {
	p := producer(t, dial(t, start(t), ironhoard.WithCapacity(4096, 4096), ironhoard.WithLanes(1)))
	for number := uint64(1); number < 500; number++ {
		// What an aborted claim leaves looks like the header of the request that follows it.
		forged, err := p.Claim(300)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at+8 <= len(forged); at += 8 {
			binary.LittleEndian.PutUint64(forged[at:], number<<32|16)
		}
		p.Abort()
		claim(t, p, []byte{byte(number)})
		if got, err := p.Commit(KindEcho); err != nil || got != number {
			t.Fatalf("behind an abort: %d, %v", got, err)
		}
		wait(t, p, number, []byte{byte(number)})
	}
}

func noClaimTest(t *testing.T, start Start) {
	p := producer(t, dial(t, start(t), ironhoard.WithLanes(1)))
	commit := func() error { _, err := p.Commit(KindEcho); return err }
	appending := func() error { _, err := p.Append(KindEcho); return err }
	if err := errors.Join(commit(), appending()); !errors.Is(err, ironhoard.ErrNoClaim) {
		t.Errorf("without a claim: %v", err)
	}
	claim(t, p, []byte("once"))
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	if err := commit(); err != ironhoard.ErrNoClaim {
		t.Errorf("a second commit: %v", err)
	}
	claim(t, p, []byte("given up"))
	p.Abort()
	if err := commit(); err != ironhoard.ErrNoClaim {
		t.Errorf("behind an abort: %v", err)
	}
	if err := appending(); err != ironhoard.ErrNoClaim {
		t.Errorf("appending behind an abort: %v", err)
	}
	wait(t, p, 1, []byte("once"))
	p.Close()
	_, claimed := p.Claim(1)
	_, waited := p.ClaimWait(always, 1)
	_, replied := p.Wait(always)
	_, called := p.Call(always, KindEcho, nil, nil)
	for name, err := range map[string]error{"Claim": claimed, "ClaimWait": waited, "Wait": replied,
		"Call": called, "Commit": commit(), "Append": appending(), "Flush": p.Flush()} {
		if !errors.Is(err, ironhoard.ErrClosed) {
			t.Errorf("%s of a closed producer: %v", name, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// choked fills both rings: the engine waits for this producer, which must not wait for the engine.
func choked(t *testing.T, start Start) {
	p := producer(t, dial(t, start(t), ironhoard.WithCapacity(4096, 4096), ironhoard.WithLanes(1)))
	sent := uint64(0)
	for {
		ctx, cancel := context.WithTimeout(always, patience)
		room, err := p.ClaimWait(ctx, 4)
		cancel()
		if errors.Is(err, ironhoard.ErrRepliesWaiting) {
			break
		}
		if err != nil || sent > 200 {
			t.Fatalf("after %d requests: %v", sent, err)
		}
		binary.LittleEndian.PutUint32(room, 400)
		if _, err := p.Commit(KindPattern); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	got := uint64(0)
	for reply, err := range p.Replies(always) {
		if err != nil || len(reply.Payload) != 400 {
			t.Fatalf("reply %d: %+v, %v", got+1, reply, err)
		}
		got++
	}
	if got != sent {
		t.Errorf("%d replies to %d requests", got, sent)
	}
}

func poolTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(2))
	for range 20 {
		one, two := producer(t, client), producer(t, client)
		if _, err := client.NewProducer(always); err != ironhoard.ErrLanesExhausted {
			t.Fatalf("a third producer of two lanes: %v", err)
		}
		if one.Lane() == two.Lane() {
			t.Fatalf("two producers on lane %d", one.Lane())
		}
		for i, p := range []*ironhoard.Producer{one, two} {
			if got, err := p.Call(always, KindEcho, []byte{byte(i)}, nil); err != nil || got[0] != byte(i) {
				t.Fatalf("lane %d: %v, %v", p.Lane(), got, err)
			}
		}
		one.Close()
		if free := client.Stats().LanesFree; free != 1 {
			t.Errorf("%d lanes are free", free)
		}
		two.Close()
	}
}

func producerCancelTest(t *testing.T, start Start) {
	p := producer(t, dial(t, start(t), ironhoard.WithLanes(1)))
	for i := range 10 {
		ctx, cancel := context.WithTimeout(always, 2*time.Millisecond)
		_, err := p.Call(ctx, KindSlow, slow(20*time.Millisecond), nil)
		cancel()
		var uncertain *ironhoard.UncertainError
		if !errors.As(err, &uncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("given up: %v", err)
		}
		if got, err := p.Call(always, KindEcho, []byte{byte(i)}, nil); err != nil || got[0] != byte(i) {
			t.Fatalf("the call behind it: %v, %v", got, err)
		}
	}
}

func closeDueTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	for round := range 50 {
		p := producer(t, client)
		for i := range round {
			claim(t, p, []byte("nobody waits for "+fmt.Sprint(i)))
			if _, err := p.Append(KindEcho); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		p = producer(t, client)
		if got, err := p.Call(always, KindEcho, []byte("mine"), nil); err != nil || string(got) != "mine" {
			t.Fatalf("whoever has the lane next: %q, %v", got, err)
		}
		p.Close()
	}
}

func keptClaimTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(2))
	one, two := producer(t, client), producer(t, client)
	kept, err := one.Claim(1000)
	if err != nil {
		t.Fatal(err)
	}
	claim(t, two, []byte("answered"))
	if _, err := two.Commit(KindEcho); err != nil {
		t.Fatal(err)
	}
	reply, err := two.Wait(always)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	one.Close()
	for i := range kept {
		kept[i] = byte(i) // nothing is unmapped under somebody who may still write
	}
	if string(reply.Payload) != "answered" {
		t.Errorf("a reply that is still held: %q", reply.Payload)
	}
	if _, err := one.Commit(KindEcho); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a commit behind Close: %v", err)
	}
	if _, err := two.Claim(1); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a claim behind the client's Close: %v", err)
	}
}
