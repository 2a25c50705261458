//! Ringing hosts that wait for events. A shard sees that somebody sleeps and says so; the control thread
//! finds out who, and sends the bytes: a system call for each waiter, on nobody's hot path.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{send, SendFlags};

use super::{Connected, Control};
use crate::attach::EventTerms;
use crate::engine::counters::Counters;
use crate::engine::events::Settled;
use crate::lane::Regions;
use crate::wait::{MemoryFlag, Waker};

/// A host's waiter on one event ring.
pub(super) struct Ear {
    waker: Waker<MemoryFlag>,
    doorbell: Arc<OwnedFd>,
}

impl Ear {
    /// The ears of a host: one for each event ring it has.
    pub(super) fn all(
        events: &EventTerms,
        regions: &Regions,
        doorbells: &[Arc<OwnedFd>],
    ) -> Vec<Ear> {
        let ear = |(ring, shard): (u32, u32)| Ear {
            waker: Waker::new(regions.event_flag(ring)),
            doorbell: doorbells[shard as usize].clone(),
        };
        let shards = events.rings.iter().map(|ring| ring.shard);
        (0..).zip(shards).map(ear).collect()
    }
}

impl Control<'_> {
    /// Rings every waiter that sleeps, once for each nap.
    pub(super) fn ring_ears(&mut self) {
        if !self.engine.event_bell.hear() {
            return;
        }
        let counters = &self.engine.counters;
        let hosts = self.hosts.values_mut();
        for ear in hosts.flat_map(|host: &mut Connected| &mut host.ears) {
            if ear.waker.must_ring(Settled) {
                Counters::add(&counters.event_rings, 1);
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                let _ = send(&*ear.doorbell, &[1], flags); // full: a byte is there already
            }
        }
    }
}
