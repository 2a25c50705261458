package wire

import "encoding/binary"

// Welcome is the engine's terms.
type Welcome struct {
	// HostID is a name for the host; it gives no authority.
	HostID uint64
	// Epoch is 1, or that of RESUME.
	Epoch uint64
	// Features in force, among those that the host offered.
	Features uint64
	// Shards of the engine.
	Shards uint32
	// RequestCapacity and ReplyCapacity are the bytes of each ring.
	RequestCapacity, ReplyCapacity uint64
	// RequestBytes and ReplyBytes are the sizes of the regions.
	RequestBytes, ReplyBytes uint64
	// RequestPages and ReplyPages are what the regions got.
	RequestPages, ReplyPages PageSize
	// Membarrier says that both ends declared it; else both fence.
	Membarrier bool
	// EventCapacity is the bytes of each event ring; 0 where there are none.
	EventCapacity uint64
	// Life is the name of the engine's life, never 0; 0 without event rings.
	Life uint64
	// Descriptors is how many come with this message.
	Descriptors uint32
	// ServiceVersion is the version of the service.
	ServiceVersion uint32
	// Service is the name of the service.
	Service string
	// LaneShards has one entry a lane: the shard that serves it.
	LaneShards []uint16
	// EventRings are the first so many of the engine's.
	EventRings []EventRing
}

// EventRing is what WELCOME says of one event ring.
type EventRing struct {
	// Bytes is the size of its region.
	Bytes uint64
	// Pages are what the region got.
	Pages PageSize
	// Shard writes it; on its doorbell the waiters are rung.
	Shard uint32
}

// welcomeLength is the length of a WELCOME with so many lanes and event rings.
func welcomeLength(lanes, rings int) int { return welcomeLanes + 2*lanes + welcomeRingBytes*rings }

// Encode is the message.
func (t *Welcome) Encode() []byte {
	w := newWriter(KindWelcome, Version, welcomeLength(len(t.LaneShards), len(t.EventRings)))
	w.u64(welcomeHostID, t.HostID)
	w.u64(welcomeEpoch, t.Epoch)
	w.u64(welcomeFeatures, t.Features)
	w.u32(welcomeLaneCount, uint32(len(t.LaneShards)))
	w.u32(welcomeShards, t.Shards)
	w.u64(welcomeRequestCapacity, t.RequestCapacity)
	w.u64(welcomeReplyCapacity, t.ReplyCapacity)
	w.u64(welcomeRequestBytes, t.RequestBytes)
	w.u64(welcomeReplyBytes, t.ReplyBytes)
	w.u32(welcomeRequestPages, uint32(t.RequestPages))
	w.u32(welcomeReplyPages, uint32(t.ReplyPages))
	w.flag(welcomeMembarrier, t.Membarrier)
	w.u32(welcomeEventRings, uint32(len(t.EventRings)))
	w.u64(welcomeEventCapacity, t.EventCapacity)
	w.u64(welcomeLife, t.Life)
	w.u32(welcomeDescriptors, t.Descriptors)
	w.u32(welcomeServiceVersion, t.ServiceVersion)
	w.name(welcomeService, t.Service)
	for lane, shard := range t.LaneShards {
		w.u16(welcomeLanes+2*lane, shard)
	}
	for i, ring := range t.EventRings {
		at := welcomeLength(len(t.LaneShards), i)
		w.u64(at+welcomeRingRegion, ring.Bytes)
		w.u32(at+welcomeRingPages, uint32(ring.Pages))
		w.u32(at+welcomeRingShard, ring.Shard)
	}
	return w
}

// DecodeWelcome reads WELCOME of our version: *MessageError where its form is wrong.
func DecodeWelcome(message []byte) (*Welcome, error) {
	if err := expectHead(message, KindWelcome); err != nil {
		return nil, err
	}
	lanes, rings, err := welcomeCounts(message)
	if err != nil {
		return nil, err
	}
	r, err := newReader(message, welcomeLength(lanes, rings))
	if err != nil {
		return nil, err
	}
	welcome := readWelcome(r, lanes, rings)
	if err := r.finish(); err != nil {
		return nil, err
	}
	return welcome, nil
}

// welcomeCounts is how many lanes and event rings a WELCOME states, bounded.
func welcomeCounts(message []byte) (lanes, rings int, err error) {
	if len(message) < welcomeBytes {
		return 0, 0, malformed("a WELCOME of %d bytes is too short: it has at least %d", len(message), welcomeBytes)
	}
	stated := binary.LittleEndian.Uint32(message[welcomeLaneCount:])
	if stated > MaxLanes {
		return 0, 0, meaningless("lanes", uint64(stated))
	}
	events := binary.LittleEndian.Uint32(message[welcomeEventRings:])
	if events > MaxEventRings {
		return 0, 0, meaningless("event rings", uint64(events))
	}
	return int(stated), int(events), nil
}

func readWelcome(r *reader, lanes, rings int) *Welcome {
	r.bytes(welcomeLaneCount, 4)
	r.bytes(welcomeEventRings, 4)
	t := &Welcome{
		HostID:          r.u64(welcomeHostID),
		Epoch:           r.u64(welcomeEpoch),
		Features:        r.u64(welcomeFeatures),
		Shards:          r.u32(welcomeShards),
		RequestCapacity: r.u64(welcomeRequestCapacity),
		ReplyCapacity:   r.u64(welcomeReplyCapacity),
		RequestBytes:    r.u64(welcomeRequestBytes),
		ReplyBytes:      r.u64(welcomeReplyBytes),
		RequestPages:    readPageSize(r, welcomeRequestPages),
		ReplyPages:      readPageSize(r, welcomeReplyPages),
		Membarrier:      r.flag(welcomeMembarrier, "membarrier"),
		EventCapacity:   r.u64(welcomeEventCapacity),
		Life:            r.u64(welcomeLife),
		Descriptors:     r.u32(welcomeDescriptors),
		ServiceVersion:  r.u32(welcomeServiceVersion),
		Service:         r.name(welcomeService),
		LaneShards:      make([]uint16, lanes),
	}
	for lane := range t.LaneShards {
		t.LaneShards[lane] = r.u16(welcomeLanes + 2*lane)
	}
	for i := range rings {
		at := welcomeLength(lanes, i)
		t.EventRings = append(t.EventRings, EventRing{
			Bytes: r.u64(at + welcomeRingRegion), Pages: readPageSize(r, at+welcomeRingPages),
			Shard: r.u32(at + welcomeRingShard),
		})
	}
	return t
}

func readPageSize(r *reader, at int) PageSize {
	return PageSize(r.atMost(at, uint32(PagesHuge2M), uint32(PagesSmall4K), "pages"))
}

// EncodeStep is MAPPED, READY, DRAINING or DETACH: a message that carries nothing but its kind.
func EncodeStep(kind Kind) []byte {
	return newWriter(kind, Version, stepBytes)
}

// DecodeStep demands the step kind: *MessageError where message is something else.
func DecodeStep(message []byte, kind Kind) error {
	if err := expectHead(message, kind); err != nil {
		return err
	}
	r, err := newReader(message, stepBytes)
	if err != nil {
		return err
	}
	return r.finish()
}
