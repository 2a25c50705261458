//go:build linux && (amd64 || arm64)

package enginetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// host is an attached host. Its memory ends when the last shard has given its lanes back.
type host struct {
	life      *life
	conn      *wire.Conn
	terms     wire.Welcome
	resume    *wire.Resume
	request   *region.Mapping // read-only
	reply     *region.Mapping
	doorbells []*doorbell
	region    file         // the request region's
	parts     atomic.Int32 // shards that hold lanes of this host

	opening  sync.Mutex // from READY until the shards have the lanes
	attached bool       // under opening
}

// open takes over what was made, says READY, and hands each shard its lanes.
func (h *host) open(made *offer, hello *wire.Hello) *wire.Refusal {
	h.opening.Lock()
	defer h.opening.Unlock()
	h.terms, h.resume = made.terms, hello.Resume
	h.request, h.reply, h.doorbells = made.request, made.reply, made.doorbells
	if made.newRequest != nil {
		made.newRequest.close()
	}
	parts, err := h.split()
	if err != nil {
		h.release()
		return refuse(wire.Internal, "%v: this is a defect of the engine, report it", err)
	}
	if refusal := h.tell(wire.EncodeStep(wire.KindReady)); refusal != nil {
		h.release()
		return refusal
	}
	counts := &h.life.counts.attached
	if h.resume != nil {
		counts = &h.life.counts.resumed
	}
	counts.Add(1)
	h.life.settings.logger.Info("host attached", "host", hello.Wishes.HostName, "lanes", hello.Wishes.Lanes,
		"epoch", h.terms.Epoch)
	h.attached = true
	h.parts.Store(int32(len(parts)))
	for index, part := range parts {
		serving := h.life.shards[index]
		h.life.start(func() { part.doorbell.listen(serving) })
		if !serving.post(func(s *shard) { s.take(part) }) {
			h.returned()
		}
	}
	return nil
}

// split builds one part for each shard of the engine, with the lanes that it serves.
func (h *host) split() ([]*part, error) {
	parts := make([]*part, len(h.life.shards))
	for index := range parts {
		flag := h.reply.Word(layout.ShardLinesOffset + layout.Line*uint64(index))
		parts[index] = &part{host: h, sleeper: newSleeper(flag), doorbell: h.doorbells[index],
			ears: h.ears(uint32(index))}
	}
	for index, shard := range h.terms.LaneShards {
		part := parts[shard]
		lane, err := newLane(h, uint32(index), part.doorbell, &h.life.settings)
		if err != nil {
			return nil, err
		}
		part.lanes = append(part.lanes, lane)
	}
	return parts, nil
}

// drain tells an attached host that the engine leaves. A conversation under way ends: its host will find the
// next engine.
func (h *host) drain() {
	h.opening.Lock()
	defer h.opening.Unlock()
	if h.attached {
		_ = h.conn.SendNow(wire.EncodeStep(wire.KindDraining))
	} else {
		h.conn.Close()
	}
}

// listen waits for the host's last word, or its end, and has the shards give the lanes back.
func (h *host) listen() {
	_ = h.conn.SetDeadline(time.Time{})
	received, err := h.conn.Receive()
	if err == nil {
		received.Close()
		if notice, err := wire.DecodeNotice(received.Message); err != nil || notice.Kind != wire.KindDetach {
			h.life.settings.logger.Warn("a notice that no host should send", "notice", notice, "error", err)
		}
	}
	for _, serving := range h.life.shards {
		serving.post(func(s *shard) { s.leave(h) })
	}
}

// laneClosed tells the host that it lost a lane.
func (h *host) laneClosed(lane uint32, reason error) {
	refusal := refuse(wire.LaneClosed, "lane %d is closed: %v; attach anew", lane, reason)
	refusal.Limit = uint64(lane)
	h.life.settings.logger.Warn("a host wrote nonsense", "lane", lane, "reason", reason)
	_ = h.conn.SendNow(refusal.Encode())
}

// returned says that one more shard has given its lanes back.
func (h *host) returned() {
	if h.parts.Add(-1) == 0 {
		h.life.forget(h)
		if h.life.isLeaving() {
			_ = h.conn.SendNow(wire.EncodeStep(wire.KindDetach)) // all that was taken is answered
		}
		h.conn.Close()
		h.release()
	}
}

// release frees what was made for the host: nobody touches it any more.
func (h *host) release() {
	for _, bell := range h.doorbells {
		bell.close()
	}
	h.request.Release()
	h.reply.Release()
}
