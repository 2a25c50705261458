package ironhoard

import (
	"context"
	"errors"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/enginetest"
	"github.com/ironhoard/ironhoard/go-bindings/internal/event"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// An engine may publish, die and be followed by another between a reader's look and its question whether
// there is another engine. What it published then comes before the next life.
func TestTheLastEventsComeBeforeTheNextLife(t *testing.T) {
	engine := enginetest.New(enginetest.Echo)
	defer engine.Close()
	client, err := Dial(context.Background(), engine.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	region := make([]uint64, (layout.EventRingOffset+4096)/8)
	region[layout.EventRejoinEven/8+1] = 1
	control := event.ControlAt(func(at uint64) memory.Word { return memory.WordOf(&region[at/8]) })
	reader, err := event.NewReader(memory.OfSlice(region[layout.EventRingOffset/8:]), control)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, 2)
	e := &Events{
		client: client, link: client.newest(), reader: reader, news: client.news.Load(),
		next: memory.WordOf(&words[0]), flag: memory.WordOf(&words[1]),
	}
	defer e.link.release()
	if _, found, err := e.Poll(nil); found || err != nil {
		t.Fatal(found, err)
	}
	after := newLink(e.link.engine, []uint64{1 << 62}) // never closes what it shares: this use of it stays
	after.epoch++
	client.mu.Lock()
	client.links = append(client.links, after.retain())
	client.mu.Unlock()
	client.news.Add(1)
	region[layout.EventRingOffset/8] = 1<<32 | layout.HeaderBytes

	if last, found, err := e.uncommon(event.Answer{}, nil, nil); !found || err != nil || last.Number != 1 {
		t.Errorf("instead of the last event: %+v, %v, %v", last, found, err)
	}
	if words[0] != 2 {
		t.Errorf("who looks on is told that event %d comes next", words[0])
	}
	var none *NoEventRingError
	if _, found, err := e.Poll(nil); found || !errors.As(err, &none) {
		t.Errorf("instead of the next engine, which has no event rings: %v, %v", found, err)
	}
}
