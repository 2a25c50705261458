//! The host's side of a pair of named segments: claim, commit, poll.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{NamedAttachError, NamedShape, Pair};
use crate::host::HostError;
use crate::lane::{address, position, ring_words};
use crate::layout::{
    lane_control_offset, reply_position_offset, LANE_IN_USE, LANE_REQUEST_POSITION,
};
use crate::region::NamedRegion;
use crate::ring::{
    Claim, Consumer, Cursor, MemoryConsumer, MemoryPosition, MemoryProducer, MemoryWords, Polled,
    Producer,
};
use crate::sys::fork::ForkMark;

/// A host over a pair of named segments: its lanes.
pub struct NamedHost {
    lanes: Vec<NamedLane>,
}

/// One lane. Send, not Sync: one thread at a time.
pub struct NamedLane {
    requests: MemoryProducer,
    replies: MemoryConsumer,
    mark: ForkMark,
    /// A request was claimed since lines were last owned.
    may_own: bool,
}

impl NamedHost {
    /// Opens the two segments of `name`, which an engine created with the same shape; once only.
    /// Where the engine may not be there yet, try again after an error.
    ///
    /// # Safety
    /// The segments were created by [`NamedEngine`](super::NamedEngine); while any of the two
    /// processes uses them nobody else opens them, and nobody truncates them.
    ///
    /// # Errors
    /// [`NamedAttachError`]; [`NamedAttachError::Taken`] where another host has been here.
    pub unsafe fn open(name: &str, shape: NamedShape) -> Result<Self, NamedAttachError> {
        let mark = ForkMark::new()?;
        let pair = Pair::new(name, shape, NamedRegion::open)?;
        take(&pair).ok_or_else(|| NamedAttachError::Taken { name: name.into() })?;
        let lanes = (0..shape.lanes).map(|lane| NamedLane::new(&pair, shape, lane, mark.clone()));
        Ok(Self {
            lanes: lanes.collect(),
        })
    }

    /// The lanes, for as many threads.
    pub fn into_lanes(self) -> Vec<NamedLane> {
        self.lanes
    }
}

/// Takes the segments for this host: the first lane's *in use* word, which is never given back.
fn take(pair: &Pair) -> Option<()> {
    let offset = lane_control_offset(0) + LANE_IN_USE as u64;
    let word = address(&pair.requests, offset, 8).cast::<AtomicU64>();
    // SAFETY: 8 bytes of the mapping, which `pair` keeps alive; aligned, because a mapping starts at a
    // page and the offset is a multiple of 8; and nobody reads or writes this word but atomically.
    let word = unsafe { &*word };
    // No partner: whoever turns the 0 into 1 is the one host; nothing is published by it.
    word.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)
        .ok()
        .map(|_| ())
}

impl NamedLane {
    fn new(pair: &Pair, shape: NamedShape, lane: u32, mark: ForkMark) -> Self {
        let request_position = lane_control_offset(lane) + LANE_REQUEST_POSITION as u64;
        let requests = Producer::new(
            ring_words(&pair.requests, shape.lanes, lane, shape.request_capacity),
            position(&pair.replies, request_position),
            pair.request_geometry,
            Cursor::START,
        );
        let replies = Consumer::new(
            ring_words(&pair.replies, shape.lanes, lane, shape.reply_capacity),
            position(&pair.requests, reply_position_offset(lane, 1)),
            pair.reply_geometry,
            Cursor::START,
        );
        Self {
            requests: requests.expect("words and geometry are of one layout"),
            replies: replies.expect("words and geometry are of one layout"),
            mark,
            may_own: false,
        }
    }

    /// Claims room for a request of `payload` bytes. Never blocks. Its commit returns the request's
    /// number, which its reply will carry.
    ///
    /// # Errors
    /// [`HostError::Full`] (an ordinary answer), [`HostError::TooLarge`], [`HostError::Corrupt`],
    /// [`HostError::Forked`].
    #[inline]
    pub fn claim(
        &mut self,
        payload: usize,
    ) -> Result<Claim<'_, MemoryWords, MemoryPosition>, HostError> {
        if self.mark.is_child() {
            return Err(HostError::Forked);
        }
        self.may_own = true;
        Ok(self.requests.claim(payload)?)
    }

    /// Takes up to `max` replies, in place. Never blocks. Finding none it owns the next request's
    /// lines, once.
    ///
    /// # Errors
    /// [`HostError::Corrupt`], [`HostError::Forked`].
    #[inline]
    pub fn poll(
        &mut self,
        max: usize,
    ) -> Result<Polled<'_, MemoryWords, MemoryPosition>, HostError> {
        if self.mark.is_child() {
            return Err(HostError::Forked);
        }
        if self.replies.peek()?.is_none() && self.may_own {
            self.may_own = false;
            self.requests.own_next_lines();
        }
        Ok(self.replies.poll(max))
    }

    /// The largest payload of a request, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.requests.payload_limit()
    }
}
