//go:build linux && (amd64 || arm64)

package conformance

import (
	"errors"
	"fmt"
	"testing"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
)

// claimGroup claims a group of equal requests, waiting for room, and writes them: request i is `name i`.
func claimGroup(t *testing.T, p *ironhoard.Producer, name string, n, count int) ironhoard.Group {
	t.Helper()
	var group ironhoard.Group
	eventually(t, "there is no room for a group", func() bool {
		claimed, err := p.ClaimGroup(KindEcho, n, count)
		if err != nil && err != ironhoard.ErrFull {
			t.Fatal(err)
		}
		group = claimed
		return err == nil
	})
	for i := range group.Len() {
		copy(group.At(i), text(fmt.Sprint(name, i), n))
	}
	return group
}

// commitGroup commits the first used of a group that claimGroup claimed, and demands their replies.
func commitGroup(t *testing.T, p *ironhoard.Producer, group *ironhoard.Group, name string, n, used int) {
	t.Helper()
	first, err := p.CommitGroup(group, used)
	if err != nil {
		t.Fatal(err)
	}
	for i := range used {
		wait(t, p, first+uint64(i), text(fmt.Sprint(name, i), n))
	}
}

func claimGroupLapsTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithCapacity(4096, 4096), ironhoard.WithLanes(1))
	p := producer(t, client)
	for round := range 400 {
		n, count := round*7%200, 1+round%9
		group := claimGroup(t, p, "group ", n, count)
		commitGroup(t, p, &group, "group ", n, max(1, group.Len()-round%3))
	}
}

func claimGroupAmongTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	p := producer(t, client)
	next := uint64(1)
	for round := range 50 {
		claim(t, p, []byte("appended"))
		appended(t, p, next)
		group := claimGroup(t, p, "at once ", 48, 5) // shows what was appended
		if round%2 == 0 {
			claim(t, p, []byte("instead"))
			if _, err := p.CommitGroup(&group, 5); err != ironhoard.ErrNoClaim {
				t.Fatalf("a group whose claim was given up: %v", err)
			}
			commit(t, p, next+1)
			wait(t, p, next, []byte("appended"))
			wait(t, p, next+1, []byte("instead"))
			next += 2
			continue
		}
		wait(t, p, next, []byte("appended"))
		commitGroup(t, p, &group, "at once ", 48, 5)
		next += 6
	}
}

func claimGroupNonsenseTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(1))
	p := producer(t, client)
	var large *ironhoard.TooLargeError
	for _, n := range []int{-1, 1 << 40} {
		if _, err := p.ClaimGroup(KindEcho, n, 3); !errors.As(err, &large) {
			t.Errorf("a group of requests of %d bytes: %v", n, err)
		}
	}
	if _, err := p.CommitGroup(&ironhoard.Group{}, 1); err != ironhoard.ErrNoClaim {
		t.Errorf("commit of no group: %v", err)
	}
	group := claimGroup(t, p, "kept ", 48, -5)
	if group.Len() != 1 {
		t.Errorf("a group of %d", group.Len())
	}
	for _, used := range []int{0, -1, 2, 1 << 40} {
		if _, err := p.CommitGroup(&group, used); !errors.Is(err, ironhoard.ErrNoClaim) {
			t.Errorf("commit of %d of one: %v", used, err)
		}
	}
	commitGroup(t, p, &group, "kept ", 48, 1)
	if _, err := p.CommitGroup(&group, 1); err != ironhoard.ErrNoClaim {
		t.Errorf("a second commit: %v", err)
	}
	for name, refused := range map[string]func(uint16) (uint64, error){"Commit": p.Commit, "Append": p.Append} {
		claimGroup(t, p, "given up ", 48, 4)
		if _, err := refused(KindEcho); err != ironhoard.ErrNoClaim {
			t.Errorf("%s of a group: %v", name, err)
		}
	}
	group = claimGroup(t, p, "given up ", 48, 4)
	p.Abort()
	if _, err := p.CommitGroup(&group, 4); err != ironhoard.ErrNoClaim {
		t.Errorf("commit behind an abort: %v", err)
	}
	trip(t, p, 2, "and all is well")
}

func claimGroupClosedTest(t *testing.T, start Start) {
	client := dial(t, start(t), ironhoard.WithLanes(2))
	one, two := producer(t, client), producer(t, client)
	group, kept := claimGroup(t, one, "late ", 48, 4), claimGroup(t, two, "late ", 48, 4)
	client.Close()
	if _, err := one.CommitGroup(&group, 4); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a commit behind the client's Close: %v", err)
	}
	two.Close()
	for i := range kept.Len() {
		copy(kept.At(i), "nothing is unmapped under somebody who may still write")
	}
	if _, err := two.CommitGroup(&kept, 4); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a commit behind Close: %v", err)
	}
	if _, err := two.ClaimGroup(KindEcho, 48, 4); !errors.Is(err, ironhoard.ErrClosed) {
		t.Errorf("a claim behind Close: %v", err)
	}
}
