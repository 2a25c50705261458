// Package attach is a host's end of the conversation: attach and resume, believing nothing.
//
//	connect ─▶ HELLO ─▶ WELCOME ─▶ look at everything ─▶ map, header ─▶ MAPPED ─▶ READY ─▶ sealed?
//
// One context covers all of it. What an engine could do to a careless host is looked at before it can hurt:
// a region that shrinks under a mapping (seals), a size that reaches beyond the memory, a reply descriptor
// that we could write by mistake, a shard that does not exist, descriptors that nobody asked for.
package attach

import (
	"fmt"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/region"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// ImpossibleError says that the engine's terms or regions can't be: it speaks another dialect, or means ill.
type ImpossibleError struct {
	What   string
	Source error // may be nil
}

func (e *ImpossibleError) Error() string {
	if e.Source != nil {
		return fmt.Sprintf("%s: %v", e.What, e.Source)
	}
	return e.What
}

func (e *ImpossibleError) Unwrap() error { return e.Source }

func impossible(what string) error { return &ImpossibleError{What: what} }

// PathTooLongError says that no socket can have this path.
type PathTooLongError struct{ Length int }

func (e *PathTooLongError) Error() string {
	return fmt.Sprintf("a path of %d bytes is too long for a socket: the most is %d", e.Length, mostPath)
}

// mostPath is the most bytes of a socket's path, its companions included.
const mostPath = 107

// checkTerms demands terms that are possible and within what was wished for.
func checkTerms(terms *wire.Welcome, wishes *wire.Wishes, epoch uint64) error {
	lanes := uint32(len(terms.LaneShards))
	switch {
	case lanes == 0 && wishes.Lanes != 0 || lanes > min(wishes.Lanes, layout.MaxLanes):
		return impossible("more lanes than wished for, or none")
	case lanes == 0 && (terms.RequestCapacity != 0 || terms.ReplyCapacity != 0),
		lanes != 0 && !fits(terms.RequestCapacity, wishes.RequestCapacity),
		lanes != 0 && !fits(terms.ReplyCapacity, wishes.ReplyCapacity):
		return impossible("a capacity that was not wished for")
	case terms.Shards == 0 || terms.Shards > layout.MaxShards:
		return impossible("no shards, or more than can be")
	case terms.Epoch != epoch:
		return impossible("another epoch than begins now")
	case terms.Membarrier && !wishes.Membarrier:
		return impossible("membarrier, which this host has not declared")
	case terms.Features != 0:
		return impossible("features that were not asked for")
	case !eventsFit(terms, wishes):
		return impossible("event rings that were not wished for or cannot be")
	case wishes.Service != "" && wishes.Service != terms.Service,
		wishes.ServiceVersion != 0 && wishes.ServiceVersion != terms.ServiceVersion:
		return impossible("another service than wished for")
	}
	for _, shard := range terms.LaneShards {
		if uint32(shard) >= terms.Shards {
			return impossible("a lane on a shard that does not exist")
		}
	}
	// Of a region that is resumed the size comes from its descriptor, which this host holds.
	if epoch == 1 && !sized(terms.RequestBytes, lanes, terms.RequestCapacity, terms.RequestPages) ||
		!sized(terms.ReplyBytes, lanes, terms.ReplyCapacity, terms.ReplyPages) {
		return impossible("a region of another size than its layout has")
	}
	return nil
}

func fits(got, wished uint64) bool {
	return got&(got-1) == 0 && got >= layout.MinCapacity && got <= min(wished, layout.MaxCapacity)
}

func sized(bytes uint64, lanes uint32, capacity uint64, pages wire.PageSize) bool {
	return bytes == rounded(layout.RegionBytes(lanes, capacity), pages)
}

// rounded is bytes in whole pages.
func rounded(bytes uint64, pages wire.PageSize) uint64 {
	page := uint64(2 << 20)
	if pages == wire.PagesSmall4K {
		page = 4096
	}
	return (bytes + page - 1) &^ (page - 1)
}

// checkSame demands that after RESUME nothing changed but what the new engine brings.
func checkSame(terms, previous *wire.Welcome) error {
	if terms.HostID != previous.HostID || len(terms.LaneShards) != len(previous.LaneShards) ||
		terms.RequestCapacity != previous.RequestCapacity || terms.ReplyCapacity != previous.ReplyCapacity ||
		terms.RequestBytes != previous.RequestBytes {
		return impossible("another shape than the host resumes with")
	}
	return nil
}

// checkReplyHeader demands the header that the terms promise.
func checkReplyHeader(reply *region.Mapping, terms *wire.Welcome) error {
	want := region.Header{
		Version: layout.Version, Role: layout.RoleReply, HostID: terms.HostID, Epoch: terms.Epoch,
	}
	if header, ok := reply.ReadHeader(); !ok || header != want {
		return impossible("a reply region with another header than the terms")
	}
	return nil
}
