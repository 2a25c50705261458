//go:build linux && (amd64 || arm64)

package conformance

import (
	"bytes"
	"errors"
	"testing"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// readyTests are about what may become of the line that Wait gets ready for the next request: everything that
// may become of any other.
var readyTests = map[string]func(*testing.T, *ironhoard.Client, *ironhoard.Producer){
	"used": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		trip(t, p, 2, "same size")
		trip(t, p, 3, "same size")
	},
	"given up": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("nonsense "))
		p.Abort()
		if _, err := p.Commit(KindEcho); err != ironhoard.ErrNoClaim {
			t.Errorf("commit behind an abort: %v", err)
		}
		trip(t, p, 2, "same size")
	},
	"too small": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("nonsense "))
		trip(t, p, 2, string(bytes.Repeat([]byte("long"), 70)))
		trip(t, p, 3, "same size")
	},
	"committed once": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("same size"))
		commit(t, p, 2)
		if _, err := p.Commit(KindEcho); err != ironhoard.ErrNoClaim {
			t.Errorf("a second commit: %v", err)
		}
		wait(t, p, 2, []byte("same size"))
	},
	"flushed": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("same size"))
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		if p.Outstanding() != 0 {
			t.Errorf("%d outstanding with an open claim", p.Outstanding())
		}
		commit(t, p, 2)
		wait(t, p, 2, []byte("same size"))
	},
	"behind a group": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		for number := uint64(2); number < 60; number += 3 {
			claim(t, p, []byte("same size"))
			appended(t, p, number)
			claim(t, p, []byte("same size"))
			appended(t, p, number+1)
			if number%2 == 0 {
				claim(t, p, []byte("same size"))
			}
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
			if number%2 != 0 {
				claim(t, p, []byte("same size"))
			}
			commit(t, p, number+2)
			for due := number; due < number+3; due++ {
				wait(t, p, due, []byte("same size"))
			}
		}
	},
	"closed with a group": func(t *testing.T, client *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("same size"))
		appended(t, p, 2)
		p.Close() // makes the group visible
		if room, err := p.Claim(9); !errors.Is(err, ironhoard.ErrClosed) {
			t.Errorf("a closed producer lent %d bytes: %v", len(room), err)
		}
		next := producer(t, client)
		got, err := next.Call(always, KindEcho, []byte("of another"), nil)
		if err != nil || string(got) != "of another" {
			t.Errorf("whoever has the lane next: %q, %v", got, err)
		}
	},
	"in a group": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		for number := uint64(2); number < 40; number++ {
			claim(t, p, []byte("same size"))
			appended(t, p, number)
		}
		for number := uint64(2); number < 40; number++ {
			wait(t, p, number, []byte("same size"))
		}
	},
	"by a call": func(t *testing.T, _ *ironhoard.Client, p *ironhoard.Producer) {
		for range 3 {
			got, err := p.Call(always, KindEcho, []byte("same size"), nil)
			if err != nil || string(got) != "same size" {
				t.Fatalf("a call: %q, %v", got, err)
			}
		}
	},
	"closed": func(t *testing.T, client *ironhoard.Client, p *ironhoard.Producer) {
		lent := func() {
			t.Helper()
			if room, err := p.Claim(9); !errors.Is(err, ironhoard.ErrClosed) {
				t.Errorf("a closed producer lent %d bytes: %v", len(room), err)
			}
		}
		p.Close()
		lent()
		next := producer(t, client) // of the same lane
		lent()
		claim(t, next, []byte("not yours"))
		lent()
		commit(t, next, 2)
		wait(t, next, 2, []byte("not yours"))
	},
	"with its client closed": func(t *testing.T, client *ironhoard.Client, p *ironhoard.Producer) {
		claim(t, p, []byte("same size"))
		client.Close()
		if _, err := p.Commit(KindEcho); !errors.Is(err, ironhoard.ErrClosed) {
			t.Errorf("a commit behind the client's Close: %v", err)
		}
		if _, err := p.Claim(9); !errors.Is(err, ironhoard.ErrClosed) {
			t.Errorf("a claim behind the client's Close: %v", err)
		}
	},
}

func readyTest(t *testing.T, start Start) {
	for name, use := range readyTests {
		t.Run(name, func(t *testing.T) {
			client := dial(t, start(t), ironhoard.WithLanes(1))
			p := producer(t, client)
			trip(t, p, 1, "same size")
			use(t, client, p)
		})
	}
}

// trip sends what and demands it back.
func trip(t *testing.T, p *ironhoard.Producer, number uint64, what string) {
	t.Helper()
	claim(t, p, []byte(what))
	commit(t, p, number)
	wait(t, p, number, []byte(what))
}

func commit(t *testing.T, p *ironhoard.Producer, number uint64) {
	t.Helper()
	if got, err := p.Commit(KindEcho); err != nil || got != number {
		t.Fatalf("commit: %d, %v", got, err)
	}
}

func appended(t *testing.T, p *ironhoard.Producer, number uint64) {
	t.Helper()
	if got, err := p.Append(KindEcho); err != nil || got != number {
		t.Fatalf("append: %d, %v", got, err)
	}
}
