//! A claim: room for one record, lent until it is committed or aborted.
//!
//! Committing consumes the claim; dropping it aborts it. An abort writes nothing and uses no
//! number: the producer has noted at the claim which lines may now hold payload.

use super::producer::Producer;
use super::room::Room;
use super::words::{ByteWords, PositionWord, Words};
use crate::layout::HEADER_BYTES;

/// Room for one record. Nothing is visible to the consumer until [`Claim::commit`].
#[must_use = "a claim that is not committed is aborted"]
pub struct Claim<'a, W: Words, P: PositionWord> {
    producer: &'a mut Producer<W, P>,
    room: Room,
}

impl<'a, W: Words, P: PositionWord> Claim<'a, W, P> {
    #[inline(always)]
    pub(super) fn new(producer: &'a mut Producer<W, P>, room: Room) -> Self {
        Self { producer, room }
    }

    /// The number this record will have once committed.
    #[inline]
    pub fn number(&self) -> u64 {
        self.producer.end.number
    }

    /// Payload bytes claimed.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.room.payload as usize
    }

    /// Writes the payload's `index`-th 64-bit word (little endian), in place.
    ///
    /// # Panics
    /// Where the word is not inside the payload rounded up to 8 bytes.
    #[inline(always)]
    pub fn put_u64(&mut self, index: usize, value: u64) {
        put_u64(
            &self.producer.words,
            self.room.word,
            self.room.payload,
            index,
            value,
        );
    }

    /// Commits the record with all its payload; returns its number. `kind` is the handler's in a
    /// request and the status in a reply.
    #[inline(always)]
    pub fn commit(self, kind: u16) -> u64 {
        let payload = self.room.payload;
        self.producer.commit(self.room, payload, kind, 0)
    }

    /// Commits only the first `payload` bytes; returns the record's number.
    ///
    /// # Panics
    /// Where `payload` is more than was claimed.
    #[inline]
    pub fn commit_shorter(self, kind: u16, payload: usize) -> u64 {
        assert!(payload <= self.len(), "commit of more than was claimed");
        self.producer.commit(self.room, payload as u32, kind, 0)
    }

    /// Commits with `flags`; see `docs/LAYOUT.md` for what a reader must understand.
    #[inline]
    pub fn commit_with_flags(self, kind: u16, flags: u16) -> u64 {
        let payload = self.room.payload;
        self.producer.commit(self.room, payload, kind, flags)
    }

    /// Gives the claim up: nothing becomes visible, no number is used. Dropping it does the same.
    #[inline]
    pub fn abort(self) {}
}

impl<W: ByteWords, P: PositionWord> Claim<'_, W, P> {
    /// The payload, to be written in place. It holds whatever was there before.
    #[inline(always)]
    pub fn payload(&mut self) -> &mut [u8] {
        // SAFETY: `reserve` found the record's lines free and inside the ring (a record never wraps);
        // this producer is the ring's only writer and is borrowed by this claim, so no second slice
        // exists; the consumer looks at no line behind the committed end.
        unsafe { payload_mut(&self.producer.words, self.room.word, self.room.payload) }
    }
}

/// Word `index` of the payload of the record at word `start`.
#[inline(always)]
pub(super) fn put_u64<W: Words>(words: &W, start: usize, payload: u32, index: usize, value: u64) {
    assert!(
        index < (payload as usize).div_ceil(8),
        "word outside the payload"
    );
    words.store(start + HEADER_BYTES / 8 + index, value.to_le());
}

/// The payload of the record at word `start`.
///
/// # Safety
/// As [`ByteWords::bytes_mut`] for the payload's range.
#[inline(always)]
pub(super) unsafe fn payload_mut<'a, W: ByteWords>(
    words: &W,
    start: usize,
    payload: u32,
) -> &'a mut [u8] {
    // SAFETY: the caller's promise, for the range behind the header.
    unsafe { words.bytes_mut(start + HEADER_BYTES / 8, payload as usize) }
}
