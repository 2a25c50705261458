// Package layout says where every shared word lies: offsets and sizes, no behaviour.
//
// A lane is two rings. A host has two regions of the same shape: the request region, which the host
// writes, and the reply region, which the engine writes. Nobody maps writable what the other writes.
//
//	region
//	0            4096                    RingsOffset(lanes)
//	├─ header ───┼─ lane control blocks ─┼─ ring 0 ──┼─ skew ─┼─ ring 1 ──┼─ skew ─┼ …
//	│ 64 bytes,  │ 128 bytes a lane      │ capacity  │ 4160 B │ capacity  │
//	│ shard lines│                       │           │        │           │
//
// The numbers are literals so that a reader can hold them against docs/LAYOUT.md, which is normative; the
// test compares them with testdata/layout.txt, as every other language's test does.
package layout

// Version of the byte layout and of the conversation.
const Version = 1

// Line is the size of a cache line, the unit of every record, in bytes.
const Line = 64

// A record: header and payload, in whole lines.
//
//	0                        4                   8          10           12                    16
//	├─ length, bit 31 padding ┼─ number, low 32 ──┼─ kind u16 ┼─ flags u16 ┼─ number, high 32 ──┤ payload …
const (
	HeaderBytes         = 16      // bytes before the payload; the least length
	PaddingBit          = 1 << 31 // bit of the length word that marks a padding
	RecordLength        = 0
	RecordNumberLow     = 4
	RecordKind          = 8
	RecordFlags         = 10
	RecordNumberHigh    = 12
	RecordPayload       = 16
	FlagsMustUnderstand = 0x00ff // flags that a reader must understand or refuse
)

// The header of a region.
const (
	RegionMagic         = 0x3144_5248_4e4f_5249 // "IRONHRD1", little-endian; written last
	RegionMagicOffset   = 0
	RegionVersionOffset = 8  // u32
	RegionRoleOffset    = 12 // u32
	RegionHostIDOffset  = 16 // u64
	RegionEpochOffset   = 24 // u64
	RoleRequest         = 1
	RoleReply           = 2
)

// The control words of shards and lanes.
const (
	ShardLinesOffset    = 64 // reply region: need_wakeup of shard s at 64 + 64 s
	MaxShards           = 48
	LanesOffset         = 4096
	LaneControlBytes    = 128
	MaxLanes            = 1024
	LaneReplyPosition   = 0  // request region: the host's reply position, even epochs; odd ones 8 later
	LaneNeedWakeup      = 64 // request region: odd while the host's waiter sleeps
	LaneInUse           = 72 // request region: 1 while the host uses the lane
	LaneRequestPosition = 0  // reply region: the engine's position in the request ring
)

// Rings.
const (
	MinCapacity     = 4096
	MaxCapacity     = 1 << 30
	DefaultCapacity = 1 << 20
	RingSkew        = 4160 // gap behind each ring, so that neighbours start in different cache sets
)

// Replies of the engine itself.
const (
	EngineStatusFirst = 0xff00
	StatusOK          = 0
	StatusPanic       = 0xff00
	StatusPoison      = 0xff01
	StatusTooLarge    = 0xff02
	StatusUnknownFlag = 0xff03
)

// Event rings: one writer, the engine, and read-only hosts.
const (
	RoleEvent        = 3
	MaxEventRings    = 48
	EventLinesOffset = 64   // request region: the event line of event ring i at 64 + 64 i
	EventNextNumber  = 0    // event line: the number the host expects next, for people who look on
	EventNeedWakeup  = 8    // event line: odd while the host's waiter sleeps
	EventOverwritten = 64   // event region: all records that start before this position are lost
	EventSequence    = 128  // event region: its parity says which of the rejoin pairs counts
	EventRejoinEven  = 144  // event region: position and number of a retained record, even sequences
	EventRejoinOdd   = 160  // event region: the same, odd sequences
	EventRingOffset  = 4096 // event region: where the ring begins
)

// PayloadLimit is the largest payload of a ring of capacity bytes: an eighth.
func PayloadLimit(capacity uint64) uint32 { return uint32(capacity / 8) }

// RecordBytes is what a record of payload bytes takes: header and payload in whole lines.
func RecordBytes(payload uint32) uint64 {
	return (uint64(payload) + HeaderBytes + Line - 1) &^ (Line - 1)
}

// RingsOffset is the offset of the first ring in a region of lanes lanes.
func RingsOffset(lanes uint32) uint64 {
	return (LanesOffset + uint64(lanes)*LaneControlBytes + 4095) &^ 4095
}

// RingOffset is the offset of the ring of lane in its region.
func RingOffset(lanes, lane uint32, capacity uint64) uint64 {
	return RingsOffset(lanes) + uint64(lane)*(capacity+RingSkew)
}

// RegionBytes is what a region of lanes rings needs, before rounding up to whole pages.
func RegionBytes(lanes uint32, capacity uint64) uint64 { return RingOffset(lanes, lanes, capacity) }

// LaneControlOffset is the offset of a lane's control block.
func LaneControlOffset(lane uint32) uint64 { return LanesOffset + uint64(lane)*LaneControlBytes }

// ReplyPositionOffset is the offset, in the request region, of the host's reply position for epoch.
func ReplyPositionOffset(lane uint32, epoch uint64) uint64 {
	return LaneControlOffset(lane) + LaneReplyPosition + (epoch&1)*8
}

// ShardFlagOffset is the offset, in the reply region, of the need_wakeup word of shard.
func ShardFlagOffset(shard uint32) uint64 { return ShardLinesOffset + Line*uint64(shard) }

// EventRegionBytes is what the region of an event ring of capacity bytes needs.
func EventRegionBytes(capacity uint64) uint64 { return EventRingOffset + capacity }

// EventLineOffset is the offset, in the request region, of the host's event line of event ring ring.
func EventLineOffset(ring uint32) uint64 { return EventLinesOffset + Line*uint64(ring) }
