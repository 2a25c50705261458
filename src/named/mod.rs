//! Rings over named segments: for hosts that cannot be passed a descriptor. Weaker promises.
//!
//! ```text
//!   host ──▶ /dev/shm/NAME.requests-…  request rings, the host's positions  ──▶ engine
//!   host ◀── /dev/shm/NAME.replies-…   reply rings, the engine's positions  ◀── engine
//! ```
//!
//! Where a Unix socket can be used, use [`Engine`](crate::engine::Engine) and
//! [`Host`](crate::host::Host) instead. Here there is no conversation, so this is what falls away:
//!
//! * **One writer per page** is a rule and no longer enforced: either process, and any other of the
//!   same uid, can write everything, and can truncate a segment, which ends whoever touches it next
//!   by SIGBUS. That is why [`NamedEngine::create`] and [`NamedHost::open`] are `unsafe`.
//! * **Nobody notices a death.** A host whose engine is gone polls an empty ring for ever.
//! * **Leftovers.** The engine removes the names when it is dropped; after `kill -9` they stay, and
//!   the next engine is told so ([`NamedError::Exists`](crate::region::NamedError::Exists)).
//! * **No doorbells**: both sides poll; how to spin, yield or sleep meanwhile is the caller's choice.
//! * **No resume, one host for each pair of segments**, once: what a producer must know to go on
//!   where another one ended lies in no segment.
//!
//! Records, rings and the place of each word are the same as everywhere (`docs/LAYOUT.md`), but for
//! the region's header, which stays zero: the shape is part of the segments' names instead, so that
//! a host with another shape in mind finds no segment rather than a wrong one.
//!
//! ```
//! use ironhoard::engine::{Handler, Reply, Request, Status};
//! use ironhoard::named::{NamedEngine, NamedHost, NamedShape};
//!
//! struct Echo;
//! impl Handler for Echo {
//!     fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
//!         match reply.payload(request.payload().len()) {
//!             Ok(bytes) => {
//!                 request.payload().copy_to(bytes);
//!                 Status::OK
//!             }
//!             Err(error) => error.into(),
//!         }
//!     }
//! }
//!
//! let name = format!("echo-{}", std::process::id());
//! let shape = NamedShape::default();
//! // SAFETY: nobody but these two opens the segments, and both keep to the rings' rules.
//! let mut engine = unsafe { NamedEngine::create(&name, shape)? };
//! // In the other process:
//! // SAFETY: as above.
//! let mut lanes = unsafe { NamedHost::open(&name, shape)? }.into_lanes();
//!
//! let mut claim = lanes[0].claim(5)?;
//! claim.payload().copy_from_slice(b"hello");
//! claim.commit(1);
//! assert_eq!(engine.serve_once(&mut Echo, 32)?, 1);
//! let mut replies = lanes[0].poll(16)?;
//! let reply = replies.next()?.expect("one reply is there");
//! assert_eq!((reply.number(), reply.payload().to_vec()), (1, b"hello".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod engine;
mod error;
mod host;

use std::sync::Arc;

pub use engine::NamedEngine;
pub use error::{NamedAttachError, NamedServeError};
pub use host::{NamedHost, NamedLane};

use crate::lane::Segment;
use crate::layout::{region_bytes, DEFAULT_CAPACITY, MAX_LANES, MIN_CAPACITY};
use crate::region::{NamedError, NamedRegion};
use crate::ring::Geometry;

/// What engine and host agree on before they start: there is no conversation to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedShape {
    /// Lanes, 1 to 1024.
    pub lanes: u32,
    /// Capacity of each request ring in bytes: a power of two from 4 KiB to 1 GiB.
    pub request_capacity: u64,
    /// Capacity of each reply ring in bytes, likewise.
    pub reply_capacity: u64,
}

impl Default for NamedShape {
    /// One lane of 1 MiB rings.
    fn default() -> Self {
        Self {
            lanes: 1,
            request_capacity: DEFAULT_CAPACITY,
            reply_capacity: DEFAULT_CAPACITY,
        }
    }
}

/// The two segments of one engine and one host.
struct Pair {
    requests: Arc<NamedRegion>,
    replies: Arc<NamedRegion>,
    request_geometry: Geometry,
    reply_geometry: Geometry,
}

impl Pair {
    /// Gets both segments from `get`, which creates or opens one of that name and size in bytes.
    fn new(
        name: &str,
        shape: NamedShape,
        get: fn(&str, u64) -> Result<NamedRegion, NamedError>,
    ) -> Result<Self, NamedAttachError> {
        if !(1..=MAX_LANES as u32).contains(&shape.lanes) {
            return Err(NamedAttachError::Lanes { lanes: shape.lanes });
        }
        let segment = |direction, capacity| {
            let name = format!("{name}.{direction}-{}x{capacity}", shape.lanes);
            get(&name, region_bytes(shape.lanes, capacity)).map(Arc::new)
        };
        Ok(Self {
            request_geometry: geometry(shape.request_capacity)?,
            reply_geometry: geometry(shape.reply_capacity)?,
            requests: segment("requests", shape.request_capacity)?,
            replies: segment("replies", shape.reply_capacity)?,
        })
    }
}

fn geometry(capacity: u64) -> Result<Geometry, NamedAttachError> {
    Geometry::new(capacity)
        .ok()
        .filter(|_| capacity >= MIN_CAPACITY)
        .ok_or(NamedAttachError::Capacity { capacity })
}

impl Segment for NamedRegion {
    fn as_ptr(&self) -> *mut u8 {
        NamedRegion::as_ptr(self)
    }

    fn bytes(&self) -> u64 {
        NamedRegion::bytes(self)
    }
}
