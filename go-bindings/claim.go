package ironhoard

import "github.com/ironhoard/ironhoard/go-bindings/internal/ring"

// A Producer's claims: most of a group are the run's (see [ring.Run]), by Claim and Append, which the
// compiler puts into the program's own loop, and so is one that Wait got ready. All others go by calls.

// Claim takes room for a request of n bytes and lends it to be written in place; it holds whatever was
// there before. It never blocks: [ErrFull] is an ordinary answer. A claim that is still open is aborted.
//
// Errors: [ErrFull], [*TooLargeError], [ErrClosed], [ErrEngineGone], [*LaneClosedError], [*CorruptError]. In
// the middle of a group of equal requests it may learn 64 requests late that the engine is gone or the client
// was closed, behind a Wait or Poll one request late. Commit learns of it in any case.
func (p *Producer) Claim(n int) ([]byte, error) { return p.run.Claim(n, claimSlowly) }

func claimSlowly(run *ring.Run, n int) ([]byte, error) { return run.Owner.(*Producer).claimSlowly(n) }

// claimSlowly is Claim where the run has no line for it.
func (p *Producer) claimSlowly(n int) ([]byte, error) {
	l := p.lane
	if err := p.learn(); err != nil {
		return nil, err
	}
	group := l.producer.HasBatch()
	room, err := l.producer.Reserve(n)
	if group && !l.producer.HasBatch() { // a full ring or its end has made the group visible
		p.committed()
		l.ringIfAsleep()
	}
	if err != nil {
		p.claim = 0
		return nil, l.claimError(err, n)
	}
	p.claim = uint32(n) + 1
	return l.producer.Payload(room), nil
}

// learn looks whether there is news, and says why nothing can be sent, if there is a reason. The open claim
// is given up then.
func (p *Producer) learn() error {
	if l := p.lane; !p.closed && l.client.news.Load() == l.news {
		return nil
	}
	err := p.trouble()
	if err != nil {
		p.lane.producer.GiveUp() // a line that is ready, too
		p.claim = 0
		p.end()
	}
	return err
}

// trouble is why nothing can be sent, if there is a reason.
func (p *Producer) trouble() error {
	if p.closed {
		return ErrClosed
	}
	if err := p.lane.client.trouble(p.lane.index); err != nil {
		return err
	}
	p.lane.rebind() // full may be full only as far as the last engine's position tells
	return nil
}

// Commit makes the claim visible to the engine as a request of this kind, with everything that was
// appended before, and returns its number: the reply carries the same. The engine is woken if it sleeps.
//
// [ErrNoClaim] where there is no open claim. [ErrClosed] where the client was closed since Claim: nothing is
// sent then.
//
//go:noinline
func (p *Producer) Commit(kind uint16) (number uint64, err error) {
	l := p.lane
	if p.run.IsReady() && !p.closed && l.client.news.Load() == l.news {
		number = p.run.CommitReady(kind)
		l.producer.Committed()
		p.claim, p.mayOwn = 0, true
		l.ringIfAsleep()
		return number, nil
	}
	return p.commitSlowly(kind)
}

// commitSlowly is Commit of a claim whose line was not ready.
func (p *Producer) commitSlowly(kind uint16) (number uint64, err error) {
	l := p.lane
	claim := p.openClaim()
	if claim == 0 || claim == openGroup || p.closed || l.client.news.Load() != l.news {
		if err := p.noCommit(); err != nil {
			return 0, err
		}
	}
	p.claim = 0
	p.committed()
	if l.producer.HasBatch() {
		number = l.producer.Commit(ring.Room(claim-1), int(claim-1), kind)
	} else {
		number = l.producer.CommitAlone(claim-1, kind)
	}
	l.ringIfAsleep()
	return number, nil
}

// Append adds the claim to the group that the next Commit or Flush makes visible in one step, and returns
// its number. Groups of 16 cost a third of single commits. A group that meets a full ring or its end becomes
// visible early; waiting for replies makes it visible as well.
func (p *Producer) Append(kind uint16) (number uint64, err error) {
	return p.run.Append(kind, appendSlowly)
}

func appendSlowly(run *ring.Run, kind uint16) (uint64, error) {
	return run.Owner.(*Producer).appendSlowly(kind)
}

// appendSlowly is Append for what the run has not lent.
func (p *Producer) appendSlowly(kind uint16) (number uint64, err error) {
	claim := p.openClaim()
	if claim == 0 || claim == openGroup || p.closed {
		if err := p.noCommit(); err != nil {
			return 0, err
		}
	}
	p.claim = 0
	p.committed()
	l := p.lane
	if l.client.news.Load() != l.news { // the next Claim shall learn of it, and not go by a run
		return l.producer.Append(ring.Room(claim-1), int(claim-1), kind), nil
	}
	return l.producer.AppendRun(&p.run, claim-1, kind), nil
}

// openClaim is claim, the run's included. Whatever ends the run asks for it before.
func (p *Producer) openClaim() uint32 {
	if payload, open := p.run.Lent(); open {
		p.claim = uint32(payload) + 1
	}
	return p.claim
}

// committed notes that lines may be owned. A store saved counts in a stream.
func (p *Producer) committed() {
	if !p.mayOwn {
		p.mayOwn = true
	}
}

// noCommit is why the open claim can't be committed, if there is a reason. It is aborted then.
func (p *Producer) noCommit() error {
	claim := p.claim
	p.giveUp()
	err := p.trouble()
	p.end()
	if err == nil && (claim == 0 || claim == openGroup) {
		err = ErrNoClaim
	}
	return err
}

// Abort gives the open claim up: nothing becomes visible, no number is used. The open group stays.
func (p *Producer) Abort() {
	p.giveUp()
	p.end()
}

// giveUp forgets the open claim.
func (p *Producer) giveUp() {
	if _, open := p.run.Lent(); open || p.claim == openGroup {
		p.lane.producer.GiveUp()
	}
	p.claim = 0
}
