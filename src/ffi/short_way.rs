//! The short way of claim and commit: one line, outside of batches, nothing in the way.
//!
//! A function that can also do what is rare keeps many registers for it and saves them at every call: three
//! times the instructions. So the usual case stands alone here. Where it is not the usual case it does
//! nothing and says `None`, and the long way in `producer.rs` begins from the start.

use std::ffi::c_void;

use super::border::{at_once, border};
use super::handle::exclusive;
use super::input::give;
use super::producer::{ih_producer, CLAIM, LINE};
use super::status::ih_status;

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
        if payload.is_null() || producer.state != 0 {
            return None;
        }
        let place = producer.sender.line_at_once(payload_bytes)?;
        producer.line = payload_bytes as u32; // a line's at most
        producer.state = CLAIM | LINE;
        // SAFETY: not null; the caller's to write.
        unsafe { payload.write(place.cast()) };
        Some(())
    })
}

/// The commit of a claim outside of batches where nothing stands in the way; else nothing is done. Says
/// whether [`tell_engine`] is due, which the caller does last of all: nothing that is in registers need
/// outlive it.
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
        if producer.state != CLAIM | LINE {
            return None;
        }
        let committed = producer.sender.commit_line_at_once(producer.line, kind)?;
        producer.state = 0;
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(number, committed) };
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
