//! After a commit: does the engine sleep, and is it still the same engine?
//!
//! Two loads of words that hardly ever change. Behind the barrier of the wake protocol (label `doze`)
//! the producer looks at its shard's `need_wakeup` and at the host's epoch. The epoch matters because a
//! new engine raises its flag elsewhere: a producer that looked at the old one would not ring. Whoever
//! resumes therefore changes the epoch, runs the barrier, and then rings every doorbell once; so either
//! the producer sees the new epoch, or its record was there before that ring.

use std::sync::Arc;

use rustix::net::{send, SendFlags};

use super::link::Link;
use super::shared::HostShared;
use crate::sys::barrier::Barrier;
use crate::wait::{MemoryFlag, Waker};

/// A lane's bell rope to its shard.
pub(super) struct Bell {
    shared: Arc<HostShared>,
    lane: u32,
    link: Arc<Link>,
    waker: Waker<MemoryFlag>,
    barrier: Barrier,
    epoch: u64,
}

impl Bell {
    pub(super) fn new(shared: Arc<HostShared>, lane: u32) -> Self {
        let link = shared.newest_link();
        Self {
            lane,
            waker: Waker::new(link.regions.shard_flag(link.shard(lane))),
            barrier: Barrier::agreed(link.terms.membarrier),
            epoch: link.epoch(),
            link,
            shared,
        }
    }

    /// To be called after each publish.
    #[inline(always)]
    pub(super) fn after_publish(&mut self) {
        if self.has_to_tell() {
            self.tell();
        }
    }

    /// After a publish: does the engine sleep, or is it another one? Where a fence is needed to know,
    /// perhaps, and [`Bell::tell`] fences.
    #[inline(always)]
    pub(super) fn has_to_tell(&self) -> bool {
        self.barrier == Barrier::Fence
            || self.waker.sleeps(self.barrier)
            || self.shared.epoch() != self.epoch
    }

    /// Rings, if that was not done yet, and follows the host to its engine.
    #[cold]
    #[inline(never)]
    pub(super) fn tell(&mut self) {
        if self.waker.must_ring(self.barrier) {
            self.ring();
        }
        if self.shared.epoch() != self.epoch {
            self.follow();
        }
    }

    /// One byte, never blocking: a full socket means that a byte is there already.
    fn ring(&self) {
        let doorbell = self.link.doorbell(self.lane);
        let _ = send(doorbell, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// A new engine: look at its flag instead.
    fn follow(&mut self) {
        *self = Bell::new(self.shared.clone(), self.lane);
        if self.waker.must_ring(self.barrier) {
            self.ring();
        }
    }
}
