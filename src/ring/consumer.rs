//! The reading half: poll in place, release once per batch.
//!
//! The consumer reads one word per record to learn that it is there: the header, in the same line
//! as a small payload. It never writes record memory. What it writes is one position word of its
//! own, each eighth of the ring and whenever it finds nothing, so that the producer's cached copy
//! is good for long stretches.
//!
//! The producer may be hostile. Each header is read once, bounded, then used; nonsense is a
//! [`Corrupt`] error that stays: a corrupt ring never yields another record.

use super::error::{Corrupt, CorruptKind, GeometryError};
use super::header::{meaning, Meaning};
use super::producer::Cursor;
use super::record::Record;
use super::words::{PositionWord, Words};
use super::Geometry;
use crate::layout::{record_bytes, HEADER_BYTES, LINE};

/// The most lines of one record to ask for at once; behind them the processor has caught on.
const EXPECTED_LINES: usize = 8;

/// The half of a ring that reads records. One owner; it may move between threads.
pub struct Consumer<W, P> {
    words: W,
    own_position: P,
    capacity: u64,
    payload_limit: u32,
    next: Cursor,
    /// Payload bytes of the last record found.
    last_payload: u32,
    released: u64,
    fault: Option<Corrupt>,
}

/// A record's place, found and checked.
#[derive(Clone, Copy)]
struct Found {
    word: usize,
    payload: u32,
    second: u64,
}

impl<W: Words, P: PositionWord> Consumer<W, P> {
    /// The consumer of a ring in `words`, which publishes its position in `own_position`. `start` is
    /// where the next record is expected. Publishes nothing yet.
    ///
    /// # Errors
    /// [`GeometryError`] where words and geometry do not fit together.
    pub fn new(
        words: W,
        own_position: P,
        geometry: Geometry,
        start: Cursor,
    ) -> Result<Self, GeometryError> {
        geometry.check(words.count())?;
        Ok(Self {
            words,
            own_position,
            capacity: geometry.capacity,
            payload_limit: geometry.payload_limit,
            next: start,
            last_payload: 0,
            released: start.position,
            fault: None,
        })
    }

    /// A batch of up to `max` records, read in place and released when the batch is dropped.
    /// Never blocks; an empty batch is an ordinary answer.
    ///
    /// ```
    /// let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096)?;
    /// for n in 0..3u64 {
    ///     let mut claim = producer.claim(8)?;
    ///     claim.put_u64(0, n);
    ///     claim.commit(1);
    /// }
    /// let mut polled = consumer.poll(2);
    /// let mut seen = Vec::new();
    /// while let Some(record) = polled.next()? {
    ///     seen.push(record.payload().u64_at(0).expect("eight bytes"));
    /// }
    /// assert_eq!(seen, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn poll(&mut self, max: usize) -> Polled<'_, W, P> {
        Polled {
            next: self.next,
            consumer: self,
            left: max,
            found_empty: false,
            published: false,
        }
    }

    /// Looks at the next record without taking it.
    ///
    /// # Errors
    /// [`Corrupt`], for good.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<Option<Record<'_, W>>, Corrupt> {
        let mut next = self.next;
        let found = self.find(&mut next)?;
        if next.position != self.next.position {
            self.next = next; // behind a padding
        }
        Ok(found.map(|found| self.record(found, next.number)))
    }

    /// Takes the next record, in place: for who takes one after the other, and says
    /// [`Consumer::settle`] when it is done with them.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Result<Option<Record<'_, W>>, Corrupt> {
        let mut next = self.next;
        let found = self.find(&mut next)?;
        let number = next.number;
        if let Some(found) = found {
            next = next.behind(found.payload);
        }
        if next.position != self.next.position {
            self.next = next; // behind a record, or a padding
        }
        Ok(found.map(|found| self.record(found, number)))
    }

    /// All that was taken is done with: the position is published where the ring was found empty, or
    /// an eighth of it was taken. Says whether it was.
    #[inline(always)]
    pub(crate) fn settle(&mut self, found_empty: bool) -> bool {
        self.take_until(self.next, found_empty)
    }

    /// The next look has to wait: `delay` is given a number and returns 0, which is there when the wait is
    /// over. Then that look asks for all lines of a record as long as the last one at once: they come
    /// side by side with its header.
    #[inline(always)]
    pub(crate) fn look_after(&mut self, delay: impl FnOnce(u64) -> u64) {
        let position = self.next.position;
        self.next.position = position.wrapping_add(delay(position));
        let word = ((self.next.position & (self.capacity - 1)) / 8) as usize;
        self.expect_lines(word, self.last_payload);
    }

    /// The record at `next`, and `next` behind it: for who looks at several in place and takes them
    /// later, with [`Consumer::take_until`]. `next` starts as [`Consumer::cursor`].
    #[inline(always)]
    pub(crate) fn look(&mut self, next: &mut Cursor) -> Result<Option<Record<'_, W>>, Corrupt> {
        let Some(found) = self.find(next)? else {
            return Ok(None);
        };
        let number = next.number;
        *next = next.behind(found.payload);
        Ok(Some(self.record(found, number)))
    }

    /// Takes everything before `next`, as the end of a batch does: the position is published where the
    /// ring was found empty, or an eighth of it was taken. Says whether it was.
    #[inline(always)]
    pub(crate) fn take_until(&mut self, next: Cursor, found_empty: bool) -> bool {
        self.next = next;
        let taken = next.position.wrapping_sub(self.released);
        let due = taken != 0 && (found_empty || taken >= self.capacity / 8);
        due && self.release()
    }

    /// Where the next record is expected. Everything before was taken.
    pub fn cursor(&self) -> Cursor {
        self.next
    }

    /// The position last published to the producer.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// Publishes the position now (label `release`, with the producer's observe). A batch does this
    /// by itself each eighth of the ring and when it found the ring empty. Says whether there was
    /// anything to publish.
    #[inline(always)]
    pub fn release(&mut self) -> bool {
        let news = self.released != self.next.position;
        if news {
            self.released = self.next.position;
            self.own_position.publish(self.next);
        }
        news
    }

    /// Usable bytes of the ring.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    #[inline(always)]
    fn record(&self, found: Found, number: u64) -> Record<'_, W> {
        Record::new(&self.words, found.word, found.payload, found.second, number)
    }

    /// Finds the record at `next`, passing padding. Each word is read once.
    #[inline(always)]
    fn find(&mut self, next: &mut Cursor) -> Result<Option<Found>, Corrupt> {
        loop {
            let offset = next.position & (self.capacity - 1);
            let word = (offset / 8) as usize;
            let header = self.words.observe(word); // `commit`, with the producer's publish
            let to_end = self.capacity - offset;
            match meaning(
                header,
                next.number,
                to_end,
                self.capacity,
                self.payload_limit,
            ) {
                Meaning::Record { payload } => {
                    self.expect_lines(word, payload);
                    self.remember(payload);
                    return self.found(*next, word, header, payload);
                }
                Meaning::Empty => return self.nothing(),
                Meaning::Padding { bytes } if self.fault.is_none() => {
                    next.position = next.position.wrapping_add(bytes);
                }
                Meaning::Padding { .. } => return self.nothing(),
                Meaning::Corrupt(what) => return Err(self.fail(*next, header, what)),
            }
        }
    }

    /// Asks for the further lines of a record all at once, before anybody looks into the first: each
    /// takes as long as a line's way here, and they come side by side.
    #[inline(always)]
    fn expect_lines(&self, word: usize, payload: u32) {
        if payload as usize + HEADER_BYTES > LINE {
            let lines = (record_bytes(payload) as usize / LINE).min(EXPECTED_LINES);
            for line in 1..lines {
                self.words.expect(word + line * (LINE / 8));
            }
        }
    }

    /// How long the last record was. It seldom changes, and a store saved counts in a stream.
    #[inline(always)]
    fn remember(&mut self, payload: u32) {
        if self.last_payload != payload {
            self.last_payload = payload;
        }
    }

    #[inline(always)]
    fn found(
        &mut self,
        next: Cursor,
        word: usize,
        header: u64,
        payload: u32,
    ) -> Result<Option<Found>, Corrupt> {
        let second = self.words.load(word + 1); // settled by `commit`
        if second >> 32 != next.number >> 32 || self.fault.is_some() {
            return Err(self.fail(next, header, CorruptKind::NumberHigh));
        }
        Ok(Some(Found {
            word,
            payload,
            second,
        }))
    }

    #[inline(always)]
    fn nothing(&self) -> Result<Option<Found>, Corrupt> {
        match self.fault {
            None => Ok(None),
            Some(fault) => Err(fault),
        }
    }

    /// The first fault stays.
    #[cold]
    fn fail(&mut self, next: Cursor, word: u64, what: CorruptKind) -> Corrupt {
        *self.fault.get_or_insert(Corrupt {
            position: next.position,
            number: next.number,
            word,
            what,
        })
    }
}

/// What one poll returns: records in place. Those that were done are released when this is dropped, and
/// each eighth of the ring before that.
///
/// Until it is dropped it alone knows how far it is, so that a stream of records costs no private
/// stores. If it is forgotten instead, the next poll gives the records again that were not released.
pub struct Polled<'a, W: Words, P: PositionWord> {
    consumer: &'a mut Consumer<W, P>,
    next: Cursor,
    left: usize,
    found_empty: bool,
    published: bool,
}

impl<W: Words, P: PositionWord> Polled<'_, W, P> {
    /// The next record of this batch; `None` when the ring is empty or the batch is full.
    ///
    /// # Errors
    /// [`Corrupt`], for good: the producer wrote something that is no record.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Record<'_, W>>, Corrupt> {
        if self.left == 0 {
            return Ok(None);
        }
        self.release_if_much();
        let Some(found) = self.consumer.find(&mut self.next)? else {
            self.found_empty = true;
            return Ok(None);
        };
        self.left -= 1;
        let number = self.next.number;
        self.next = self.next.behind(found.payload);
        Ok(Some(self.consumer.record(found, number)))
    }

    /// A long batch gives room back each eighth of the ring: whoever asks for the next record is done
    /// with those before. So the position is never further behind than that, and one record.
    #[inline(always)]
    fn release_if_much(&mut self) {
        let consumer = &mut *self.consumer;
        let taken = self.next.position.wrapping_sub(consumer.released);
        if taken >= consumer.capacity / 8 {
            consumer.next = self.next;
            self.published |= consumer.release();
        }
    }

    /// Did this batch come to the end of what is committed?
    #[inline]
    pub fn found_empty(&self) -> bool {
        self.found_empty
    }
}

impl<W: Words, P: PositionWord> Polled<'_, W, P> {
    /// Ends the batch; says whether the position was published. For who must tell a sleeping producer
    /// that there is room.
    #[inline(always)]
    pub fn finish(self) -> bool {
        std::mem::ManuallyDrop::new(self).release()
    }

    #[inline(always)]
    fn release(&mut self) -> bool {
        let consumer = &mut *self.consumer;
        consumer.next = self.next;
        let taken = consumer.next.position.wrapping_sub(consumer.released);
        let due = self.found_empty || taken >= consumer.capacity / 8;
        // A panic in whoever works on a record: it is not done with it, so it stays unreleased.
        let release = taken != 0 && due && !std::thread::panicking();
        if release {
            consumer.release();
        }
        release || self.published
    }
}

impl<W: Words, P: PositionWord> Drop for Polled<'_, W, P> {
    #[inline(always)]
    fn drop(&mut self) {
        self.release();
    }
}
