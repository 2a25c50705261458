//go:build linux && (amd64 || arm64)

package enginetest

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/ironhoard/ironhoard/go-bindings/internal/layout"
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// What a host wants, judged before anything is taken for it. Each answer is nil or what the host is told.

func refuse(code wire.Code, format string, arguments ...any) *wire.Refusal {
	return &wire.Refusal{Code: code, Text: fmt.Sprintf(format, arguments...)}
}

func (s *settings) judge(hello *wire.Hello) *wire.Refusal {
	switch {
	case hello.MustUnderstand != 0:
		return refuse(wire.Feature, "the host demands the features %#x and this engine has none: "+
			"update the engine, or do without them", hello.MustUnderstand)
	case hello.Role != wire.RoleHost && hello.Role != wire.RoleEvents:
		return refuse(wire.Role, "this engine does not attach the role %d: say role 1, host, or role 3, events only",
			hello.Role)
	}
	if refusal := s.judgeService(&hello.Wishes); refusal != nil {
		return refusal
	}
	granted, ok := s.grantEvents(hello.Wishes.EventRings)
	if !ok {
		refusal := refuse(wire.EventRings, "%d event rings are wished for and this engine has %d: ask for fewer, "+
			"or for all there are", hello.Wishes.EventRings, granted)
		refusal.Limit = uint64(granted)
		return refusal
	}
	if hello.Role == wire.RoleEvents {
		return judgeReader(&hello.Wishes, granted)
	}
	return s.judgeSizes(&hello.Wishes)
}

// grantEvents is how many event rings a host gets that wishes for wished; where there are not so many, false
// and how many there are.
func (s *settings) grantEvents(wished uint32) (uint32, bool) {
	there := s.shards * s.eventRings
	if wished == wire.AllEventRings {
		return there, true
	}
	return min(wished, there), wished <= there
}

// judgeReader is about who reads events only: it has no lanes, and something to read.
func judgeReader(wishes *wire.Wishes, granted uint32) *wire.Refusal {
	switch {
	case wishes.Lanes != 0:
		return refuse(wire.Lanes, "%d lanes are wanted and the role is events only: ask for 0, or say role 1, host",
			wishes.Lanes)
	case wishes.RequestCapacity != 0 || wishes.ReplyCapacity != 0:
		return refuse(wire.Capacity, "capacities are wanted without lanes: say 0 for both")
	case granted == 0:
		return refuse(wire.EventRings, "the role is events only and there is no event ring to read: attach as a "+
			"host, or start the engine with event rings")
	}
	return nil
}

func (s *settings) judgeUID(uid uint32) *wire.Refusal {
	if s.uids == nil || slices.Contains(s.uids, uid) {
		return nil
	}
	return refuse(wire.UID, "uid %d is not on this engine's allow-list: run the host as another user, "+
		"or add the uid to the list", uid)
}

func (s *settings) judgeService(wishes *wire.Wishes) *wire.Refusal {
	nameFits := wishes.Service == "" || wishes.Service == s.service
	versionFits := wishes.ServiceVersion == 0 || wishes.ServiceVersion == s.version
	if nameFits && versionFits {
		return nil
	}
	return refuse(wire.Service, "the host wants service `%s` version %d (0: any) and this engine serves `%s` "+
		"version %d: attach to another engine", wishes.Service, wishes.ServiceVersion, s.service, s.version)
}

func (s *settings) judgeSizes(wishes *wire.Wishes) *wire.Refusal {
	most := min(s.maxLanes, layout.MaxLanes)
	if wishes.Lanes == 0 || wishes.Lanes > most {
		refusal := refuse(wire.Lanes, "%d lanes are wanted and a host may have 1 to %d: ask for fewer",
			wishes.Lanes, most)
		refusal.Limit = uint64(most)
		return refusal
	}
	largest := min(s.maxCapacity, layout.MaxCapacity)
	for _, capacity := range []uint64{wishes.RequestCapacity, wishes.ReplyCapacity} {
		if bits.OnesCount64(capacity) != 1 || capacity < layout.MinCapacity || capacity > largest {
			refusal := refuse(wire.Capacity, "a ring of %d bytes is not possible: ask for a power of two, %d to %d",
				capacity, layout.MinCapacity, largest)
			refusal.Limit = largest
			return refusal
		}
	}
	return nil
}

// judgeResume is about RESUME itself; the region behind it is looked at by keptRegion.
func (s *settings) judgeResume(hello *wire.Hello) *wire.Refusal {
	resume := hello.Resume
	switch {
	case resume == nil:
		return nil
	case s.state != "" && hello.Wishes.Lanes != 0: // who has no lanes has nothing that died with the state
		return refuse(wire.ResumeDeclined,
			"this engine cannot take up what the last one left: %s; attach anew", s.state)
	case resume.Epoch < 2:
		return refuse(wire.Malformed, "epoch %d cannot begin with RESUME: say the last one plus 1", resume.Epoch)
	}
	return nil
}
