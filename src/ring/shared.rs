//! The shared producer: many threads of one process on one lane.
//!
//! A mutex, write in place, commit, unlock. No claim outlives the lock, so the consumer never waits
//! behind a descheduled thread's open claim: what is committed is contiguous, always. Taken in
//! groups the lock costs little: every thread publishes its group with one visible step.
//!
//! A shared claim without a lock (compare-and-swap on the end) was measured against this one: see
//! `docs/decisions/`. Two cores fighting for one line cost more than the mutex of a group does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::error::ClaimError;
use super::producer::Producer;
use super::words::{ByteWords, PositionWord, Words};

/// A producer for many threads of one process; clones share one ring. Records of one thread keep
/// their order; records of different threads are never mixed within a group.
///
/// ```
/// use ironhoard::ring::{in_memory, ClaimError, SharedProducer};
/// let (producer, mut consumer) = in_memory(1 << 16)?;
/// let shared = SharedProducer::new(producer);
/// std::thread::scope(|threads| {
///     for thread in 0..4u64 {
///         let shared = shared.clone();
///         threads.spawn(move || {
///             shared.group(|batch| -> Result<(), ClaimError> {
///                 for _ in 0..16 {
///                     let mut claim = batch.claim(8)?;
///                     claim.put_u64(0, thread);
///                     claim.commit(1);
///                 }
///                 Ok(())
///             })
///         });
///     }
/// });
/// let mut polled = consumer.poll(100);
/// let mut count = 0;
/// while polled.next()?.is_some() {
///     count += 1;
/// }
/// assert_eq!(count, 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedProducer<W, P> {
    inner: Arc<Mutex<Producer<W, P>>>,
}

impl<W, P> Clone for SharedProducer<W, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<W: Words, P: PositionWord> SharedProducer<W, P> {
    /// Shares a producer.
    pub fn new(producer: Producer<W, P>) -> Self {
        Self {
            inner: Arc::new(Mutex::new(producer)),
        }
    }

    /// Runs `fill` with an open batch under the lock and publishes what it committed, in one step.
    /// Where `fill` panics, what it had not published is aborted and the ring stays usable.
    ///
    /// ```
    /// use ironhoard::ring::{in_memory, ClaimError, SharedProducer};
    /// let (producer, mut consumer) = in_memory(4096)?;
    /// let shared = SharedProducer::new(producer);
    /// std::thread::scope(|threads| {
    ///     for _ in 0..2 {
    ///         threads.spawn(|| {
    ///             shared.group(|batch| {
    ///                 for n in 0..4 {
    ///                     let mut claim = batch.claim(8)?;
    ///                     claim.put_u64(0, n);
    ///                     claim.commit(1);
    ///                 }
    ///                 Ok::<(), ClaimError>(())
    ///             })
    ///         });
    ///     }
    /// });
    /// let mut polled = consumer.poll(usize::MAX);
    /// let mut records = 0;
    /// while polled.next()?.is_some() {
    ///     records += 1;
    /// }
    /// assert_eq!(records, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn group<R>(&self, fill: impl FnOnce(&mut Batch<'_, W, P>) -> R) -> R {
        let mut producer = self.lock();
        let mut batch = producer.batch();
        let result = fill(&mut batch);
        batch.publish();
        result
    }

    /// The producer itself, for as long as the guard lives; other threads wait meanwhile.
    ///
    /// A thread that panicked with the lock held leaves the ring sound (whatever it had claimed is
    /// aborted), so a poisoned lock is taken like any other.
    pub fn lock(&self) -> MutexGuard<'_, Producer<W, P>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: ByteWords, P: PositionWord> SharedProducer<W, P> {
    /// Commits one record with a copy of `payload`; returns its number.
    ///
    /// # Errors
    /// As [`Producer::claim`].
    #[inline]
    pub fn send(&self, kind: u16, payload: &[u8]) -> Result<u64, ClaimError> {
        let mut producer = self.lock();
        let mut claim = producer.claim(payload.len())?;
        claim.payload().copy_from_slice(payload);
        Ok(claim.commit(kind))
    }
}
