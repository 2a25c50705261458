package ring

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/ironhoard/ironhoard/go-bindings/internal/memory"
)

// runner is a program that writes by a run, and does what the run leaves to it.
type runner struct {
	t        *testing.T
	p        *Producer
	run      Run
	reserved int
	claims   int // that the run left to it
	appends  int
}

func newRunner(t *testing.T, p *Producer) *runner {
	made := &runner{t: t, p: p}
	made.run = p.NewRun(made)
	return made
}

// claim is room for payload bytes; nil where the ring is full.
func (r *runner) claim(payload int) []byte {
	lent, err := r.run.Claim(payload, func(run *Run, payload int) ([]byte, error) {
		r := run.Owner.(*runner)
		r.claims++
		r.reserved = payload
		room, err := r.p.Reserve(payload)
		if err != nil {
			return nil, err
		}
		return r.p.Payload(room), nil
	})
	if err != nil && err != ErrFull {
		r.t.Fatal(err)
	}
	return lent
}

// add appends what was claimed.
func (r *runner) add(kind uint16) uint64 {
	number, err := r.run.Append(kind, func(run *Run, kind uint16) (uint64, error) {
		r := run.Owner.(*runner)
		r.appends++
		if payload, open := run.Lent(); open {
			r.reserved = payload
		}
		return r.p.AppendRun(run, uint32(r.reserved), kind), nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return number
}

// send appends a record.
func (r *runner) send(kind uint16, payload []byte) uint64 {
	r.t.Helper()
	lent := r.claim(len(payload))
	if lent == nil {
		r.t.Fatal("the ring is full")
	}
	if len(lent) != len(payload) {
		r.t.Fatalf("%d bytes for %d", len(lent), len(payload))
	}
	copy(lent, payload)
	return r.add(kind)
}

// expect takes records number from up to to, each with its number as kind and payload.
func expect(t *testing.T, c *Consumer, from, to uint64) {
	t.Helper()
	for number := from; number < to; number++ {
		record, ok := c.Next()
		same := record.Number == number && record.Kind == uint16(number)
		if !ok || !same || !bytes.Equal(record.Payload, numbered(number)) {
			t.Fatalf("record %d: %v, %+v, %v", number, ok, record, c.Fault())
		}
	}
	if record, ok := c.Next(); ok || c.Fault() != nil {
		t.Fatalf("nothing is behind record %d: %+v, %v", to-1, record, c.Fault())
	}
}

func numbered(number uint64) []byte { return bytes.Repeat([]byte{byte(number)}, 48) }

func TestMostOfABatchNeedsNoCall(t *testing.T) {
	if !memory.Plain {
		t.Skip("with the race detector there are no runs")
	}
	p, c := pair(t, make([]uint64, 1<<14), Start) // 2048 lines
	r := newRunner(t, p)
	for number := uint64(1); number <= 1024; number++ {
		if got := r.send(uint16(number), numbered(number)); got != number {
			t.Fatalf("record %d has number %d", number, got)
		}
		if p.Pending() != int(number) || p.Next() != number+1 {
			t.Fatalf("behind record %d: %d are pending, %d is next", number, p.Pending(), p.Next())
		}
	}
	if r.claims+r.appends > 2*1024/64+2 {
		t.Errorf("%d calls to claim and %d to append 1024 equal records", r.claims, r.appends)
	}
	p.Publish()
	expect(t, c, 1, 1025)
}

func TestAnOpenClaimIsNotPublishedWithItsBatch(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	r := newRunner(t, p)
	r.send(1, numbered(1))
	r.send(2, numbered(2))
	lent := r.claim(48)
	copy(lent, numbered(3))
	p.Publish()
	expect(t, c, 1, 3)
	r.reserved = 48 // whoever ends the run keeps the claim, if it wants to
	r.add(3)
	p.Publish()
	expect(t, c, 3, 4)
}

func TestAClaimOfTheRunThatIsGivenUpLeavesNothing(t *testing.T) {
	for name, giveUp := range map[string]func(*runner){
		"by name":         func(r *runner) { r.p.GiveUp() },
		"for a small one": func(r *runner) { r.claim(8) },
		"for a large one": func(r *runner) { r.claim(60) },
		"with its batch":  func(r *runner) { r.p.Drop(); r.send(1, numbered(1)); r.send(2, numbered(2)) },
	} {
		p, c := pair(t, make([]uint64, 512), Start)
		r := newRunner(t, p)
		r.send(1, numbered(1))
		r.send(2, numbered(2))
		forge(r.claim(48), 3)
		giveUp(r)
		if _, open := r.run.Lent(); open {
			t.Errorf("%s: the run's claim is open", name)
		}
		p.Publish()
		expect(t, c, 1, 3)
		r.send(3, numbered(3))
		p.Publish()
		expect(t, c, 3, 4)
	}
}

// readyPair is a ring in which a record went alone and the next line was got ready.
func readyPair(t *testing.T) (*runner, *Consumer) {
	t.Helper()
	if !memory.Plain {
		t.Skip("with the race detector no line is got ready")
	}
	p, c := pair(t, make([]uint64, 512), Start)
	r := newRunner(t, p)
	write(t, p, 1, numbered(1))
	expect(t, c, 1, 2)
	p.OwnNextLines()
	p.Ready(&r.run)
	return r, c
}

func TestALineThatIsReadyNeedsNoCall(t *testing.T) {
	r, c := readyPair(t)
	copy(r.claim(48), numbered(2))
	if _, ok := c.Next(); ok || c.Fault() != nil {
		t.Fatalf("a claim is visible: %v", c.Fault())
	}
	if number := r.run.CommitReady(2); number != 2 {
		t.Fatalf("the second record has number %d", number)
	}
	r.p.Committed()
	expect(t, c, 2, 3)
	if r.claims != 0 || r.p.Next() != 3 || r.run.IsReady() {
		t.Errorf("%d calls, %d is next, ready: %v", r.claims, r.p.Next(), r.run.IsReady())
	}
}

func TestALineThatIsReadyMayBeUsedInAnyOtherWay(t *testing.T) {
	for name, send := range map[string]func(*runner){
		"shorter":             func(r *runner) { write(t, r.p, 2, numbered(2)) },
		"as a group":          func(r *runner) { r.send(2, numbered(2)); r.p.Publish() },
		"behind an abort":     func(r *runner) { forge(r.claim(48), 3); r.p.GiveUp(); write(t, r.p, 2, numbered(2)) },
		"behind another size": func(r *runner) { forge(r.claim(48), 3); forge(r.claim(60), 2); write(t, r.p, 2, numbered(2)) },
		"got ready twice":     func(r *runner) { r.p.Ready(&r.run); r.p.OwnNextLines(); write(t, r.p, 2, numbered(2)) },
		"behind a publish":    func(r *runner) { r.p.Publish(); write(t, r.p, 2, numbered(2)) },
		"with others behind":  func(r *runner) { r.send(2, numbered(2)); write(t, r.p, 3, numbered(3)) },
	} {
		r, c := readyPair(t)
		send(r)
		t.Log(name)
		expect(t, c, 2, r.p.Next())
		if _, open := r.run.Lent(); open || r.run.IsReady() {
			t.Errorf("%s: the line is still lent", name)
		}
	}
}

func TestTheWordBehindALineThatIsReadyIsHarmless(t *testing.T) {
	r, c := readyPair(t)
	forge(r.claim(200), 3) // aborted: payload lies where record 3 will have its header
	r.p.Ready(&r.run)
	copy(r.claim(48), numbered(2))
	r.run.CommitReady(2)
	r.p.Committed()
	expect(t, c, 2, 3)
}

func TestNothingIsReadyWhereThereIsNoRoomOrABatch(t *testing.T) {
	r, c := readyPair(t)
	for lent := r.claim(48); lent != nil; lent = r.claim(48) {
		r.add(2)
	}
	r.p.Ready(&r.run)
	if r.claim(48) != nil {
		t.Error("a line of a full ring was lent")
	}
	r.p.Publish()
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	c.Release()
	r.send(1, numbered(1)) // opens a batch
	r.p.endRun()
	r.p.Ready(&r.run)
	if r.claim(48); r.run.IsReady() {
		t.Error("a line behind a batch was lent as one that goes alone")
	}
}

func TestARunEndsWhereTheRingIsFull(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start) // 64 lines
	r := newRunner(t, p)
	next := uint64(1)
	for lap := range 5 {
		first := next
		for lent := r.claim(48); lent != nil; lent = r.claim(48) {
			copy(lent, numbered(next))
			r.add(uint16(next))
			next++
		}
		if next-first != 64 {
			t.Fatalf("lap %d: %d records in 64 lines", lap, next-first)
		}
		expect(t, c, first, next)
		c.Release()
	}
}

func TestARunCrossesWhereNumbersGetLonger(t *testing.T) {
	start := Cursor{Position: 1 << 20, Number: 1<<32 - 5}
	p, c := pair(t, make([]uint64, 512), start)
	r := newRunner(t, p)
	for number := start.Number; number < start.Number+20; number++ {
		if got := r.send(uint16(number), numbered(number)); got != number {
			t.Fatalf("record %d has number %d", number, got)
		}
	}
	p.Publish()
	expect(t, c, start.Number, start.Number+20)
}

func TestWhatARecordChangesIsOnOneLine(t *testing.T) {
	p, _ := pair(t, make([]uint64, 512), Start)
	if at := reflect.ValueOf(p).Pointer(); at%64 != 0 {
		t.Errorf("a producer begins %d bytes behind the beginning of a line", at%64)
	}
	for owner, fields := range map[reflect.Type][]string{
		reflect.TypeFor[Producer](): {"tail", "tailNumber", "near", "first", "end", "endNumber", "last", "run"},
		reflect.TypeFor[Run]():      {"next", "lent"},
	} {
		for _, name := range fields {
			if field, _ := owner.FieldByName(name); field.Offset >= 64 {
				t.Errorf("%v.%s is on another line", owner, name)
			}
		}
	}
}
