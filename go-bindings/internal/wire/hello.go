package wire

import "encoding/binary"

// Wishes are what a host asks for.
type Wishes struct {
	// Lanes is 1 to 1024; 0 for who reads events only.
	Lanes uint32
	// EventRings is 0 to 48, or AllEventRings.
	EventRings uint32
	// RequestCapacity and ReplyCapacity are the bytes of each ring: powers of two, 4 KiB to 1 GiB.
	RequestCapacity, ReplyCapacity uint64
	// Pages of the regions.
	Pages PageMode
	// Membarrier says that this process can call it and has registered for it.
	Membarrier bool
	// ServiceVersion is the version of the service wanted; 0 is any.
	ServiceVersion uint32
	// Service is the name of the service wanted; empty is any. It must fit (FitsName).
	Service string
	// HostName is the host's own name, for people. It must fit.
	HostName string
}

// LaneResume is where a lane stood when its engine died.
type LaneResume struct {
	// LastReply is the number R of the last committed reply; 0 if there was none.
	LastReply uint64
	// Position is that of request R + 1 in the request ring, in bytes, free-running.
	Position uint64
	// Deaths is how often request R + 1 has seen an engine die.
	Deaths uint32
}

// Resume is what RESUME says on top of HELLO.
type Resume struct {
	// HostID is that of the last WELCOME.
	HostID uint64
	// Epoch is the one that begins.
	Epoch uint64
	// Lanes has one entry for each lane of Wishes.Lanes.
	Lanes []LaneResume
}

// Hello is what a host says first: HELLO, or RESUME where Resume is not nil.
type Hello struct {
	// Lowest and Highest are the layout versions that the host speaks.
	Lowest, Highest uint32
	// MustUnderstand are feature bits that the engine must understand, or refuse. None is defined.
	MustUnderstand uint64
	// MayUnderstand are feature bits that the engine may ignore. None is defined.
	MayUnderstand uint64
	// Role is RoleHost, RoleObserver or RoleEvents.
	Role uint32
	// Wishes are the host's.
	Wishes Wishes
	// Resume is nil in HELLO.
	Resume *Resume
}

// NewHello is a Hello of this version.
func NewHello(wishes Wishes, resume *Resume) *Hello {
	role := RoleHost
	if wishes.Lanes == 0 && wishes.EventRings != 0 {
		role = RoleEvents
	}
	return &Hello{Lowest: Version, Highest: Version, Role: role, Wishes: wishes, Resume: resume}
}

// Encode is the message. Names that do not fit are cut: check them with FitsName before.
func (h *Hello) Encode() []byte {
	kind, length := KindHello, helloBytes
	if h.Resume != nil {
		kind, length = KindResume, resumeLanes+len(h.Resume.Lanes)*resumeLaneBytes
	}
	w := newWriter(kind, h.Lowest, length)
	w.u32(helloLowest, h.Lowest)
	w.u32(helloHighest, h.Highest)
	w.u64(helloMustUnderstand, h.MustUnderstand)
	w.u64(helloMayUnderstand, h.MayUnderstand)
	w.u32(helloRole, h.Role)
	h.Wishes.write(w)
	if h.Resume != nil {
		h.Resume.write(w)
	}
	return w
}

// DecodeHello reads HELLO or RESUME of our version: *MessageError where its form is wrong.
func DecodeHello(message []byte) (*Hello, error) {
	head, err := HeadOf(message)
	if err != nil {
		return nil, err
	}
	length := helloBytes
	switch head.Kind {
	case KindHello:
	case KindResume:
		if length, err = resumeLength(message, head.Length); err != nil {
			return nil, err
		}
	default:
		return nil, malformed("a message of kind %d came where HELLO or RESUME was expected", head.Kind)
	}
	r, err := newReader(message, length)
	if err != nil {
		return nil, err
	}
	hello := readHello(r)
	if head.Kind == KindResume {
		hello.Resume = readResume(r, length)
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	if hello.Lowest != head.Version || hello.Highest < hello.Lowest {
		return nil, meaningless("layout versions", uint64(hello.Highest))
	}
	return hello, nil
}

// resumeLength is the exact length of a RESUME: that of the lanes it states.
func resumeLength(message []byte, stated uint32) (int, error) {
	if len(message) < helloLanes+4 {
		return 0, malformed("the message says that it has %d bytes, %d came and %d are right: "+
			"send exactly what the layout version says", stated, len(message), resumeLanes+resumeLaneBytes)
	}
	lanes := binary.LittleEndian.Uint32(message[helloLanes:])
	eventsOnly := binary.LittleEndian.Uint32(message[helloRole:]) == RoleEvents
	if lanes == 0 && !eventsOnly || lanes > MaxLanes {
		return 0, meaningless("lanes", uint64(lanes))
	}
	return resumeLanes + int(lanes)*resumeLaneBytes, nil
}

func readHello(r *reader) *Hello {
	return &Hello{
		Lowest:         r.u32(helloLowest),
		Highest:        r.u32(helloHighest),
		MustUnderstand: r.u64(helloMustUnderstand),
		MayUnderstand:  r.u64(helloMayUnderstand),
		Role:           r.u32(helloRole),
		Wishes: Wishes{
			Lanes:           r.u32(helloLanes),
			EventRings:      r.u32(helloEventRings),
			RequestCapacity: r.u64(helloRequestCapacity),
			ReplyCapacity:   r.u64(helloReplyCapacity),
			Pages:           PageMode(r.atMost(helloPages, uint32(PagesAuto), uint32(PagesSmall), "pages")),
			Membarrier:      r.flag(helloMembarrier, "membarrier"),
			ServiceVersion:  r.u32(helloServiceVersion),
			Service:         r.name(helloService),
			HostName:        r.name(helloHostName),
		},
	}
}

func (wishes *Wishes) write(w writer) {
	w.u32(helloLanes, wishes.Lanes)
	w.u32(helloEventRings, wishes.EventRings)
	w.u64(helloRequestCapacity, wishes.RequestCapacity)
	w.u64(helloReplyCapacity, wishes.ReplyCapacity)
	w.u32(helloPages, uint32(wishes.Pages))
	w.flag(helloMembarrier, wishes.Membarrier)
	w.u32(helloServiceVersion, wishes.ServiceVersion)
	w.name(helloService, wishes.Service)
	w.name(helloHostName, wishes.HostName)
}

func readResume(r *reader, length int) *Resume {
	resume := &Resume{HostID: r.u64(resumeHostID), Epoch: r.u64(resumeEpoch)}
	for at := resumeLanes; at < length; at += resumeLaneBytes {
		resume.Lanes = append(resume.Lanes, LaneResume{
			LastReply: r.u64(at + resumeLastReply),
			Position:  r.u64(at + resumePosition),
			Deaths:    r.u32(at + resumeDeaths),
		})
	}
	return resume
}

func (resume *Resume) write(w writer) {
	w.u64(resumeHostID, resume.HostID)
	w.u64(resumeEpoch, resume.Epoch)
	for i, lane := range resume.Lanes {
		at := resumeLanes + i*resumeLaneBytes
		w.u64(at+resumeLastReply, lane.LastReply)
		w.u64(at+resumePosition, lane.Position)
		w.u32(at+resumeDeaths, lane.Deaths)
	}
}
