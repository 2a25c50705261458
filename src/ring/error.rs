//! What can go wrong in a ring. *Full* and *empty* are ordinary answers; the rest is not.

use thiserror::Error;

/// A ring cannot have this shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GeometryError {
    /// The capacity is no power of two of at least four lines, or does not match the memory.
    #[error(
        "a ring of {capacity} bytes is not possible: choose a power of two, at least 256 bytes"
    )]
    Capacity {
        /// What was asked for, in bytes.
        capacity: u64,
    },
    /// The memory does not start where a word or a cache line starts.
    #[error("the memory of a ring must start at a multiple of 64 bytes, its position word at a multiple of 8")]
    Alignment,
    /// The payload limit does not fit the capacity.
    #[error("a payload limit of {limit} bytes is not possible: the largest record may take half of the ring")]
    PayloadLimit {
        /// What was asked for, in bytes.
        limit: u32,
    },
}

/// Why there is no claim.
///
/// ```
/// use ironhoard::ring::ClaimError;
/// let (mut producer, mut consumer) = ironhoard::ring::in_memory(256)?;
/// assert!(matches!(producer.claim(33), Err(ClaimError::TooLarge { limit: 32, .. })));
/// for _ in 0..4 {
///     producer.claim(32)?.commit(1);
/// }
/// assert!(matches!(producer.claim(32), Err(ClaimError::Full)));
/// let mut polled = consumer.poll(1);
/// assert!(polled.next()?.is_some());
/// drop(polled); // gives the room back
/// producer.claim(32)?.commit(1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// The consumer has not yet released enough. An ordinary answer: poll your own replies, or try
    /// again later.
    #[error("the ring is full: take replies, or try again later")]
    Full,
    /// The payload can never fit.
    #[error("a payload of {payload} bytes is too large for this ring: the limit is {limit} bytes")]
    TooLarge {
        /// What was asked for, in bytes.
        payload: usize,
        /// The most that fits, in bytes.
        limit: u32,
    },
    /// The consumer's position makes no sense: it went back, ran ahead, or is off a line.
    #[error(
        "the consumer published the impossible position {found}: the lane can't be used any more"
    )]
    Corrupt {
        /// The position found in the consumer's word.
        found: u64,
    },
}

/// The producer wrote something that is no record.
///
/// ```
/// use ironhoard::ring::{Consumer, CorruptKind, Cursor, Geometry, MemoryPosition, MemoryWords};
/// use std::sync::{atomic::AtomicU64, Arc};
/// #[repr(align(64))]
/// struct Memory([AtomicU64; 33]);
/// let memory = Arc::new(Memory([const { AtomicU64::new(0) }; 33]));
/// let (base, own) = (memory.0[0].as_ptr().cast(), memory.0[32].as_ptr().cast());
/// // SAFETY: aligned words that `memory` keeps alive, all access to them is atomic; the ring takes the
/// // first 256 bytes and the position the word behind them.
/// let words = unsafe { MemoryWords::new(base, 256, memory.clone())? };
/// // SAFETY: as above.
/// let position = unsafe { MemoryPosition::new(own, memory.clone())? };
/// let mut consumer = Consumer::new(words, position, Geometry::new(256)?, Cursor::START)?;
///
/// memory.0[0].store(1 << 32 | 5, std::sync::atomic::Ordering::Release); // record 1, length 5
/// let corrupt = consumer.peek().map(|_| ()).expect_err("shorter than a header");
/// assert_eq!((corrupt.number, corrupt.what), (1, CorruptKind::TooShort));
/// # Ok::<(), ironhoard::ring::GeometryError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("corrupt ring at position {position}: {what} (word {word:#018x}, record {number} expected): the lane can't be used any more")]
pub struct Corrupt {
    /// Where, as a free-running position in bytes.
    pub position: u64,
    /// The number of the record that was expected there.
    pub number: u64,
    /// The header word that was found.
    pub word: u64,
    /// What is wrong with it.
    pub what: CorruptKind,
}

/// The ways a committed header can be impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CorruptKind {
    /// Length below 16, which counts the header itself.
    #[error("length below the header's own")]
    TooShort,
    /// Length above the ring's limit.
    #[error("length above the ring's limit")]
    TooLong,
    /// The record would run past the ring's end.
    #[error("record past the ring's end")]
    PastEnd,
    /// Padding that does not end exactly at the ring's end, or starts at its beginning.
    #[error("impossible padding")]
    Padding,
    /// The low half of the number is the expected one, the high half is not.
    #[error("high half of the number")]
    NumberHigh,
}
