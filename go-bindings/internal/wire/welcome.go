package wire

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
	// EventRings is 0 in this version.
	EventRings uint32
	// Descriptors is how many come with this message.
	Descriptors uint32
	// ServiceVersion is the version of the service.
	ServiceVersion uint32
	// Service is the name of the service.
	Service string
	// LaneShards has one entry a lane: the shard that serves it.
	LaneShards []uint16
}

// Encode is the message.
func (t *Welcome) Encode() []byte {
	w := newWriter(KindWelcome, Version, welcomeLanes+2*len(t.LaneShards))
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
	w.u32(welcomeEventRings, t.EventRings)
	w.u32(welcomeDescriptors, t.Descriptors)
	w.u32(welcomeServiceVersion, t.ServiceVersion)
	w.name(welcomeService, t.Service)
	for lane, shard := range t.LaneShards {
		w.u16(welcomeLanes+2*lane, shard)
	}
	return w
}

// DecodeWelcome reads WELCOME of our version: *MessageError where its form is wrong.
func DecodeWelcome(message []byte) (*Welcome, error) {
	if err := expectHead(message, KindWelcome); err != nil {
		return nil, err
	}
	lanes := min(max(0, len(message)-welcomeBytes)/2, MaxLanes)
	r, err := newReader(message, welcomeLanes+2*lanes)
	if err != nil {
		return nil, err
	}
	if stated := r.u32(welcomeLaneCount); uint64(stated) != uint64(lanes) {
		return nil, meaningless("lanes", uint64(stated))
	}
	welcome := readWelcome(r, lanes)
	if err := r.finish(); err != nil {
		return nil, err
	}
	return welcome, nil
}

func readWelcome(r *reader, lanes int) *Welcome {
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
		EventRings:      r.u32(welcomeEventRings),
		Descriptors:     r.u32(welcomeDescriptors),
		ServiceVersion:  r.u32(welcomeServiceVersion),
		Service:         r.name(welcomeService),
		LaneShards:      make([]uint16, lanes),
	}
	for lane := range t.LaneShards {
		t.LaneShards[lane] = r.u16(welcomeLanes + 2*lane)
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
