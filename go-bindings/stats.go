package ironhoard

import (
	"github.com/ironhoard/ironhoard/go-bindings/internal/wire"
)

// Terms are what was really got from the engine.
type Terms struct {
	HostID          uint64 // a name, no authority
	Lanes           int    // the shared one included
	Shards          int
	RequestCapacity int // bytes of each request ring
	ReplyCapacity   int // bytes of each reply ring
	RequestPages    string
	ReplyPages      string
	Membarrier      bool // else both sides fence
	Service         string
	ServiceVersion  uint32
	EventRings      int
	EventCapacity   int    // bytes of each event ring
	Life            uint64 // names the engine's life; 0 without event rings
	EnginePID       int    // 0 where it has none in this pid namespace
}

func termsOf(l *link) Terms {
	t := l.engine.Terms
	return Terms{
		HostID: t.HostID, Lanes: len(t.LaneShards), Shards: int(t.Shards),
		RequestCapacity: int(t.RequestCapacity), ReplyCapacity: int(t.ReplyCapacity),
		RequestPages: pageName(t.RequestPages), ReplyPages: pageName(t.ReplyPages),
		Membarrier: t.Membarrier, Service: t.Service, ServiceVersion: t.ServiceVersion,
		EventRings: len(t.EventRings), EventCapacity: int(t.EventCapacity), Life: t.Life,
		EnginePID: l.engine.EnginePID,
	}
}

func pageName(pages wire.PageSize) string {
	switch pages {
	case wire.PagesHuge2M:
		return "2 MiB (hugetlb)"
	case wire.PagesCollapsed2M:
		return "2 MiB (collapsed)"
	}
	return "4 KiB"
}

// Terms says what was really got from the engine that serves this client; zero behind Close.
func (c *Client) Terms() Terms {
	newest := c.newest()
	if newest == nil {
		return Terms{}
	}
	defer newest.release()
	return termsOf(newest)
}

// Stats are what a client has counted since Dial.
type Stats struct {
	Calls     uint64 // requests that calls of the Client committed
	Abandoned uint64 // calls that ended before their reply, by context
	Late      uint64 // replies that came for calls or producers that had gone
	Resumes   uint64 // times another engine took over
	Parks     uint64 // times somebody found no reply in time and went to sleep
	Rings     uint64 // times a sleeping engine was woken
	Epoch     uint64 // of the engine: 1 at Dial, one more with each resume
	Lost      uint64 // events that were overwritten before they were read
	LanesFree int    // that NewProducer can give out now
}

// Stats says what was counted. Each number stands for itself: they are not of one moment.
func (c *Client) Stats() Stats {
	stats := Stats{
		Calls: c.shared.committed(), Abandoned: c.counts.abandoned.Load(), Late: c.counts.late.Load(),
		Resumes: c.counts.resumes.Load(), Parks: c.counts.parks.Load(), Rings: c.counts.rings.Load(),
		Lost: c.counts.lostEvents.Load(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stats.LanesFree = len(c.free)
	if len(c.links) > 0 {
		stats.Epoch = c.links[len(c.links)-1].epoch
	}
	return stats
}
