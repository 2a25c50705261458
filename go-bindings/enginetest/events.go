package enginetest

import "errors"

// What can keep [Request.Publish] from publishing; nothing has happened then.
var (
	// ErrNoEventRing says that the shard has no such event ring: see [WithEventRings].
	ErrNoEventRing = errors.New("enginetest: there is no such event ring; WithEventRings makes some")
	// ErrEventTooLarge says that the payload is more than an eighth of the ring.
	ErrEventTooLarge = errors.New("enginetest: an event's payload is at most an eighth of its ring")
	// ErrKilled says that the engine was killed while its handler ran.
	ErrKilled = errors.New("enginetest: the engine was killed meanwhile, and the dead publish nothing")
)

// Publish shows an event to all hosts that read event ring ring of this shard, from 0, and returns its number
// there, from 1. It waits for no reader, however slow, and is visible before the request's reply. Kind is the
// handler's. To be called until the handler returns; a frozen engine publishes when it is thawed.
//
// With several shards each has rings of its own: hosts see ring r of shard s as s × rings of a shard + r.
func (r *Request) Publish(ring int, kind uint16, payload []byte) (number uint64, err error) {
	if r.publish == nil { // made by a test of the handler alone
		return 0, ErrNoEventRing
	}
	return r.publish(ring, kind, payload)
}

// NextEvent is the number that the next event of ring ring of this shard will have; 0 where there is no such
// ring. Nobody else publishes there while the handler runs.
func (r *Request) NextEvent(ring int) uint64 {
	if r.nextEvent == nil {
		return 0
	}
	return r.nextEvent(ring)
}
