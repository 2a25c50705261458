package ironhoard

import (
	"sync/atomic"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/lull"
	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
	"github.com/ironhoard/ironhoard/go-bindings/internal/ring"
	"github.com/ironhoard/ironhoard/go-bindings/internal/sys"
)

// lane is this host's end of one lane: requests out, replies in, the doorbell, and the flag that it raises
// to sleep. It has one owner at a time, who alone may call its methods.
type lane struct {
	client   *Client
	producer *ring.Producer
	consumer *ring.Consumer
	reading  *link // whose replies the consumer reads
	ringing  *link // the newest known: whose doorbell and request position
	shard    memory.Word
	rung     uint64 // the value of the shard's flag that was last rung for
	news     uint64 // of Client.news, as last seen
	wanted   uint64 // replies below this number belong to nobody any more
	index    uint32
	raised   bool
	lull     lull.Lull
	asleep   atomic.Bool // its owner waits for wake
	napping  uint64      // the value of flag
	flag     memory.Word
	position memory.Word // where the consumer publishes, in reading's epoch
	track    track
	wake     chan struct{} // of the goroutine that sleeps on this lane; one token
}

func newLane(c *Client, index uint32, l *link) (*lane, error) {
	request := c.request.Mapping
	control := layout.LaneControlOffset(index)
	terms := l.engine.Terms
	words := request.Words(layout.RingOffset(l.lanes(), index, terms.RequestCapacity), terms.RequestCapacity)
	producer, err := ring.NewProducer(words, l.requestPosition(index), ring.Start)
	if err != nil {
		return nil, err
	}
	made := &lane{
		client: c, index: index, producer: producer, wake: make(chan struct{}, 1),
		flag: request.Word(control + layout.LaneNeedWakeup), wanted: 1,
	}
	made.bind(l)
	return made, made.read(l)
}

// read moves the consumer to the beginning of l's reply ring.
func (l *lane) read(to *link) error {
	start := ring.Cursor{Position: 0, Number: to.first[l.index]}
	consumer, err := ring.NewConsumer(to.replyWords(l.index), l, start)
	if err != nil {
		return err
	}
	old := l.reading
	l.reading, l.consumer = to.retain(), consumer
	l.position = l.client.request.Mapping.Word(layout.ReplyPositionOffset(l.index, to.epoch))
	l.track.release(to.epoch, start, &l.position, l.client.fencing)
	if old != nil {
		old.release()
	}
	return nil
}

// bind makes l the engine whose doorbell is rung and whose request position counts.
func (l *lane) bind(to *link) {
	old := l.ringing
	l.ringing, l.shard, l.rung = to.retain(), to.shardFlag(l.index), 0
	l.producer.Rebind(to.requestPosition(l.index))
	if old != nil {
		old.release()
	}
}

// Publish implements ring.Position: notes where the lane stands, publishes it, and tells an engine that
// sleeps for want of room.
func (l *lane) Publish(next ring.Cursor) {
	l.track.release(l.reading.epoch, next, &l.position, l.client.fencing)
	l.ringIfAsleep()
}

// ringIfAsleep is the waker's half of the wake protocol (label `doze`), behind each publish: one byte for
// each value of the shard's flag. It also looks whether there is news, of another engine above all: that one
// raises its flag elsewhere.
func (l *lane) ringIfAsleep() {
	if l.ringing.fencing {
		sys.Fence() // `doze`, with the engine's
	}
	if value := l.shard.Load(); value&1 != 0 && value != l.rung {
		l.ring(value)
	}
	if l.client.news.Load() != l.news {
		l.rebind()
	}
}

func (l *lane) ring(value uint64) {
	l.rung = value
	l.client.counts.rings.Add(1)
	l.ringing.engine.Ring(l.ringing.shard(l.index))
}

// rebind follows to the newest engine's doorbell. What has news for the reader besides is left to follow,
// which compares l.news itself.
func (l *lane) rebind() {
	newest := l.client.newest()
	if newest == nil {
		return // the client is closed
	}
	defer newest.release()
	if newest == l.ringing {
		return
	}
	l.bind(newest)
	if value := l.shard.Load(); value&1 != 0 {
		l.ring(value)
	}
}

// next takes the next reply that somebody waits for; false where there is none now. The reply lies in place
// until next is called again, its number is the consumer's Taken. An error is for good: the lane is corrupt,
// closed or without an engine, and all its replies have been taken.
func (l *lane) next() (payload []byte, status uint16, ok bool, err error) {
	for {
		payload, status, ok := l.consumer.Take()
		if !ok {
			again, err := l.foundNone()
			if err != nil || !again {
				return nil, 0, false, err
			}
			continue
		}
		if l.consumer.Taken() >= l.wanted {
			return payload, status, true, nil
		}
		l.dropped(1)
	}
}

// takeAtOnce comes right behind the commit of request number, the only one under way: it gets the next
// request's lines ready, lets the lull pass, and takes the reply if it is there then. In this order, because
// a look takes as long as a line's way here, and stores behind it would wait for it. Side by side with the
// look the lines come once more, if the engine has looked for the next request too early.
func (l *lane) takeAtOnce(run *ring.Run, number uint64) (payload []byte, status uint16, ok bool) {
	l.getReady(run)
	nothing := l.lull.Pass(number)
	l.producer.KeepNextLines(nothing)
	payload, status, ok = l.consumer.TakeAfter(nothing, number)
	if ok {
		l.lull.FoundWith(0)
	}
	return payload, status, ok
}

// getReady makes the next request's line the owner's run, and takes it and some more into this core's cache.
func (l *lane) getReady(run *ring.Run) {
	l.producer.OwnNextLines()
	l.producer.Ready(run)
}

// dropped counts replies that nobody waited for any more.
func (l *lane) dropped(replies uint64) {
	l.client.counts.late.Add(replies)
	if hook := l.client.options.hooks.Late; hook != nil {
		hook(int(l.index), replies)
	}
}

// foundNone looks for news. It says whether to look again. The room of what was taken is given back each
// eighth of the ring, and by who is about to wait for long: a position published in each round trip would be
// paid for in each, and an engine that waits for room never waits for less than an eighth.
func (l *lane) foundNone() (again bool, err error) {
	if l.client.news.Load() != l.news || l.consumer.Fault() != nil {
		return l.follow()
	}
	return false, nil
}

// follow goes on with the next engine's replies, if this one's have been read to their end; says so. An
// error where there will be no more.
func (l *lane) follow() (bool, error) {
	if fault := l.consumer.Fault(); fault != nil {
		return false, &CorruptError{Lane: int(l.index), Err: fault}
	}
	news := l.client.news.Load()
	l.rebind()
	if after := l.client.linkAfter(l.reading.epoch); after != nil {
		defer after.release()
		if l.consumer.Cursor().Number == after.first[l.index] {
			return true, l.read(after)
		}
	}
	if err := l.client.trouble(l.index); err != nil {
		return false, err
	}
	if l.reading == l.ringing {
		l.news = news // all of it is known
	}
	return false, nil
}

// abandon goes to the newest engine, whatever was left unread: for a lane that nobody has.
func (l *lane) abandon(newest *link) error {
	if l.reading == newest {
		return nil
	}
	l.bind(newest)
	return l.read(newest)
}

// outstanding is the number of requests committed whose replies have not been taken.
func (l *lane) outstanding() uint64 {
	return l.producer.Cursor().Number - max(l.consumer.Cursor().Number, l.wanted)
}

// raise says that this host is about to sleep on the lane, and runs the barrier: whoever commits a reply
// from now on rings. The caller looks once more before it sleeps (label `doze`).
func (l *lane) raise() {
	l.raised = true
	l.client.counts.parks.Add(1)
	l.napping = (l.napping + 1) | 1
	l.flag.Store(l.napping)
	sleeperBarrier(l.ringing.fencing)
}

// lower says that this host is awake again.
func (l *lane) lower() {
	l.raised = false
	l.napping = (l.napping + 1) &^ 1
	l.flag.Store(l.napping)
}

// rouse wakes the goroutine that sleeps on this lane, or the next one that will.
func (l *lane) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// choked says whether replies that nobody took fill the reply ring so far that the engine waits for room.
func (l *lane) choked() bool {
	l.consumer.Release()
	capacity := l.reading.engine.Terms.ReplyCapacity
	walker, err := ring.NewConsumer(l.reading.replyWords(l.index), ring.Untold{}, l.consumer.Cursor())
	if err != nil {
		return false
	}
	waiting := walkToEnd(walker, capacity)
	largest := 2 * layout.RecordBytes(layout.PayloadLimit(capacity))
	return waiting >= capacity || capacity-waiting < largest // a rude engine may show more than a ringful
}

// walkToEnd passes what is committed, a ringful at most, and says how many bytes that was.
func walkToEnd(walker *ring.Consumer, capacity uint64) uint64 {
	start := walker.Cursor().Position
	for range capacity / layout.Line {
		if _, ok := walker.Next(); !ok {
			break
		}
	}
	return walker.Cursor().Position - start
}
