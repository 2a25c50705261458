//! A record in place, and a view of its payload that copies what it is asked for.
//!
//! The peer can still write this memory. So there is no `&[u8]` here: every access reads words into the
//! caller's own memory, once, and what was read is the caller's to check.

use super::words::Words;
use crate::layout::HEADER_BYTES;

/// A committed record, lent by [`Polled`](super::Polled) or [`Consumer::peek`](super::Consumer::peek).
pub struct Record<'a, W> {
    words: &'a W,
    word: usize,
    payload: u32,
    second: u64,
    number: u64,
}

impl<'a, W: Words> Record<'a, W> {
    #[inline(always)]
    pub(crate) fn new(words: &'a W, word: usize, payload: u32, second: u64, number: u64) -> Self {
        Self {
            words,
            word,
            payload,
            second,
            number,
        }
    }

    /// The record's ordinal in its ring, from 1. A reply carries its request's number.
    #[inline(always)]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The handler's kind in a request, the status in a reply.
    #[inline(always)]
    pub fn kind(&self) -> u16 {
        self.second as u16
    }

    /// Flags; all zero today.
    #[inline(always)]
    pub fn flags(&self) -> u16 {
        (self.second >> 16) as u16
    }

    /// The payload, in place.
    #[inline(always)]
    pub fn payload(&self) -> Payload<'a, W> {
        Payload {
            words: self.words,
            first: self.word + HEADER_BYTES / 8,
            bytes: self.payload as usize,
        }
    }
}

/// A view of a payload in shared memory. Each method reads shared memory once and returns a copy.
pub struct Payload<'a, W> {
    words: &'a W,
    first: usize,
    bytes: usize,
}

impl<W> Clone for Payload<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Payload<'_, W> {}

impl<W: Words> Payload<'_, W> {
    /// Bytes of payload.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Is there no payload?
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The little-endian u64 at byte `offset`, a multiple of 8; `None` where it is not inside.
    #[inline(always)]
    pub fn u64_at(&self, offset: usize) -> Option<u64> {
        if offset % 8 != 0 || offset + 8 > self.bytes {
            return None;
        }
        Some(u64::from_le(self.words.load(self.first + offset / 8)))
    }

    /// The whole payload as an array; `None` where its length is not exactly `N`.
    ///
    /// ```
    /// # let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096)?;
    /// # let mut claim = producer.claim(3)?;
    /// # claim.payload().copy_from_slice(&[1, 2, 3]);
    /// # claim.commit(1);
    /// let mut polled = consumer.poll(1);
    /// let record = polled.next()?.expect("committed");
    /// assert_eq!(record.payload().array::<3>(), Some([1, 2, 3]));
    /// assert_eq!(record.payload().array::<4>(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        if self.bytes != N {
            return None;
        }
        let mut copy = [0; N];
        self.copy_to(&mut copy);
        Some(copy)
    }

    /// Copies the beginning of the payload, as much as `destination` takes; returns the bytes copied.
    #[inline(always)]
    pub fn copy_to(&self, destination: &mut [u8]) -> usize {
        let bytes = self.bytes.min(destination.len());
        self.words.read(self.first, &mut destination[..bytes]);
        bytes
    }

    /// A copy of the payload on the heap. Allocates; not for the hot path.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = vec![0; self.bytes];
        self.copy_to(&mut copy);
        copy
    }
}

impl Payload<'_, super::MemoryWords> {
    /// Where it lies, in memory that the producer can write at any time: for who hands it across a
    /// language border. Good for as many bytes as the payload has, until the record is released.
    #[inline(always)]
    pub(crate) fn pointer(&self) -> *const u8 {
        self.words.byte_pointer(self.first)
    }
}
