//! A host as one shard sees it: its lanes on this shard, its doorbell, the flag that says *asleep*.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::lane::EngineLane;
use crate::attach::{LaneResume, Terms};
use crate::lane::Regions;
use crate::layout::payload_limit;
use crate::lull::Lull;
use crate::ring::{Consumer, Cursor, Producer};
use crate::sys::barrier::Barrier;
use crate::wait::{MemoryFlag, Sleeper, Waker};

/// What a shard keeps of a host.
pub(super) struct ShardHost {
    /// The control thread's name for the host; never used twice.
    pub(super) key: u64,
    /// Those in use come first.
    pub(super) lanes: Vec<EngineLane>,
    pub(super) used: usize,
    pub(super) sleeper: Sleeper<MemoryFlag>,
    pub(super) doorbell: Arc<OwnedFd>,
    pub(super) barrier: Barrier,
    /// The host's waiters on this shard's event rings.
    pub(super) ears: Vec<Waker<MemoryFlag>>,
}

impl ShardHost {
    /// The lanes to visit in each round.
    #[inline(always)]
    pub(super) fn used_lanes(&mut self) -> &mut [EngineLane] {
        &mut self.lanes[..self.used]
    }

    /// Replies given since the last time this was asked.
    pub(super) fn take_answered(&mut self) -> u64 {
        self.lanes.iter_mut().map(EngineLane::take_answered).sum()
    }

    /// Looks again which lanes the host uses. A pool of a thousand lanes costs a round nothing as
    /// long as nobody takes them.
    pub(super) fn look_for_used_lanes(&mut self) {
        self.used = 0;
        for index in 0..self.lanes.len() {
            if self.lanes[index].is_used() {
                self.lanes.swap(self.used, index);
                self.used += 1;
            }
        }
    }
}

/// How a shard's lanes are to be served.
#[derive(Clone, Copy)]
pub(super) struct Serving {
    /// The handler's bound for replies, if it has one.
    pub(super) largest_reply: Option<usize>,
    /// A request that has seen this many engines die is not tried again.
    pub(super) poison_after: u32,
}

/// What attach agreed with one host.
pub(super) struct HostLink<'a> {
    pub(super) terms: &'a Terms,
    pub(super) regions: &'a Regions,
    pub(super) resumed: Option<&'a [LaneResume]>,
    pub(super) serving: Serving,
}

impl HostLink<'_> {
    /// One part for each shard that serves a lane of this host, or writes an event ring for it.
    pub(super) fn split(&self, key: u64, doorbells: &[Arc<OwnedFd>]) -> Vec<(usize, ShardHost)> {
        let mut parts = Vec::new();
        for (shard, doorbell) in doorbells.iter().enumerate() {
            let lanes: Vec<EngineLane> = (0..self.terms.lanes)
                .filter(|&lane| self.terms.lane_shards[lane as usize] as usize == shard)
                .map(|lane| self.lane(key, lane, doorbell))
                .collect();
            let ears = self.ears(shard);
            if !lanes.is_empty() || !ears.is_empty() {
                let host = ShardHost {
                    key,
                    lanes,
                    used: 0,
                    sleeper: Sleeper::new(self.regions.shard_flag(shard as u32)),
                    doorbell: doorbell.clone(),
                    barrier: Barrier::agreed(self.terms.membarrier),
                    ears,
                };
                parts.push((shard, host));
            }
        }
        parts
    }

    /// The host's waiters on the event rings of `shard`.
    fn ears(&self, shard: usize) -> Vec<Waker<MemoryFlag>> {
        (0..)
            .zip(&self.terms.events.rings)
            .filter(|(_, ring)| ring.shard as usize == shard)
            .map(|(ring, _)| Waker::new(self.regions.event_flag(ring)))
            .collect()
    }

    fn lane(&self, key: u64, lane: u32, doorbell: &Arc<OwnedFd>) -> EngineLane {
        let regions = self.regions;
        let resumed = self.resumed.map(|lanes| &lanes[lane as usize]);
        let number = resumed.map_or(1, |lane| lane.last_reply.wrapping_add(1));
        let request = Cursor {
            position: resumed.map_or(0, |lane| lane.position),
            number,
        };
        let reply = Cursor {
            position: 0,
            number,
        };
        let requests = Consumer::new(
            regions.request_words(lane),
            regions.request_position(lane),
            regions.request_geometry(),
            request,
        );
        let replies = Producer::new(
            regions.reply_words(lane),
            regions.reply_position(lane, self.terms.epoch),
            regions.reply_geometry(),
            reply,
        );
        let poisoned = resumed.is_some_and(|lane| lane.deaths >= self.serving.poison_after);
        let reply_limit = payload_limit(regions.reply_capacity) as usize;
        let largest_reply = self.serving.largest_reply.unwrap_or(reply_limit);
        EngineLane {
            host: key,
            index: lane,
            requests: requests.expect("words and geometry are of one layout"),
            replies: replies.expect("words and geometry are of one layout"),
            in_use: regions.in_use(lane),
            waker: Waker::new(regions.host_flag(lane)),
            doorbell: doorbell.clone(),
            barrier: Barrier::agreed(self.terms.membarrier),
            largest_reply: largest_reply.min(reply_limit),
            poison: if poisoned { number } else { 0 },
            alone: false,
            lull: Lull::default(),
            looks: 0,
            counted: number,
            closed: false,
        }
    }
}
