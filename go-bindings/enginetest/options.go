package enginetest

import (
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
)

// An Option changes what [New] and [Listen] make.
type Option func(*settings)

// settings are what an engine judges and serves by; they do not change while it lives.
type settings struct {
	shards       uint32
	service      string
	version      uint32
	uids         []uint32
	maxHosts     int
	maxLanes     uint32
	maxCapacity  uint64
	largestReply int
	// Of each shard.
	eventRings    uint32
	eventCapacity uint64
	state         string
	membarrier    bool
	poisonAfter   uint32
	silence       time.Duration
	patience      time.Duration
	logger        *slog.Logger
}

func settingsOf(options []Option) settings {
	s := settings{
		shards:       1,
		maxHosts:     64,
		maxLanes:     layout.MaxLanes,
		maxCapacity:  layout.MaxCapacity,
		largestReply: -1,
		membarrier:   true,
		poisonAfter:  2,
		silence:      5 * time.Second,
		patience:     50 * time.Microsecond,
		logger:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, option := range options {
		option(&s)
	}
	return s
}

// WithShards serves with count goroutines, 1 to 48; lanes are dealt out to them round and round. 1 where
// nobody says otherwise.
func WithShards(count int) Option {
	return func(s *settings) { s.shards = uint32(min(max(1, count), layout.MaxShards)) }
}

// WithService names the service, at most 64 bytes, and its version: a host that wants another is refused.
func WithService(name string, version uint32) Option {
	return func(s *settings) { s.service, s.version = name, version }
}

// WithAllowedUIDs lets only these users in. Everybody whom the socket's mode lets in where nobody says
// otherwise; with no uid at all, nobody.
func WithAllowedUIDs(uids ...uint32) Option {
	return func(s *settings) { s.uids = append(slices.Clone(uids), ^uint32(0)) }
}

// WithMaxHosts bounds the hosts that are attached at one time. 64 where nobody says otherwise.
func WithMaxHosts(count int) Option { return func(s *settings) { s.maxHosts = count } }

// WithMaxLanes bounds the lanes of one host.
func WithMaxLanes(count int) Option { return func(s *settings) { s.maxLanes = uint32(max(0, count)) } }

// WithMaxCapacity bounds the capacity of a ring, in bytes.
func WithMaxCapacity(bytes uint64) Option { return func(s *settings) { s.maxCapacity = bytes } }

// WithLargestReply bounds a reply's payload, in bytes. A request is taken only while the reply ring has
// room for the largest, so a small bound lets a reply ring be used to its end. Where nobody says otherwise
// the bound is that of the ring: an eighth of its capacity.
func WithLargestReply(bytes int) Option { return func(s *settings) { s.largestReply = max(0, bytes) } }

// WithEventRings gives each shard count event rings of so many bytes, a power of two from 4 KiB to 1 GiB:
// [Request.Publish] writes them, and every host that wishes reads them. An engine has at most 48, over all
// shards; what cannot be is an error of [Listen]. None where nobody says otherwise.
func WithEventRings(count int, capacity uint64) Option {
	return func(s *settings) {
		s.eventRings, s.eventCapacity = uint32(min(max(0, count), layout.MaxEventRings+1)), capacity
	}
}

// WithState declares that the handler keeps state which dies with the engine: hosts may not resume after
// [Engine.Kill], and are told reason. Where nobody says so they may: the handler's closure lives on in
// this process.
func WithState(reason string) Option { return func(s *settings) { s.state = reason } }

// WithoutMembarrier makes both ends fence, as on kernels or in sandboxes that have no membarrier.
func WithoutMembarrier() Option { return func(s *settings) { s.membarrier = false } }

// WithPoisonAfter answers a request that has seen count engines die with POISON instead of trying it
// again. 2 where nobody says otherwise.
func WithPoisonAfter(count int) Option {
	return func(s *settings) { s.poisonAfter = uint32(max(1, count)) }
}

// WithSilence bounds how long a host may be silent in each step of attaching. 5 s where nobody says
// otherwise.
func WithSilence(limit time.Duration) Option { return func(s *settings) { s.silence = limit } }

// WithPatience sets how long a shard looks for requests, yielding, before it sleeps: 0 sleeps at once.
// 50 µs where nobody says otherwise.
func WithPatience(duration time.Duration) Option { return func(s *settings) { s.patience = duration } }

// WithLogger tells logger about hosts that come, go, are refused or write nonsense.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }
