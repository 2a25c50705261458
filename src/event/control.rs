//! The words of an event ring besides its records: what is lost, and where to go on.
//!
//! ```text
//!   overwritten      all records that start before this position are lost
//!   sequence         its parity says which pair counts
//!   pair 0, pair 1   {position, number} of a retained record
//! ```
//!
//! The writer stores the pair that does not count, then the sequence; so there is a whole pair at any
//! moment, also when the writer dies between two stores. A reader looks at the sequence before and
//! after.

use std::ptr::NonNull;
use std::sync::atomic::{fence, AtomicU64, Ordering};

use crate::layout::{EVENT_OVERWRITTEN, EVENT_REJOIN_EVEN, EVENT_REJOIN_ODD, EVENT_SEQUENCE};
use crate::ring::{GeometryError, Owner};

/// One of the words, by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlWord {
    /// All records that start before this position are lost.
    Overwritten,
    /// Counts the pairs published; its parity says which one counts.
    Sequence,
    /// Position of the pair of this parity, 0 or 1.
    Position(u64),
    /// Number of the pair of this parity, 0 or 1.
    Number(u64),
}

impl ControlWord {
    /// Where the word lies in the region of an event ring, in bytes.
    ///
    /// ```
    /// use ironhoard::event::ControlWord;
    /// assert_eq!((ControlWord::Overwritten.offset(), ControlWord::Number(1).offset()), (64, 168));
    /// ```
    pub const fn offset(self) -> usize {
        match self {
            ControlWord::Overwritten => EVENT_OVERWRITTEN,
            ControlWord::Sequence => EVENT_SEQUENCE,
            ControlWord::Position(parity) => pair(parity),
            ControlWord::Number(parity) => pair(parity) + 8,
        }
    }
}

const fn pair(parity: u64) -> usize {
    match parity & 1 {
        0 => EVENT_REJOIN_EVEN,
        _ => EVENT_REJOIN_ODD,
    }
}

/// The control words of an event ring, and the fences of its two sides.
pub trait ControlWords {
    /// Reader's look. ACQUIRE: pairs with [`ControlWords::publish`] (label `given up`).
    fn observe(&self, word: ControlWord) -> u64;

    /// Writer's store of `Overwritten` and `Sequence`. RELEASE (label `given up`).
    fn publish(&self, word: ControlWord, value: u64);

    /// Reader's look at a pair, settled by the fence and the second look behind it.
    fn load(&self, word: ControlWord) -> u64;

    /// Writer's store into the pair that does not count.
    fn store(&self, word: ControlWord, value: u64);

    /// Writer's fence: what was stored before is visible to whoever sees what is stored behind it
    /// (label `overrun`).
    fn release_fence(&self);

    /// Reader's fence: between what it read and its second look (label `overrun`).
    fn acquire_fence(&self);
}

/// Control words in the region of an event ring.
#[derive(Clone)]
pub struct MemoryControl {
    region: NonNull<u8>,
    _owner: Owner,
}

// SAFETY: every access is atomic, and the owner keeps the words mapped.
unsafe impl Send for MemoryControl {}
// SAFETY: as above.
unsafe impl Sync for MemoryControl {}

impl MemoryControl {
    /// The control words of the region that starts at `region`.
    ///
    /// # Errors
    /// [`GeometryError::Alignment`] where `region` is null or not a multiple of 8.
    ///
    /// # Safety
    /// The first 256 bytes from `region` on stay mapped while `owner` lives: writable where an
    /// [`EventWriter`](super::EventWriter) is made of them, else readable. All access to them from
    /// this process is atomic.
    pub unsafe fn new(region: *mut u8, owner: Owner) -> Result<Self, GeometryError> {
        match NonNull::new(region) {
            Some(region) if region.as_ptr() as usize % 8 == 0 => Ok(Self {
                region,
                _owner: owner,
            }),
            _ => Err(GeometryError::Alignment),
        }
    }

    #[inline(always)]
    fn word(&self, word: ControlWord) -> &AtomicU64 {
        // SAFETY: offsets are multiples of 8 below 256; mapped by `new`'s contract while the owner,
        // and so `self`, lives; u64 has no invalid value.
        unsafe { &*self.region.as_ptr().add(word.offset()).cast::<AtomicU64>() }
    }
}

impl ControlWords for MemoryControl {
    #[inline(always)]
    fn observe(&self, word: ControlWord) -> u64 {
        self.word(word).load(Ordering::Acquire) // `given up`, with publish below
    }

    #[inline(always)]
    fn publish(&self, word: ControlWord, value: u64) {
        self.word(word).store(value, Ordering::Release) // `given up`, with observe above
    }

    #[inline(always)]
    fn load(&self, word: ControlWord) -> u64 {
        self.word(word).load(Ordering::Relaxed) // settled by `given up` and the second look
    }

    #[inline(always)]
    fn store(&self, word: ControlWord, value: u64) {
        self.word(word).store(value, Ordering::Relaxed) // published by `given up`
    }

    #[inline(always)]
    fn release_fence(&self) {
        fence(Ordering::Release) // `overrun`, with acquire_fence below
    }

    #[inline(always)]
    fn acquire_fence(&self) {
        fence(Ordering::Acquire) // `overrun`, with release_fence above
    }
}
