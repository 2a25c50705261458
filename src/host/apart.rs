//! The halves of a lane without borrows: for who keeps claims, batches and polled replies elsewhere than
//! in values that live for a scope, as the C border does. Same rules, kept by the caller: one claim at a
//! time, nothing else on a producer while its batch is suspended, one look at a time.

use super::error::HostError;
use super::receiver::ReplyReceiver;
use super::sender::RequestSender;
use crate::ring::{Cursor, MemoryWords, Record, Room, SuspendedBatch};

impl RequestSender {
    /// As [`RequestSender::room_at_once`] for a request of one line: where its payload is to be written. Its
    /// room is [`RequestSender::line_room`] until it is committed or given up.
    #[inline(always)]
    pub(crate) fn line_at_once(&mut self, payload: usize) -> Option<*mut u8> {
        if self.mark.is_child() {
            return None;
        }
        let producer = self.producer();
        let room = producer.reserve_line(payload)?;
        Some(producer.room_payload(room).as_mut_ptr())
    }

    /// Where the committed requests end.
    #[inline(always)]
    pub(crate) fn end(&self) -> u64 {
        self.parts.producer.cursor().position
    }

    /// The room that [`RequestSender::line_at_once`] took.
    #[inline(always)]
    pub(crate) fn line_room(&self, payload: u32) -> Room {
        self.parts.producer.reserved_line(payload)
    }

    /// Does nothing stand in the way of [`RequestSender::commit_line`]?
    #[inline(always)]
    pub(crate) fn commits_line(&self) -> bool {
        !self.mark.is_child() && self.parts.producer.commits_line()
    }

    /// As [`RequestSender::commit_room`] for such a room, where [`RequestSender::commits_line`]. The engine
    /// is not told: [`RequestSender::has_to_tell`] comes next.
    #[inline(always)]
    pub(crate) fn commit_line(&mut self, payload: u32, kind: u16) {
        self.producer().commit_line(payload, kind);
    }

    /// After a commit at once: must [`RequestSender::tell`] be called?
    #[inline(always)]
    pub(crate) fn has_to_tell(&self) -> bool {
        self.bell.has_to_tell()
    }

    /// Wakes the engine, or follows the host to another one.
    pub(crate) fn tell(&mut self) {
        self.bell.tell();
    }

    /// Where the payload of `room` is to be written.
    #[inline(always)]
    pub(crate) fn room_pointer(&mut self, room: Room) -> *mut u8 {
        self.producer().room_payload(room).as_mut_ptr()
    }

    /// Writes the beginning of the payload of `room`.
    ///
    /// # Panics
    /// Where `bytes` is longer than the payload.
    #[inline(always)]
    pub(crate) fn write_room(&mut self, room: Room, bytes: &[u8]) {
        self.producer().room_write(room, bytes);
    }

    /// As [`RequestClaim::commit`](super::RequestClaim::commit), for the last room that was taken.
    ///
    /// # Errors
    /// [`HostError::Forked`].
    #[inline(always)]
    pub(crate) fn commit_room(&mut self, room: Room, kind: u16) -> Result<u64, HostError> {
        self.check_process()?;
        let number = self.producer().commit_room(room, kind);
        self.bell.after_publish();
        Ok(number)
    }

    /// As [`RequestSender::batch`].
    pub(crate) fn open_batch(&mut self) -> Result<SuspendedBatch, HostError> {
        self.check_batch()?;
        Ok(self.producer().batch().suspend())
    }

    /// As [`RequestBatch::claim`](super::RequestBatch::claim).
    #[inline(always)]
    pub(crate) fn batch_room(
        &mut self,
        suspended: &mut SuspendedBatch,
        payload: usize,
    ) -> Result<Room, HostError> {
        self.check_process()?;
        let mut batch = self.producer().resume_batch(*suspended);
        let room = batch.claim_room(payload);
        *suspended = batch.suspend();
        if room.is_err() {
            self.bell.after_publish();
        }
        Ok(room?)
    }

    /// Takes the record in `room` into the batch.
    ///
    /// # Errors
    /// [`HostError::Forked`].
    #[inline(always)]
    pub(crate) fn batch_commit(
        &mut self,
        suspended: &mut SuspendedBatch,
        room: Room,
        kind: u16,
    ) -> Result<u64, HostError> {
        self.check_process()?;
        let mut batch = self.producer().resume_batch(*suspended);
        let number = batch.commit_room(room, kind);
        *suspended = batch.suspend();
        Ok(number)
    }

    /// As [`RequestBatch::publish`](super::RequestBatch::publish).
    ///
    /// # Errors
    /// [`HostError::Forked`].
    #[inline]
    pub(crate) fn publish_batch(&mut self, suspended: SuspendedBatch) -> Result<u64, HostError> {
        self.check_process()?;
        let next = self.producer().resume_batch(suspended).publish();
        self.bell.after_publish();
        Ok(next)
    }

    /// Aborts what is not yet visible of a batch.
    pub(crate) fn abort_batch(&mut self, suspended: SuspendedBatch) {
        drop(self.producer().resume_batch(suspended));
        if !self.mark.is_child() {
            self.bell.after_publish();
        }
    }
}

impl ReplyReceiver {
    /// Looks at up to `max` replies in place, without taking them: `see` gets each with its place.
    /// Returns where they end and whether the ring does; [`ReplyReceiver::take_until`] takes them.
    #[inline(always)]
    pub(crate) fn look(
        &mut self,
        max: usize,
        mut see: impl FnMut(usize, &Record<'_, MemoryWords>),
    ) -> Result<Looked, HostError> {
        let waits = self.has_reply()?;
        self.look_again(if waits { max } else { 0 }, &mut see)
    }

    /// As [`ReplyReceiver::look`], right after a look that found one.
    #[inline(always)]
    pub(crate) fn look_again(
        &mut self,
        max: usize,
        see: &mut impl FnMut(usize, &Record<'_, MemoryWords>),
    ) -> Result<Looked, HostError> {
        let consumer = &mut self.reader().consumer;
        let mut looked = Looked {
            next: consumer.cursor(),
            count: 0,
            found_empty: false,
        };
        while looked.count < max {
            match consumer.look(&mut looked.next) {
                Ok(Some(record)) => see(looked.count, &record),
                Ok(None) => {
                    looked.found_empty = true;
                    break;
                }
                // Those before it are good; the next look says it again.
                Err(_) if looked.count > 0 => break,
                Err(corrupt) => return Err(corrupt.into()),
            }
            looked.count += 1;
        }
        Ok(looked)
    }

    /// Takes the replies that were looked at; their room is given back like that of a dropped
    /// [`Replies`](super::Replies).
    #[inline(always)]
    pub(crate) fn take_until(&mut self, looked: Looked) {
        let consumer = &mut self.reader().consumer;
        if consumer.take_until(looked.next, looked.found_empty) {
            self.bell.after_publish();
        }
    }

    /// Is this a forked child of the process that attached?
    pub(crate) fn is_forked(&self) -> bool {
        self.shared.mark.is_child()
    }
}

/// Replies that were looked at and not taken.
#[derive(Clone, Copy)]
pub(crate) struct Looked {
    next: Cursor,
    /// How many.
    pub(crate) count: usize,
    found_empty: bool,
}
