//! The writing half: claim room, write in place, commit.
//!
//! ```text
//!            consumer's position            committed end (position)
//!                   │                              │
//!   ┌───────────────┼──────────────────────────────┼──────────────────────┐
//!   │ free          │ committed, not yet released  │ free                 │
//!   └───────────────┴──────────────────────────────┴──────────────────────┘
//!                                                  ▲ the word here is never taken for a header:
//!                                                    that is the ring's one invariant
//! ```
//!
//! A commit erases the word at the *new* end if that line is soiled, then stores its header with a
//! release. A consumer that sees the header therefore also sees that nothing follows.

use super::batch::Batch;
use super::claim::Claim;
use super::error::{ClaimError, GeometryError};
use super::header::{padding_word, record_word, second_word};
use super::room::Room;
use super::soiled::Soiled;
use super::words::{PositionWord, Words};
use super::Geometry;
use crate::layout::{record_bytes, HEADER_BYTES, LINE};

/// Least number of lines that [`Producer::own_next_lines`] takes.
const OWN_AT_LEAST: u64 = 4;

/// Where a ring's half stands: the state that a resume carries over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Free-running position in bytes; a multiple of 64.
    pub position: u64,
    /// The number of the next record, from 1.
    pub number: u64,
}

impl Cursor {
    /// The start of a fresh ring.
    pub const START: Cursor = Cursor {
        position: 0,
        number: 1,
    };
}

impl Cursor {
    /// Behind a record of `payload` bytes that starts here.
    #[inline(always)]
    pub(super) fn behind(self, payload: u32) -> Cursor {
        Cursor {
            position: self.position.wrapping_add(record_bytes(payload)),
            number: self.number.wrapping_add(1),
        }
    }
}

/// The half of a ring that writes records. One owner; it may move between threads.
pub struct Producer<W, P> {
    pub(super) words: W,
    pub(super) consumer_position: P,
    pub(super) capacity: u64,
    pub(super) payload_limit: u32,
    /// The largest payload of a record of one line.
    pub(super) one_line: u32,
    /// The committed end, and the number of the record that will start there.
    pub(super) end: Cursor,
    /// Last known consumer position plus the capacity: up to here lines may be written.
    pub(super) limit: u64,
    pub(super) soiled: Soiled,
    pub(super) last_bytes: u64,
    /// A batch is open; still true at the next claim if the batch was forgotten.
    pub(super) batch_open: bool,
}

impl<W: Words, P: PositionWord> Producer<W, P> {
    /// The producer of a ring in `words`, whose consumer publishes its position in
    /// `consumer_position`. The first record goes to `start` ([`Cursor::START`] for a fresh ring).
    ///
    /// The first word of every line must be zero. Memory that another producer has used will not
    /// do: only that producer knows which lines hold payload. To resume, keep the producer and
    /// [`rebind`](Producer::rebind) it.
    ///
    /// # Errors
    /// [`GeometryError`] where words and geometry do not fit together.
    pub fn new(
        words: W,
        consumer_position: P,
        geometry: Geometry,
        start: Cursor,
    ) -> Result<Self, GeometryError> {
        geometry.check(words.count())?;
        Ok(Self {
            words,
            consumer_position,
            capacity: geometry.capacity,
            payload_limit: geometry.payload_limit,
            one_line: geometry.payload_limit.min((LINE - HEADER_BYTES) as u32),
            end: start,
            limit: start.position.wrapping_add(geometry.capacity),
            soiled: Soiled::new(geometry.capacity),
            last_bytes: 0,
            batch_open: false,
        })
    }

    /// Claims room for one record of `payload` bytes, exclusively. Never blocks.
    ///
    /// # Errors
    /// [`ClaimError::Full`] (an ordinary answer), [`ClaimError::TooLarge`],
    /// [`ClaimError::Corrupt`] when the consumer published nonsense.
    ///
    /// ```
    /// let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096)?;
    /// let mut claim = producer.claim(5)?;
    /// claim.payload().copy_from_slice(b"hello");
    /// assert_eq!(claim.commit(7), 1);
    /// let mut polled = consumer.poll(16);
    /// let record = polled.next()?.expect("one record is there");
    /// assert_eq!((record.kind(), record.payload().to_vec()), (7, b"hello".to_vec()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn claim(&mut self, payload: usize) -> Result<Claim<'_, W, P>, ClaimError> {
        let room = self.reserve_room(payload)?;
        Ok(Claim::new(self, room))
    }

    /// Opens a batch: records that become visible together, in one step.
    #[inline(always)]
    pub fn batch(&mut self) -> Batch<'_, W, P> {
        if self.batch_open {
            self.bury_forgotten_batch();
        }
        self.batch_open = true;
        Batch::new(self)
    }

    /// Is there room for a record of `payload` bytes, padding included? Looks at the consumer's
    /// position only when the last known one says no.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline(always)]
    pub fn has_room(&mut self, payload: usize) -> Result<(), ClaimError> {
        let worst = 2 * record_bytes(self.checked(payload)?) - LINE as u64;
        self.ensure_free(self.end.position, worst)
    }

    /// The largest payload of this ring, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.payload_limit
    }

    /// Usable bytes of the ring.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The committed end, and the number of the next record.
    pub fn cursor(&self) -> Cursor {
        self.end
    }

    /// Bytes committed and not yet released, as far as the consumer's position tells now.
    ///
    /// # Errors
    /// [`ClaimError::Corrupt`] when the consumer published nonsense.
    pub fn backlog(&mut self) -> Result<u64, ClaimError> {
        self.look_at_consumer()?;
        Ok(self.capacity - self.limit.wrapping_sub(self.end.position))
    }

    /// Takes the next free lines into this core's cache by storing 0 to their first words: call it
    /// once per wait, after a commit, when there is nothing to read. The lines then change hands
    /// while nobody waits for them. Does nothing where no line is known to be free; never touches
    /// an unreleased one. In a stream it costs more than it brings.
    #[inline]
    pub fn own_next_lines(&mut self) {
        // The line behind a record too: its commit may have to erase a word there.
        let wanted = (self.last_bytes / LINE as u64 + 1).max(OWN_AT_LEAST);
        for line in 0..wanted.min(self.free_lines()) {
            self.erase(self.end.position.wrapping_add(line * LINE as u64));
        }
    }

    /// Asks once more for the lines of a record as long as the last one, without a store: who has looked
    /// for it too early has taken them away. `nothing` is 0, and not there before they are wanted.
    #[inline(always)]
    pub(crate) fn keep_next_lines(&self, nothing: u64) {
        for line in 0..(self.last_bytes / LINE as u64).min(self.free_lines()) {
            let position = self.end.position.wrapping_add(line * LINE as u64);
            self.words
                .claim_line(self.word_at(position.wrapping_add(nothing)));
        }
    }

    /// Lines that are known to be free.
    #[inline(always)]
    fn free_lines(&self) -> u64 {
        self.known_free() / LINE as u64
    }

    /// From now on the consumer's position is read from another word: a new consumer took over at a
    /// position this producer has not passed by more than a lap.
    pub fn rebind(&mut self, consumer_position: P) {
        self.consumer_position = consumer_position;
    }

    /// Bytes that a record of `payload` bytes would take now, with the padding before it.
    #[inline(always)]
    pub(crate) fn need(&self, payload: usize) -> Result<u64, ClaimError> {
        let bytes = record_bytes(self.checked(payload)?);
        let to_end = self.capacity - (self.end.position & (self.capacity - 1));
        Ok(if bytes > to_end {
            to_end + bytes
        } else {
            bytes
        })
    }

    /// Bytes that may be written behind the committed end, as far as is known.
    #[inline(always)]
    pub(crate) fn known_free(&self) -> u64 {
        self.limit.wrapping_sub(self.end.position)
    }

    /// For a ring without a consumer: all before `released`, where a record starts, may be overwritten.
    pub(crate) fn grant(&mut self, released: u64) {
        self.limit = released.wrapping_add(self.capacity);
    }

    /// The word of the record memory that lies at `position`.
    #[inline(always)]
    pub(super) fn word_at(&self, position: u64) -> usize {
        (position / 8) as usize & (self.words.count() - 1)
    }

    #[inline(always)]
    fn checked(&self, payload: usize) -> Result<u32, ClaimError> {
        if payload > self.payload_limit as usize {
            return Err(ClaimError::TooLarge {
                payload,
                limit: self.payload_limit,
            });
        }
        Ok(payload as u32)
    }

    /// Room behind `end` for a record of `payload` bytes; soils its lines.
    #[inline(always)]
    pub(super) fn reserve(&mut self, end: u64, payload: usize) -> Result<Room, ClaimError> {
        let payload = self.checked(payload)?;
        let bytes = record_bytes(payload);
        let to_end = self.capacity - (end & (self.capacity - 1));
        let padding = if bytes > to_end { to_end } else { 0 };
        self.ensure_free(end, padding + bytes)?;
        let start = end.wrapping_add(padding);
        if padding != 0 {
            self.soiled.soil(end.wrapping_add(LINE as u64), start);
        }
        self.soiled
            .soil(start.wrapping_add(LINE as u64), start.wrapping_add(bytes));
        Ok(Room {
            start,
            word: self.word_at(start),
            padding,
            payload,
        })
    }

    /// Commits a record of `payload` bytes (at most what `room` has): its second word, whatever must
    /// be erased, and last, with a release, its header.
    #[inline(always)]
    pub(super) fn commit(&mut self, room: Room, payload: u32, kind: u16, flags: u16) -> u64 {
        if room.padding != 0 {
            self.publish_padding(room);
        }
        let number = self.end.number;
        let bytes = record_bytes(payload);
        let end = room.start.wrapping_add(bytes);
        self.write_second_word(room.word, kind, flags, number);
        self.publish_header(room.word, record_word(payload, number), end);
        // Behind the header and not before it: a private store between two stores to the line makes two
        // of them for the processor, and it takes only a few at a time from another core.
        self.remember(bytes);
        self.end = Cursor {
            position: end,
            number: number.wrapping_add(1),
        };
        number
    }

    /// How long the last record was. It seldom changes, and a store saved counts in a stream.
    #[inline(always)]
    pub(super) fn remember(&mut self, bytes: u64) {
        if self.last_bytes != bytes {
            self.last_bytes = bytes;
        }
    }

    #[inline(always)]
    pub(super) fn write_second_word(&self, start: usize, kind: u16, flags: u16, number: u64) {
        let word = second_word(kind, flags, number);
        self.words.store(start + 1, word);
    }

    /// The invariant's keeper: makes sure that nothing at `end` can be taken for a header, then
    /// publishes `header` at word `start` (label `commit`, with [`Words::observe`] in the consumer).
    #[inline(always)]
    pub(super) fn publish_header(&mut self, start: usize, header: u64, end: u64) {
        if self.soiled.take(end) {
            self.erase(end);
        }
        self.words.publish(start, header);
    }

    /// Publishes the padding before `room`. The consumer passes it at once and then looks at the
    /// ring's beginning, so that word is made harmless first.
    #[cold]
    pub(super) fn publish_padding(&mut self, room: Room) {
        let header = padding_word(room.padding, self.end.number);
        self.publish_header(self.word_at(self.end.position), header, room.start);
        self.end.position = room.start;
    }

    #[inline(always)]
    fn erase(&self, position: u64) {
        self.words.store(self.word_at(position), 0);
    }

    /// Room for a record of one line at `end`: it needs no padding and soils nothing. `None` where it is
    /// longer, or where room has to be looked for.
    #[inline(always)]
    pub(super) fn line_at(&self, end: u64, payload: usize) -> Option<Room> {
        if payload > self.one_line as usize || self.limit.wrapping_sub(end) < LINE as u64 {
            return None;
        }
        Some(self.line_room(end, payload as u32))
    }

    /// The room that [`Producer::line_at`] gave.
    #[inline(always)]
    pub(super) fn line_room(&self, end: u64, payload: u32) -> Room {
        Room {
            start: end,
            word: self.word_at(end),
            padding: 0,
            payload,
        }
    }

    #[inline(always)]
    fn ensure_free(&mut self, end: u64, bytes: u64) -> Result<(), ClaimError> {
        if bytes <= self.limit.wrapping_sub(end) {
            return Ok(());
        }
        self.look_for_room(end, bytes)
    }

    /// Perhaps full: looks at the consumer's position. Never inlined: it would take registers from the
    /// loop around it, which then stores to its stack for each record.
    #[cold]
    #[inline(never)]
    fn look_for_room(&mut self, end: u64, bytes: u64) -> Result<(), ClaimError> {
        self.look_at_consumer()?;
        if bytes <= self.limit.wrapping_sub(end) {
            return Ok(());
        }
        Err(ClaimError::Full) // Really full.
    }

    /// Reads the consumer's position once, checks it, then believes it.
    #[cold]
    fn look_at_consumer(&mut self) -> Result<(), ClaimError> {
        let found = self.consumer_position.observe(); // `release`, with the consumer's publish
        let known = self.limit.wrapping_sub(self.capacity);
        let advance = found.wrapping_sub(known);
        let backlog = self.end.position.wrapping_sub(known);
        if advance > backlog || advance % LINE as u64 != 0 {
            return Err(ClaimError::Corrupt { found });
        }
        self.limit = found.wrapping_add(self.capacity);
        Ok(())
    }

    /// A batch was leaked instead of published or dropped: its headers may stand anywhere in the
    /// free space, so all of that is soiled from now on.
    #[cold]
    pub(super) fn bury_forgotten_batch(&mut self) {
        self.batch_open = false;
        let from = self.end.position.wrapping_add(LINE as u64);
        if self.limit != self.end.position {
            self.soiled.soil(from, self.limit);
        }
    }
}
