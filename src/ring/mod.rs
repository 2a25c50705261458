//! The ring: one producer, one consumer, records of whole cache lines.
//!
//! ```text
//!    line 0         line 1         line 2                        line 3
//!   ┌──────────────┬──────────────┬─────────────────────────────┬──────────────┬─ ─
//!   │H payload     │H payload     │H payload ………………… payload   │? not yet     │
//!   └──────────────┴──────────────┴─────────────────────────────┴──────────────┴─ ─
//!    ▲ header: length and number in one u64, stored once, last
//! ```
//!
//! What it costs: one cache line moves per small record, and nothing else is looked at on the way.
//! There is no head, no tail and no index that both sides touch: a record is *committed* when its
//! header carries the number expected there. The consumer says how far it is in a word of its own,
//! rarely; the producer reads that word only when its cached copy says *perhaps full*.
//!
//! How it works: read [`words`] (what a ring is made of), then `header` (what a word means),
//! `soiled` and `producer` (why payload is never mistaken for a header), `claim`, `batch`,
//! `consumer`, and `shared` for many threads on one producer.
//!
//! This module knows nothing of files, pages or processes.

mod batch;
mod claim;
mod consumer;
mod error;
mod header;
mod inspect;
mod producer;
mod record;
mod room;
#[cfg(test)]
mod room_tests;
mod shared;
mod soiled;
#[cfg(test)]
mod take_tests;
pub mod words;

pub(crate) use batch::SuspendedBatch;
pub use batch::{Batch, BatchClaim};
pub use claim::Claim;
pub use consumer::{Consumer, Polled};
pub use error::{ClaimError, Corrupt, CorruptKind, GeometryError};
pub(crate) use header::{meaning, Meaning};
pub use producer::{Cursor, Producer};
pub use record::{Payload, Record};
pub(crate) use room::Room;
pub use shared::SharedProducer;
pub use words::{ByteWords, MemoryPosition, MemoryWords, Owner, PositionWord, Words};

use crate::layout::{payload_limit, record_bytes, LINE};

/// The shape of a ring.
///
/// ```
/// use ironhoard::ring::{Geometry, GeometryError};
/// assert_eq!(Geometry::new(4096)?.payload_limit, 512);
/// assert!(Geometry::new(5000).is_err());
/// # Ok::<(), GeometryError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Usable bytes; a power of two.
    pub capacity: u64,
    /// The largest payload, in bytes.
    pub payload_limit: u32,
}

impl Geometry {
    /// A ring of `capacity` bytes with the usual payload limit, an eighth of it.
    ///
    /// # Errors
    /// [`GeometryError::Capacity`] where it is no power of two between 256 bytes and 1 GiB.
    pub fn new(capacity: u64) -> Result<Self, GeometryError> {
        if !capacity.is_power_of_two()
            || !(4 * LINE as u64..=crate::layout::MAX_CAPACITY).contains(&capacity)
        {
            return Err(GeometryError::Capacity { capacity });
        }
        Ok(Self {
            capacity,
            payload_limit: payload_limit(capacity),
        })
    }

    /// Does this shape fit `words` words, and does the largest record fit with its padding?
    pub(crate) fn check(&self, words: usize) -> Result<(), GeometryError> {
        let Self {
            capacity,
            payload_limit,
        } = *self;
        Geometry::new(capacity)?;
        if words as u64 != capacity / 8 {
            return Err(GeometryError::Capacity { capacity });
        }
        if record_bytes(payload_limit) > capacity / 2 {
            return Err(GeometryError::PayloadLimit {
                limit: payload_limit,
            });
        }
        Ok(())
    }
}

/// A producer in real memory.
pub type MemoryProducer = Producer<MemoryWords, MemoryPosition>;
/// A consumer in real memory.
pub type MemoryConsumer = Consumer<MemoryWords, MemoryPosition>;

/// A ring of `capacity` bytes in this process's own memory, for two of its threads.
///
/// # Errors
/// As [`Geometry::new`].
///
/// ```
/// let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096)?;
/// let mut batch = producer.batch(); // visible in one step
/// for value in 0..3 {
///     let mut claim = batch.claim(8)?;
///     claim.put_u64(0, value);
///     claim.commit(1);
/// }
/// batch.publish();
/// assert_eq!(consumer.peek()?.map(|record| record.number()), Some(1));
/// let mut polled = consumer.poll(16);
/// while let Some(record) = polled.next()? {
///     assert_eq!(record.payload().u64_at(0), Some(record.number() - 1));
/// }
/// drop(polled); // releases all three
/// assert_eq!(producer.backlog()?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn in_memory(capacity: u64) -> Result<(MemoryProducer, MemoryConsumer), GeometryError> {
    let geometry = Geometry::new(capacity)?;
    let (words, position) = words::Buffer::new(capacity).words()?;
    Ok((
        Producer::new(words.clone(), position.clone(), geometry, Cursor::START)?,
        Consumer::new(words, position, geometry, Cursor::START)?,
    ))
}
