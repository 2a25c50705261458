//! The short way of claim and commit: one line, outside of batches, nothing in the way.
//!
//! A function that can also do what is rare keeps many registers for it and saves them at every call: three
//! times the instructions. So the usual case stands alone here. Where it is not the usual case it does
//! nothing and says `None`, and the long way in `producer.rs` begins from the start.

use std::ffi::c_void;

use super::border::{at_once, border};
use super::handle::exclusive;
use super::input::give;
use super::producer::ih_producer;
use super::status::ih_status;
use crate::layout::{HEADER_BYTES, LINE};

/// The open claim of one line at the committed end, if there is one: that end and its payload bytes in one
/// word. A commit moves the end, and what is left here is no claim any more; so a stream stores this once
/// a request, and nothing to take it back.
#[derive(Clone, Copy)]
pub(super) struct LineClaim(u64);

impl LineClaim {
    /// No claim, wherever the end is: it would be longer than a line.
    pub(super) const NONE: LineClaim = LineClaim(u64::MAX);

    /// `payload` bytes at `end`.
    #[inline(always)]
    fn at(end: u64, payload: usize) -> Self {
        LineClaim(end | payload as u64) // a line's beginning, and less than a line
    }

    /// Payload bytes of the claim, if it is one while the requests end at `end`.
    #[inline(always)]
    pub(super) fn payload(self, end: u64) -> Option<u32> {
        let payload = self.0.wrapping_sub(end);
        (payload <= (LINE - HEADER_BYTES) as u64).then_some(payload as u32)
    }
}

/// The claim of one line where nothing stands in the way; else nothing is done.
///
/// # Safety
/// As `ih_producer_claim`.
#[inline(always)]
pub(super) unsafe fn claim_at_once(
    producer: *mut ih_producer,
    payload_bytes: usize,
    payload: *mut *mut c_void,
) -> Option<()> {
    at_once(|| {
        // SAFETY: the caller's promise.
        let producer = unsafe { exclusive(producer).ok()? };
        let end = producer.sender.end();
        if payload.is_null() || producer.state != 0 || producer.line.payload(end).is_some() {
            return None;
        }
        let place = producer.sender.line_at_once(payload_bytes)?;
        producer.line = LineClaim::at(end, payload_bytes);
        // SAFETY: not null; the caller's to write.
        unsafe { payload.write(place.cast()) };
        Some(())
    })
}

/// The commit of a [`LineClaim`] where nothing stands in the way; else nothing is done. Who opens a batch or
/// shares a producer wants no claim open first, so such a claim is outside of both. Says whether
/// [`tell_engine`] is due, which the caller does last of all: nothing that is in registers need outlive
/// it.
///
/// # Safety
/// As `ih_producer_commit`.
#[inline(always)]
pub(super) unsafe fn commit_at_once(
    producer: *mut ih_producer,
    kind: u16,
    number: *mut u64,
) -> Option<bool> {
    at_once(|| {
        // SAFETY: the caller's promise.
        let producer = unsafe { exclusive(producer).ok()? };
        let payload_bytes = producer.line.payload(producer.sender.end())?;
        if !producer.sender.commits_line() {
            return None;
        }
        // First, so that its place need not outlive the commit. SAFETY: NULL, or the caller's to write.
        unsafe { give(number, producer.sender.next_number()) };
        producer.sender.commit_line(payload_bytes, kind);
        Some(producer.sender.has_to_tell())
    })
}

/// Behind a commit at once: the engine sleeps, or is another one.
///
/// # Safety
/// As `ih_producer_commit`.
#[cold]
#[inline(never)]
pub(super) unsafe extern "C" fn tell_engine(producer: *mut ih_producer) -> ih_status {
    border(|| {
        // SAFETY: the caller's promise.
        unsafe { exclusive(producer)? }.sender.tell();
        Ok(())
    })
}
