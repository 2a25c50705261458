//! A lane's consumer: poll, peek, release, wait.
//!
//! Polled records lie in place until they are released, all at once. So that a forgotten release shows at
//! the next poll, and not as a full ring much later, there is one batch of them at a time.

use std::ffi::c_void;
use std::time::Duration;

use super::border::{border, Outcome};
use super::handle::{exclusive, Handle, Mark};
use super::input::output;
use super::status::ih_status::{self, *};
use crate::host::{Looked, ReplyReceiver, Watch};
use crate::ring::{MemoryWords, Record};

/// The half of a lane that receives: one thread at a time, not necessarily the producer's.
#[repr(C)] // begins with its mark
pub struct ih_consumer {
    pub(super) mark: Mark,
    /// Replies that lie in place until they are released.
    looked: Option<Looked>,
    pub(super) receiver: ReplyReceiver,
    /// What an event loop sleeps on, if one does.
    pub(super) watch: Option<Watch>,
}

impl Handle for ih_consumer {
    const KIND: u32 = u32::from_le_bytes(*b"cons");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl ih_consumer {
    pub(super) fn new(receiver: ReplyReceiver) -> Self {
        Self {
            mark: Mark::live::<ih_consumer>(),
            looked: None,
            receiver,
            watch: None,
        }
    }

    /// Nothing lies in place.
    #[inline(always)]
    pub(super) fn must_be_released(&self) -> Outcome {
        match self.looked {
            None => Ok(()),
            Some(_) => Err(IH_ERROR_UNRELEASED.into()),
        }
    }

    /// How many replies lie in place.
    pub(super) fn in_place(&self) -> u64 {
        self.looked.map_or(0, |looked| looked.count as u64)
    }

    /// The reply that is known to be there, in place until it is released.
    #[inline(always)]
    pub(super) fn take_in_place(&mut self, record: *mut ih_record) -> Outcome {
        // SAFETY: not null, checked by the caller; the program's to write.
        let mut see = |_, found: &Found<'_>| unsafe { record.write(ih_record::of(found)) };
        let looked = self.receiver.look_again(1, &mut see)?;
        if looked.count == 0 {
            return Err(IH_EMPTY.into());
        }
        self.looked = Some(looked);
        Ok(())
    }

    /// Gives the room of what lies in place back.
    #[inline(always)]
    fn release(&mut self) {
        if let Some(looked) = self.looked.take() {
            self.receiver.take_until(looked);
        }
    }
}

impl Drop for ih_consumer {
    /// What was polled counts as taken. In a forked child there is no memory to say that in.
    fn drop(&mut self) {
        self.mark.end::<ih_consumer>();
        if let Some(watch) = self.watch.take() {
            self.receiver.unwatch(&watch);
        }
        if !self.receiver.is_forked() {
            self.release();
        }
    }
}

/// A record as the ring has it.
type Found<'a> = Record<'a, MemoryWords>;

/// A reply in place. The payload lies in memory that the engine can write: copy, check, then use.
#[repr(C)]
pub struct ih_record {
    /// The number of the request that this answers.
    pub number: u64,
    /// The payload, until ih_consumer_release; never NULL. And its bytes.
    pub payload: *const c_void,
    pub payload_bytes: u32,
    /// The status: 0 success, below 0xff00 the handler's codes, from there the engine's own.
    pub kind: u16,
    /// Zero today.
    pub flags: u16,
}

impl ih_record {
    #[inline(always)]
    fn of(found: &Found<'_>) -> Self {
        let payload = found.payload();
        ih_record {
            number: found.number(),
            payload: payload.pointer().cast(),
            payload_bytes: payload.len() as u32,
            kind: found.kind(),
            flags: found.flags(),
        }
    }
}

/// ---- Consumer --------------------------------------------------------------------------------
/// Takes up to `max` replies, in order, into `records`; `count` gets how many, 0 where there are none.
/// They lie in place until ih_consumer_release, which comes before the next poll. Never blocks.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_poll(
    consumer: *mut ih_consumer,
    records: *mut ih_record,
    max: usize,
    count: *mut usize,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        let count = output(count)?;
        let records = if max == 0 { records } else { output(records)? };
        consumer.must_be_released()?;
        // SAFETY: not null where one is found; `at` is below `max`, for which the program has room.
        let see = |at, found: &Found<'_>| unsafe { records.add(at).write(ih_record::of(found)) };
        let looked = consumer.receiver.look(max, see)?;
        if looked.count > 0 {
            consumer.looked = Some(looked);
        }
        // SAFETY: not null; the caller's to write.
        unsafe { count.write(looked.count) };
        Ok(())
    })
}

/// Looks at the next reply without taking it; IH_EMPTY where there is none. Nothing to release. The
/// record is valid until the next call with this consumer.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_peek(
    consumer: *mut ih_consumer,
    record: *mut ih_record,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        let place = output(record)?;
        consumer.must_be_released()?;
        // SAFETY: not null; the caller's to write.
        let see = |_, found: &Found<'_>| unsafe { place.write(ih_record::of(found)) };
        match consumer.receiver.look(1, see)?.count {
            0 => Err(IH_EMPTY.into()),
            _ => Ok(()),
        }
    })
}

/// Gives the room of the polled replies back. IH_OK also where nothing was polled.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_release(consumer: *mut ih_consumer) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        if consumer.looked.is_some() && consumer.receiver.is_forked() {
            return Err(IH_ERROR_FORKED.into());
        }
        consumer.release();
        Ok(())
    })
}

/// Waits until there is a reply: IH_EMPTY at the deadline. Spins first, whatever the deadline, then sleeps.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_wait(
    consumer: *mut ih_consumer,
    deadline_ns: u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        consumer.must_be_released()?;
        match consumer.receiver.wait(Duration::from_nanos(deadline_ns))? {
            true => Ok(()),
            false => Err(IH_EMPTY.into()),
        }
    })
}
