//! One incarnation of the engine as the host sees it, and where each lane stands in it.
//!
//! When an engine dies and another takes over, the request region stays and everything else is new:
//! socket, doorbells, reply region. A [`Link`] is that *everything else*. Lanes belong to different
//! threads and move from one link to the next when they have read the old reply ring to its end, each
//! in its own time. What the thread that resumes must know of them they leave in a [`Track`].

use std::os::fd::OwnedFd;
use std::sync::atomic::{fence, AtomicU64, Ordering};
use std::sync::Arc;

use crate::attach::Terms;
use crate::lane::Regions;
use crate::region::Mapping;
use crate::ring::{Cursor, MemoryPosition, PositionWord};
use crate::sys::barrier::Barrier;
use crate::wait::Doze;

/// One incarnation of the engine.
pub(super) struct Link {
    pub(super) terms: Terms,
    pub(super) regions: Regions,
    /// The regions of the event rings.
    pub(super) events: Vec<Arc<Mapping>>,
    pub(super) socket: OwnedFd,
    pub(super) doorbells: Vec<OwnedFd>,
    pub(super) engine_pidfd: Option<OwnedFd>,
    /// For each lane the number of the first reply that this engine gives.
    pub(super) first_replies: Vec<u64>,
}

impl Link {
    pub(super) fn epoch(&self) -> u64 {
        self.terms.epoch
    }

    pub(super) fn doorbell(&self, lane: u32) -> &OwnedFd {
        &self.doorbells[self.shard(lane) as usize]
    }

    /// The doorbell on which waiters on event ring `ring` are rung, if this engine has that.
    pub(super) fn event_doorbell(&self, ring: u32) -> Option<&OwnedFd> {
        let ring = self.terms.events.rings.get(ring as usize)?;
        Some(&self.doorbells[ring.shard as usize])
    }

    pub(super) fn shard(&self, lane: u32) -> u32 {
        self.terms.lane_shards[lane as usize] as u32
    }
}

/// Where a lane's reply consumer stood when it last released: epoch, position and number, published
/// together so that the thread that resumes can read the old ring on from there. And the gate by which
/// that thread makes the lane stop publishing to an engine that is dead.
///
/// One writer (the lane), one reader (the tender). The sequence word is odd while the lane is at it.
#[derive(Default)]
pub(super) struct Track {
    sequence: AtomicU64,
    epoch: AtomicU64,
    position: AtomicU64,
    number: AtomicU64,
    /// Positions of earlier epochs are no longer published. Written by the tender.
    allowed: AtomicU64,
}

impl Track {
    /// Notes where the lane stands, and publishes its position if its engine is not known to be dead.
    ///
    /// Label `silence`: sequence odd, barrier, look at the gate. The tender: gate, barrier, wait until
    /// the sequence is even. So either the lane sees the gate, or the tender waits for its store.
    #[inline(always)]
    fn release(&self, epoch: u64, at: Cursor, word: &MemoryPosition, barrier: Barrier) {
        let sequence = self.sequence.load(Ordering::Relaxed); // this thread's own
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Relaxed); // `silence`
        barrier.waker();
        fence(Ordering::Release); // `track`: odd before the values
        self.epoch.store(epoch, Ordering::Relaxed);
        self.position.store(at.position, Ordering::Relaxed);
        self.number.store(at.number, Ordering::Relaxed);
        // The note first: what the engine may overwrite is never what a resume would read.
        if epoch >= self.allowed.load(Ordering::Relaxed) {
            word.publish(at); // `silence` above; `release`, with the engine's reply producer
        }
        self.sequence
            .store(sequence.wrapping_add(2), Ordering::Release); // `track`: all before even
    }

    /// From now on nothing is published for epochs before `epoch`.
    pub(super) fn silence(&self, epoch: u64, barrier: Barrier) {
        self.allowed.store(epoch, Ordering::Relaxed); // `silence`
        barrier.sleeper();
        while self.sequence.load(Ordering::Acquire) % 2 == 1 {
            std::thread::yield_now(); // `track`, with the lane's last store
        }
    }

    /// Epoch and cursor, of one moment.
    pub(super) fn read(&self) -> (u64, Cursor) {
        loop {
            let before = self.sequence.load(Ordering::Acquire); // `track`, with the last store
            let epoch = self.epoch.load(Ordering::Relaxed);
            let at = Cursor {
                position: self.position.load(Ordering::Relaxed),
                number: self.number.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire); // `track`, with the lane's fence
            if before % 2 == 0 && before == self.sequence.load(Ordering::Relaxed) {
                return (epoch, at);
            }
            std::thread::yield_now();
        }
    }
}

/// The position word of a lane's reply consumer, with its track.
pub(super) struct ReplyPosition {
    pub(super) epoch: u64,
    pub(super) track: Arc<Track>,
    pub(super) word: MemoryPosition,
    pub(super) barrier: Barrier,
}

impl PositionWord for ReplyPosition {
    fn observe(&self) -> u64 {
        self.word.observe()
    }

    #[inline(always)]
    fn publish(&self, next: Cursor) {
        self.track
            .release(self.epoch, next, &self.word, self.barrier);
    }
}

/// A position word for walking a ring without telling anybody.
pub(super) struct Untold;

impl PositionWord for Untold {
    fn observe(&self) -> u64 {
        0
    }

    fn publish(&self, _: Cursor) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_never_read_torn() {
        let track = Arc::new(Track::default());
        let writer = track.clone();
        let done = std::thread::spawn(move || {
            let owner: crate::ring::Owner = Arc::new(());
            let word = Box::leak(Box::new(AtomicU64::new(0)));
            // SAFETY: leaked, so alive for ever; aligned as every AtomicU64.
            let word = unsafe { MemoryPosition::new(word.as_ptr().cast(), owner) };
            let word = word.expect("aligned");
            for n in 1..200_000u64 {
                let at = Cursor {
                    position: n * 64,
                    number: n,
                };
                writer.release(n, at, &word, Barrier::Fence);
            }
            word.observe()
        });
        while !done.is_finished() {
            let (epoch, at) = track.read();
            assert_eq!((at.position, at.number), (epoch * 64, epoch));
        }
        assert_eq!(done.join().expect("writer"), 199_999 * 64);
    }
}
