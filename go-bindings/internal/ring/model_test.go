package ring

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/lull"
)

// forge fills a payload with what hurts most: perfect headers of records to come, in every word.
func forge(payload []byte, next uint64) {
	for at := 0; at+8 <= len(payload); at += 8 {
		binary.LittleEndian.PutUint64(payload[at:], recordWord(0, next))
	}
}

// model drives one ring and a plain queue with the same operations, and looks after each at the ring's one
// invariant: what stands at the committed end is not taken for a header.
type model struct {
	t         *testing.T
	random    *rand.Rand
	p         *Producer
	r         *runner
	c         *Consumer
	lull      lull.Lull
	committed []Record // what the consumer must find next
	appended  []Record // of the open batch
}

func (m *model) payload(number uint64) []byte {
	payload := make([]byte, m.random.IntN(int(m.p.PayloadLimit())+1))
	if m.random.IntN(2) == 0 {
		forge(payload, number+uint64(m.random.IntN(6)))
	} else {
		for i := range payload {
			payload[i] = byte(m.random.Uint32())
		}
	}
	return payload
}

func (m *model) send() {
	payload := m.payload(m.p.Next())
	room, err := m.p.Reserve(len(payload))
	if err == ErrFull {
		m.publish() // a full ring shows what there is
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if m.p.Pending() == 0 {
		m.publish() // the ring's end was in the way
	}
	lent := m.p.Payload(room)
	copy(lent, payload)
	kind := uint16(m.random.Uint32())
	record := Record{Number: m.p.Next(), Kind: kind, Payload: payload}
	switch m.random.IntN(6) {
	case 0: // abort: the payload stays where it is
		return
	case 1: // shorter than claimed
		record.Payload = payload[:m.random.IntN(len(payload)+1)]
	}
	if m.random.IntN(2) == 0 {
		if got := m.p.Append(room, len(record.Payload), kind); got != record.Number {
			m.t.Fatalf("appended %d as number %d", record.Number, got)
		}
		m.appended = append(m.appended, record)
		return
	}
	m.p.Commit(room, len(record.Payload), kind)
	m.appended = append(m.appended, record)
	m.publish()
}

// sendEqual appends a few records of one size by the run; one of them may be given up.
func (m *model) sendEqual() {
	size := m.random.IntN(min(48, int(m.p.PayloadLimit())) + 1)
	for range m.random.IntN(6) {
		lent := m.r.claim(size)
		if lent == nil {
			m.publish() // a full ring shows what there is
			return
		}
		if m.p.Pending() == 0 {
			m.publish()
		}
		record := Record{Number: m.p.Next(), Kind: uint16(m.random.Uint32()), Payload: make([]byte, size)}
		forge(record.Payload, record.Number+uint64(m.random.IntN(6)))
		copy(lent, record.Payload)
		if m.random.IntN(8) == 0 {
			return
		}
		if got := m.r.add(record.Kind); got != record.Number {
			m.t.Fatalf("appended %d as number %d", record.Number, got)
		}
		m.appended = append(m.appended, record)
	}
}

// sendReady sends a record by a line that was got ready before, or gives that up, or does something else.
func (m *model) sendReady() {
	m.p.OwnNextLines()
	m.p.Ready(&m.r.run)
	size := int(m.p.last)
	if m.random.IntN(4) == 0 {
		size = m.random.IntN(49)
	}
	lent := m.r.claim(min(size, int(m.p.PayloadLimit())))
	if lent == nil {
		m.publish() // a full ring shows what there is
		return
	}
	if m.p.Pending() == 0 {
		m.publish()
	}
	record := Record{Number: m.p.Next(), Kind: uint16(m.random.Uint32()), Payload: make([]byte, len(lent))}
	forge(record.Payload, record.Number+uint64(m.random.IntN(6)))
	copy(lent, record.Payload)
	switch {
	case m.random.IntN(8) == 0:
		return
	case m.r.run.IsReady() && m.random.IntN(4) > 0:
		if got := m.r.run.CommitReady(record.Kind); got != record.Number {
			m.t.Fatalf("committed %d as number %d", record.Number, got)
		}
		m.p.Committed()
		m.committed = append(m.committed, record)
	default:
		if got := m.r.add(record.Kind); got != record.Number {
			m.t.Fatalf("appended %d as number %d", record.Number, got)
		}
		m.appended = append(m.appended, record)
	}
}

// sendGroup claims a group at once, lends some of it in any order, and commits a part, or nothing.
func (m *model) sendGroup() {
	kind := uint16(m.random.Uint32())
	size := m.random.IntN(int(m.p.PayloadLimit()) + 1)
	if m.random.IntN(2) == 0 {
		size = min(size, 48)
	}
	group, err := m.p.ReserveGroup(size, m.random.IntN(12), kind)
	m.publish() // what was appended is visible
	if err == ErrFull {
		return
	} else if err != nil {
		m.t.Fatal(err)
	}
	for range 2 * group.Len() {
		i := m.random.IntN(group.Len())
		forge(group.At(i), m.p.Next()+uint64(m.random.IntN(group.Len()+4)))
	}
	if m.random.IntN(4) == 0 {
		return
	}
	used, first := 1+m.random.IntN(group.Len()), m.p.Next()
	for i := range used {
		payload := bytes.Clone(m.p.words.Bytes(m.p.tail+uint64(i)*layout.RecordBytes(uint32(size))+16, size))
		m.committed = append(m.committed, Record{Number: first + uint64(i), Kind: kind, Payload: payload})
	}
	if got := m.p.CommitGroup(&group, used); got != first {
		m.t.Fatalf("committed %d as number %d", first, got)
	}
	if m.p.Holds(&group) {
		m.t.Fatal("a group is there still behind its commit")
	}
}

func (m *model) publish() {
	m.committed = append(m.committed, m.appended...)
	m.appended = nil
}

// take takes the next record in one of two ways.
func (m *model) take() (Record, bool) {
	number := m.c.Cursor().Number
	if m.random.IntN(2) == 0 {
		m.lull.FoundWith(uint32(m.random.IntN(3)))
		nothing := m.lull.Pass(number)
		m.p.KeepNextLines(nothing)
		if payload, kind, ok := m.c.TakeAfter(nothing, number); ok {
			return Record{Number: number, Kind: kind, Payload: payload}, true
		}
	}
	return m.c.Next()
}

func (m *model) receive() {
	record, ok := m.take()
	if m.c.Fault() != nil {
		m.t.Fatal(m.c.Fault())
	}
	if ok != (len(m.committed) > 0) {
		m.t.Fatalf("found %v, %+v with %d committed", ok, record, len(m.committed))
	}
	if !ok {
		m.c.Release()
		return
	}
	want := m.committed[0]
	if record.Number != want.Number || record.Kind != want.Kind || !bytes.Equal(record.Payload, want.Payload) {
		m.t.Fatalf("found %+v where %+v was sent", record, want)
	}
	m.committed = m.committed[1:]
}

func (m *model) step() {
	switch m.random.IntN(18) {
	case 0:
		if m.p.Publish() {
			m.publish()
		}
	case 1:
		m.p.Drop()
		m.appended = nil
	case 2:
		m.p.OwnNextLines()
	case 3:
		m.c.Release()
	case 4, 5, 6, 7:
		m.receive()
	case 8, 9:
		m.sendEqual()
	case 10, 11:
		m.sendReady()
	case 12, 13:
		m.sendGroup()
	default:
		m.send()
	}
	m.look()
}

// look checks the invariant.
func (m *model) look() {
	end := m.p.Cursor()
	word := m.p.words.Load(end.Position)
	toEnd := m.p.capacity - end.Position&(m.p.capacity-1)
	if what, _, _ := Judge(word, end.Number, toEnd, m.p.capacity, m.p.payload); what != IsEmpty {
		m.t.Fatalf("the word %#x at the committed end %+v means %d", word, end, what)
	}
}

func TestARingIsAQueueWhateverIsDoneToIt(t *testing.T) {
	for seed := range uint64(300) {
		for _, words := range []int{32, 64, 512} {
			start := Start
			if seed%3 == 0 {
				start = Cursor{Position: 1<<32 - uint64(words)*8*3 + 64*(seed%8), Number: 1<<32 - 20}
			}
			p, c := pair(t, make([]uint64, words), start)
			m := &model{t: t, random: rand.New(rand.NewPCG(seed, 7)), p: p, r: newRunner(t, p), c: c}
			for range 600 {
				m.step()
			}
		}
	}
}

func TestEqualRecordsSoilNothing(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	for range 1000 {
		write(t, p, 1, bytes.Repeat([]byte{0xff}, 48))
		c.Next()
		c.Release()
	}
	if soiled := p.soiled.count(); soiled != 0 {
		t.Errorf("%d lines are soiled in a stream of one-line records", soiled)
	}
}

func TestAnEighthIsGivenBackInTheMiddleOfABatch(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	for range 64 {
		write(t, p, 1, nil)
	}
	for taken := uint64(0); taken < 64; taken++ {
		if _, ok := c.Next(); !ok {
			t.Fatal("a record vanished")
		}
		if behind := c.Cursor().Position - c.Released(); behind > 4096/8+layout.Line {
			t.Fatalf("%d bytes behind after %d records", behind, taken)
		}
	}
}
