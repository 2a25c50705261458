//! The engine: a control thread, and one pinned thread for each shard.
//!
//! ```text
//!   socket ─▶ control thread ─ mail ─▶ shard 0 (pinned) ─▶ lanes … handler
//!              │    ▲  attach, deaths,  shard 1 (pinned) ─▶ lanes … handler
//!              │    │  housekeeping
//!              ▼    │
//!         conversation threads: memory is allocated there, never where others are served
//! ```
//!
//! What it costs a message: one visit of its lane by a shard. Everything that takes time or may
//! block (allocation, unmapping, logging, the socket) belongs to other threads.
//!
//! States: *boot* (bind the path, pin the shards, make the handlers), *run*, *halt* (refuse new hosts,
//! answer what is committed, say so to the hosts, leave). [`StopHandle::stop`] drives run → halt, from
//! any thread or a signal handler.

mod arena;
mod boot;
mod control;
mod counters;
mod events;
mod handler;
mod host_link;
mod lane;
mod options;
mod park;
mod shard;

pub use arena::Arena;
pub use boot::{Engine, StopHandle};
pub use counters::{Counters, Counts};
#[cfg(feature = "named")]
pub(crate) use events::Events;
pub use events::{EventClaim, EventError};
#[cfg(feature = "named")]
pub(crate) use handler::Surroundings;
pub use handler::{Handler, Reply, Request, Status};
pub use options::{EngineError, EngineOptions};
