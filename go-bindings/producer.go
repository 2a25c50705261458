package ironhoard

import (
	"context"
	"iter"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/lull"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// Producer is a lane of its own for one goroutine: the fastest way, and the one with many requests under way.
// Nothing here locks, allocates or makes a system call while the engine is awake. It is not safe for two
// goroutines at the same time; it may move from one to another.
//
//	p.Claim(48) → write in place → p.Commit(kind)        visible at once
//	p.Claim(48) → write in place → p.Append(kind) …      visible together, with p.Flush or the next Commit
//	p.Poll(), p.Wait(ctx), range p.Replies(ctx)          the replies, in the order of the requests
//
// A slice from Claim is valid until Commit, Append, Abort, Close, or the next Claim; a reply's payload until
// the next Poll, Wait, Call or Close. A lane whose replies nobody takes stops: the engine passes it over.
type Producer struct {
	run    ring.Run // first: the compiler's sum for Append has room for no more
	lane   *lane
	claim  uint32 // bytes of the open claim plus 1; 0 where there is none, or it is the run's
	closed bool
	ended  bool   // the lane is given back
	mayOwn bool   // a request was committed since lines were last owned
	bound  uint32 // looks before others may run
}

// Reply is the engine's answer to one request.
type Reply struct {
	Number  uint64 // of the request, as Commit returned it
	Status  uint16 // 0 is success
	Payload []byte // in place and read-only; a write ends the process
}

// Err is nil for a success, and a [*RemoteError] otherwise.
func (r Reply) Err() error {
	if r.Status == layout.StatusOK {
		return nil
	}
	return &RemoteError{Code: r.Status}
}

// PayloadLimit is the largest payload of a request, in bytes.
func (p *Producer) PayloadLimit() int { return int(p.lane.producer.PayloadLimit()) }

// Lane is the number of the lane, for logs and tools.
func (p *Producer) Lane() int { return int(p.lane.index) }

// Outstanding is the number of requests, appended ones included, whose replies have not been taken.
func (p *Producer) Outstanding() int {
	if p.closed {
		return 0
	}
	l := p.lane
	return int(l.producer.Next() - max(l.consumer.Cursor().Number, l.wanted))
}

// Flush makes the open group visible. Nothing to do where there is none.
func (p *Producer) Flush() error {
	if p.closed {
		return ErrClosed
	}
	p.publish()
	return nil
}

// publish makes the open group visible, and keeps an open claim.
func (p *Producer) publish() {
	p.openClaim()
	if p.lane.producer.Publish() {
		p.committed()
		p.lane.ringIfAsleep()
	}
}

// ClaimWait is Claim that waits for room, making the open group visible first.
//
// Errors: as Claim, but never [ErrFull]; [ErrRepliesWaiting] where the engine itself waits until this
// producer takes replies; where the context is over its error, and nothing was claimed.
func (p *Producer) ClaimWait(ctx context.Context, n int) ([]byte, error) {
	for {
		payload, err := p.Claim(n)
		if err != ErrFull {
			return payload, err
		}
		l := p.lane
		if l.choked() {
			return nil, ErrRepliesWaiting
		}
		if err := p.until(ctx, n); err != nil {
			return nil, notSent(err)
		}
	}
}

// Poll takes the next reply, if there is one. It never blocks. Finding none while a single request is under
// way it gets the next request's lines ready, once.
//
// An error is for good: [ErrClosed], [ErrEngineGone] when its last replies have been taken,
// [*LaneClosedError], [*CorruptError]. Requests without a reply may have been executed then.
func (p *Producer) Poll() (reply Reply, ok bool, err error) {
	if p.closed {
		return Reply{}, false, ErrClosed
	}
	l := p.lane
	payload, status, ok, err := l.next()
	if !ok {
		l.consumer.Release()
		if err == nil && p.mayOwn && l.outstanding() == 1 && p.claim == 0 {
			p.mayOwn = false
			l.getReady(&p.run)
		}
		return Reply{}, false, err
	}
	return Reply{Number: l.consumer.Taken(), Status: status, Payload: payload}, true, nil
}

// Wait takes the next reply, and waits for it. It makes the open group visible first.
//
// Errors: as Poll; [ErrNothingOutstanding] where every request has been answered; where the context is over
// its error: the requests stay under way.
func (p *Producer) Wait(ctx context.Context) (Reply, error) {
	if p.closed {
		return Reply{}, ErrClosed
	}
	l := p.lane
	alone := p.mayOwn && l.outstanding() == 1 && l.producer.Pending() == 0 && p.claim == 0
	if alone {
		p.mayOwn = false
		number := l.producer.Next() - 1
		if payload, status, ok := l.takeAtOnce(&p.run, number); ok {
			return Reply{Number: number, Status: status, Payload: payload}, nil
		}
	}
	return p.waitLate(ctx, alone)
}

// waitLate is Wait without a lull, or where the reply to the lone request was not there behind it.
func (p *Producer) waitLate(ctx context.Context, alone bool) (Reply, error) {
	l := p.lane
	if !alone {
		p.publish()
	}
	for {
		looks := uint32(0)
		if alone {
			looks = 1 // the first was the one behind the lull
		}
		for ; looks <= p.bound; looks++ {
			payload, status, ok, err := l.next()
			if ok {
				if alone {
					l.lull.FoundWith(looks)
				}
				if looks*4 > p.bound {
					p.bound = min(2*p.bound+1, l.client.options.spin)
				}
				return Reply{Number: l.consumer.Taken(), Status: status, Payload: payload}, nil
			}
			if err != nil {
				return Reply{}, err
			}
			if !alone || looks >= lull.QuickLooks {
				sys.Pause(1)
			}
		}
		alone = false
		p.bound = max(p.bound/2, min(leastLooks, l.client.options.spin))
		if l.outstanding() == 0 {
			return Reply{}, ErrNothingOutstanding
		}
		l.consumer.Release()
		if err := p.until(ctx, forReply); err != nil {
			return Reply{}, err
		}
	}
}

// forReply is what until waits for where it is not room for so many bytes.
const forReply = -1

// isReady says whether what until waits for is there, or news.
func (p *Producer) isReady(n int) bool {
	l := p.lane
	if l.client.news.Load() != l.news || l.consumer.Faulty() {
		return true
	}
	if n == forReply {
		return l.consumer.Has()
	}
	return l.producer.HasRoom(n) != ring.ErrFull || l.consumer.Has() && l.choked()
}

// until waits for a reply or for room for n bytes, letting others run and then asleep, until that is there,
// or news, or the end of the context: its error.
func (p *Producer) until(ctx context.Context, n int) error {
	l := p.lane
	for yields := 0; ; yields++ {
		if p.isReady(n) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if yields < yieldsBeforePark && l.client.options.spin > 0 {
			yield()
			continue
		}
		if err := p.sleep(ctx, n); err != nil {
			return err
		}
	}
}

// sleep raises the lane's flag, looks once more, and sleeps until the tender or the context wakes it.
func (p *Producer) sleep(ctx context.Context, n int) error {
	l := p.lane
	l.asleep.Store(true)
	l.raise()
	defer func() {
		l.lower()
		l.asleep.Store(false)
	}()
	if p.isReady(n) {
		return nil
	}
	if hook := l.client.options.hooks.Parked; hook != nil {
		hook(int(l.index))
	}
	select {
	case <-l.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Call sends req and appends the reply to dst: the fastest round trip there is. As [Client.Call], with the
// lane's own goroutine; replies to earlier requests must have been taken, else it is [ErrRepliesWaiting]. A
// call that its context ends is given up: its reply is dropped when it comes.
func (p *Producer) Call(ctx context.Context, kind uint16, req, dst []byte) ([]byte, error) {
	if ctx.Done() != nil && ctx.Err() != nil {
		return dst, notSent(ctx.Err())
	}
	if p.Outstanding() != 0 && !p.closed {
		return dst, ErrRepliesWaiting
	}
	payload, err := p.Claim(len(req))
	if err == ErrFull {
		payload, err = p.ClaimWait(ctx, len(req))
	}
	if err != nil {
		return dst, err
	}
	memory.CopyIn(payload, req)
	number, err := p.Commit(kind)
	if err != nil {
		return dst, err
	}
	reply, err := p.Wait(ctx)
	if err != nil {
		p.lane.wanted = number + 1
		return dst, &UncertainError{Number: number, Err: err}
	}
	dst = memory.Append(dst, reply.Payload)
	if reply.Status != layout.StatusOK {
		return dst, &RemoteError{Code: reply.Status}
	}
	return dst, nil
}

// Replies takes replies, waiting for each, until nothing is outstanding; what the body of the loop commits
// is waited for as well. The last pair carries the error, if there is one: as [Producer.Wait].
func (p *Producer) Replies(ctx context.Context) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		for {
			reply, err := p.Wait(ctx)
			if err == ErrNothingOutstanding || !yield(reply, err) || err != nil {
				return
			}
		}
	}
}

// Close makes the open group visible and gives the lane back. Replies that are still to come are dropped
// when they do. A claim that is open keeps its memory until Abort, Commit or Append (which answer
// [ErrClosed]) or for ever: nothing is unmapped under somebody who may still write. A second Close does
// nothing.
func (p *Producer) Close() error {
	if p.closed {
		return nil
	}
	_ = p.Flush()
	p.closed = true
	p.end()
	return nil
}

// end gives the lane of a closed producer back, once, when no claim is open.
func (p *Producer) end() {
	if p.closed && p.claim == 0 && !p.ended {
		p.ended = true
		p.lane.client.giveBack(p.lane)
	}
}
