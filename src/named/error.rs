//! What can go wrong with rings over named segments.

use thiserror::Error;

use crate::layout::{MAX_CAPACITY, MAX_LANES, MIN_CAPACITY};
use crate::region::NamedError;
use crate::ring::{ClaimError, Corrupt};

/// Why an engine or a host does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NamedAttachError {
    /// A segment cannot be created or opened.
    #[error(transparent)]
    Segment(#[from] NamedError),
    /// No lanes, or too many.
    #[error("{lanes} lanes are not possible: choose 1 to {MAX_LANES}")]
    Lanes {
        /// What was asked for.
        lanes: u32,
    },
    /// A ring cannot have this size.
    #[error(
        "a ring of {capacity} bytes is not possible: choose a power of two from {MIN_CAPACITY} to \
         {MAX_CAPACITY}"
    )]
    Capacity {
        /// What was asked for, in bytes.
        capacity: u64,
    },
    /// A host has opened these segments before.
    #[error(
        "the segments of {name:?} have or had a host, and serve one only: stop the engine and start \
         it again, or give each host a name of its own"
    )]
    Taken {
        /// The name.
        name: String,
    },
    /// The kernel refused something both sides need.
    #[error("the kernel refused memory that is wiped on fork: {0}; is this Linux 4.14 or later?")]
    Kernel(#[from] std::io::Error),
}

/// Why an engine does not serve a lane any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NamedServeError {
    /// The host wrote something that is no request.
    #[error("lane {lane}, request ring: {source}; start engine and host again")]
    Request {
        /// Which lane.
        lane: usize,
        /// What was found.
        source: Corrupt,
    },
    /// The host published an impossible position.
    #[error("lane {lane}, reply ring: {source}; start engine and host again")]
    Reply {
        /// Which lane.
        lane: usize,
        /// What was found.
        source: ClaimError,
    },
    /// This process is a forked child of the one that created the segments.
    #[error("this is a forked child: segments are not inherited; create others in the child")]
    Forked,
}
