//! The byte layout: where every shared word lies. Offsets and sizes only, no behaviour.
//!
//! A lane is two rings. A host has two regions with the same shape: the *request region*, which the
//! host writes, and the *reply region*, which the engine writes. Nobody maps writable what the other
//! side writes.
//!
//! ```text
//!  region
//!  0            4096                    rings_offset(lanes)
//!  ├─ header ───┼─ lane control blocks ─┼─ ring 0 ──┼─ skew ─┼─ ring 1 ──┼─ skew ─┼ …
//!  │ 64 bytes,  │ 128 bytes a lane      │ capacity  │ 4160 B │ capacity  │
//!  │ shard lines│                       │           │        │           │
//! ```
//!
//! The numbers below are literals so that a reader can compare them with `docs/LAYOUT.md`, which is
//! normative; constant assertions at the end tie them together.

/// Version of the byte layout and of the conversation. Independent of the crate's release.
pub const LAYOUT_VERSION: u32 = 1;

/// Size of a cache line, the unit of every record.
pub const LINE: usize = 64;

// The record header: two little-endian u64, the first of them stored once and last.
//
// ```text
//  0                        4                   8          10           12                    16
//  ├─ length, bit 31 padding ┼─ number, low 32 ──┼─ kind u16 ┼─ flags u16 ┼─ number, high 32 ──┤ payload …
// ```

/// Bytes before the payload of a record; the least length a record can carry.
pub const HEADER_BYTES: usize = 16;
/// Bit of the length word that marks a padding record.
pub const PADDING_BIT: u32 = 1 << 31;
/// Offset of `length` in a record.
pub const RECORD_LENGTH: usize = 0;
/// Offset of the low half of `number` in a record.
pub const RECORD_NUMBER_LOW: usize = 4;
/// Offset of `kind` in a record.
pub const RECORD_KIND: usize = 8;
/// Offset of `flags` in a record.
pub const RECORD_FLAGS: usize = 10;
/// Offset of the high half of `number` in a record.
pub const RECORD_NUMBER_HIGH: usize = 12;
/// Offset of the payload in a record.
pub const RECORD_PAYLOAD: usize = 16;
/// The flag bits a reader must understand; an unknown one is refused with a status.
pub const FLAGS_MUST_UNDERSTAND: u16 = 0x00ff;

// The region header, at offset 0 of both regions.
//
// ```text
//  0                8                 12          16             24             32            64
//  ├─ magic u64 ────┼─ version u32 ───┼─ role u32 ┼─ host id u64 ┼─ epoch u64 ──┼─ zero ──────┤
// ```

/// `"IRONHRD1"` as a little-endian word; the last word of a region header to be written.
pub const REGION_MAGIC: u64 = u64::from_le_bytes(*b"IRONHRD1");
/// Offset of the magic word.
pub const REGION_MAGIC_OFFSET: usize = 0;
/// Offset of the layout version (u32).
pub const REGION_VERSION_OFFSET: usize = 8;
/// Offset of the role (u32): [`ROLE_REQUEST`] or [`ROLE_REPLY`].
pub const REGION_ROLE_OFFSET: usize = 12;
/// Offset of the host id (u64).
pub const REGION_HOST_ID_OFFSET: usize = 16;
/// Offset of the epoch (u64): 1 after the first attach, one more after each resume.
pub const REGION_EPOCH_OFFSET: usize = 24;
/// The region a host writes: request rings, and the host's positions and flags.
pub const ROLE_REQUEST: u32 = 1;
/// The region the engine writes: reply rings, and the engine's positions and flags.
pub const ROLE_REPLY: u32 = 2;

/// Reply region only: `need_wakeup` of shard `s` lies at `SHARD_LINES_OFFSET + 64 * s`.
pub const SHARD_LINES_OFFSET: usize = 64;
/// The most shards an engine can have.
pub const MAX_SHARDS: usize = 48;

// Event line of an event ring, in the request region (written by the host): where the reply region has
// its shard lines.
//
// ```text
//  0                      8                  16    64
//  ├─ next number u64 ────┼─ need_wakeup u64 ┼ zero ┤
// ```

/// Request region only: the event line of event ring `i` lies at `EVENT_LINES_OFFSET + 64 * i`.
pub const EVENT_LINES_OFFSET: usize = 64;
/// The most event rings an engine can have.
pub const MAX_EVENT_RINGS: usize = 48;
/// In an event line: the number of the event that the host expects next; for people who look on.
pub const EVENT_NEXT_NUMBER: usize = 0;
/// In an event line: raised (odd) while the host's waiter on this event ring sleeps.
pub const EVENT_NEED_WAKEUP: usize = 8;

// The region of an event ring (written by the engine, read by every host):
//
// ```text
//  0          64              128                                            176    4096
//  ├─ header ─┼─ overwritten ─┼─ sequence u64 │ zero │ even pair │ odd pair ─┼ zero ─┼─ ring …
// ```
// A pair is {position u64, number u64} of a retained record; the one of the sequence's parity counts.

/// The region of an event ring. Its header names the engine's life where the others name a host, and
/// the ring's index where they have an epoch.
pub const ROLE_EVENT: u32 = 3;
/// Event region: all records that start before this position (u64) are lost.
pub const EVENT_OVERWRITTEN: usize = 64;
/// Event region: the sequence word (u64) of the rejoin pairs; its parity says which pair counts.
pub const EVENT_SEQUENCE: usize = 128;
/// Event region: position and number of a retained record, for even sequences.
pub const EVENT_REJOIN_EVEN: usize = 144;
/// Event region: the same, for odd sequences.
pub const EVENT_REJOIN_ODD: usize = 160;
/// Event region: where the ring begins.
pub const EVENT_RING_OFFSET: usize = 4096;

/// Where the lane control blocks begin, in both regions.
pub const LANES_OFFSET: usize = 4096;
/// Size of a lane control block.
pub const LANE_CONTROL_BYTES: usize = 128;
/// The most lanes one host can have.
pub const MAX_LANES: usize = 1024;

// Lane control block of the request region (written by the host):
//
// ```text
//  0                          8                         16      64                  72           80  128
//  ├─ reply position, even ───┼─ reply position, odd ───┼─ zero ┼─ need_wakeup u64 ─┼─ in use u64 ┼─ zero ┤
// ```
// The word in force is the one of the epoch's parity: a thread that still reads the reply ring of a
// dead engine can thus never write the word its successor looks at.

/// Host's position in the reply ring, for even epochs; the word for odd epochs follows it.
pub const LANE_REPLY_POSITION: usize = 0;
/// Raised (odd) while the host's waiter on this lane sleeps.
pub const LANE_NEED_WAKEUP: usize = 64;
/// 1 while the lane is taken from the host's pool, else 0.
pub const LANE_IN_USE: usize = 72;

// Lane control block of the reply region (written by the engine):
//
// ```text
//  0                        8                                    128
//  ├─ request position u64 ─┼─ zero ──────────────────────────────┤
// ```

/// Engine's position in the request ring.
pub const LANE_REQUEST_POSITION: usize = 0;

/// Least capacity of a ring in a region.
pub const MIN_CAPACITY: u64 = 4096;
/// Greatest capacity of a ring.
pub const MAX_CAPACITY: u64 = 1 << 30;
/// Capacity of a ring where nobody asks for another.
pub const DEFAULT_CAPACITY: u64 = 1 << 20;
/// Gap behind each ring. 65 lines: the rings of neighbouring lanes then start in different cache
/// sets, so that an engine polling many lanes at equal offsets does not evict its own lines.
pub const RING_SKEW: u64 = 4160;

/// Replies of the engine itself use kinds from here on; below are the handler's.
pub const ENGINE_STATUS_FIRST: u16 = 0xff00;
/// Reply kind: success.
pub const STATUS_OK: u16 = 0;
/// Reply kind: the handler panicked on this request.
pub const STATUS_PANIC: u16 = 0xff00;
/// Reply kind: this request has seen too many engines die and was not tried again.
pub const STATUS_POISON: u16 = 0xff01;
/// Reply kind: the handler's reply was larger than the ring allows.
pub const STATUS_TOO_LARGE: u16 = 0xff02;
/// Reply kind: the request carries a must-understand flag this engine does not know.
pub const STATUS_UNKNOWN_FLAG: u16 = 0xff03;

/// Largest payload of a ring of `capacity` bytes: an eighth.
///
/// ```
/// use ironhoard::layout::payload_limit;
/// assert_eq!(payload_limit(1 << 20), 128 << 10);
/// ```
pub const fn payload_limit(capacity: u64) -> u32 {
    (capacity / 8) as u32
}

/// Bytes a record of `payload` bytes takes: header and payload, rounded up to whole lines.
///
/// ```
/// use ironhoard::layout::record_bytes;
/// assert_eq!((record_bytes(0), record_bytes(48), record_bytes(49)), (64, 64, 128));
/// ```
pub const fn record_bytes(payload: u32) -> u64 {
    (payload as u64 + HEADER_BYTES as u64 + (LINE as u64 - 1)) & !(LINE as u64 - 1)
}

/// Offset of the first ring in a region of `lanes` lanes.
///
/// ```
/// use ironhoard::layout::rings_offset;
/// assert_eq!((rings_offset(1), rings_offset(1024)), (8192, 135_168));
/// ```
pub const fn rings_offset(lanes: u32) -> u64 {
    (LANES_OFFSET as u64 + lanes as u64 * LANE_CONTROL_BYTES as u64 + 4095) & !4095
}

/// Offset of the ring of `lane` in its region.
///
/// ```
/// use ironhoard::layout::ring_offset;
/// assert_eq!(ring_offset(2, 1, 1 << 20), 8192 + (1 << 20) + 4160);
/// ```
pub const fn ring_offset(lanes: u32, lane: u32, capacity: u64) -> u64 {
    rings_offset(lanes) + lane as u64 * (capacity + RING_SKEW)
}

/// Bytes a region of `lanes` rings of `capacity` bytes needs, before rounding up to whole pages.
///
/// ```
/// use ironhoard::layout::region_bytes;
/// assert_eq!(region_bytes(1, 4096), 8192 + 4096 + 4160);
/// ```
pub const fn region_bytes(lanes: u32, capacity: u64) -> u64 {
    ring_offset(lanes, lanes, capacity)
}

/// Offset of a lane's control block.
///
/// ```
/// use ironhoard::layout::lane_control_offset;
/// assert_eq!(lane_control_offset(2), 4096 + 2 * 128);
/// ```
pub const fn lane_control_offset(lane: u32) -> u64 {
    LANES_OFFSET as u64 + lane as u64 * LANE_CONTROL_BYTES as u64
}

/// Offset, in the request region, of the host's reply position for `epoch`.
///
/// ```
/// use ironhoard::layout::reply_position_offset;
/// assert_eq!((reply_position_offset(0, 2), reply_position_offset(0, 3)), (4096, 4104));
/// ```
pub const fn reply_position_offset(lane: u32, epoch: u64) -> u64 {
    lane_control_offset(lane) + LANE_REPLY_POSITION as u64 + (epoch & 1) * 8
}

/// Bytes the region of an event ring of `capacity` bytes needs, before rounding up to whole pages.
///
/// ```
/// use ironhoard::layout::event_region_bytes;
/// assert_eq!(event_region_bytes(1 << 20), 4096 + (1 << 20));
/// ```
pub const fn event_region_bytes(capacity: u64) -> u64 {
    EVENT_RING_OFFSET as u64 + capacity
}

/// Offset, in the request region, of the host's event line of event ring `ring`.
///
/// ```
/// use ironhoard::layout::event_line_offset;
/// assert_eq!((event_line_offset(0), event_line_offset(47)), (64, 3072));
/// ```
pub const fn event_line_offset(ring: u32) -> u64 {
    EVENT_LINES_OFFSET as u64 + ring as u64 * LINE as u64
}

const _: () = {
    assert!(EVENT_LINES_OFFSET + MAX_EVENT_RINGS * LINE <= LANES_OFFSET);
    assert!(
        EVENT_REJOIN_ODD == EVENT_REJOIN_EVEN + 16 && EVENT_REJOIN_ODD + 16 <= EVENT_RING_OFFSET
    );
    assert!(RECORD_PAYLOAD == HEADER_BYTES);
    assert!(SHARD_LINES_OFFSET + MAX_SHARDS * LINE <= LANES_OFFSET);
    assert!(LANE_IN_USE + 8 <= LANE_CONTROL_BYTES);
    assert!(RING_SKEW as usize % LINE == 0);
    assert!(rings_offset(1) == 8192);
    assert!(ring_offset(2, 1, 1 << 20) == 8192 + (1 << 20) + 4160);
    assert!(record_bytes(0) == 64 && record_bytes(48) == 64 && record_bytes(49) == 128);
};
