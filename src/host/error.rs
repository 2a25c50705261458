//! What a host's calls answer when they don't succeed. Full is an ordinary answer, with a name of its
//! own so that it can be matched.

use thiserror::Error;

use crate::attach::AttachError;
use crate::event::EventCorrupt;
use crate::ring::{ClaimError, Corrupt};

/// Why a host's call did not succeed.
///
/// ```no_run
/// # use ironhoard::host::{Host, HostError};
/// # let host = Host::attach("/run/hunt.sock")?;
/// let mut lane = host.lane()?;
/// match lane.claim(48) {
///     Ok(claim) => drop(claim.commit(1)),
///     Err(HostError::Full) => println!("later"), // an ordinary answer
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), HostError>(())
/// ```
#[derive(Debug, Error)]
pub enum HostError {
    /// No engine at the path, or it did not want this host.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The kernel refused something every host needs.
    #[error("the kernel refused {what}: {source}")]
    Kernel {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
    /// The request ring is full. An ordinary answer: the engine is behind, or waits until this host
    /// takes its replies.
    #[error("the request ring is full: take replies, wait with `claim_wait`, or try again later")]
    Full,
    /// The request ring is full and will stay full, because the reply ring holds replies that this
    /// very thread has not taken.
    #[error("waiting for room would never end: replies of this lane are waiting to be taken; poll first")]
    RepliesWaiting,
    /// The payload can never fit.
    #[error("a payload of {payload} bytes is too large: the limit of this lane is {limit} bytes; ask for a larger capacity at attach")]
    TooLarge {
        /// What was asked for, in bytes.
        payload: usize,
        /// The most that fits, in bytes.
        limit: u32,
    },
    /// The engine wrote nonsense.
    #[error("the engine broke the protocol: {0}")]
    Corrupt(String),
    /// The engine is gone and could not be resumed with.
    #[error("the engine is gone: {reason}. Requests without a reply may have been executed")]
    Gone {
        /// Why there is no resuming.
        reason: String,
    },
    /// The engine closed this lane.
    #[error("the engine closed this lane: {reason}")]
    LaneClosed {
        /// What it said.
        reason: String,
    },
    /// The deadline passed before the reply came; the reply will be dropped when it does.
    #[error("no reply to request {number} within the deadline: it may have been executed")]
    Deadline {
        /// The request that was abandoned.
        number: u64,
    },
    /// The deadline passed before there was room for the request; nothing was sent.
    #[error("no room for the request within the deadline: nothing was sent")]
    NoRoom,
    /// A `call` while replies to earlier requests of this lane have not been taken.
    #[error("{outstanding} earlier requests of this lane have replies to come: poll them before a call, or use another lane")]
    Outstanding {
        /// How many.
        outstanding: u64,
    },
    /// All lanes declared at attach are taken.
    #[error("all {lanes} lanes of this host are taken: give one back, or ask for more at attach")]
    LanesExhausted {
        /// How many there are.
        lanes: u32,
    },
    /// There is no such event ring among those that were asked for at attach.
    #[error("there is no event ring {ring}: this host has {rings}; ask for more at attach, or start the engine with more")]
    NoEventRing {
        /// What was asked for.
        ring: u32,
        /// How many there are.
        rings: u32,
    },
    /// This event ring has a receiver in this host already.
    #[error(
        "event ring {ring} has a receiver already: drop that one first, or attach another host"
    )]
    EventRingTaken {
        /// Which one.
        ring: u32,
    },
    /// This process is a forked child of the one that attached.
    #[error("this is a forked child: regions are not inherited; attach in the child")]
    Forked,
}

impl HostError {
    pub(super) fn kernel(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| HostError::Kernel { what, source }
    }
}

impl From<ClaimError> for HostError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Full => HostError::Full,
            ClaimError::TooLarge { payload, limit } => HostError::TooLarge { payload, limit },
            ClaimError::Corrupt { .. } => HostError::Corrupt(error.to_string()),
        }
    }
}

impl From<EventCorrupt> for HostError {
    fn from(error: EventCorrupt) -> Self {
        HostError::Corrupt(error.to_string())
    }
}

impl From<Corrupt> for HostError {
    fn from(error: Corrupt) -> Self {
        HostError::Corrupt(error.to_string())
    }
}
