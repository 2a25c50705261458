package attach

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// eventsFit says whether the event rings are possible, and those that were wished for.
func eventsFit(terms *wire.Welcome, wishes *wire.Wishes) bool {
	rings := len(terms.EventRings)
	if rings == 0 {
		return terms.Life == 0 && terms.EventCapacity == 0 && len(terms.LaneShards) > 0 &&
			(wishes.EventRings == 0 || wishes.EventRings == wire.AllEventRings)
	}
	if wishes.EventRings != wire.AllEventRings && wishes.EventRings != uint32(rings) ||
		terms.Life == 0 || !fits(terms.EventCapacity, layout.MaxCapacity) {
		return false
	}
	for _, ring := range terms.EventRings {
		bytes := rounded(layout.EventRegionBytes(terms.EventCapacity), ring.Pages)
		if ring.Shard >= terms.Shards || ring.Bytes != bytes {
			return false
		}
	}
	return true
}

// checkEventHeader demands the header that event ring index of this life must have.
func checkEventHeader(mapping *region.Mapping, terms *wire.Welcome, index int) error {
	want := region.Header{
		Version: layout.Version, Role: layout.RoleEvent, HostID: terms.Life, Epoch: uint64(index),
	}
	if header, ok := mapping.ReadHeader(); !ok || header != want {
		return impossible("an event region with another header than the terms")
	}
	return nil
}
