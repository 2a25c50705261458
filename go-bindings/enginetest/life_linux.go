//go:build linux && (amd64 || arm64)

package enginetest

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

const (
	// maxDrain bounds how long a halt goes on answering hosts that go on asking.
	maxDrain = time.Second
	// acceptPause lies behind a connection that could not be accepted, most often for want of descriptors.
	acceptPause = 10 * time.Millisecond
)

// life is one incarnation of an engine, from its start to its death. Nothing of it reaches the next but
// what a host brings along.
type life struct {
	settings settings
	counts   *counts
	place    *place
	shards   []*shard
	events   *eventRings
	running  sync.WaitGroup // every goroutine of this life

	mu       sync.Mutex
	hosts    map[*host]struct{} // attached, and conversations under way
	served   map[file]*host     // the request regions
	leaving  bool               // in good order
	dying    bool               // as by kill -9
	nextLane uint32
}

// file names a memory file, whoever holds it.
type file struct{ device, inode uint64 }

func begin(path string, handler Handler, s settings, c *counts) (*life, error) {
	s.membarrier = s.membarrier && sys.RegisterMembarrier()
	events, err := makeEvents(&s)
	if err != nil {
		return nil, err
	}
	place, err := listenAt(path, 0o600)
	if err != nil {
		events.close()
		return nil, err
	}
	l := &life{
		settings: s, counts: c, place: place, events: events,
		hosts: map[*host]struct{}{}, served: map[file]*host{},
	}
	for index := range s.shards {
		shard := &shard{life: l, handler: handler, bell: make(chan struct{}, 1), events: events.of(index)}
		shard.request.publish, shard.request.nextEvent = shard.publish, shard.nextEvent
		l.shards = append(l.shards, shard)
	}
	l.running.Add(len(l.shards))
	for _, shard := range l.shards {
		go shard.run()
	}
	l.start(l.accept)
	return l, nil
}

// start runs f on a goroutine of this life.
func (l *life) start(f func()) {
	l.running.Add(1)
	go func() {
		defer l.running.Done()
		f()
	}()
}

func (l *life) accept() {
	for {
		socket, err := l.place.listener.AcceptUnix()
		switch {
		case err == nil:
			l.start(func() { l.converse(socket) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.settings.logger.Error("cannot accept a connection: raise the limit on open files", "error", err)
			time.Sleep(acceptPause)
		}
	}
}

// enter counts a host in, if it may come.
func (l *life) enter(h *host) *wire.Refusal {
	_, uid, err := h.conn.Credentials()
	if err != nil {
		return refuse(wire.Internal, "the kernel does not say who connected (%v): "+
			"this is a defect of the engine, report it", err)
	}
	if refusal := l.settings.judgeUID(uid); refusal != nil {
		return refusal
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.dying:
		return refuse(wire.Gone, "this life is over")
	case l.leaving:
		return refuse(wire.Draining, "the engine is leaving: resume with the next one")
	case len(l.hosts) >= l.settings.maxHosts:
		refusal := refuse(wire.Hosts, "this engine serves %d hosts and may not serve more: detach one",
			len(l.hosts))
		refusal.Limit = uint64(l.settings.maxHosts)
		return refusal
	}
	l.hosts[h] = struct{}{}
	return nil
}

// serve enters the request region behind fd (none if -1) for h, unless it is served already.
func (l *life) serve(h *host, fd int) *wire.Refusal {
	if fd < 0 {
		return nil
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return refuse(wire.ResumeRegion, "the descriptor cannot be looked at: %v", err)
	}
	region := file{device: stat.Dev, inode: stat.Ino}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.served[region] != nil {
		return refuse(wire.ResumeServed, "this request region is being served already: attach anew, or end the "+
			"host that holds it")
	}
	l.served[region], h.region = h, region
	return nil
}

// forget counts a host out.
func (l *life) forget(h *host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.hosts, h)
	if l.served[h.region] == h {
		delete(l.served, h.region)
	}
}

// deal gives each of count lanes its shard, round and round.
func (l *life) deal(count uint32) []uint16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	shards := make([]uint16, count)
	for i := range shards {
		shards[i] = uint16(l.nextLane % l.settings.shards)
		l.nextLane++
	}
	return shards
}

// isLeaving says whether this life ends in good order.
func (l *life) isLeaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

func (l *life) hostCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hosts)
}

// leave begins the end: nobody new comes in. The hosts that are there.
func (l *life) leave() []*host {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
	var hosts []*host
	for h := range l.hosts {
		hosts = append(hosts, h)
	}
	return hosts
}

// halt ends in good order: hosts are told, what is committed is answered, and the path is free.
func (l *life) halt() {
	for _, h := range l.leave() {
		h.drain()
	}
	until := time.Now().Add(maxDrain)
	for _, serving := range l.shards {
		serving.post(func(s *shard) { s.haltAt = until })
	}
	l.place.leave()
	l.place.listener.Close()
	l.bury()
	l.place.close()
}

// bury waits until nothing of this life runs any more, and frees what all of it shared.
func (l *life) bury() {
	l.running.Wait()
	l.events.close()
}

// die ends as kill -9 does: nothing more is written, nobody is told, the socket's file stays. The gates of
// all shards are held by the caller. Nobody comes in from the first moment on: a host that found this life
// again would take it for another engine that died of its request.
func (l *life) die() {
	l.mu.Lock()
	l.dying = true
	l.place.close()
	for h := range l.hosts {
		h.conn.Close()
	}
	l.mu.Unlock()
	for _, shard := range l.shards {
		shard.dead = true
		shard.gate.Unlock()
		shard.ring()
	}
}

// closeGates takes all gates: from here on no shard touches shared memory.
func (l *life) closeGates() {
	for _, shard := range l.shards {
		shard.gate.Lock()
	}
}

func (l *life) openGates() {
	for _, shard := range l.shards {
		shard.gate.Unlock()
	}
}
