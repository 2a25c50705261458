package ironhoard

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Pages are a demand on the memory of the rings.
type Pages uint32

const (
	PagesAuto  = Pages(wire.PagesAuto)        // the largest that can be had
	PagesHuge  = Pages(wire.PagesRequireHuge) // 2 MiB pages of the hugetlb pool, or a refusal
	PagesSmall = Pages(wire.PagesSmall)       // 4 KiB pages
)

// Hooks are called when something rare happens, for metrics and alarms. Each may be nil. They run on the
// goroutine that noticed, so they must not block and must not call the Client.
type Hooks struct {
	Resumed    func(epoch uint64)              // another engine took over
	Gone       func(err error)                 // there is no engine any more, and this client gave up
	LaneClosed func(lane int, reason string)   // the engine closed one lane
	Parked     func(lane int)                  // somebody found no reply in time and went to sleep
	Late       func(lane int, replies uint64)  // replies came for calls that had been given up
	Attached   func(epoch uint64, terms Terms) // an engine answered: at Dial, and after each resume
}

// Option changes how [Dial] attaches and how the client waits.
type Option func(*options)

type options struct {
	wishes wire.Wishes
	lanes  int
	events int

	eventsOnly bool

	request  int
	reply    int
	spin     uint32
	patience time.Duration
	logger   *slog.Logger
	hooks    Hooks
}

// The usual way: 4096 looks are 80 to 200 µs.
const (
	defaultSpin     = 4096
	defaultPatience = 30 * time.Second
)

// silent says nothing and costs nothing.
var silent = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(math.MaxInt8)}))

func chosen(list []Option) (*options, error) {
	o := &options{
		request: layout.DefaultCapacity, reply: layout.DefaultCapacity,
		spin: defaultSpin, patience: defaultPatience, logger: silent,
	}
	for _, option := range list {
		option(o)
	}
	switch {
	case o.lanes < 0 || o.lanes > layout.MaxLanes-1:
		return nil, fmt.Errorf("ironhoard: %d lanes are not possible: 0 to %d", o.lanes, layout.MaxLanes-1)
	case !wire.FitsName(o.wishes.Service) || !wire.FitsName(o.wishes.HostName):
		return nil, fmt.Errorf("ironhoard: a name must be at most %d bytes of UTF-8 without control characters",
			wire.NameBytes)
	}
	for _, capacity := range []int{o.request, o.reply} {
		if capacity < layout.MinCapacity || capacity > layout.MaxCapacity || capacity&(capacity-1) != 0 {
			return nil, fmt.Errorf("ironhoard: a ring of %d bytes is not possible: a power of two, %d to %d",
				capacity, layout.MinCapacity, layout.MaxCapacity)
		}
	}
	o.wishes.Lanes = uint32(o.lanes) + 1 // one is shared by all calls of the Client
	o.wishes.RequestCapacity, o.wishes.ReplyCapacity = uint64(o.request), uint64(o.reply)
	return o, o.chooseEvents()
}

// chooseEvents says what the wishes are for event rings.
func (o *options) chooseEvents() error {
	if o.events < AllEventRings || o.events > layout.MaxEventRings {
		return fmt.Errorf("ironhoard: %d event rings are not possible: 0 to %d, or AllEventRings", o.events,
			layout.MaxEventRings)
	}
	if o.eventsOnly && o.lanes != 0 {
		return fmt.Errorf("ironhoard: %d lanes and WithEventsOnly do not go together", o.lanes)
	}
	if o.eventsOnly && o.events == 0 {
		o.events = AllEventRings
	}
	if o.wishes.EventRings = uint32(o.events); o.events == AllEventRings {
		o.wishes.EventRings = wire.AllEventRings
	}
	if o.eventsOnly {
		o.wishes.Lanes, o.wishes.RequestCapacity, o.wishes.ReplyCapacity = 0, 0, 0
	}
	return nil
}

// WithLanes declares how many lanes of their own [Client.NewProducer] can give out at one time, 0 to 1023.
// Each costs the memory of two rings.
func WithLanes(lanes int) Option { return func(o *options) { o.lanes = lanes } }

// WithEventRings asks for the first rings event rings of the engine, 0 to 48, to be read with
// [Client.Events]: an engine that has fewer refuses. [AllEventRings] asks for as many as there are. Where
// nobody asks there are none.
func WithEventRings(rings int) Option { return func(o *options) { o.events = rings } }

// WithEventsOnly attaches without lanes, for who reads events and sends nothing: calls end with [ErrNoLanes].
// It costs an engine next to nothing. Where [WithEventRings] does not say how many: all there are.
func WithEventsOnly() Option { return func(o *options) { o.eventsOnly = true } }

// WithCapacity chooses the bytes of each request ring and each reply ring: powers of two, 4 KiB to 1 GiB. A
// payload can be an eighth of that. Where nobody asks: 1 MiB; below 256 KiB streaming is 5–20 times slower.
func WithCapacity(request, reply int) Option {
	return func(o *options) { o.request, o.reply = request, reply }
}

// WithPages demands certain pages. Where nobody asks: [PagesAuto].
func WithPages(pages Pages) Option {
	return func(o *options) { o.wishes.Pages = wire.PageMode(pages) }
}

// WithService demands an engine that serves name in this version; an empty name and version 0 are any.
func WithService(name string, version uint32) Option {
	return func(o *options) { o.wishes.Service, o.wishes.ServiceVersion = name, version }
}

// WithName gives this host a name for people, at most 64 bytes: it shows in the engine's tools.
func WithName(name string) Option { return func(o *options) { o.wishes.HostName = name } }

// WithSpin bounds the looks at the ring before a waiting goroutine first yields and then parks; a look takes
// 20 to 50 ns. Below the bound the number adapts to how long replies take. 0 parks at once: right where
// processors are dear and a wake-up of tens of microseconds does not hurt.
func WithSpin(looks int) Option {
	return func(o *options) { o.spin = uint32(max(0, min(looks, 1<<30))) }
}

// WithPatience bounds how long the client looks for another engine when its own ends; 0: not at all. Where
// nobody asks: 30 s.
func WithPatience(patience time.Duration) Option { return func(o *options) { o.patience = patience } }

// WithLogger makes the client say what it notices: resumes, closed lanes, small pages. Where nobody asks it
// says nothing.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) {
		if logger != nil {
			o.logger = logger
		}
	}
}

// WithHooks sets what is called when something rare happens.
func WithHooks(hooks Hooks) Option { return func(o *options) { o.hooks = hooks } }
