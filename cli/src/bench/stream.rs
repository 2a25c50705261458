//! The stream: records one way through a ring of the library, and nothing else.
//!
//! ```text
//!  producer (host thread) ──▶ [H 6 words][H 6 words][H … ──▶ consumer (shard thread, in the handler)
//!          ◀── position word, each eighth of the ring ──
//! ```
//!
//! The ring lies over memory which both processes have. Every word of every payload is written in
//! place by the one and summed by the other; the sum travels back when the stream is over. As in the
//! stream floor the first lap is not timed, and the clock runs from an empty ring to an empty ring.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironhoard::ring::{
    ClaimError, Consumer, Corrupt, Cursor, Geometry, MemoryConsumer, MemoryPosition,
    MemoryProducer, MemoryWords, Owner, Producer,
};

use super::clock::Clock;
use super::memory::FloorMemory;

/// Records that become visible together in the batched stream.
pub const BATCH: u64 = 16;
/// Bytes of the ring: the `stream` lines of the memory.
pub const RING_BYTES: u64 = 1 << 20;
/// Kind of every record of the stream.
const RECORD: u16 = 1;
/// Records taken before the position is looked after.
const POLL: usize = 256;
/// `PAUSE` instructions, some microseconds, for which a consumer that has caught up leaves the ring to its
/// producer. On the producer's heels it would take away each line that is being written, and a producer
/// that is no faster than the consumer would never get away from it.
const BACK_OFF: u32 = 256;
/// A side that has waited for this long gives up.
const PATIENCE: Duration = Duration::from_secs(3);
/// Empty looks between two looks at the clock.
const LOOKS: u32 = 1 << 14;

/// Why a stream broke.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The producer's ring.
    #[error("the stream's producer stopped: {0}; please report it")]
    Claim(#[from] ClaimError),
    /// The consumer's ring.
    #[error("the stream's ring holds nonsense: {0}; please report it")]
    Corrupt(#[from] Corrupt),
    /// The other side made no progress.
    #[error("the other process made no progress for {} s in a stream; check that neither core is taken away from it, and run again", PATIENCE.as_secs())]
    Stalled,
}

/// How the records of a stream become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// In batches of [`BATCH`].
    Batched,
    /// One by one.
    Single,
}

/// The words and the position word of a ring over `memory`.
pub fn words(memory: &Arc<FloorMemory>) -> (MemoryWords, MemoryPosition) {
    let lines = memory.lines();
    let ring = std::ptr::from_ref(&lines.stream).cast_mut().cast::<u8>();
    let position = std::ptr::from_ref(&lines.stream_position).cast_mut();
    let owner: Owner = memory.clone();
    // SAFETY: the lines are `RING_BYTES` of atomics in a mapping which `owner` keeps; this memory is
    // given to a ring alone, so no reference into it is used otherwise.
    let words = unsafe { MemoryWords::new(ring, RING_BYTES, owner.clone()) };
    // SAFETY: a line of atomics of the same mapping, writable on both sides.
    let position = unsafe { MemoryPosition::new(position.cast(), owner) };
    (
        words.expect("lines are aligned"),
        position.expect("a line is aligned"),
    )
}

fn geometry() -> Geometry {
    Geometry::new(RING_BYTES).expect("a power of two")
}

/// The producer of a ring over memory that is still all zero.
pub fn producer(memory: &Arc<FloorMemory>) -> MemoryProducer {
    let (words, position) = words(memory);
    Producer::new(words, position, geometry(), Cursor::START).expect("words fit the geometry")
}

/// The consumer of the same ring.
pub fn consumer(memory: &Arc<FloorMemory>) -> MemoryConsumer {
    let (words, position) = words(memory);
    Consumer::new(words, position, geometry(), Cursor::START).expect("words fit the geometry")
}

/// Word `index` of the payload of record `number`; no two are alike.
#[inline(always)]
pub fn word_value(number: u64, index: usize) -> u64 {
    number.wrapping_add((index as u64 + 1) << 48)
}

/// What all payload words of `count` records from `first` on sum up to.
pub fn expected_sum(first: u64, count: u64, words: usize) -> u64 {
    (first..first + count).fold(0, |sum, number| {
        (0..words).fold(sum, |sum: u64, index| {
            sum.wrapping_add(word_value(number, index))
        })
    })
}

/// Writes `warm_up` records untimed and `timed` records on the clock; gives the ticks.
pub fn produce(
    ring: &mut MemoryProducer,
    commit: Commit,
    words: usize,
    (warm_up, timed): (u64, u64),
    clock: &Clock,
) -> Result<u64, StreamError> {
    produce_all(ring, commit, words, warm_up)?;
    let start = clock.ticks();
    produce_all(ring, commit, words, timed)?;
    Ok(clock.ticks() - start)
}

/// Writes `count` records into an empty ring and waits until all of them are taken.
fn produce_all(
    ring: &mut MemoryProducer,
    commit: Commit,
    words: usize,
    count: u64,
) -> Result<(), StreamError> {
    match (commit, words) {
        // The usual payload as a constant, as in a program whose messages have one size.
        (Commit::Batched, 6) => produce_batches(ring, 6, count)?,
        (Commit::Batched, words) => produce_batches(ring, words, count)?,
        (Commit::Single, 6) => produce_singly(ring, 6, count)?,
        (Commit::Single, words) => produce_singly(ring, words, count)?,
    }
    let mut patience = Patience::default();
    while ring.backlog()? != 0 {
        patience.pause(1)?;
    }
    Ok(())
}

#[inline(always)]
fn produce_singly(ring: &mut MemoryProducer, words: usize, count: u64) -> Result<(), StreamError> {
    let end = ring.cursor().number + count;
    let mut patience = Patience::default();
    while ring.cursor().number < end {
        match ring.claim(8 * words) {
            Ok(mut claim) => {
                let number = claim.number();
                for index in 0..words {
                    claim.put_u64(index, word_value(number, index));
                }
                claim.commit(RECORD);
            }
            Err(ClaimError::Full) => patience.pause(1)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[inline(always)]
fn produce_batches(ring: &mut MemoryProducer, words: usize, count: u64) -> Result<(), StreamError> {
    let end = ring.cursor().number + count;
    let mut patience = Patience::default();
    while ring.cursor().number < end {
        if produce_batch(ring, words, BATCH.min(end - ring.cursor().number))? {
            patience.pause(1)?;
        }
    }
    Ok(())
}

/// One batch; says whether the ring was full.
#[inline(always)]
fn produce_batch(ring: &mut MemoryProducer, words: usize, count: u64) -> Result<bool, ClaimError> {
    let mut batch = ring.batch();
    for _ in 0..count {
        match batch.claim(8 * words) {
            Ok(mut claim) => {
                let number = claim.number();
                for index in 0..words {
                    claim.put_u64(index, word_value(number, index));
                }
                claim.commit(RECORD);
            }
            Err(ClaimError::Full) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    batch.publish();
    Ok(false)
}

/// Takes `count` records; gives the sum of all their payload words.
pub fn consume(ring: &mut MemoryConsumer, words: usize, count: u64) -> Result<u64, StreamError> {
    match words {
        6 => consume_words(ring, 6, count),
        words => consume_words(ring, words, count),
    }
}

#[inline(always)]
fn consume_words(ring: &mut MemoryConsumer, words: usize, count: u64) -> Result<u64, StreamError> {
    let end = ring.cursor().number + count;
    let mut patience = Patience::default();
    let mut sum = 0u64;
    while ring.cursor().number < end {
        let mut polled = ring.poll(POLL);
        while let Some(record) = polled.next()? {
            let payload = record.payload();
            for index in 0..words {
                sum = sum.wrapping_add(payload.u64_at(8 * index).unwrap_or(0));
            }
        }
        if polled.found_empty() {
            drop(polled);
            patience.pause(BACK_OFF)?;
        }
    }
    ring.release();
    Ok(sum)
}

/// Waits a moment, and notices when a stream of milliseconds has taken [`PATIENCE`].
#[derive(Default)]
struct Patience {
    looks: u32,
    since: Option<Instant>,
}

impl Patience {
    #[inline(always)]
    fn pause(&mut self, pauses: u32) -> Result<(), StreamError> {
        for _ in 0..pauses {
            std::hint::spin_loop();
        }
        self.looks += 1;
        if self.looks % LOOKS == 0 {
            self.check()
        } else {
            Ok(())
        }
    }

    #[cold]
    fn check(&mut self) -> Result<(), StreamError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            Ok(())
        } else {
            Err(StreamError::Stalled)
        }
    }
}
