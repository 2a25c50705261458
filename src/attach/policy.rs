//! Whom an engine lets in, and how much they may take.

use std::sync::Arc;
use std::time::Duration;

use super::EventRings;
use crate::layout::{MAX_CAPACITY, MAX_LANES};
use crate::region::PageMode;

/// The rules by which [`converse`](super::converse) judges. Start from the default.
///
/// ```
/// use ironhoard::attach::Policy;
/// let policy = Policy { service: "hunt".into(), service_version: 1, ..Policy::default() };
/// assert_eq!(policy.shards, 1);
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    /// Shards of this engine, 1 to 48.
    pub shards: u32,
    /// Name of the service, at most 64 bytes.
    pub service: String,
    /// Version of the service.
    pub service_version: u32,
    /// The uids that may attach; `None`: all whom the socket's mode lets in.
    pub allowed_uids: Option<Vec<u32>>,
    /// The most hosts, conversations under way included.
    pub max_hosts: u32,
    /// The most hosts of one uid.
    pub max_hosts_per_uid: u32,
    /// The most bytes of regions for one uid.
    pub max_bytes_per_uid: u64,
    /// The most lanes of one host.
    pub max_lanes_per_host: u32,
    /// The largest capacity of a ring, in bytes.
    pub max_capacity: u64,
    /// The engine's own demand; [`PageMode::RequireHuge`] of either side wins, then
    /// [`PageMode::Small`].
    pub pages: PageMode,
    /// The engine can call membarrier and has registered for it.
    pub membarrier: bool,
    /// How long the host may be silent in each step.
    pub silence: Duration,
    /// The engine's event rings; `None` where it has none.
    pub event_rings: Option<Arc<EventRings>>,
    /// Whether hosts with lanes may resume; `Err` says why not: the handler's state died with the engine.
    pub resume: Result<(), String>,
}

impl Default for Policy {
    /// One shard, 64 hosts, 1 GiB a uid, 5 s of silence, resume allowed.
    fn default() -> Self {
        Self {
            shards: 1,
            service: String::new(),
            service_version: 0,
            allowed_uids: None,
            max_hosts: 64,
            max_hosts_per_uid: 64,
            max_bytes_per_uid: 1 << 30,
            max_lanes_per_host: MAX_LANES as u32,
            max_capacity: MAX_CAPACITY,
            pages: PageMode::Auto,
            membarrier: false,
            silence: Duration::from_secs(5),
            event_rings: None,
            resume: Ok(()),
        }
    }
}

impl Policy {
    /// How many event rings there are.
    pub(super) fn event_ring_count(&self) -> usize {
        let rings = self.event_rings.as_ref();
        rings.map_or(0, |rings| rings.terms().rings.len())
    }
}

/// The pages that both sides together demand.
pub(super) fn demanded(one: PageMode, other: PageMode) -> PageMode {
    match (one, other) {
        (PageMode::RequireHuge, _) | (_, PageMode::RequireHuge) => PageMode::RequireHuge,
        (PageMode::Small, _) | (_, PageMode::Small) => PageMode::Small,
        (PageMode::Auto, PageMode::Auto) => PageMode::Auto,
    }
}
