//! Attach: the conversation on a Unix socket by which a host and an engine come to share memory.
//!
//! ```text
//!  host                                                       engine
//!  HELLO  versions, role, wishes ───────────────────────────▶ judges, allocates both regions,
//!                                                              maps the reply region, seals it
//!  checks fds, maps, prefaults ◀─── WELCOME  terms, fds ──────
//!  MAPPED ──────────────────────────────────────────────────▶ seals the request region against new
//!                                                              writers, checks it, maps it read-only
//!  the rings are open ◀───────────────────────────── READY ───
//!       …                DRAINING, DETACH, REFUSED at any time later, both ways        …
//! ```
//!
//! Afterwards neither side can map writable what the other writes, shrink it or punch holes in it;
//! the memory management unit sees to that. A host whose engine died says RESUME to the next one:
//! HELLO, and with it the request region and how far each lane's replies had come.
//!
//! What it costs: one thread for each conversation in the engine, because allocation takes
//! milliseconds and the others must not wait for it; nothing once READY is said.
//!
//! How it works: `message` (every byte), `hello`, `welcome` and `refusal` (what they say), `socket`
//! (one message, with its traps); for the host [`attach`] and [`resume`], then `talk` and `agreed`; for
//! the engine [`converse`], then `judge`, `offer` and `resumed`, [`Ledger`] for its limits, [`Listener`]
//! for its path.
//!
//! Neither end believes the other. An engine that lies to a host is found out as well: seals, sizes,
//! access modes and terms are checked before anything is mapped.

mod agreed;
mod bytes;
mod engine_side;
mod error;
mod events;
mod header;
mod hello;
mod host_side;
mod judge;
mod ledger;
mod listener;
pub mod message;
mod notice;
mod offer;
mod peer;
mod policy;
mod refusal;
mod resumed;
mod socket;
mod talk;
mod welcome;

pub use bytes::{Head, MessageError};
pub use engine_side::{converse, EngineSide};
pub use error::{AttachError, ListenError, NoticeError};
pub use events::EventRings;
pub use header::RegionHeader;
pub use host_side::{attach, resume, HostSide, ResumedSide};
pub use ledger::{Ledger, LedgerCounts, Reservation};
pub use listener::Listener;
pub use message::ALL_EVENT_RINGS;
pub use notice::{recv_notice, refuse, send_notice, Notice};
pub use policy::Policy;
pub use refusal::{Refusal, RefusalCode};

use crate::layout::DEFAULT_CAPACITY;
use crate::region::{PageMode, PageSize};

/// What a host asks for.
///
/// ```
/// use ironhoard::attach::Wishes;
/// let wishes = Wishes { lanes: 4, name: "frontend 2".into(), ..Wishes::default() };
/// assert_eq!(wishes.request_capacity, 1 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Lanes, 1 to 1024; 0 for a host that reads events only.
    pub lanes: u32,
    /// Bytes of each request ring: a power of two, 4 KiB to 1 GiB.
    pub request_capacity: u64,
    /// Bytes of each reply ring: a power of two, 4 KiB to 1 GiB.
    pub reply_capacity: u64,
    /// Event rings: the engine's first so many, or [`ALL_EVENT_RINGS`].
    pub event_rings: u32,
    /// Pages of the regions.
    pub pages: PageMode,
    /// This process can call membarrier and has registered for it.
    pub membarrier: bool,
    /// The host's own name, for people: at most 64 bytes.
    pub name: String,
    /// The service wanted, at most 64 bytes; empty is any.
    pub service: String,
    /// The version of the service wanted; 0 is any.
    pub service_version: u32,
}

impl Wishes {
    /// The wishes of a host that reads events only: no lanes, all event rings.
    ///
    /// ```
    /// let wishes = ironhoard::attach::Wishes::events_only();
    /// assert_eq!((wishes.lanes, wishes.request_capacity), (0, 0));
    /// ```
    pub fn events_only() -> Self {
        Self {
            lanes: 0,
            request_capacity: 0,
            reply_capacity: 0,
            event_rings: ALL_EVENT_RINGS,
            ..Self::default()
        }
    }
}

impl Default for Wishes {
    /// One lane with rings of 1 MiB, no event rings, whatever pages can be had, any service, without
    /// membarrier.
    fn default() -> Self {
        Self {
            lanes: 1,
            request_capacity: DEFAULT_CAPACITY,
            reply_capacity: DEFAULT_CAPACITY,
            event_rings: 0,
            pages: PageMode::Auto,
            membarrier: false,
            name: String::new(),
            service: String::new(),
            service_version: 0,
        }
    }
}

/// What was really got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// A name for the host; it gives no authority.
    pub host_id: u64,
    /// 1 after the first attach, one more after each resume.
    pub epoch: u64,
    /// Lanes of this host.
    pub lanes: u32,
    /// Bytes of each request ring.
    pub request_capacity: u64,
    /// Bytes of each reply ring.
    pub reply_capacity: u64,
    /// Bytes of the request region, whole pages.
    pub request_bytes: u64,
    /// Bytes of the reply region, whole pages.
    pub reply_bytes: u64,
    /// Pages of the request region.
    pub request_pages: PageSize,
    /// Pages of the reply region.
    pub reply_pages: PageSize,
    /// Both ends declared membarrier; otherwise both fence.
    pub membarrier: bool,
    /// Shards of the engine.
    pub shards: u32,
    /// The shard that serves each lane.
    pub lane_shards: Vec<u16>,
    /// The event rings that this host may read.
    pub events: EventTerms,
    /// The engine's service.
    pub service: String,
    /// Its version.
    pub service_version: u32,
    /// The engine's process id in the reader's pid namespace, as the kernel says; 0 where it has none.
    pub engine_pid: u32,
}

/// The event rings of one life of an engine, as far as they were wished for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventTerms {
    /// The name of the engine's life; 0 without event rings.
    pub life: u64,
    /// Bytes of each event ring; 0 without event rings.
    pub capacity: u64,
    /// The rings, by their index.
    pub rings: Vec<EventRingTerms>,
}

/// One event ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRingTerms {
    /// Bytes of its region, whole pages.
    pub bytes: u64,
    /// Pages of its region.
    pub pages: PageSize,
    /// The shard that writes it, and on whose doorbell its waiters are rung.
    pub shard: u32,
}

/// Where a lane stood when its engine died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneResume {
    /// Number of the last committed reply, `R`; 0 if there was none.
    pub last_reply: u64,
    /// Position of request `R + 1` in the request ring, in bytes, free-running.
    pub position: u64,
    /// How often request `R + 1` has seen an engine die.
    pub deaths: u32,
}
