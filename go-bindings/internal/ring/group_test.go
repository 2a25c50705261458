package ring

import (
	"bytes"
	"testing"
)

// fill writes records number from on into group, each with its number as payload.
func fillGroup(group *Group, from uint64) {
	for i := range group.Len() {
		copy(group.At(i), numbered(from+uint64(i)))
	}
}

func reserveGroup(t *testing.T, p *Producer, payload, count int) Group {
	t.Helper()
	group, err := p.ReserveGroup(payload, count, 7)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// takeGroup takes records number from up to to.
func takeGroup(t *testing.T, c *Consumer, from, to uint64) {
	t.Helper()
	for number := from; number < to; number++ {
		record, ok := c.Next()
		if !ok || record.Number != number || record.Kind != 7 || !bytes.Equal(record.Payload, numbered(number)) {
			t.Fatalf("record %d: %v, %+v, %v", number, ok, record, c.Fault())
		}
	}
	if record, ok := c.Next(); ok || c.Fault() != nil {
		t.Fatalf("nothing is behind record %d: %+v, %v", to-1, record, c.Fault())
	}
}

func TestAGroupBecomesVisibleInOneStep(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	group := reserveGroup(t, p, 48, 16)
	if group.Len() != 16 {
		t.Fatalf("a group of %d", group.Len())
	}
	fillGroup(&group, 1)
	takeGroup(t, c, 1, 1)
	if first := p.CommitGroup(&group, 16); first != 1 || p.Next() != 17 {
		t.Fatalf("the first is %d, the next %d", first, p.Next())
	}
	if group.Len() != 16 || p.Holds(&group) {
		t.Errorf("a group of %d behind its commit", group.Len())
	}
	takeGroup(t, c, 1, 17)
}

func TestWhatIsLeftOfAGroupIsNothing(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start)
	group := reserveGroup(t, p, 48, 16)
	fillGroup(&group, 1)
	p.CommitGroup(&group, 3)
	takeGroup(t, c, 1, 4)
	write(t, p, 7, numbered(4)) // its end comes to lie on a header with number 5
	takeGroup(t, c, 4, 5)
	given := reserveGroup(t, p, 48, 16)
	fillGroup(&given, 5)
	again := reserveGroup(t, p, 48, 2)
	fillGroup(&again, 5)
	p.CommitGroup(&again, 2)
	takeGroup(t, c, 5, 7)
}

func TestAGroupEndsWithTheRing(t *testing.T) {
	p, c := pair(t, make([]uint64, 512), Start) // 64 lines
	next := uint64(1)
	for range 40 {
		group := reserveGroup(t, p, 48, 24)
		fillGroup(&group, next)
		p.CommitGroup(&group, group.Len())
		takeGroup(t, c, next, next+uint64(group.Len()))
		next += uint64(group.Len())
		c.Release()
	}
	if next < 40*16 {
		t.Errorf("%d records in 40 groups of up to 24", next-1)
	}
	full := reserveGroup(t, p, 48, 1000)
	fillGroup(&full, next)
	p.CommitGroup(&full, full.Len())
	rest := reserveGroup(t, p, 48, 1000)
	if full.Len()+rest.Len() != 64 {
		t.Errorf("%d and %d records in 64 lines", full.Len(), rest.Len())
	}
	fillGroup(&rest, next+uint64(full.Len()))
	p.CommitGroup(&rest, rest.Len())
	if group, err := p.ReserveGroup(48, 1, 7); err != ErrFull {
		t.Errorf("a full ring lent %d records: %v", group.Len(), err)
	}
	takeGroup(t, c, next, next+64)
}

func TestAGroupThatIsNotTheOpenClaimIsNotCommitted(t *testing.T) {
	p, _ := pair(t, make([]uint64, 512), Start)
	stale := reserveGroup(t, p, 48, 4)
	write(t, p, 1, numbered(1))
	gone := reserveGroup(t, p, 48, 4)
	p.CommitGroup(&gone, 1)
	fresh := reserveGroup(t, p, 48, 4)
	for name, commit := range map[string]func(){
		"an old one":                 func() { p.CommitGroup(&stale, 4) },
		"none":                       func() { p.CommitGroup(&Group{}, 0) },
		"a late write to an old one": func() { stale.At(1) },
		"too many":                   func() { p.CommitGroup(&fresh, 5) },
		"a negative":                 func() { p.CommitGroup(&fresh, -1) },
		"a record more":              func() { fresh.At(4) },
		"a late write":               func() { gone.At(0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", name)
				}
			}()
			commit()
		}()
	}
	if p.Next() != 3 || !p.Holds(&fresh) || p.Holds(&stale) {
		t.Errorf("%d is next", p.Next())
	}
}
