//! The engine's end of a lane: request consumer, reply producer, and the host's doorbell.
//!
//! Every request gets exactly one reply, in order, so the reply ring numbers itself: reply `n` answers
//! request `n`. Before a request is taken there is room for the largest reply.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{send, SendFlags};

use super::arena::Arena;
use super::counters::Counters;
use super::events::Events;
use super::handler::{Handler, Reply, Request, Status, Surroundings};
use crate::layout::{
    FLAGS_MUST_UNDERSTAND, LINE, STATUS_PANIC, STATUS_POISON, STATUS_TOO_LARGE, STATUS_UNKNOWN_FLAG,
};
use crate::lull::Lull;
use crate::ring::{ClaimError, Corrupt, MemoryConsumer, MemoryProducer};
use crate::sys::barrier::Barrier;
use crate::wait::{FlagWord, MemoryFlag, Waker};

/// Why a lane is closed: its host wrote nonsense.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum LaneFault {
    #[error("request ring: {0}")]
    Request(#[from] Corrupt),
    #[error("reply ring: {0}")]
    Reply(#[from] ClaimError),
}

/// What one visit to a lane brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// Nothing was committed.
    Empty,
    /// This many requests were answered.
    Answered(u64),
    /// There may be requests, but no room for their replies: the host must take some.
    NoRoom,
}

/// The engine's end of one lane.
pub(super) struct EngineLane {
    pub(super) host: u64,
    pub(super) index: u32,
    pub(super) requests: MemoryConsumer,
    pub(super) replies: MemoryProducer,
    pub(super) in_use: MemoryFlag,
    pub(super) waker: Waker<MemoryFlag>,
    pub(super) doorbell: Arc<OwnedFd>,
    pub(super) barrier: Barrier,
    /// Largest reply of handler and ring together.
    pub(super) largest_reply: usize,
    /// Number of the request that is not tried again; 0 for none.
    pub(super) poison: u64,
    /// Requests come one at a time: the host waits for each reply. Believed after a visit that found
    /// exactly one, until a request is there at once.
    pub(super) alone: bool,
    /// How long to wait before the first look for the next request.
    pub(super) lull: Lull,
    /// Looks since the last reply that found nothing.
    pub(super) looks: u32,
    /// Number of the first reply that the counters do not hold yet.
    pub(super) counted: u64,
    /// The host wrote nonsense: never visited again.
    pub(super) closed: bool,
}

/// What a shard lends to each visit.
pub(super) struct Visitor<'a, H> {
    pub(super) handler: &'a mut H,
    pub(super) arena: &'a mut Arena,
    pub(super) events: &'a Events,
    pub(super) counters: &'a Counters,
    pub(super) now: u64,
    /// How many requests one visit answers at most.
    pub(super) budget: u64,
    /// No other lane is likely to wait while this one lets a lull pass.
    pub(super) one_lane: bool,
}

impl EngineLane {
    /// Answers up to the budget of requests.
    #[inline]
    pub(super) fn visit<H: Handler>(
        &mut self,
        visitor: &mut Visitor<'_, H>,
    ) -> Result<Visit, LaneFault> {
        if self.alone && visitor.one_lane && self.looks == 0 {
            self.requests.look_after(|number| {
                let nothing = self.lull.pass(number);
                self.replies.keep_next_lines(nothing); // side by side with the look
                nothing
            });
        }
        let released = self.requests.released();
        let (answered, outcome) = self.answer(visitor)?;
        match outcome {
            Visit::NoRoom => self.requests.release(), // the host may be waiting for just that
            _ => self.requests.settle(outcome == Visit::Empty),
        };
        if self.requests.released() != released {
            self.ring_if_asleep(visitor.counters); // space is news too
        }
        if answered == 0 {
            self.looks = self
                .looks
                .saturating_add(u32::from(outcome == Visit::Empty));
            return Ok(outcome);
        }
        visitor.arena.reset();
        self.alone |= answered == 1 && outcome == Visit::Empty;
        Ok(Visit::Answered(answered))
    }

    /// Answers requests until the budget is used up or something else ends the visit; says how many,
    /// and what ended it.
    #[inline(always)]
    fn answer<H: Handler>(
        &mut self,
        visitor: &mut Visitor<'_, H>,
    ) -> Result<(u64, Visit), LaneFault> {
        let around = Surroundings {
            now: visitor.now,
            arena: visitor.arena,
            events: visitor.events,
        };
        let mut answered = 0;
        while answered < visitor.budget {
            match self.replies.has_room(self.largest_reply) {
                Ok(()) => {}
                Err(ClaimError::Full) => return Ok((answered, Visit::NoRoom)),
                Err(fault) => return Err(fault.into()),
            }
            let lulled = answered == 0 && visitor.one_lane;
            if !self.answer_next(visitor.handler, &around, visitor.counters, lulled)? {
                return Ok((answered, Visit::Empty));
            }
            answered += 1;
            if self.alone {
                // Nothing can come before this reply has arrived. To look all the same would take the
                // next request's line away from the host just when it is about to write it, and the
                // stores that own lines would wait until that look is over.
                self.replies.own_next_lines();
                if !self.lull.is_in_doubt() {
                    break;
                }
            }
            if around.arena.is_half_full() {
                break;
            }
        }
        Ok((answered, Visit::Answered(answered)))
    }

    /// Answers the next request if there is one; there is room for its reply. `lulled`: where requests
    /// come one at a time, a lull has passed before this look.
    #[inline(always)]
    fn answer_next<H: Handler>(
        &mut self,
        handler: &mut H,
        around: &Surroundings<'_>,
        counters: &Counters,
        lulled: bool,
    ) -> Result<bool, LaneFault> {
        self.requests.settle(false);
        let Some(record) = self.requests.take()? else {
            return Ok(false);
        };
        let look = self.looks;
        if look != 0 {
            self.looks = 0; // not where it is 0 already: in a stream a store saved counts
        }
        if self.alone {
            if lulled {
                self.lull.found_with(look);
            }
            // One that is there at once, and not because a lull has passed, did not wait for a reply.
            self.alone = look != 0 || (lulled && !self.lull.is_over());
            if !self.alone {
                self.lull = Lull::default();
            }
        }
        let understood = record.flags() & FLAGS_MUST_UNDERSTAND == 0;
        let poisoned = record.number() == self.poison;
        let request = Request { record, around };
        let mut reply = Reply::new(&mut self.replies, self.largest_reply);
        let status = match understood && !poisoned {
            true => handler.handle(&request, &mut reply),
            false => refusal(poisoned, counters),
        };
        reply.commit(status)?;
        self.ring_if_asleep(counters);
        Ok(true)
    }

    /// Answers what a host that is gone had committed, one request in each visit. Nobody reads the
    /// replies, so there is room for every one.
    pub(super) fn visit_last<H: Handler>(&mut self, visitor: &mut Visitor<'_, H>) {
        for _ in 0..self.requests.capacity() / LINE as u64 {
            self.replies.grant(self.replies.cursor().position);
            if !matches!(self.visit(visitor), Ok(Visit::Answered(1))) {
                return;
            }
        }
    }

    /// Was a request taken and not answered?
    pub(super) fn owes_reply(&self) -> bool {
        self.requests.cursor().number != self.replies.cursor().number
    }

    /// After a panic in the handler: the request that was taken and not answered gets its reply.
    pub(super) fn answer_panic(&mut self) -> bool {
        if !self.owes_reply() {
            return false;
        }
        let reply = Reply::new(&mut self.replies, 0);
        reply.commit(Status(STATUS_PANIC)).is_ok()
    }

    /// Nothing to read for the first time after a reply: take the next reply's lines while nobody waits
    /// for them. The request that was just read may have cost them. Not in a stream, where it costs more
    /// than it brings.
    #[inline(always)]
    pub(super) fn own_once(&mut self) {
        if self.looks == 1 && self.alone {
            self.replies.own_next_lines();
        }
    }

    /// Is there something to do? For the last look before sleeping.
    pub(super) fn has_work(&mut self) -> bool {
        let committed = !matches!(self.requests.peek(), Ok(None));
        committed && self.replies.has_room(self.largest_reply) != Err(ClaimError::Full)
    }

    /// Does the host use this lane now, or has it left requests behind?
    pub(super) fn is_used(&mut self) -> bool {
        !self.closed && (self.in_use.load() != 0 || !matches!(self.requests.peek(), Ok(None)))
    }

    /// Replies given since the last time this was asked.
    pub(super) fn take_answered(&mut self) -> u64 {
        let next = self.replies.cursor().number;
        next.wrapping_sub(std::mem::replace(&mut self.counted, next))
    }

    /// Rings if the host sleeps: there are news.
    #[inline(always)]
    pub(super) fn ring_if_asleep(&mut self, counters: &Counters) {
        if self.waker.must_ring(self.barrier) {
            ring(&self.doorbell, counters);
        }
    }
}

/// A reply the handler is not asked for.
#[cold]
fn refusal(poisoned: bool, counters: &Counters) -> Status {
    if poisoned {
        Counters::add(&counters.poisoned, 1);
        Status(STATUS_POISON)
    } else {
        Counters::add(&counters.unknown_flags, 1);
        Status(STATUS_UNKNOWN_FLAG)
    }
}

/// One byte on the doorbell. Never blocks: a full socket means that a byte is there already, and a
/// host that is gone is the control thread's business.
#[cold]
fn ring(doorbell: &OwnedFd, counters: &Counters) {
    Counters::add(&counters.rings, 1);
    let _ = send(doorbell, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
}

/// The status of a handler that asked for more than a reply can carry and passed the error on.
impl From<ClaimError> for Status {
    fn from(_: ClaimError) -> Self {
        Status(STATUS_TOO_LARGE)
    }
}
