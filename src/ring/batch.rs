//! Batch commit: many records, one visible step.
//!
//! Every record of the batch but the first gets its header at once; the first one's is kept in a
//! register and stored last, with a release. The consumer, who cannot pass the first record, sees
//! nothing until all lines are there and then all of it. It is also the fastest way to stream: the
//! reader never runs on the writer's heels.
//!
//! Until the first header is stored, the later headers carry numbers *to come*, as dangerous as
//! payload: a batch that is dropped leaves their lines soiled. A batch holds no padding: where one
//! is needed, the batch so far is published first. It is published as well when the ring is full,
//! because the consumer can only make room for what it can see.

use super::claim::{payload_mut, put_u64};
use super::error::ClaimError;
use super::header::record_word;
use super::producer::{Cursor, Producer};
use super::room::Room;
use super::words::{ByteWords, PositionWord, Words};
use crate::layout::{record_bytes, LINE};

/// A batch without its borrow of the producer: for who keeps the two apart, as the C border does. The
/// producer stays as it is with an open batch: whoever claims meanwhile buries this one.
#[derive(Clone, Copy)]
pub(crate) struct SuspendedBatch {
    first: u64,
    end: Cursor,
}

impl SuspendedBatch {
    /// The number of the batch's next record.
    pub(crate) fn next_number(&self) -> u64 {
        self.end.number
    }
}

/// An open batch. [`Batch::publish`] makes it visible; dropping it aborts what is not yet visible.
#[must_use = "a batch that is not published is aborted"]
pub struct Batch<'a, W: Words, P: PositionWord> {
    producer: &'a mut Producer<W, P>,
    /// Header of the first record, not yet stored; 0 while the batch is empty.
    first: u64,
    end: Cursor,
}

impl<'a, W: Words, P: PositionWord> Batch<'a, W, P> {
    #[inline(always)]
    pub(super) fn new(producer: &'a mut Producer<W, P>) -> Self {
        let end = producer.end;
        Self {
            producer,
            first: 0,
            end,
        }
    }

    /// Claims room for the batch's next record. Where the ring's end or a full ring stands in the
    /// way, the records so far become visible.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline(always)]
    pub fn claim(&mut self, payload: usize) -> Result<BatchClaim<'_, 'a, W, P>, ClaimError> {
        if let Some(room) = self.producer.line_at(self.end.position, payload) {
            return Ok(BatchClaim { batch: self, room });
        }
        let (SuspendedBatch { first, end }, room) =
            self.producer.claim_behind(self.so_far(), payload);
        (self.first, self.end) = (first, end);
        let room = Room {
            payload: payload as u32, // as it is there, and no news for whoever calls with a constant
            ..room?
        };
        Ok(BatchClaim { batch: self, room })
    }

    #[inline(always)]
    fn so_far(&self) -> SuspendedBatch {
        SuspendedBatch {
            first: self.first,
            end: self.end,
        }
    }

    /// Records committed to this batch and not yet visible.
    #[inline]
    pub fn pending(&self) -> u64 {
        self.end.number.wrapping_sub(self.producer.end.number)
    }

    /// Makes the batch visible in one step; returns the number of the next record.
    #[inline(always)]
    pub fn publish(mut self) -> u64 {
        self.producer.publish_batch(self.first, self.end);
        self.first = 0;
        self.end.number
    }

    /// The batch without its borrow; [`Producer::resume_batch`] goes on with it.
    #[inline(always)]
    pub(crate) fn suspend(self) -> SuspendedBatch {
        std::mem::ManuallyDrop::new(self).so_far()
    }

    /// As [`Batch::claim`], with the room alone.
    #[inline(always)]
    pub(crate) fn claim_room(&mut self, payload: usize) -> Result<Room, ClaimError> {
        Ok(self.claim(payload)?.room)
    }

    /// Takes the record at `room`, which must be the last that was claimed, into the batch.
    #[inline(always)]
    pub(crate) fn commit_room(&mut self, room: Room, kind: u16) -> u64 {
        self.append(room, room.payload, kind, 0)
    }

    /// Takes the record at `room` into the batch: its header is stored now unless it is the first.
    #[inline(always)]
    fn append(&mut self, room: Room, payload: u32, kind: u16, flags: u16) -> u64 {
        let number = self.end.number;
        self.producer
            .write_second_word(room.word, kind, flags, number);
        let header = record_word(payload, number);
        if self.first == 0 {
            self.first = header;
        } else {
            // From here on this line holds a header; until then its bit may be an older record's.
            self.producer.soiled.take(room.start);
            self.producer.words.store(room.word, header);
        }
        let bytes = record_bytes(payload);
        self.producer.remember(bytes);
        self.end.position = room.start.wrapping_add(bytes);
        self.end.number = number.wrapping_add(1);
        number
    }
}

impl<W: Words, P: PositionWord> Producer<W, P> {
    /// Makes the records up to `end` visible by the header of the first of them; 0 where there are none.
    #[inline(always)]
    fn publish_batch(&mut self, first: u64, end: Cursor) {
        if first != 0 {
            let start = self.word_at(self.end.position);
            self.publish_header(start, first, end.position);
            self.end = end;
        }
    }

    /// Room behind `batch` for a record of more than a line, or where room must be looked for. It gets and
    /// gives values: whoever streams lines can keep the batch in registers, and between the lines of a
    /// stream each private store costs.
    #[inline(never)]
    fn claim_behind(
        &mut self,
        batch: SuspendedBatch,
        payload: usize,
    ) -> (SuspendedBatch, Result<Room, ClaimError>) {
        let SuspendedBatch { mut first, mut end } = batch;
        let room = self.reserve(end.position, payload);
        if room == Err(ClaimError::Full) {
            self.publish_batch(first, end);
            first = 0;
        }
        if let Ok(padded @ Room { padding: 1.., .. }) = room {
            self.publish_batch(first, end);
            first = 0;
            self.publish_padding(padded);
            end = self.end;
        }
        (SuspendedBatch { first, end }, room)
    }

    /// Goes on with a batch of this very producer, on which nothing else was done meanwhile.
    #[inline(always)]
    pub(crate) fn resume_batch(&mut self, suspended: SuspendedBatch) -> Batch<'_, W, P> {
        Batch {
            producer: self,
            first: suspended.first,
            end: suspended.end,
        }
    }
}

impl<W: Words, P: PositionWord> Drop for Batch<'_, W, P> {
    #[inline(always)]
    fn drop(&mut self) {
        self.producer.batch_open = false;
        if self.first != 0 {
            let from = self.producer.end.position.wrapping_add(LINE as u64);
            self.producer.soiled.soil(from, self.end.position);
        }
    }
}

/// Room for one record of a [`Batch`].
#[must_use = "a claim that is not committed is aborted"]
pub struct BatchClaim<'b, 'a, W: Words, P: PositionWord> {
    batch: &'b mut Batch<'a, W, P>,
    room: Room,
}

impl<W: Words, P: PositionWord> BatchClaim<'_, '_, W, P> {
    /// The number this record will have.
    #[inline]
    pub fn number(&self) -> u64 {
        self.batch.end.number
    }

    /// Writes the payload's `index`-th 64-bit word (little endian), in place.
    ///
    /// # Panics
    /// Where the word is not inside the payload rounded up to 8 bytes.
    #[inline(always)]
    pub fn put_u64(&mut self, index: usize, value: u64) {
        let words = &self.batch.producer.words;
        put_u64(words, self.room.word, self.room.payload, index, value);
    }

    /// Adds the record to the batch; returns its number. It becomes visible with the batch.
    #[inline(always)]
    pub fn commit(self, kind: u16) -> u64 {
        self.batch.append(self.room, self.room.payload, kind, 0)
    }

    /// Adds only the first `payload` bytes.
    ///
    /// # Panics
    /// Where `payload` is more than was claimed.
    #[inline]
    pub fn commit_shorter(self, kind: u16, payload: usize) -> u64 {
        assert!(
            payload <= self.room.payload as usize,
            "commit of more than was claimed"
        );
        self.batch.append(self.room, payload as u32, kind, 0)
    }

    /// Gives the claim up; the rest of the batch stays.
    #[inline]
    pub fn abort(self) {}
}

impl<W: ByteWords, P: PositionWord> BatchClaim<'_, '_, W, P> {
    /// The payload, to be written in place. It holds whatever was there before.
    #[inline(always)]
    pub fn payload(&mut self) -> &mut [u8] {
        // SAFETY: as in `Claim::payload`; the batch, and through it the producer, is borrowed.
        unsafe {
            payload_mut(
                &self.batch.producer.words,
                self.room.word,
                self.room.payload,
            )
        }
    }
}
