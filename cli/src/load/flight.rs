//! The open loop over several lanes: sends what is due, takes what has come back, waits for neither.
//!
//! ```text
//!  each pass   lane 0: send what is due, take answers │ lane 1: … │ lane 2: … │ nothing? a pause
//!  latency     from the moment at which a move is due to that at which its answer is taken
//! ```
//!
//! Replies come in the order of their lane, so the n-th answer belongs to the n-th move, and everything
//! that is written down has its place before the clock starts: nothing in the loop allocates or makes a
//! system call, but for a nap while the engine is silent. A move that is sent late was late for one of two
//! reasons, and both are counted: its lane was full, which is the engine's doing, or this host did not get
//! round to it.

use std::time::Duration;

use ironhoard::host::{HostError, Lane};
use ironhoard_hunt::record::MOVE_BYTES;
use ironhoard_hunt::request::KIND_PLAY;

use crate::bench::clock::Clock;
use crate::demo::open_loop::{touched, Flown, Got};

use super::judge;
use super::stream::{LanePlan, Plan};

/// The most moves sent, and answers taken, before it is the next lane's turn.
const BURST: usize = 32;
/// Answers are given up when none came for this long.
const PATIENCE_NS: f64 = 5e9;
/// A move is late when it is sent this long after it is due.
pub const LATE_NS: f64 = 1e6;

/// An engine that owes answers and gives none for so long does not run: others have its core.
const SILENCE_NS: f64 = 150e3;
/// How long the host gives its core up then. The scheduler moves the engine there, if it may; shorter naps
/// it does not think worth that.
const NAP: Duration = Duration::from_micros(250);

/// What a host does while there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// Looks again.
    Spin,
    /// Looks again, and gives its core up for a moment while the engine is silent.
    Nap,
    /// Gives its core up before each look: another process wants it too.
    Yield,
}

/// How a host goes about it.
#[derive(Clone, Copy)]
pub struct Course {
    /// The clock of all times here.
    pub clock: Clock,
    /// Moves are due when there is room for them.
    pub saturates: bool,
    /// While there is nothing to do.
    pub idle: Idle,
}

/// What came of one lane.
#[derive(Default)]
pub struct LaneFlight {
    /// Answers, right and wrong.
    pub flown: Flown,
    /// Moves that were sent late, by [`LATE_NS`].
    pub late: u64,
    /// The latest of them, in ticks.
    pub latest_ticks: u64,
    /// How often a move that was due found the ring full.
    pub full: u64,
    /// When each move was sent; kept only where none is due before it is sent.
    sent_at: Vec<u64>,
    /// When each move is due, in ticks of the clock.
    due: Vec<u64>,
    first_number: u64,
}

/// What came of all lanes.
pub struct Flight {
    /// By lane.
    pub lanes: Vec<LaneFlight>,
    /// When it began.
    pub start_ticks: u64,
    /// Ticks from the start to the last answer, or to where it ended early.
    pub elapsed_ticks: u64,
    /// Why it ended early.
    pub trouble: Option<String>,
}

/// Flies a plan through `lanes`, one part each.
pub fn fly(lanes: &mut [Lane], plan: &Plan, course: &Course) -> Flight {
    let plans = &plan.lanes;
    let tick_ns = course.clock.ns(1 << 20) / f64::from(1 << 20);
    let mut flights: Vec<LaneFlight> = plans
        .iter()
        .map(|plan| LaneFlight::new(plan, course, tick_ns))
        .collect();
    let start = course.clock.ticks();
    for flight in &mut flights {
        flight.due.iter_mut().for_each(|due| *due += start);
    }
    let mut loop_ = Loop {
        course,
        kind: plan.kind,
        late_ticks: (LATE_NS / tick_ns) as u64,
        patience_ticks: (PATIENCE_NS / tick_ns) as u64,
        nap_ticks: (SILENCE_NS / tick_ns) as u64,
        silence: Silence {
            since: start,
            is_owed: false,
        },
    };
    let trouble = loop_.run(lanes, plans, &mut flights);
    Flight {
        lanes: flights,
        start_ticks: start,
        elapsed_ticks: loop_.silence.since - start,
        trouble: match trouble {
            Ok(()) => None,
            Err(Trouble::Silence) => Some("no answer came for five seconds".to_owned()),
            Err(Trouble::Host(error)) => Some(error.to_string()),
        },
    }
}

impl LaneFlight {
    fn new(plan: &LanePlan, course: &Course, tick_ns: f64) -> LaneFlight {
        let count = plan.moves.len();
        let kept = if course.saturates { count } else { 0 };
        let ticks = |due_ns: &u64| (*due_ns as f64 / tick_ns) as u64;
        LaneFlight {
            flown: Flown {
                latencies: touched(count),
                ..Flown::default()
            },
            sent_at: touched(kept),
            due: plan.due_ns.iter().map(ticks).collect(),
            ..LaneFlight::default()
        }
    }

    /// When each move was due, in nanoseconds from the start of the flight.
    pub fn due_ns<'f>(&'f self, clock: &'f Clock, start: u64) -> impl Iterator<Item = u64> + 'f {
        let due = if self.sent_at.is_empty() {
            &self.due
        } else {
            &self.sent_at
        };
        due.iter()
            .map(move |&due| clock.ns(due.saturating_sub(start)) as u64)
    }
}

/// Why a flight ends before its plan.
enum Trouble {
    Silence,
    Host(HostError),
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Trouble {
        Trouble::Host(error)
    }
}

/// Since when the engine has owed an answer and given none.
struct Silence {
    since: u64,
    is_owed: bool,
}

impl Silence {
    /// Before a pass: what is not owed by now can be owed from now on at the earliest.
    fn begin(&mut self, now: u64) {
        if !self.is_owed {
            self.since = now;
        }
    }

    /// An answer came.
    fn broken(&mut self, now: u64) {
        self.since = now;
    }

    /// Its length now; 0 where none is owed.
    fn ticks(&self, now: u64) -> u64 {
        if self.is_owed {
            now.saturating_sub(self.since)
        } else {
            0
        }
    }
}

struct Loop<'c> {
    course: &'c Course,
    kind: u16,
    late_ticks: u64,
    patience_ticks: u64,
    nap_ticks: u64,
    silence: Silence,
}

impl Loop<'_> {
    fn run(
        &mut self,
        lanes: &mut [Lane],
        plans: &[LanePlan],
        flights: &mut [LaneFlight],
    ) -> Result<(), Trouble> {
        loop {
            let now = self.course.clock.ticks();
            let (mut moved, mut is_over, mut is_owed) = (0, true, false);
            self.silence.begin(now);
            for ((lane, plan), flight) in lanes.iter_mut().zip(plans).zip(flights.iter_mut()) {
                moved += self.send_due(lane, plan, flight, now)?;
                moved += self.take_answers(lane, plan, flight)?;
                is_over &= flight.flown.answered == plan.moves.len();
                is_owed |= flight.flown.answered < flight.flown.sent;
            }
            if is_over {
                return Ok(());
            }
            self.silence.is_owed = is_owed;
            if moved > 0 {
                continue;
            }
            let silence = self.silence.ticks(now);
            if silence > self.patience_ticks {
                return Err(Trouble::Silence);
            }
            match self.course.idle {
                Idle::Yield => std::thread::yield_now(),
                Idle::Nap if silence > self.nap_ticks => std::thread::sleep(NAP),
                Idle::Nap | Idle::Spin => std::hint::spin_loop(),
            }
        }
    }

    #[inline]
    fn send_due(
        &self,
        lane: &mut Lane,
        plan: &LanePlan,
        flight: &mut LaneFlight,
        now: u64,
    ) -> Result<usize, HostError> {
        let first = flight.flown.sent;
        let end = plan.moves.len().min(first + BURST);
        while flight.flown.sent < end {
            let at = flight.flown.sent;
            let due = flight.due[at];
            if due > now {
                break;
            }
            let mut claim = match lane.claim(MOVE_BYTES) {
                Ok(claim) => claim,
                Err(HostError::Full) => {
                    flight.full += 1;
                    break;
                }
                Err(error) => return Err(error),
            };
            for (index, word) in plan.moves[at].iter().enumerate() {
                claim.put_u64(index, *word);
            }
            let number = claim.commit(self.kind);
            if at == 0 {
                flight.first_number = number;
            }
            if self.course.saturates {
                flight.sent_at.push(now);
            } else if now - due > self.late_ticks {
                flight.late += 1;
                flight.latest_ticks = flight.latest_ticks.max(now - due);
            }
            flight.flown.sent += 1;
        }
        Ok(flight.flown.sent - first)
    }

    #[inline]
    fn take_answers(
        &mut self,
        lane: &mut Lane,
        plan: &LanePlan,
        flight: &mut LaneFlight,
    ) -> Result<usize, HostError> {
        let first = flight.flown.answered;
        let mut replies = lane.poll(BURST)?;
        while let Some(reply) = replies.next()? {
            let now = self.course.clock.ticks();
            self.silence.broken(now);
            let index = flight.flown.answered;
            let due = flight.sent_at.get(index).or(flight.due.get(index));
            let latency = now.saturating_sub(due.copied().unwrap_or(now));
            flight.flown.latencies.push(latency);
            let mut got = Got::new(&reply, flight.first_number);
            if self.kind == KIND_PLAY {
                judge::as_bare(&mut got, &reply, plan.scores.get(index).copied().flatten());
            }
            flight.flown.judge(index, &got, plan.answers.get(index));
        }
        drop(replies);
        Ok(flight.flown.answered - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_when_an_answer_is_owed() {
        let (since, is_owed) = (100, false);
        let mut silence = Silence { since, is_owed };
        silence.begin(9_000); // the host was away; now it sends
        silence.is_owed = true;
        assert_eq!(silence.ticks(9_010), 10);
        silence.begin(9_020);
        assert_eq!(silence.ticks(9_050), 50);
        silence.broken(9_060);
        assert_eq!((silence.ticks(9_055), silence.ticks(9_070)), (0, 10));
        silence.is_owed = false;
        assert_eq!(silence.ticks(20_000), 0);
    }
}
