//! The request side of a lane: claims, commits, the doorbell. And its shared form for many threads.

use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bell::Bell;
use super::claim::{RequestBatch, RequestClaim};
use super::error::HostError;
use super::link::Link;
use super::shared::HostShared;
use crate::ring::{ClaimError, Cursor, MemoryProducer, Producer, Room};
use crate::sys::fork::ForkMark;

/// What a sender leaves in the pool.
pub(super) struct SenderParts {
    pub(super) producer: MemoryProducer,
}

impl SenderParts {
    pub(super) fn fresh(lane: u32, link: &Link) -> Self {
        let regions = &link.regions;
        let producer = Producer::new(
            regions.request_words(lane),
            regions.request_position(lane),
            regions.request_geometry(),
            Cursor::START,
        );
        Self {
            producer: producer.expect("words and geometry are of one layout"),
        }
    }
}

/// The request side of a lane that was [split](super::Lane::split).
pub struct RequestSender {
    pub(super) shared: Arc<HostShared>,
    pub(crate) index: u32,
    /// Its own look at the mark of `shared`.
    pub(super) mark: ForkMark,
    /// There until it is dropped.
    pub(super) parts: ManuallyDrop<SenderParts>,
    pub(super) bell: Bell,
    /// Where the requests ended when the lines behind them were last owned.
    owned_behind: u64,
    /// The epoch whose engine's position the producer reads; 0 before the first batch.
    bound: u64,
}

impl RequestSender {
    pub(super) fn new(shared: Arc<HostShared>, index: u32, parts: SenderParts) -> Self {
        Self {
            bell: Bell::new(shared.clone(), index),
            mark: shared.mark.clone(),
            shared,
            index,
            owned_behind: parts.producer.cursor().position,
            parts: ManuallyDrop::new(parts),
            bound: 0,
        }
    }

    #[inline(always)]
    pub(super) fn producer(&mut self) -> &mut MemoryProducer {
        &mut self.parts.producer
    }

    /// The number that the next request will have.
    #[inline]
    pub fn next_number(&self) -> u64 {
        self.parts.producer.cursor().number
    }

    /// The largest payload of a request, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.parts.producer.payload_limit()
    }

    /// Claims room for a request of `payload` bytes. Never blocks.
    ///
    /// # Errors
    /// [`HostError::Full`] (an ordinary answer), [`HostError::TooLarge`], [`HostError::Gone`],
    /// [`HostError::Forked`], [`HostError::Corrupt`], [`HostError::LaneClosed`].
    #[inline(always)]
    pub fn claim(&mut self, payload: usize) -> Result<RequestClaim<'_>, HostError> {
        let room = match self.room_at_once(payload) {
            Some(room) => room,
            None => self.room_slowly(payload)?,
        };
        Ok(self.claim_in(room))
    }

    /// The claim of room just taken.
    #[inline(always)]
    pub(super) fn claim_in(&mut self, room: Room) -> RequestClaim<'_> {
        RequestClaim::new(&mut self.parts.producer, &mut self.bell, room)
    }

    /// Opens a batch of requests that become visible in one step.
    ///
    /// # Errors
    /// [`HostError::Forked`], [`HostError::Gone`], [`HostError::LaneClosed`].
    #[inline]
    pub fn batch(&mut self) -> Result<RequestBatch<'_>, HostError> {
        self.check_batch()?;
        Ok(RequestBatch::new(&mut self.parts.producer, &mut self.bell))
    }

    /// May a batch begin? Makes sure that the newest engine's position counts.
    #[inline]
    pub(super) fn check_batch(&mut self) -> Result<(), HostError> {
        self.check_process()?;
        self.shared.check(self.index)?;
        if self.shared.epoch() != self.bound {
            self.rebind(); // an open batch can't, when it finds the ring full
        }
        Ok(())
    }

    /// Is there room for a request of `payload` bytes?
    pub(super) fn has_room(&mut self, payload: usize) -> Result<(), HostError> {
        self.room(payload).map(|_| ())
    }

    /// Is this the process that attached? A forked child has no memory to write to.
    #[inline(always)]
    pub(super) fn check_process(&self) -> Result<(), HostError> {
        match self.mark.is_child() {
            false => Ok(()),
            true => Err(HostError::Forked),
        }
    }

    /// Takes room for a request of `payload` bytes. Taking room again gives the first up.
    #[inline(always)]
    pub(crate) fn room(&mut self, payload: usize) -> Result<Room, HostError> {
        self.check_process()?;
        match self.producer().reserve_room(payload) {
            Ok(room) => Ok(room),
            Err(error) => self.no_room(error, payload),
        }
    }

    /// As [`RequestSender::room`] where nothing stands in the way; else `None`, and `room` says what does.
    /// Without an error beside it the room stays in registers.
    #[inline(always)]
    pub(crate) fn room_at_once(&mut self, payload: usize) -> Option<Room> {
        if self.mark.is_child() {
            return None;
        }
        self.producer().reserve_room(payload).ok()
    }

    /// As [`RequestSender::room`], behind a [`RequestSender::room_at_once`] that found none.
    #[cold]
    #[inline(never)]
    pub(crate) fn room_slowly(&mut self, payload: usize) -> Result<Room, HostError> {
        self.room(payload)
    }

    /// Full may only be full as far as the *last* engine's position tells.
    #[cold]
    fn no_room(&mut self, error: ClaimError, payload: usize) -> Result<Room, HostError> {
        if error != ClaimError::Full {
            return Err(error.into());
        }
        self.shared.check(self.index)?;
        self.rebind();
        Ok(self.producer().reserve_room(payload)?)
    }

    /// From now on the newest engine's position counts.
    #[cold]
    fn rebind(&mut self) {
        let link = self.shared.newest_link();
        let position = link.regions.request_position(self.index);
        self.producer().rebind(position);
        self.bound = link.epoch();
    }

    /// Owns the next lines if a request was committed since that was last done here.
    #[inline(always)]
    pub(super) fn own_once(&mut self) {
        let end = self.parts.producer.cursor().position;
        if self.owned_behind != end {
            self.owned_behind = end;
            self.producer().own_next_lines();
        }
    }
}

impl Drop for RequestSender {
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and nothing looks at its parts afterwards: its other fields
        // have no way to them.
        let parts = unsafe { ManuallyDrop::take(&mut self.parts) };
        self.shared.give_sender_back(self.index, parts);
    }
}

/// The request side of a lane for many threads of this process; clones share it.
///
/// ```no_run
/// # use ironhoard::host::{Host, HostError};
/// # use std::time::Duration;
/// let host = Host::attach("/run/hunt.sock")?;
/// let (sender, mut receiver) = host.lane()?.split();
/// let sender = sender.shared();
/// std::thread::scope(|threads| {
///     for _ in 0..4 {
///         threads.spawn(|| {
///             sender.group(|batch| -> Result<(), HostError> {
///                 for n in 0..16 {
///                     let mut claim = batch.claim(8)?;
///                     claim.put_u64(0, n);
///                     claim.commit(1);
///                 }
///                 Ok(())
///             })
///         });
///     }
/// });
/// while receiver.wait(Duration::from_secs(1))? {
///     let mut replies = receiver.poll(64)?;
///     while let Some(reply) = replies.next()? {
///         println!("request {} got status {}", reply.number(), reply.kind());
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedSender {
    sender: Arc<Mutex<RequestSender>>,
}

impl RequestSender {
    /// Makes it usable by many threads.
    pub fn shared(self) -> SharedSender {
        SharedSender {
            sender: Arc::new(Mutex::new(self)),
        }
    }
}

impl SharedSender {
    /// Runs `fill` with an open batch under the lock, and publishes what it committed in one step. No
    /// claim outlives the lock, so the engine never waits behind a descheduled thread.
    ///
    /// # Errors
    /// What `fill` returns; what it committed before is published all the same. And as
    /// [`RequestSender::batch`].
    pub fn group<R>(
        &self,
        fill: impl FnOnce(&mut RequestBatch<'_>) -> Result<R, HostError>,
    ) -> Result<R, HostError> {
        let mut sender = self.lock();
        let mut batch = sender.batch()?;
        let result = fill(&mut batch);
        batch.publish();
        result
    }

    /// Sends one request with a copy of `payload`; returns its number.
    ///
    /// # Errors
    /// As [`RequestSender::claim`].
    pub fn send(&self, kind: u16, payload: &[u8]) -> Result<u64, HostError> {
        let mut sender = self.lock();
        let mut claim = sender.claim(payload.len())?;
        claim.write(payload);
        Ok(claim.commit(kind))
    }

    /// A thread that panicked with the lock held left no open claim behind, so a poisoned lock is
    /// taken like any other.
    fn lock(&self) -> MutexGuard<'_, RequestSender> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
