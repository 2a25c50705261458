//! Claims of a lane: those of the ring, with the doorbell behind the commit.

use super::bell::Bell;
use super::error::HostError;
use crate::ring::{Batch, BatchClaim, MemoryPosition, MemoryProducer, MemoryWords, Room};

/// Room for one request. Dropping it aborts it: nothing is sent, no number is used.
///
/// ```no_run
/// # use ironhoard::host::Host;
/// # let host = Host::attach("/run/hunt.sock")?;
/// let mut lane = host.lane()?;
/// let mut claim = lane.claim(16)?;
/// claim.put_u64(0, 42); // in place, no copy
/// claim.put_u64(1, 43);
/// let number = claim.commit(1); // from here on the engine sees it
/// # let _ = number;
/// # Ok::<(), ironhoard::host::HostError>(())
/// ```
#[must_use = "a claim that is not committed is aborted"]
pub struct RequestClaim<'a> {
    producer: &'a mut MemoryProducer,
    bell: &'a mut Bell,
    room: Room,
}

impl<'a> RequestClaim<'a> {
    #[inline(always)]
    pub(super) fn new(producer: &'a mut MemoryProducer, bell: &'a mut Bell, room: Room) -> Self {
        Self {
            producer,
            bell,
            room,
        }
    }

    /// The number this request will have.
    #[inline]
    pub fn number(&self) -> u64 {
        self.producer.cursor().number
    }

    /// The payload, to be written in place; it holds whatever was there before. Write fields with the
    /// width they have: a payload that was just built elsewhere and is copied in one go waits for the
    /// processor's store buffer.
    #[inline]
    pub fn payload(&mut self) -> &mut [u8] {
        self.producer.room_payload(self.room)
    }

    /// Writes the payload's `index`-th 64-bit word (little endian), in place.
    ///
    /// # Panics
    /// Where the word is not inside the payload rounded up to 8 bytes.
    #[inline(always)]
    pub fn put_u64(&mut self, index: usize, value: u64) {
        self.producer.room_put_u64(self.room, index, value);
    }

    /// Writes the beginning of the payload, 8 bytes at a time.
    ///
    /// # Panics
    /// Where `bytes` is longer than the payload.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.producer.room_write(self.room, bytes);
    }

    /// Commits: the engine sees the request. Rings if it sleeps. Returns the request's number.
    #[inline(always)]
    pub fn commit(self, kind: u16) -> u64 {
        let number = self.producer.commit_room(self.room, kind);
        self.bell.after_publish();
        number
    }

    /// Commits only the first `payload` bytes.
    ///
    /// # Panics
    /// Where `payload` is more than was claimed.
    #[inline]
    pub fn commit_shorter(mut self, kind: u16, payload: usize) -> u64 {
        self.room = self.room.shorter(payload);
        self.commit(kind)
    }

    /// Gives the claim up. Dropping it does the same.
    #[inline]
    pub fn abort(self) {}
}

/// A batch of requests that become visible in one step.
///
/// ```no_run
/// # use ironhoard::host::Host;
/// # let host = Host::attach("/run/hunt.sock")?;
/// let mut lane = host.lane()?;
/// let mut batch = lane.batch()?;
/// for value in 0..16 {
///     let mut claim = batch.claim(8)?;
///     claim.put_u64(0, value);
///     claim.commit(1);
/// }
/// batch.publish(); // all sixteen, in one step
/// # Ok::<(), ironhoard::host::HostError>(())
/// ```
#[must_use = "a batch that is not published is aborted"]
pub struct RequestBatch<'a> {
    // Dropped in this order: the engine is told when nothing more becomes visible.
    batch: Batch<'a, MemoryWords, MemoryPosition>,
    bell: TellsAtTheEnd<'a>,
}

impl<'a> RequestBatch<'a> {
    pub(super) fn new(producer: &'a mut MemoryProducer, bell: &'a mut Bell) -> Self {
        Self {
            batch: producer.batch(),
            bell: TellsAtTheEnd(bell),
        }
    }

    /// Claims room for the batch's next request. Where the ring is full, what the batch holds so far
    /// becomes visible, and the engine is told: the caller may well wait for room here.
    ///
    /// # Errors
    /// [`HostError::Full`], [`HostError::TooLarge`], [`HostError::Corrupt`].
    #[inline(always)]
    pub fn claim(
        &mut self,
        payload: usize,
    ) -> Result<BatchClaim<'_, 'a, MemoryWords, MemoryPosition>, HostError> {
        match self.batch.claim(payload) {
            Ok(claim) => Ok(claim),
            Err(error) => {
                self.bell.0.after_publish();
                Err(error.into())
            }
        }
    }

    /// Makes the batch visible and rings if the engine sleeps; returns the number of the next request.
    #[inline(always)]
    pub fn publish(self) -> u64 {
        self.batch.publish()
    }
}

/// Looks at the bell when it goes: a full ring or the ring's end may have made a part of a batch visible
/// even where the rest is given up.
struct TellsAtTheEnd<'a>(&'a mut Bell);

impl Drop for TellsAtTheEnd<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.after_publish();
    }
}
