//! A shard: one pinned thread that serves its lanes.
//!
//! ```text
//!        ┌──────────────────────── work ───────────────────────┐
//!        ▼                                                     │
//!   visit each lane, at most a budget of requests ─▶ nothing? ─┤ own lines, pause
//!        ▲                                                     │
//!        │                                 idle long enough ───▼
//!        └── look again ◀── bell, mail ◀── park: raise, barrier, look, sleep
//! ```
//!
//! Housekeeping (clock, mail from the control thread, lanes newly taken by hosts) happens every few
//! thousand rounds and before a park, never for each message. Nothing on this path allocates or
//! makes a system call while there is work.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

use super::arena::Arena;
use super::counters::Counters;
use super::events::{EventBell, Events, Settled};
use super::handler::Handler;
use super::host_link::ShardHost;
use super::lane::{EngineLane, LaneFault, Visit, Visitor};
use super::park::Parker;
use crate::lull::QUICK_LOOKS;
use crate::sys::barrier::Barrier;
use crate::sys::clock::monotonic_ns;
use crate::wait::{Doze, WaitStrategy};

/// Rounds between two housekeepings: an idle round counts one, a request eight.
const HOUSEKEEPING_ROUNDS: u64 = 2048;
const REQUEST_ROUNDS: u64 = 8;
/// Idle rounds of [`WaitStrategy::Yield`] before it yields, and of `Park` before it parks.
const SHORT_SPIN: u64 = 64;

/// Mail from the control thread.
pub(super) enum ToShard {
    /// Lanes of a host that attached or resumed.
    Serve(ShardHost),
    /// This host is gone: answer what it committed, then give its lanes back.
    Leave(u64),
    /// Answer what is committed, give all lanes back and end. Until the deadline at the latest.
    Halt { deadline: u64 },
}

/// Mail to the control thread.
pub(super) enum FromShard {
    /// Everything of a host; dropped by the control thread, because unmapping takes its time.
    Returned(ShardHost),
    /// A lane was closed because its host wrote nonsense.
    Fault {
        host: u64,
        lane: u32,
        fault: LaneFault,
    },
    /// The shard's thread is over; `lost` names it where that was not asked for.
    Ended { lost: Option<usize> },
    /// A handler panicked on a request of this lane.
    Panic { host: u64, lane: u32, number: u64 },
}

/// The state of one shard. Everything here belongs to its thread.
pub(super) struct Shard<H> {
    pub(super) handler: H,
    pub(super) events: Events,
    pub(super) event_bell: EventBell,
    pub(super) hosts: Vec<ShardHost>,
    pub(super) inbox: Receiver<ToShard>,
    pub(super) has_mail: Arc<AtomicBool>,
    pub(super) outbox: Sender<FromShard>,
    pub(super) parker: Parker,
    pub(super) wait: WaitStrategy,
    pub(super) budget: usize,
    pub(super) arena: Arena,
    pub(super) counters: Arc<Counters>,
    pub(super) now: u64,
    pub(super) halt_at: Option<u64>,
    /// All requests since the last count came by one lane.
    pub(super) one_lane: bool,
}

/// How long a shard has been idle, in rounds and on the clock.
#[derive(Default)]
struct Idleness {
    rounds: u64,
    fuel: u64,
    answered: u64,
    busy_at: u64,
}

impl<H: Handler> Shard<H> {
    /// Serves until told to halt. A panic in the handler costs one request an error reply.
    pub(super) fn run(mut self) {
        let mut idleness = Idleness {
            busy_at: monotonic_ns(),
            ..Idleness::default()
        };
        while catch_unwind(AssertUnwindSafe(|| self.serve(&mut idleness))).is_err() {
            self.answer_panics();
            idleness.fuel += REQUEST_ROUNDS;
            idleness.answered += 1;
        }
        self.count();
        for host in self.hosts.drain(..) {
            let _ = self.outbox.send(FromShard::Returned(host));
        }
        self.parker.tell_control();
    }

    /// Housekeeping comes before the round: a round may end in a panic, each of them.
    fn serve(&mut self, idleness: &mut Idleness) {
        loop {
            if idleness.fuel >= HOUSEKEEPING_ROUNDS && self.housekeeping(idleness) {
                return;
            }
            let answered = self.round();
            if answered == 0 {
                idleness.rounds += 1;
                idleness.fuel += 1;
                if self.halt_at.is_some() {
                    return;
                }
                self.idle(idleness);
            } else {
                idleness.rounds = 0;
                idleness.answered += answered;
                idleness.fuel += answered * REQUEST_ROUNDS;
            }
        }
    }

    /// Visits each lane once; returns how many requests were answered.
    #[inline]
    fn round(&mut self) -> u64 {
        let mut answered = 0;
        let mut visitor = Visitor {
            handler: &mut self.handler,
            arena: &mut self.arena,
            events: &self.events,
            counters: &self.counters,
            now: self.now,
            budget: self.budget as u64,
            one_lane: self.one_lane,
        };
        for host in &mut self.hosts {
            for lane in host.used_lanes().iter_mut().filter(|lane| !lane.closed) {
                match lane.visit(&mut visitor) {
                    Ok(Visit::Answered(count)) => answered += count,
                    Ok(Visit::Empty) => lane.own_once(),
                    Ok(Visit::NoRoom) => Counters::add(&visitor.counters.skipped, 1),
                    Err(fault) => {
                        close(lane, fault, &self.outbox, &self.counters);
                        self.parker.tell_control();
                    }
                }
            }
        }
        if self.events.take_news() {
            self.tell_sleepers();
        }
        answered
    }

    /// Events were published: does anybody sleep who waits for them? Label `doze`, once for all looks.
    fn tell_sleepers(&mut self) {
        let fences = |host: &ShardHost| host.barrier == Barrier::Fence && !host.ears.is_empty();
        Barrier::agreed(!self.hosts.iter().any(fences)).waker();
        let ears = self.hosts.iter_mut().flat_map(|host| &mut host.ears);
        if ears.fold(false, |sleeps, ear| ear.must_ring(Settled) | sleeps) {
            self.event_bell.ring();
        }
    }

    /// Nothing was committed: wait as the strategy says.
    #[inline]
    fn idle(&mut self, idleness: &mut Idleness) {
        match self.wait {
            _ if idleness.rounds <= QUICK_LOOKS.into() => {}
            WaitStrategy::Busy | WaitStrategy::Spin(_) => std::hint::spin_loop(),
            WaitStrategy::Yield(_) if idleness.rounds > SHORT_SPIN => std::thread::yield_now(),
            WaitStrategy::Park if idleness.rounds > SHORT_SPIN => self.park(idleness),
            WaitStrategy::Yield(_) | WaitStrategy::Park => std::hint::spin_loop(),
        }
    }

    /// Clock, mail, lanes newly taken. Says whether to end.
    #[cold]
    fn housekeeping(&mut self, idleness: &mut Idleness) -> bool {
        idleness.fuel = 0;
        self.now = monotonic_ns();
        if idleness.answered > 0 {
            idleness.answered = 0;
            idleness.busy_at = self.now;
            self.count();
        }
        self.read_mail();
        self.look_for_used_lanes();
        if self.halt_at.is_some_and(|deadline| self.now > deadline) {
            return true;
        }
        let patience = match self.wait {
            WaitStrategy::Spin(patience) | WaitStrategy::Yield(patience) => patience,
            WaitStrategy::Busy | WaitStrategy::Park => return false,
        };
        if self.now.saturating_sub(idleness.busy_at) > nanos(patience) && self.halt_at.is_none() {
            self.park(idleness);
        }
        false
    }

    /// Sleeps until a doorbell or mail. Label `doze`: raise, barrier, look again, only then sleep.
    #[cold]
    fn park(&mut self, idleness: &mut Idleness) {
        self.count();
        self.hosts.iter_mut().for_each(|host| host.sleeper.raise());
        self.parker.barrier(&self.hosts);
        if !self.has_work() {
            Counters::add(&self.counters.parks, 1);
            self.parker.sleep();
            self.now = monotonic_ns();
            self.look_for_used_lanes();
            // Answer first, tidy up afterwards: this is the wake-up path.
            idleness.answered += self.round();
        }
        self.hosts.iter_mut().for_each(|host| host.sleeper.lower());
        self.parker.drain(&self.hosts);
        idleness.rounds = 0;
        idleness.fuel = HOUSEKEEPING_ROUNDS;
        idleness.busy_at = self.now;
    }

    /// Brings the counter of requests up to date.
    fn count(&mut self) {
        let lanes = self.hosts.iter_mut().flat_map(|host| &mut host.lanes);
        let (mut answered, mut busy) = (0, 0);
        for lane in lanes
            .map(EngineLane::take_answered)
            .filter(|count| *count != 0)
        {
            answered += lane;
            busy += 1;
        }
        self.one_lane = busy <= 1;
        Counters::add(&self.counters.requests, answered);
        Counters::add(&self.counters.events, self.events.take_count());
    }

    fn has_work(&mut self) -> bool {
        self.has_mail.load(Ordering::Acquire) // `mail`, with the control thread's store
            || self.hosts.iter_mut().any(|host| {
                host.look_for_used_lanes();
                host.used_lanes().iter_mut().any(EngineLane::has_work)
            })
    }

    fn look_for_used_lanes(&mut self) {
        self.hosts
            .iter_mut()
            .for_each(|host| host.look_for_used_lanes());
    }

    fn read_mail(&mut self) {
        // `mail`, with the control thread's store behind its send.
        if !self.has_mail.swap(false, Ordering::Acquire) {
            return;
        }
        while let Ok(mail) = self.inbox.try_recv() {
            match mail {
                ToShard::Serve(host) => {
                    self.parker.watch(&host);
                    if !host.ears.is_empty() {
                        // They may sleep since before: what was published then was not rung for.
                        self.events.renew();
                    }
                    self.hosts.push(host);
                }
                ToShard::Leave(key) => self.leave(key),
                ToShard::Halt { deadline } => self.halt_at = Some(deadline),
            }
        }
    }

    /// Answers what a vanished host had committed, then gives its lanes back. It may still have its
    /// maps and go on committing, so each lane is given one ringful and no more.
    fn leave(&mut self, key: u64) {
        let Some(index) = self.hosts.iter().position(|host| host.key == key) else {
            return;
        };
        let mut host = self.hosts.swap_remove(index);
        self.parker.forget(&host);
        let mut visitor = Visitor {
            handler: &mut self.handler,
            arena: &mut self.arena,
            events: &self.events,
            counters: &self.counters,
            now: self.now,
            budget: 1,
            one_lane: false,
        };
        for lane in host.lanes.iter_mut().filter(|lane| !lane.closed) {
            // It may be nonsense or make the handler panic: the host is gone either way.
            let _ = catch_unwind(AssertUnwindSafe(|| lane.visit_last(&mut visitor)));
        }
        Counters::add(&self.counters.requests, host.take_answered());
        let _ = self.outbox.send(FromShard::Returned(host));
        self.parker.tell_control();
    }

    /// The host whose request it was goes to the end of the round, which begins anew: it must not keep
    /// those behind it from being visited.
    #[cold]
    fn answer_panics(&mut self) {
        self.arena.reset();
        let panicked = |lane: &EngineLane| lane.owes_reply();
        if let Some(index) = (self.hosts.iter()).position(|host| host.lanes.iter().any(panicked)) {
            self.hosts.rotate_left(index + 1);
        }
        for lane in self.hosts.iter_mut().flat_map(|host| &mut host.lanes) {
            if lane.answer_panic() {
                lane.ring_if_asleep(&self.counters);
                Counters::add(&self.counters.panics, 1);
                let _ = self.outbox.send(FromShard::Panic {
                    host: lane.host,
                    lane: lane.index,
                    number: lane.replies.cursor().number.wrapping_sub(1),
                });
            }
        }
        self.parker.tell_control();
    }
}

/// Nonsense costs its author the lane, nothing else.
#[cold]
fn close(lane: &mut EngineLane, fault: LaneFault, outbox: &Sender<FromShard>, counters: &Counters) {
    lane.closed = true;
    Counters::add(&counters.corrupt_lanes, 1);
    let _ = outbox.send(FromShard::Fault {
        host: lane.host,
        lane: lane.index,
        fault,
    });
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
