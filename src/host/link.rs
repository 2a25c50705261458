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
use crate::ring::{Cursor, MemoryPosition, PositionWord};

/// One incarnation of the engine.
pub(super) struct Link {
    pub(super) terms: Terms,
    pub(super) regions: Regions,
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

    pub(super) fn shard(&self, lane: u32) -> u32 {
        self.terms.lane_shards[lane as usize] as u32
    }
}

/// Where a lane's reply consumer stood when it last released: epoch, position and number, published
/// together so that the thread that resumes can read the old ring on from there.
///
/// One writer (the lane), one reader (the tender). The sequence word is odd while the writer is at it.
#[derive(Default)]
pub(super) struct Track {
    sequence: AtomicU64,
    epoch: AtomicU64,
    position: AtomicU64,
    number: AtomicU64,
}

impl Track {
    #[inline(always)]
    pub(super) fn write(&self, epoch: u64, at: Cursor) {
        let sequence = self.sequence.load(Ordering::Relaxed); // this thread's own
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed); // before `track`'s fence
        fence(Ordering::Release); // `track`: odd before the values
        self.epoch.store(epoch, Ordering::Relaxed);
        self.position.store(at.position, Ordering::Relaxed);
        self.number.store(at.number, Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(2), Ordering::Release); // `track`: the values before even
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
            fence(Ordering::Acquire); // `track`, with the writer's fence
            if before % 2 == 0 && before == self.sequence.load(Ordering::Relaxed) {
                return (epoch, at);
            }
            std::thread::yield_now();
        }
    }
}

/// The position word of a lane's reply consumer: tracks, then publishes to the engine.
pub(super) struct ReplyPosition {
    pub(super) epoch: u64,
    pub(super) track: Arc<Track>,
    /// None where the engine of this epoch was dead already when the lane came to it.
    pub(super) word: Option<MemoryPosition>,
}

impl PositionWord for ReplyPosition {
    fn observe(&self) -> u64 {
        self.word.as_ref().map_or(0, MemoryPosition::observe)
    }

    #[inline(always)]
    fn publish(&self, next: Cursor) {
        // First the track: what the engine may overwrite is never what a resume would read.
        self.track.write(self.epoch, next);
        if let Some(word) = &self.word {
            word.publish(next); // `release`, with the engine's reply producer
        }
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
            for n in 1..200_000u64 {
                let at = Cursor {
                    position: n * 64,
                    number: n,
                };
                writer.write(n, at);
            }
        });
        while !done.is_finished() {
            let (epoch, at) = track.read();
            assert_eq!((at.position, at.number), (epoch * 64, epoch));
        }
        done.join().expect("writer");
    }
}
