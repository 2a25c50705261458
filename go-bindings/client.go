package ironhoard

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/attach"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Client is an attached host: one lane that all its calls share, and a pool of lanes for producers. It is
// safe for any number of goroutines. Close it when it is not needed any more.
type Client struct {
	news    atomic.Uint64 // grows with everything that a lane must know of: engines, closed lanes, the end
	outside outside       // reply callbacks that run without the lock
	shared  shared
	counts  counts

	path    string
	options *options
	request *attach.Request
	fencing bool // this process cannot call membarrier

	mu     sync.Mutex // for what follows
	links  []*link    // that some lane may still have to read, the newest last
	free   []*lane
	lanes  []*lane
	gone   error
	lost   map[uint32]string // lanes that the engine closed, and why
	events map[int]*Events   // that are taken, by ring
	closed bool

	cancel context.CancelFunc // ends the tender
	ended  chan struct{}      // the tender has
}

// counts are what no lane's owner counts.
type counts struct {
	rings, parks, late, abandoned, resumes, lostEvents atomic.Uint64
}

// Dial attaches to the engine that listens at path. The context bounds the conversation and no more.
//
// Errors: [*NoEngineError], [*IncompatibleError], [*RefusedError], the context's, or errors.ErrUnsupported
// where there is no Linux.
func Dial(ctx context.Context, path string, list ...Option) (*Client, error) {
	options, err := chosen(list)
	if err != nil {
		return nil, err
	}
	options.wishes.Membarrier = sys.RegisterMembarrier()
	engine, request, err := attach.Attach(ctx, path, &options.wishes)
	if err != nil {
		return nil, attachError(path, err)
	}
	c := &Client{
		path: path, options: options, request: request, fencing: !options.wishes.Membarrier,
		lost: map[uint32]string{}, events: map[int]*Events{}, ended: make(chan struct{}),
	}
	first := newLink(engine, ones(len(engine.Terms.LaneShards)))
	if err := c.begin(first); err != nil {
		for _, l := range c.lanes {
			l.leave()
		}
		first.release()
		request.Close()
		return nil, fmt.Errorf("ironhoard: attaching at %s: %w", path, err)
	}
	return c, nil
}

func ones(count int) []uint64 {
	list := make([]uint64, count)
	for i := range list {
		list[i] = 1
	}
	return list
}

// begin makes the lanes and starts the tender.
func (c *Client) begin(first *link) error {
	c.links = []*link{first}
	for index := range first.lanes() {
		l, err := newLane(c, index, first)
		if err != nil {
			return err
		}
		c.lanes = append(c.lanes, l)
	}
	ear, err := first.engine.Listen()
	if err != nil {
		return err
	}
	if len(c.lanes) > 0 {
		c.lanes[0].setInUse(1) // calls come at any time
		c.free = append(c.free, c.own()...)
		c.shared.begin(c, c.lanes[0])
	} else {
		c.shared.draining.Store(true)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	t := &tender{client: c, link: first, ear: ear, lanes: make([]wire.LaneResume, len(c.lanes))}
	go t.run(ctx)
	c.saidTerms(first)
	return nil
}

// own are the lanes besides the shared one.
func (c *Client) own() []*lane { return c.lanes[min(1, len(c.lanes)):] }

// saidTerms tells people what was got.
func (c *Client) saidTerms(l *link) {
	terms := termsOf(l)
	c.options.logger.Info("ironhoard: attached", "path", c.path, "epoch", l.epoch, "engine", terms.EnginePID,
		"lanes", terms.Lanes, "request pages", terms.RequestPages, "reply pages", terms.ReplyPages)
	if hook := c.options.hooks.Attached; hook != nil {
		hook(l.epoch, terms)
	}
}

// NewProducer takes a lane of its own for one goroutine from the pool that [WithLanes] declared. It never
// waits: [ErrLanesExhausted] where all are taken.
func (c *Client) NewProducer(ctx context.Context) (*Producer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.troubleLocked(0); err != nil && c.lost[0] == "" {
		return nil, err
	}
	for i, l := range c.free {
		if _, lost := c.lost[l.index]; lost {
			continue
		}
		c.free = append(c.free[:i], c.free[i+1:]...)
		c.request.Mapping.Retain()
		l.setInUse(1) // before the first commit
		l.wanted = l.producer.Cursor().Number
		made := &Producer{lane: l, bound: c.options.spin}
		made.run = l.producer.NewRun(made)
		return made, nil
	}
	if c.options.eventsOnly {
		return nil, ErrNoLanes
	}
	return nil, ErrLanesExhausted
}

// giveBack puts the lane of a closed producer into the pool, or ends it where the client is closed.
func (c *Client) giveBack(l *lane) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		l.setInUse(0)
		c.free = append(c.free, l)
	}
	c.mu.Unlock()
	if closed {
		l.leave()
	}
	c.request.Mapping.Release()
}

// setInUse tells the engine whether to look at this lane in each of its rounds. At one that is not in use it
// looks every few thousand rounds: a reply then takes a hundred microseconds.
func (l *lane) setInUse(value uint64) {
	word := l.client.request.Mapping.Word(layout.LaneControlOffset(l.index) + layout.LaneInUse)
	word.Store(value)
}

// leave gives up what a lane holds of engines.
func (l *lane) leave() {
	if l.reading != nil {
		l.reading.release()
	}
	if l.ringing != nil {
		l.ringing.release()
	}
	l.reading, l.ringing = nil, nil
}

// Drain refuses new calls with [ErrClosed] and waits until those under way have their replies. Producers
// have their own: take them with [Producer.Replies]. Close the client behind it.
func (c *Client) Drain(ctx context.Context) error {
	if c.isNested() {
		return ErrNested
	}
	if c.options.eventsOnly {
		return nil
	}
	for pause := time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		if c.shared.drained() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Close detaches. Calls under way end with an [*UncertainError] that wraps [ErrClosed]; a callback that runs
// is waited for. Producers answer ErrClosed from now on; their claims and replies stay valid until they are
// closed themselves. A second Close does nothing.
func (c *Client) Close() error {
	if c.isNested() {
		return ErrNested
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.news.Add(1)
	c.cancel()
	<-c.ended
	if !c.options.eventsOnly {
		c.shared.end()
	}
	for _, l := range c.own() {
		l.rouse()
	}
	c.rouseEvents()
	c.mu.Lock()
	links, free := c.links, c.free
	c.links, c.free = nil, nil
	c.mu.Unlock()
	for _, l := range free {
		l.leave()
	}
	links[len(links)-1].engine.Detach()
	for _, l := range links {
		l.release()
	}
	c.request.Close()
	return nil
}

// newest is the engine that serves this host, with one more user; nil behind Close.
func (c *Client) newest() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) == 0 {
		return nil
	}
	return c.links[len(c.links)-1].retain()
}

// linkAfter is the engine that follows epoch, with one more user; nil where there is none.
func (c *Client) linkAfter(epoch uint64) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		if l.epoch > epoch {
			return l.retain()
		}
	}
	return nil
}

// addLink makes l the engine that serves this host, and forgets those that no lane reads any more.
func (c *Client) addLink(l *link) {
	oldest := l.epoch
	for _, lane := range c.lanes {
		epoch, _ := lane.track.read()
		oldest = min(oldest, epoch)
	}
	c.mu.Lock()
	kept := c.links[:0]
	for _, old := range c.links {
		if old.epoch >= oldest {
			kept = append(kept, old)
		} else {
			old.release()
		}
	}
	c.links = append(kept, l)
	c.mu.Unlock()
	c.counts.resumes.Add(1)
	c.news.Add(1) // `epoch`: behind the link, before the tender's barrier and rings
}

// trouble is why nothing more will come on lane; nil where nothing is wrong.
func (c *Client) trouble(lane uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.troubleLocked(lane)
}

func (c *Client) troubleLocked(lane uint32) error {
	if c.closed {
		return ErrClosed
	}
	if c.gone != nil {
		return c.gone
	}
	if reason, lost := c.lost[lane]; lost {
		return &LaneClosedError{Lane: int(lane), Reason: reason}
	}
	return nil
}

// tell wakes everybody who may wait, behind news.
func (c *Client) tell() {
	for _, l := range c.own() {
		l.rouse()
	}
	c.rouseEvents()
	c.shared.rung()
}

// outside remembers which goroutines run reply callbacks without holding the lock, so that a call from
// inside one is an error there too.
type outside struct {
	count   atomic.Int32
	mu      sync.Mutex
	running map[uintptr]struct{}
}

func (o *outside) enter() (me uintptr) {
	me = sys.Goroutine()
	o.mu.Lock()
	if o.running == nil {
		o.running = map[uintptr]struct{}{}
	}
	o.running[me] = struct{}{}
	o.mu.Unlock()
	o.count.Add(1)
	return me
}

func (o *outside) leave(me uintptr) {
	o.count.Add(-1)
	o.mu.Lock()
	delete(o.running, me)
	o.mu.Unlock()
}

// isNested says whether this goroutine runs a callback of CallFunc.
func (c *Client) isNested() bool {
	me := sys.Goroutine()
	if me == 0 {
		return false // this processor's goroutines have no names here
	}
	if c.shared.callback.Load() == me {
		return true
	}
	if c.outside.count.Load() == 0 {
		return false
	}
	c.outside.mu.Lock()
	defer c.outside.mu.Unlock()
	_, found := c.outside.running[me]
	return found
}

// yield lets another goroutine run, and others' processors breathe.
func yield() { runtime.Gosched() }
