package ironhoard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ironhoard/ironhoard/go-bindings/internal/attach"
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// First and longest pause between two tries to resume, and the most that one try may take.
const (
	firstPause   = time.Millisecond
	longestPause = 50 * time.Millisecond
	knockTime    = 5 * time.Second
)

// tender is the one goroutine of a client. It sleeps on the runtime's poller until a doorbell rings, the
// engine says something, or dies. Then it finds out how far the dead engine had come, and resumes with the
// next one at the same path.
//
//	attached ──hang-up, or death──▶ resuming ──READY──▶ attached (next epoch)
//	   │                              └─ refused, or patience over ──▶ gone
//	   └─ Close ──▶ end
//
// It does not touch what belongs to lanes; they follow in their own time.
type tender struct {
	client  *Client
	link    *link // the newest; the client's list keeps it
	ear     *attach.Ear
	lanes   []wire.LaneResume
	leaving bool // the engine left in good order: its end is no death that a request has caused
}

func (t *tender) run(ctx context.Context) {
	defer close(t.client.ended)
	for {
		stop := context.AfterFunc(ctx, t.ear.Close)
		err := t.listen()
		if stop() {
			t.ear.Close()
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = t.resume(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.client.setGone(err)
			<-ctx.Done() // Close still waits for the end
			return
		}
	}
}

// listen hears the engine until it is dead: nil. An error where this host can't hear any more.
func (t *tender) listen() error {
	for {
		news, err := t.ear.Hear()
		for _, notice := range news.Notices {
			t.said(notice)
		}
		if news.Rung {
			t.client.rung()
		}
		switch {
		case errors.Is(err, attach.ErrDead):
			return nil
		case errors.Is(err, os.ErrClosed):
			return err
		case err != nil:
			return fmt.Errorf("listening to it: %w", err)
		}
	}
}

// rung looks after all who sleep: a doorbell rang.
func (c *Client) rung() {
	c.rouseEvents()
	for _, l := range c.own() {
		if l.asleep.Load() {
			l.rouse()
		}
	}
	c.shared.rung()
}

func (t *tender) said(notice wire.Notice) {
	c, log := t.client, t.client.options.logger
	switch {
	case notice.Kind == wire.KindDetach:
		t.leaving = true
	case notice.Kind == wire.KindDraining:
		log.Info("ironhoard: the engine is halting", "path", c.path)
	case notice.Refusal.Code == wire.LaneClosed && notice.Refusal.Limit < uint64(len(c.lanes)):
		c.closeLane(uint32(notice.Refusal.Limit), notice.Refusal.Text)
	default:
		log.Warn("ironhoard: the engine ends this host", "path", c.path, "reason", notice.Refusal.Text)
	}
}

// closeLane notes that the engine closed a lane.
func (c *Client) closeLane(lane uint32, reason string) {
	c.mu.Lock()
	_, known := c.lost[lane]
	c.lost[lane] = reason
	c.mu.Unlock()
	if known {
		return
	}
	c.news.Add(1)
	c.options.logger.Warn("ironhoard: the engine closed a lane", "lane", lane, "reason", reason)
	if hook := c.options.hooks.LaneClosed; hook != nil {
		hook(int(lane), reason)
	}
	c.tell()
}

// setGone notes that there is no engine and will be none.
func (c *Client) setGone(reason error) {
	gone := &goneError{reason: reason}
	c.mu.Lock()
	c.gone = gone
	c.mu.Unlock()
	c.news.Add(1)
	c.options.logger.Warn("ironhoard: the engine is gone", "path", c.path, "reason", reason)
	if hook := c.options.hooks.Gone; hook != nil {
		hook(gone)
	}
	c.tell()
}

// resume walks what the dead engine left, then knocks at the path until an engine answers.
func (t *tender) resume(ctx context.Context) error {
	patience := t.client.options.patience
	if patience <= 0 {
		return errors.New("it ended, and this client does not resume")
	}
	until := time.Now().Add(patience)
	if err := t.prepare(); err != nil {
		return err
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := t.knock(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !mayPass(err) || time.Now().After(until) {
			return attachError(t.client.path, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// prepare finds out where each lane stands, clears the position words of the epoch to come, and writes that
// epoch into the request region's header.
func (t *tender) prepare() error {
	c, terms, next := t.client, t.link.engine.Terms, t.link.epoch+1
	if err := c.tidyPool(t.link); err != nil {
		return err
	}
	for index, l := range c.lanes {
		l.track.silence(next, c.fencing)
		before := t.lanes[index]
		offset := layout.RingOffset(uint32(len(c.lanes)), l.index, terms.RequestCapacity)
		requests := c.request.Mapping.Words(offset, terms.RequestCapacity)
		found, err := laneResume(t.link, requests, l.index, &l.track, before)
		if err != nil {
			return err
		}
		if t.leaving { // no request has caused this
			seen := uint32(0)
			if found.LastReply == before.LastReply {
				seen = before.Deaths
			}
			found.Deaths = min(found.Deaths, seen)
		}
		t.lanes[index] = found
		position := c.request.Mapping.Word(layout.ReplyPositionOffset(l.index, next))
		position.Release(0)
	}
	c.request.WriteHeader(terms.HostID, next)
	return nil
}

// tidyPool brings the lanes that nobody has to the newest engine: their replies belong to nobody.
func (c *Client) tidyPool(newest *link) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var failed error
	for _, l := range c.free {
		failed = errors.Join(failed, l.abandon(newest))
	}
	return failed
}

// knock tries to resume once.
func (t *tender) knock(ctx context.Context) error {
	c := t.client
	ctx, cancel := context.WithTimeout(ctx, knockTime)
	defer cancel()
	engine, err := attach.Resume(ctx, c.path, &c.options.wishes, t.link.engine.Terms, c.request, t.lanes)
	if err != nil {
		return err
	}
	first := make([]uint64, len(t.lanes))
	for i, lane := range t.lanes {
		first[i] = lane.LastReply + 1
	}
	ear, err := engine.Listen()
	if err != nil {
		engine.Close()
		return err
	}
	t.link, t.ear, t.leaving = newLink(engine, first), ear, false
	c.addLink(t.link)
	// `epoch`: whoever committed before seeing the news has its record found by these rings. By what this
	// process can do: a lane may still rely on what it agreed with the last engine.
	sleeperBarrier(c.fencing)
	for shard := range int(engine.Terms.Shards) {
		engine.Ring(shard)
	}
	c.saidTerms(t.link)
	if hook := c.options.hooks.Resumed; hook != nil {
		hook(t.link.epoch)
	}
	c.tell()
	return nil
}

// mayPass says whether the same try may succeed a little later.
func mayPass(err error) bool {
	var refusal *wire.Refusal
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case wire.Draining, wire.ResumeServed, wire.Silence,
			// Places and memory of those who have just left are still being given back.
			wire.Hosts, wire.HostsPerUID, wire.MemoryPerUID, wire.Resources:
			return true
		}
		return false
	}
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || attach.IsHangUp(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.EAGAIN)
}
