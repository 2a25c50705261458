//! A lane's producer: claims, commits, batches.
//!
//! In Rust a claim is a value that borrows its producer. Here it is a state of the handle, so misuse has to
//! be seen at run time: one word of state says what is open.

use std::ffi::c_void;

use super::border::{border, value_border, Outcome};
use super::failure::too_large;
use super::handle::{exclusive, shared, Handle, Mark};
use super::input::{give, output};
use super::short_way::{claim_at_once, commit_at_once, tell_engine, LineClaim};
use super::status::ih_status::{self, *};
use crate::host::RequestSender;
use crate::ring::{Room, SuspendedBatch};

/// The half of a lane that sends: one thread at a time, not necessarily the consumer's.
#[repr(C)] // begins with its mark
pub struct ih_producer {
    pub(super) mark: Mark,
    /// Which of the bits below are set; nothing of `line`. A byte, because the compiler sets and clears
    /// bits by the byte, and a wider load behind such a store has to wait for it.
    pub(super) state: u8,
    /// The open claim, where the short way was gone.
    pub(super) line: LineClaim,
    pub(super) sender: RequestSender,
    /// The open claim, if there is one and it is not in `line`.
    room: Option<Room>,
    /// The open batch, if there is one.
    batch: Option<SuspendedBatch>,
}

/// A claim is open.
pub(super) const CLAIM: u8 = 1;
/// A batch is open.
const BATCH: u8 = 2;
/// It is shared among threads, so a claim needs the lock, and with it a batch.
const SHARED: u8 = 4;

impl Handle for ih_producer {
    const KIND: u32 = u32::from_le_bytes(*b"prod");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl ih_producer {
    pub(super) fn new(sender: RequestSender) -> Self {
        Self {
            mark: Mark::live::<ih_producer>(),
            state: 0,
            line: LineClaim::NONE,
            sender,
            room: None,
            batch: None,
        }
    }

    /// What is open, or shared: the bits above.
    #[inline(always)]
    fn state(&self) -> u8 {
        self.state | self.line_claimed().map_or(0, |_| CLAIM)
    }

    /// Payload bytes of a claim that went the short way.
    #[inline(always)]
    fn line_claimed(&self) -> Option<u32> {
        self.line.payload(self.sender.end())
    }

    /// Room for one request; from here on its claim is open.
    #[inline(always)]
    fn claim(&mut self, payload: usize) -> Outcome<*mut u8> {
        if self.state() != 0 {
            return self.claim_in_batch(payload);
        }
        let room = match self.sender.room_at_once(payload) {
            Some(room) => room,
            None => self.sender.room_slowly(payload)?,
        };
        Ok(self.opened(room))
    }

    /// From here on the claim of `room` is open. Where its payload is to be written.
    #[inline(always)]
    pub(super) fn opened(&mut self, room: Room) -> *mut u8 {
        self.room = Some(room);
        self.state |= CLAIM;
        self.sender.room_pointer(room)
    }

    /// A claim where something is open or shared.
    #[inline(never)]
    fn claim_in_batch(&mut self, payload: usize) -> Outcome<*mut u8> {
        if self.state() & CLAIM != 0 {
            return Err(IH_ERROR_CLAIM_OPEN.into());
        }
        let batch = match &mut self.batch {
            None => return Err(IH_ERROR_SHARED.into()),
            Some(batch) => batch,
        };
        let room = self.sender.batch_room(batch, payload)?;
        Ok(self.opened(room))
    }

    /// The open claim's room.
    #[inline(always)]
    fn claimed(&self) -> Outcome<Room> {
        let line = self.line_claimed();
        let room = line.map(|payload| self.sender.line_room(payload));
        Ok(room.or(self.room).ok_or(IH_ERROR_NO_CLAIM)?)
    }

    /// Ends the claim: the room it had.
    #[inline(always)]
    pub(super) fn take_claim(&mut self) -> Outcome<Room> {
        let room = self.claimed()?;
        self.abort_claim();
        Ok(room)
    }

    /// Commits `room`, whose claim has been ended; returns the request's number.
    #[inline(always)]
    fn commit(&mut self, room: Room, kind: u16) -> Outcome<u64> {
        Ok(match &mut self.batch {
            None => self.sender.commit_room(room, kind)?,
            Some(batch) => self.sender.batch_commit(batch, room, kind)?,
        })
    }

    /// Nothing is open, and it is not shared.
    #[inline(always)]
    pub(super) fn must_be_idle(&self) -> Outcome {
        match self.state() {
            0 => Ok(()),
            state => Err(busy(state).into()),
        }
    }

    /// A claim is open outside of any batch, and it is not shared.
    #[inline(always)]
    pub(super) fn must_be_claimed(&self) -> Outcome {
        match self.state() {
            CLAIM => Ok(()),
            0 => Err(IH_ERROR_NO_CLAIM.into()),
            state => Err(busy(state & !CLAIM).into()),
        }
    }

    /// Opens a batch.
    pub(super) fn open_batch(&mut self) -> Outcome {
        self.batch = Some(self.sender.open_batch()?);
        self.state |= BATCH;
        Ok(())
    }

    fn take_batch(&mut self) -> Outcome<SuspendedBatch> {
        if self.state() & CLAIM != 0 {
            return Err(IH_ERROR_CLAIM_OPEN.into());
        }
        let batch = self.batch.take().ok_or(IH_ERROR_NO_BATCH)?;
        self.state &= !BATCH;
        Ok(batch)
    }

    /// Publishes the batch; returns the number of the next request.
    pub(super) fn publish(&mut self) -> Outcome<u64> {
        let batch = self.take_batch()?;
        Ok(self.sender.publish_batch(batch)?)
    }

    /// Gives the open claim up, if there is one.
    #[inline(always)]
    pub(super) fn abort_claim(&mut self) {
        self.room = None;
        self.line = LineClaim::NONE;
        self.state &= !CLAIM;
    }

    /// The batch that comes with a lock ends with it.
    fn must_not_be_locked(&self) -> Outcome {
        match self.state & SHARED {
            0 => Ok(()),
            _ => Err(IH_ERROR_SHARED.into()),
        }
    }

    /// From now on every claim needs the lock.
    pub(super) fn share(&mut self) {
        self.state |= SHARED;
    }

    fn next_number(&self) -> u64 {
        match &self.batch {
            None => self.sender.next_number(),
            Some(batch) => batch.next_number(),
        }
    }
}

impl Drop for ih_producer {
    /// What is open is aborted. In a forked child that touches private memory alone.
    fn drop(&mut self) {
        self.mark.end::<ih_producer>();
        self.abort_claim();
        if let Ok(batch) = self.take_batch() {
            self.sender.abort_batch(batch);
        }
    }
}

/// What stands in the way of who needs the whole producer.
#[cold]
fn busy(state: u8) -> ih_status {
    match state {
        state if state & SHARED != 0 => IH_ERROR_SHARED,
        state if state & CLAIM != 0 => IH_ERROR_CLAIM_OPEN,
        _ => IH_ERROR_BATCH_OPEN,
    }
}

/// ---- Producer --------------------------------------------------------------------------------
/// Claims room for a request of `payload_bytes` bytes, to be written in place at `*payload` (16 bytes
/// behind a cache line's start). Never blocks: IH_FULL. One claim at a time. In a batch, IH_FULL
/// makes visible what the batch holds.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_claim(
    producer: *mut ih_producer,
    payload_bytes: usize,
    payload: *mut *mut c_void,
) -> ih_status {
    // SAFETY: what the header asks for.
    match unsafe { claim_at_once(producer, payload_bytes, payload) } {
        Some(()) => IH_OK,
        // SAFETY: as above.
        None => unsafe { claim_with_words(producer, payload_bytes, payload) },
    }
}

/// Every claim, with words for what stands in the way.
#[inline(never)]
unsafe extern "C" fn claim_with_words(
    producer: *mut ih_producer,
    payload_bytes: usize,
    payload: *mut *mut c_void,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        let place = output(payload)?;
        let payload = producer.claim(payload_bytes)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(payload.cast()) };
        Ok(())
    })
}

/// Commits the claim: the engine sees it, or in a batch, it joins the batch. `number` may be NULL; else
/// it gets the request's number, which its reply will carry.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_commit(
    producer: *mut ih_producer,
    kind: u16,
    number: *mut u64,
) -> ih_status {
    // SAFETY: what the header asks for.
    match unsafe { commit_at_once(producer, kind, number) } {
        Some(false) => IH_OK,
        // SAFETY: as above.
        Some(true) => unsafe { tell_engine(producer) },
        // SAFETY: as above.
        None => unsafe { commit_with_words(producer, kind, number) },
    }
}

/// Every commit, with words for what stands in the way.
#[inline(never)]
unsafe extern "C" fn commit_with_words(
    producer: *mut ih_producer,
    kind: u16,
    number: *mut u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        let room = producer.take_claim()?;
        let committed = producer.commit(room, kind)?;
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(number, committed) };
        Ok(())
    })
}

/// Commits only the first `len` bytes of the claim.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_commit_shorter(
    producer: *mut ih_producer,
    kind: u16,
    len: usize,
    number: *mut u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        let claimed = producer.claimed()?.payload_bytes();
        if len > claimed {
            return Err(too_large(
                format_args!("{len} bytes are more than the {claimed} that were claimed"),
                claimed as u64,
            ));
        }
        let room = producer.take_claim()?.shorter(len);
        let committed = producer.commit(room, kind)?;
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(number, committed) };
        Ok(())
    })
}

/// Gives the claim up: nothing is sent, no number is used.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_abort(producer: *mut ih_producer) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        unsafe { exclusive(producer)? }.take_claim()?;
        Ok(())
    })
}

/// Opens a batch: what is committed until its end becomes visible in one step, which is the fastest
/// way to stream. (The end of the ring may make a part visible before.)
#[no_mangle]
pub unsafe extern "C" fn ih_producer_batch(producer: *mut ih_producer) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        producer.must_be_idle()?;
        producer.open_batch()
    })
}

/// Publishes the batch. `next` may be NULL; else it gets the number of the next request.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_publish(
    producer: *mut ih_producer,
    next: *mut u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        producer.must_not_be_locked()?;
        let published = producer.publish()?;
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(next, published) };
        Ok(())
    })
}

/// Gives the batch up, as far as it is not visible.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_abort_batch(producer: *mut ih_producer) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let producer = unsafe { exclusive(producer)? };
        producer.must_not_be_locked()?;
        let batch = producer.take_batch()?;
        producer.sender.abort_batch(batch);
        Ok(())
    })
}

/// The largest payload of a request, in bytes; 0 where `producer` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_payload_limit(producer: *const ih_producer) -> u32 {
    value_border(0, || {
        // SAFETY: what the header asks for.
        Ok(unsafe { shared(producer)? }.sender.payload_limit())
    })
}

/// The number that the next request will have; 0 where `producer` is not live or not this thread's.
#[no_mangle]
pub unsafe extern "C" fn ih_producer_next_number(producer: *const ih_producer) -> u64 {
    value_border(0, || {
        // SAFETY: what the header asks for.
        let producer = unsafe { shared(producer)? };
        if producer.state == SHARED {
            return Err(IH_ERROR_SHARED.into()); // others change it now
        }
        Ok(producer.next_number())
    })
}
