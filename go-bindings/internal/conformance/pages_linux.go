//go:build linux && (amd64 || arm64)

package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	ironhoard "github.com/ironhoard/ironhoard/go-bindings"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// pageTests are about every kind of page. They change the machine's pool of 2 MiB pages and restore it.
var pageTests = map[string]func(*testing.T, Start){
	"pages of 2 MiB are demanded and had":     hugeTest,
	"pages of 2 MiB are demanded and not had": noHugeTest,
	"any pages, and the pool has some":        autoHugeTest,
	"any pages, and the pool has none":        autoTest,
}

const (
	poolSize = "/proc/sys/vm/nr_hugepages"
	poolFree = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
)

// pool makes exactly free pages of 2 MiB free for the time of a test. The lock file is that of all tests of
// this project, in whatever language, that change the pool.
func pool(t *testing.T, free int) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "hugepages.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	before := number(t, poolSize)
	wanted := before - number(t, poolFree) + free
	if err := os.WriteFile(poolSize, strconv.AppendInt(nil, int64(wanted), 10), 0); err != nil {
		fmt.Fprintf(os.Stderr, "SKIPPED %s: the pool of 2 MiB pages cannot be changed: %v\n", t.Name(), err)
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(poolSize, strconv.AppendInt(nil, int64(before), 10), 0); err != nil {
			t.Error(err)
		}
	})
	if got := number(t, poolFree); got != free {
		fmt.Fprintf(os.Stderr, "SKIPPED %s: %d free pages of 2 MiB wanted, %d got\n", t.Name(), free, got)
		t.Skip("no memory for the pool")
	}
}

func number(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("this kernel has no pool of 2 MiB pages: %v", err)
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

const huge = "2 MiB (hugetlb)"

func hugeTest(t *testing.T, start Start) {
	pool(t, 8)
	engine := start(t)
	client := dial(t, engine, ironhoard.WithPages(ironhoard.PagesHuge), ironhoard.WithLanes(1))
	if terms := client.Terms(); terms.RequestPages != huge || terms.ReplyPages != huge {
		t.Errorf("2 MiB pages were demanded: %+v", terms)
	}
	hammer(t, client, 4, 2000)
	if free := number(t, poolFree); free >= 8 {
		t.Errorf("the pool still has %d pages", free)
	}
	client.Close()
	eventually(t, "the pool's pages do not come back", func() bool { return number(t, poolFree) == 8 })
}

func noHugeTest(t *testing.T, start Start) {
	pool(t, 0)
	var refused *ironhoard.RefusedError
	err := dialError(t, start(t).Path(), ironhoard.WithPages(ironhoard.PagesHuge))
	if !errors.As(err, &refused) || refused.Code != uint32(wire.Pages) {
		t.Errorf("2 MiB pages that are not there: %v", err)
	}
}

func autoHugeTest(t *testing.T, start Start) {
	pool(t, 8)
	engine := start(t)
	if _, inside := engine.(*inProcess); inside {
		t.Skip("the engine in Go leaves the pool alone unless its pages are demanded")
	}
	client := dial(t, engine, ironhoard.WithPages(ironhoard.PagesAuto))
	if terms := client.Terms(); terms.RequestPages != huge || terms.ReplyPages != huge {
		t.Errorf("the largest pages that can be had: %+v", terms)
	}
	hammer(t, client, 4, 1000)
}

func autoTest(t *testing.T, start Start) {
	pool(t, 0)
	client := dial(t, start(t), ironhoard.WithPages(ironhoard.PagesAuto))
	t.Logf("got %s and %s", client.Terms().RequestPages, client.Terms().ReplyPages)
	if terms := client.Terms(); terms.RequestPages == huge || terms.ReplyPages == huge {
		t.Errorf("the pool is empty: %+v", terms)
	}
	hammer(t, client, 4, 1000)
}
