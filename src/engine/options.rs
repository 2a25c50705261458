//! What an engine is told at its start, and what it says when that can't be.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::attach::{ListenError, Policy};
use crate::layout::{DEFAULT_CAPACITY, MAX_CAPACITY, MAX_EVENT_RINGS, MAX_SHARDS, MIN_CAPACITY};
use crate::region::RegionError;
use crate::sys::affinity::AffinityError;
use crate::wait::WaitStrategy;

/// How to run an engine.
///
/// ```
/// use ironhoard::engine::EngineOptions;
/// let options = EngineOptions::new("/run/hunt.sock").cores([1]).budget(32);
/// assert_eq!(options.shards(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    pub(super) cores: Vec<usize>,
    pub(super) unpinned: usize,
    pub(super) wait: WaitStrategy,
    pub(super) budget: usize,
    pub(super) arena_bytes: usize,
    pub(super) drain_for: Duration,
    pub(super) poison_after: u32,
    pub(super) membarrier: bool,
    pub(super) event_rings: usize,
    pub(super) event_capacity: u64,
    pub(super) policy: Policy,
}

impl EngineOptions {
    /// An engine at `path` with one shard that is not pinned.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            mode: 0o600,
            cores: Vec::new(),
            unpinned: 1,
            wait: WaitStrategy::default(),
            budget: 32,
            arena_bytes: 1 << 20,
            drain_for: Duration::from_secs(1),
            poison_after: 2,
            membarrier: true,
            event_rings: 0,
            event_capacity: DEFAULT_CAPACITY,
            policy: Policy::default(),
        }
    }

    /// One shard for each of `cores`, pinned to it.
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.cores = cores.into_iter().collect();
        self
    }

    /// `shards` shards that the scheduler places; for machines without a core to spare.
    pub fn unpinned(mut self, shards: usize) -> Self {
        self.cores.clear();
        self.unpinned = shards;
        self
    }

    /// How shards wait; see [`WaitStrategy`].
    pub fn wait(mut self, wait: WaitStrategy) -> Self {
        self.wait = wait;
        self
    }

    /// The most requests a shard takes from one lane before it looks at the next; at least 1.
    pub fn budget(mut self, budget: usize) -> Self {
        self.budget = budget.max(1);
        self
    }

    /// Bytes of each shard's scratch arena.
    pub fn arena_bytes(mut self, bytes: usize) -> Self {
        self.arena_bytes = bytes;
        self
    }

    /// Permission bits of the socket: who may attach at all. 0600 where nothing is said.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// How long a halting engine goes on answering what hosts still commit.
    pub fn drain_for(mut self, limit: Duration) -> Self {
        self.drain_for = limit;
        self
    }

    /// A request that has seen this many engines die is answered with an error instead of being
    /// tried again; 2 where nothing is said.
    pub fn poison_after(mut self, deaths: u32) -> Self {
        self.poison_after = deaths.max(1);
        self
    }

    /// Whether to use `membarrier(2)` where it can be had, so that nothing is paid for wake-ups while
    /// both sides are awake. With `false` both ends fence after each publish: for measuring, and for
    /// engines that must not interrupt other processes.
    pub fn membarrier(mut self, wanted: bool) -> Self {
        self.membarrier = wanted;
        self
    }

    /// `rings` event rings of `capacity` bytes for each shard, 48 in all at most; none where nothing is said.
    /// Handlers publish into them ([`Request::event`](super::Request::event)), and every host that
    /// wishes for them reads them. A host sees ring `r` of shard `s` under the index
    /// `s * rings + r`. The capacity is a power of two from 4 KiB to 1 GiB; events are retained for about
    /// three quarters of it, and an event's payload is an eighth of it at most.
    pub fn event_rings(mut self, rings: usize, capacity: u64) -> Self {
        self.event_rings = rings;
        self.event_capacity = capacity;
        self
    }

    /// Limits, service name, page mode: what hosts are held to. The number of shards, `membarrier` and
    /// whether hosts may resume are filled in by the engine.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How many shards there will be.
    pub fn shards(&self) -> usize {
        match self.cores.len() {
            0 => self.unpinned,
            pinned => pinned,
        }
    }

    pub(super) fn check(&self) -> Result<(), EngineError> {
        let shards = self.shards();
        if !(1..=MAX_SHARDS).contains(&shards) {
            return Err(EngineError::Shards { shards });
        }
        let rings = self.event_rings.saturating_mul(shards);
        if rings > MAX_EVENT_RINGS {
            return Err(EngineError::EventRings { rings, shards });
        }
        let capacity = self.event_capacity;
        let possible = (MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity);
        if rings > 0 && !(possible && capacity.is_power_of_two()) {
            return Err(EngineError::EventCapacity { capacity });
        }
        Ok(())
    }

    /// The shard that writes each event ring.
    pub(super) fn event_shards(&self) -> Vec<u32> {
        let shards = 0..self.shards() as u32;
        shards
            .flat_map(|shard| std::iter::repeat_n(shard, self.event_rings))
            .collect()
    }
}

/// Why an engine did not start, or ended.
///
/// ```
/// use ironhoard::engine::{Engine, EngineError, EngineOptions};
/// let none = Engine::bind(EngineOptions::new("/run/hunt.sock").unpinned(0));
/// assert!(matches!(none, Err(EngineError::Shards { shards: 0 })));
/// ```
#[derive(Debug, Error)]
pub enum EngineError {
    /// More shards than the layout has room for, or none.
    #[error("{shards} shards are not possible: choose 1 to {MAX_SHARDS}")]
    Shards {
        /// What was asked for.
        shards: usize,
    },
    /// More event rings than the layout has room for.
    #[error("{rings} event rings on {shards} shards are not possible: {MAX_EVENT_RINGS} in all are the most")]
    EventRings {
        /// What was asked for, on all shards.
        rings: usize,
        /// On how many shards.
        shards: usize,
    },
    /// An event ring cannot have this capacity.
    #[error("an event ring of {capacity} bytes is not possible: choose a power of two, {MIN_CAPACITY} to {MAX_CAPACITY}")]
    EventCapacity {
        /// What was asked for, in bytes.
        capacity: u64,
    },
    /// There is no memory for the event rings.
    #[error("no memory for the event rings: {0}")]
    EventMemory(#[from] RegionError),
    /// A shard can't run on its core.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// The socket path can't be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The kernel refused something every engine needs.
    #[error("the kernel refused {what}: {source}")]
    Kernel {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
    /// A shard's thread ended before the engine did.
    #[error(
        "shard {shard} ended by a panic outside of any request: see the panic's message; if it was not the making of the handler that panicked, this is a defect, please report it"
    )]
    ShardLost {
        /// Which one.
        shard: usize,
    },
}

impl EngineError {
    pub(super) fn kernel(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| EngineError::Kernel { what, source }
    }
}
