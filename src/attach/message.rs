//! The bytes of the conversation: where every field of every message lies. Offsets only.
//!
//! All numbers are little-endian. Every message starts with the same 16 bytes:
//!
//! ```text
//!  0            4          8             12           16
//!  ├─ magic u32 ┼─ kind u32┼─ version u32┼─ length u32┤ …
//! ```
//!
//! `length` counts the whole message and equals what the socket delivered; version and kind (with the
//! counts named below) fix it exactly. Bytes not named here are reserved: zero, and checked. `version`
//! is the lowest layout version that the host speaks in HELLO and RESUME, the chosen one in all that
//! follows. REFUSED has this form in every version.
//!
//! ```text
//!  HELLO (1), 256 bytes; RESUME (2), 288 + 24 × lanes bytes, begins like it
//!  16                20                 24                    32
//!  ├─ lowest u32 ────┼─ highest u32 ────┼─ must understand u64┼─ may understand u64 ─▶ 40
//!  40         44          48                     56                   64
//!  ├─ role u32┼─ lanes u32┼─ request capacity u64┼─ reply capacity u64┤
//!  64               68               72                76                    80
//!  ├─ page mode u32 ┼─ membarrier u32┼─ event rings u32┼─ service version u32┤
//!  80                       144                    208           256
//!  ├─ service name [64] ────┼─ host name [64] ──────┼─ reserved ──┤
//!
//!  RESUME goes on
//!  256             264         272         288                     + 24 × lane
//!  ├─ host id u64 ─┼─ epoch u64┼─ reserved ┼─ last reply u64 │ position u64 │ deaths u32 │ reserved u32 ─┤
//!
//!  WELCOME (3), 256 bytes, then one u16 a lane (its shard), then 16 bytes an event ring
//!  16             24          32            40          44           48
//!  ├─ host id u64 ┼─ epoch u64┼─ features u64┼─ lanes u32┼─ shards u32┤
//!  48                     56                   64                 72               80
//!  ├─ request capacity u64┼─ reply capacity u64┼─ request bytes u64┼─ reply bytes u64┤
//!  80                 84               88               92                96
//!  ├─ request pages u32┼─ reply pages u32┼─ membarrier u32┼─ event rings u32┤
//!  96               100                   104                  112                 176        184
//!  ├─ descriptors u32┼─ service version u32┼─ event capacity u64┼─ service name [64]┼─ life u64 ┼─ zero
//!
//!  an event ring: region bytes u64 │ pages u32 │ shard u32
//!
//!  MAPPED (4), READY (5), DRAINING (7), DETACH (8), 32 bytes: nothing but reserved bytes
//!
//!  REFUSED (6), 32 bytes and the text
//!  16         20              24          32
//!  ├─ code u32┼─ text bytes u32┼─ limit u64┤ text, UTF-8
//! ```

use std::mem::size_of;

/// `"IHRD"` as a little-endian word.
pub const MESSAGE_MAGIC: u32 = u32::from_le_bytes(*b"IHRD");
/// Offset of the magic word.
pub const MESSAGE_MAGIC_OFFSET: usize = 0;
/// Offset of the kind (u32).
pub const MESSAGE_KIND: usize = 4;
/// Offset of the version (u32).
pub const MESSAGE_VERSION: usize = 8;
/// Offset of the length (u32).
pub const MESSAGE_LENGTH: usize = 12;
/// Bytes every message starts with.
pub const MESSAGE_HEADER_BYTES: usize = 16;

/// Kind: a host introduces itself and says its wishes.
pub const KIND_HELLO: u32 = 1;
/// Kind: a host whose engine died goes on with the request region it has.
pub const KIND_RESUME: u32 = 2;
/// Kind: the engine's terms, with the descriptors.
pub const KIND_WELCOME: u32 = 3;
/// Kind: the host has mapped both regions and made all pages present.
pub const KIND_MAPPED: u32 = 4;
/// Kind: the engine has sealed, checked and mapped; the rings are open.
pub const KIND_READY: u32 = 5;
/// Kind: no, and why. In place of any other message, and later on at any time.
pub const KIND_REFUSED: u32 = 6;
/// Kind: the engine answers what is committed and then leaves.
pub const KIND_DRAINING: u32 = 7;
/// Kind: the sender leaves for good; nothing of it is resumed.
pub const KIND_DETACH: u32 = 8;

/// Length of HELLO, and of the part of RESUME that is like it.
pub const HELLO_BYTES: usize = 256;
/// Offset of the lowest layout version that the host speaks (u32).
pub const HELLO_LOWEST: usize = 16;
/// Offset of the highest layout version that the host speaks (u32).
pub const HELLO_HIGHEST: usize = 20;
/// Offset of the feature bits that the engine must understand, or refuse (u64). None is defined yet.
pub const HELLO_MUST_UNDERSTAND: usize = 24;
/// Offset of the feature bits that the engine may understand (u64). None is defined yet.
pub const HELLO_MAY_UNDERSTAND: usize = 32;
/// Offset of the role (u32): [`ROLE_HOST`], [`ROLE_OBSERVER`] or [`ROLE_EVENTS`].
pub const HELLO_ROLE: usize = 40;
/// Offset of the number of lanes wished for (u32).
pub const HELLO_LANES: usize = 44;
/// Offset of the capacity wished for each request ring, in bytes (u64).
pub const HELLO_REQUEST_CAPACITY: usize = 48;
/// Offset of the capacity wished for each reply ring, in bytes (u64).
pub const HELLO_REPLY_CAPACITY: usize = 56;
/// Offset of the page mode (u32): [`PAGES_AUTO`], [`PAGES_REQUIRE_HUGE`] or [`PAGES_SMALL`].
pub const HELLO_PAGES: usize = 64;
/// Offset of the membarrier word (u32): 1 if the host can call it and is registered, else 0.
pub const HELLO_MEMBARRIER: usize = 68;
/// Offset of the number of event rings wished for (u32): the first so many, or [`ALL_EVENT_RINGS`].
pub const HELLO_EVENT_RINGS: usize = 72;
/// Event rings wished for: as many as the engine has, be it none.
pub const ALL_EVENT_RINGS: u32 = u32::MAX;
/// Offset of the version of the service that is wanted (u32); 0 is any.
pub const HELLO_SERVICE_VERSION: usize = 76;
/// Offset of the name of the service that is wanted; empty is any.
pub const HELLO_SERVICE: usize = 80;
/// Offset of the host's own name, for people.
pub const HELLO_HOST_NAME: usize = 144;

/// Bytes of a name: UTF-8 without control characters, filled up with zeros.
pub const NAME_BYTES: usize = 64;

/// Offset of the host id that the dead engine gave (u64).
pub const RESUME_HOST_ID: usize = 256;
/// Offset of the epoch that is to begin (u64).
pub const RESUME_EPOCH: usize = 264;
/// Where the lanes begin in RESUME.
pub const RESUME_LANES: usize = 288;
/// Bytes of a lane in RESUME.
pub const RESUME_LANE_BYTES: usize = 24;
/// In a lane: number of the last committed reply, 0 if there was none (u64).
pub const RESUME_LAST_REPLY: usize = 0;
/// In a lane: position of the request behind it (u64).
pub const RESUME_POSITION: usize = 8;
/// In a lane: how often that request has seen an engine die (u32).
pub const RESUME_DEATHS: usize = 16;

/// Length of WELCOME without its lanes.
pub const WELCOME_BYTES: usize = 256;
/// Offset of the host id (u64): a name, no authority.
pub const WELCOME_HOST_ID: usize = 16;
/// Offset of the epoch (u64).
pub const WELCOME_EPOCH: usize = 24;
/// Offset of the features in force (u64), among those that the host offered.
pub const WELCOME_FEATURES: usize = 32;
/// Offset of the number of lanes (u32).
pub const WELCOME_LANE_COUNT: usize = 40;
/// Offset of the number of shards (u32).
pub const WELCOME_SHARDS: usize = 44;
/// Offset of the capacity of each request ring, in bytes (u64).
pub const WELCOME_REQUEST_CAPACITY: usize = 48;
/// Offset of the capacity of each reply ring, in bytes (u64).
pub const WELCOME_REPLY_CAPACITY: usize = 56;
/// Offset of the size of the request region, in bytes (u64).
pub const WELCOME_REQUEST_BYTES: usize = 64;
/// Offset of the size of the reply region, in bytes (u64).
pub const WELCOME_REPLY_BYTES: usize = 72;
/// Offset of the pages of the request region (u32): 1, 2 or 3, see `PageSize::code`.
pub const WELCOME_REQUEST_PAGES: usize = 80;
/// Offset of the pages of the reply region (u32).
pub const WELCOME_REPLY_PAGES: usize = 84;
/// Offset of the membarrier word (u32): 1 if both ends declared it, else both fence.
pub const WELCOME_MEMBARRIER: usize = 88;
/// Offset of the number of event rings (u32): those wished for.
pub const WELCOME_EVENT_RINGS: usize = 92;
/// Offset of the number of descriptors that come with the message (u32).
pub const WELCOME_DESCRIPTORS: usize = 96;
/// Offset of the version of the service (u32).
pub const WELCOME_SERVICE_VERSION: usize = 100;
/// Offset of the capacity of each event ring, in bytes (u64); 0 where there is none.
pub const WELCOME_EVENT_CAPACITY: usize = 104;
/// Offset of the name of the service.
pub const WELCOME_SERVICE: usize = 112;
/// Offset of the name of the engine's life (u64): event regions carry it. 0 without event rings.
pub const WELCOME_LIFE: usize = 176;
/// Where the shards of the lanes begin (u16 each).
pub const WELCOME_LANES: usize = 256;
/// Bytes of an event ring in WELCOME; they begin behind the shards of the lanes.
pub const WELCOME_RING_BYTES: usize = 16;
/// In an event ring: bytes of its region (u64).
pub const WELCOME_RING_REGION: usize = 0;
/// In an event ring: pages of its region (u32), as for the other regions.
pub const WELCOME_RING_PAGES: usize = 8;
/// In an event ring: the shard that writes it, and on whose doorbell its waiters are rung (u32).
pub const WELCOME_RING_SHARD: usize = 12;

/// Length of the messages that carry nothing: MAPPED, READY, DRAINING, DETACH.
pub const STEP_BYTES: usize = 32;

/// Length of REFUSED without its text.
pub const REFUSED_BYTES: usize = 32;
/// Offset of the refusal code (u32).
pub const REFUSED_CODE: usize = 16;
/// Offset of the length of the text, in bytes (u32).
pub const REFUSED_TEXT_BYTES: usize = 20;
/// Offset of the number that would have been accepted (u64); 0 where there is none.
pub const REFUSED_LIMIT: usize = 24;
/// Where the text begins.
pub const REFUSED_TEXT: usize = 32;
/// The longest text, in bytes.
pub const REFUSED_MOST_TEXT: usize = 512;

/// Role: sends requests, receives replies, and reads event rings if it wishes for them.
pub const ROLE_HOST: u32 = 1;
/// Role: looks on. Refused in this version.
pub const ROLE_OBSERVER: u32 = 2;
/// Role: reads event rings only; it has no lanes.
pub const ROLE_EVENTS: u32 = 3;

/// Page mode: the largest pages that can be had.
pub const PAGES_AUTO: u32 = 0;
/// Page mode: 2 MiB pages, or a refusal.
pub const PAGES_REQUIRE_HUGE: u32 = 1;
/// Page mode: 4 KiB pages.
pub const PAGES_SMALL: u32 = 2;

/// No message is longer: RESUME with the most lanes.
pub const MOST_BYTES: usize = RESUME_LANES + RESUME_LANE_BYTES * crate::layout::MAX_LANES;

const _: () = {
    assert!(HELLO_HOST_NAME + NAME_BYTES <= HELLO_BYTES && RESUME_HOST_ID == HELLO_BYTES);
    assert!(WELCOME_SERVICE + NAME_BYTES <= WELCOME_BYTES && WELCOME_LANES == WELCOME_BYTES);
    assert!(RESUME_DEATHS + 2 * size_of::<u32>() == RESUME_LANE_BYTES);
    assert!(REFUSED_LIMIT + 8 == REFUSED_TEXT && REFUSED_TEXT == REFUSED_BYTES);
    assert!(MOST_BYTES == 24_864);
};
