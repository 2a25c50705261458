// Package wire is the conversation on the attach socket: every message, both directions, byte for byte,
// and the socket that carries them with their descriptors.
//
//	host                                                engine
//	HELLO or RESUME ─────────────────────────────────▶  judges, allocates
//	checks, maps, writes its header ◀─────────── WELCOME   (descriptors)
//	MAPPED ──────────────────────────────────────────▶  seals, checks, maps
//	the rings are open ◀─────────────────────────── READY
//	     DRAINING, DETACH, REFUSED at any time afterwards
//
// One message is one packet. All numbers are little-endian; every message starts with the same 16 bytes:
//
//	0            4          8             12           16
//	├─ magic u32 ┼─ kind u32┼─ version u32┼─ length u32┤ …
//
// Version and kind (with the counts that a message states) fix its length exactly. Bytes that no table
// names are reserved: zero, and checked. What is decoded here has the right form and nothing more;
// whether it may be believed is for the caller to judge.
//
// Nothing here runs while messages pass through the rings: a conversation costs a few allocations and
// a few system calls, once for each attach.
package wire

// Version is the layout version that this package speaks.
const Version = 1

// Magic is the first word of every message: the bytes "IHRD".
const Magic uint32 = 'I' | 'H'<<8 | 'R'<<16 | 'D'<<24

// Kind says what a message is.
type Kind uint32

// The kinds of messages.
const (
	// KindHello introduces a host and says its wishes.
	KindHello Kind = 1
	// KindResume goes on with the request region of a host whose engine died.
	KindResume Kind = 2
	// KindWelcome carries the engine's terms and the descriptors.
	KindWelcome Kind = 3
	// KindMapped says that the host has mapped both regions and made all pages present.
	KindMapped Kind = 4
	// KindReady says that the engine has sealed, checked and mapped; the rings are open.
	KindReady Kind = 5
	// KindRefused is no, and why; in place of any other message, and at any time later on.
	KindRefused Kind = 6
	// KindDraining says that the engine answers what is committed and then leaves.
	KindDraining Kind = 7
	// KindDetach says that the sender leaves for good.
	KindDetach Kind = 8
)

// String is the name of the message as the layout spells it.
func (k Kind) String() string {
	names := [...]string{"", "HELLO", "RESUME", "WELCOME", "MAPPED", "READY", "REFUSED", "DRAINING", "DETACH"}
	if k == 0 || int(k) >= len(names) {
		return "a message of unknown kind"
	}
	return names[k]
}

// Roles that HELLO can name. This version attaches hosts, and hosts that read events only.
const (
	RoleHost     uint32 = 1
	RoleObserver uint32 = 2
	RoleEvents   uint32 = 3
)

// PageMode is a demand on the pages of the regions.
type PageMode uint32

// The page modes.
const (
	// PagesAuto takes the largest pages that can be had.
	PagesAuto PageMode = 0
	// PagesRequireHuge takes 2 MiB pages, or a refusal.
	PagesRequireHuge PageMode = 1
	// PagesSmall takes 4 KiB pages.
	PagesSmall PageMode = 2
)

// PageSize is what a region got.
type PageSize uint32

// The page sizes.
const (
	// PagesHuge2M are pages of 2 MiB from the hugetlb pool.
	PagesHuge2M PageSize = 1
	// PagesCollapsed2M are small pages that were collapsed to 2 MiB.
	PagesCollapsed2M PageSize = 2
	// PagesSmall4K are pages of 4 KiB.
	PagesSmall4K PageSize = 3
)

// Offsets in every message.
const (
	magicOffset   = 0
	kindOffset    = 4
	versionOffset = 8
	lengthOffset  = 12
	headerBytes   = 16
)

// Offsets in HELLO, and in the part of RESUME that is like it.
const (
	helloBytes           = 256
	helloLowest          = 16
	helloHighest         = 20
	helloMustUnderstand  = 24
	helloMayUnderstand   = 32
	helloRole            = 40
	helloLanes           = 44
	helloRequestCapacity = 48
	helloReplyCapacity   = 56
	helloPages           = 64
	helloMembarrier      = 68
	helloEventRings      = 72
	helloServiceVersion  = 76
	helloService         = 80
	helloHostName        = 144
)

// Offsets behind HELLO in RESUME, and in each of its lanes.
const (
	resumeHostID    = 256
	resumeEpoch     = 264
	resumeLanes     = 288
	resumeLaneBytes = 24
	resumeLastReply = 0
	resumePosition  = 8
	resumeDeaths    = 16
)

// Offsets in WELCOME.
const (
	welcomeBytes           = 256
	welcomeHostID          = 16
	welcomeEpoch           = 24
	welcomeFeatures        = 32
	welcomeLaneCount       = 40
	welcomeShards          = 44
	welcomeRequestCapacity = 48
	welcomeReplyCapacity   = 56
	welcomeRequestBytes    = 64
	welcomeReplyBytes      = 72
	welcomeRequestPages    = 80
	welcomeReplyPages      = 84
	welcomeMembarrier      = 88
	welcomeEventRings      = 92
	welcomeDescriptors     = 96
	welcomeServiceVersion  = 100
	welcomeEventCapacity   = 104
	welcomeService         = 112
	welcomeLife            = 176
	welcomeLanes           = 256
	// Behind the lanes, for each event ring: bytes of its region, its pages, its shard.
	welcomeRingBytes  = 16
	welcomeRingRegion = 0
	welcomeRingPages  = 8
	welcomeRingShard  = 12
)

// stepBytes is the length of MAPPED, READY, DRAINING and DETACH.
const stepBytes = 32

// Offsets in REFUSED.
const (
	refusedBytes     = 32
	refusedCode      = 16
	refusedTextBytes = 20
	refusedLimit     = 24
	refusedText      = 32
	refusedMostText  = 512
)

// NameBytes is the room for a name in a message.
const NameBytes = 64

// MaxLanes is the most lanes one host can have.
const MaxLanes = 1024

// MaxEventRings is the most event rings an engine can have.
const MaxEventRings = 48

// AllEventRings is the wish for as many event rings as there are, be it none.
const AllEventRings uint32 = 0xffff_ffff

// MaxBytes is the length of the longest message: RESUME with the most lanes.
const MaxBytes = resumeLanes + resumeLaneBytes*MaxLanes
