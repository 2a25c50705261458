//! The floor: what moving cache lines between these two cores costs, with nothing else done.
//!
//! ```text
//!            requests, 1024 lines                 replies, 1024 lines
//!  driver ── store n ──▶ [n-1][ n ][   ] ─▶ responder ── store n ──▶ [n-1][ n ][   ] ─▶ driver
//! ```
//!
//! * **walking floor**: a number goes there in one line and comes back in another; the next round
//!   trip uses the next lines, because a fixed pair of lines is fast or slow by its address.
//! * **warm floor**: the same, but each side stores 0 to the line it will write next while it
//!   waits, so that the line is already its own when it is needed.
//! * **stream floor**: see [`super::stream_floor`].
//!
//! Nobody can answer a request faster than the walking floor without the trick of the warm one, so
//! latencies are given as multiples of it. Spinning is measured with and without `PAUSE`, and the
//! floor is the lower of both. The first lap of each assignment is not timed.
//!
//! The two halves, [`drive`] and [`respond`], are plain functions on shared [`Lines`]: an engine's
//! handler can call `respond` on its own thread, so that floor and work use the same two threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::samples::Samples;
use super::stream_floor::{self, BACK_OFF};

/// Lines each way over which the walking floor walks.
pub const WALK_LINES: usize = 1024;
/// Lines of the stream buffer: 1 MiB.
pub const STREAM_LINES: usize = 16384;
/// Round trips of one walking or warm measurement that are timed.
pub const TIMED_ROUNDS: usize = 2 * WALK_LINES;
/// Laps of one stream measurement that are timed.
pub const TIMED_LAPS: usize = 4;
/// Without progress for this long a side gives up.
const PATIENCE: Duration = Duration::from_secs(3);
/// Looks at a line between two looks at the clock.
const LOOKS: u32 = 1 << 20;

/// One cache line of eight words that either process may read while the other writes it.
#[repr(C, align(64))]
pub struct Line(pub [AtomicU64; 8]);

/// The shared memory of the floors: exactly one page of 2 MiB.
#[repr(C)]
pub struct Lines {
    /// Written by the driver: the number of an [`Assignment`], then its words.
    pub command: Line,
    /// Written by the responder: lines of the stream read so far.
    pub stream_position: Line,
    /// Written by the responder: sum of all words of the stream read so far.
    pub stream_sum: Line,
    /// Written by the responder: 1 as soon as it is pinned and looks for commands.
    pub ready: Line,
    unused: [Line; WALK_LINES - 4],
    /// Written by the driver.
    requests: [Line; WALK_LINES],
    /// Written by the responder.
    replies: [Line; WALK_LINES],
    gap: [Line; STREAM_LINES - 3 * WALK_LINES],
    /// Written by the driver.
    pub stream: [Line; STREAM_LINES],
}

const _: () = assert!(size_of::<Lines>() == 2 << 20);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Round trips over 1024 lines each way.
    Walking,
    /// The same, each side owning its next line while it waits.
    Warm,
    /// Whole lines one way.
    Stream,
}

/// One measurement, the same for both sides. It fits into the payload of a one-line record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What is measured.
    pub kind: Kind,
    /// Whether both sides spin with `PAUSE`.
    pub pause: bool,
    /// Number of the first round trip or line; above all numbers used before.
    pub first: u64,
    /// Round trips or lines, the first lap of which is not timed.
    pub rounds: u64,
}

/// Why a floor could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// The other side made no progress for three seconds.
    #[error(
        "the other process made no progress for {} s during a floor measurement; \
         check that neither core is taken away from it, and run again",
        PATIENCE.as_secs()
    )]
    Stalled,
    /// The reader of the stream has not seen the words that were written.
    #[error(
        "the stream floor lost data: its words sum up to {found}, not to {expected}; \
         its figures are worthless, and so is this machine's memory unless another process wrote there"
    )]
    Torn {
        /// The sum that the writer computed.
        expected: u64,
        /// The sum that the reader found.
        found: u64,
    },
}

impl Assignment {
    /// The words in which an assignment travels.
    pub fn encode(&self) -> [u64; 4] {
        let kind = match self.kind {
            Kind::Walking => 1,
            Kind::Warm => 2,
            Kind::Stream => 3,
        };
        [kind, u64::from(self.pause), self.first, self.rounds]
    }

    /// The assignment in `words`, or nothing if they are none.
    pub fn decode(words: [u64; 4]) -> Option<Assignment> {
        let kind = match words[0] {
            1 => Kind::Walking,
            2 => Kind::Warm,
            3 => Kind::Stream,
            _ => return None,
        };
        let pause = match words[1] {
            0 => false,
            1 => true,
            _ => return None,
        };
        let [_, _, first, rounds] = words;
        first.checked_add(rounds)?;
        Some(Assignment {
            kind,
            pause,
            first,
            rounds,
        })
    }
}

/// Hands out assignments with numbers that never repeat; owned by the driving side.
#[derive(Debug)]
pub struct Assignments {
    next_walk: u64,
    next_stream: u64,
}

impl Assignments {
    /// For memory that is still all zero.
    pub fn new() -> Assignments {
        Assignments {
            next_walk: 1,
            next_stream: 0,
        }
    }

    /// The next measurement of `kind`, of the usual length.
    pub fn next(&mut self, kind: Kind, pause: bool) -> Assignment {
        let (next, rounds) = match kind {
            Kind::Walking | Kind::Warm => (&mut self.next_walk, WALK_LINES + TIMED_ROUNDS),
            Kind::Stream => (&mut self.next_stream, STREAM_LINES * (1 + TIMED_LAPS)),
        };
        let assignment = Assignment {
            kind,
            pause,
            first: *next,
            rounds: rounds as u64,
        };
        *next += assignment.rounds;
        assignment
    }
}

impl Assignments {
    /// Two round trips, to be driven one by one: between them the responder is held.
    pub fn hold(&mut self) -> [Assignment; 3] {
        let whole = Assignment {
            kind: Kind::Walking,
            pause: true,
            first: self.next_walk,
            rounds: 2,
        };
        self.next_walk += 2;
        let one = |first| Assignment {
            first,
            rounds: 1,
            ..whole
        };
        [whole, one(whole.first), one(whole.first + 1)]
    }
}

/// The driving side: adds one sample for each timed round trip, or one for all timed lines of a
/// stream.
///
/// # Errors
///
/// [`FloorError::Stalled`] if the responder makes no progress for three seconds,
/// [`FloorError::Torn`] if a stream arrived changed.
pub fn drive(
    lines: &Lines,
    assignment: &Assignment,
    clock: &Clock,
    samples: &mut Samples,
) -> Result<(), FloorError> {
    match (assignment.kind, assignment.pause) {
        (Kind::Walking, false) => drive_walk::<false, 0>(lines, assignment, clock, samples),
        (Kind::Walking, true) => drive_walk::<false, 1>(lines, assignment, clock, samples),
        (Kind::Warm, false) => drive_walk::<true, 0>(lines, assignment, clock, samples),
        (Kind::Warm, true) => drive_walk::<true, 1>(lines, assignment, clock, samples),
        (Kind::Stream, false) => stream_floor::write::<0>(lines, assignment, clock, samples),
        (Kind::Stream, true) => stream_floor::write::<1>(lines, assignment, clock, samples),
    }
}

/// The responding side of the same assignment.
///
/// # Errors
///
/// [`FloorError::Stalled`] if the driver makes no progress for three seconds.
pub fn respond(lines: &Lines, assignment: &Assignment) -> Result<(), FloorError> {
    match (assignment.kind, assignment.pause) {
        (Kind::Walking, false) => respond_walk::<false, 0>(lines, assignment),
        (Kind::Walking, true) => respond_walk::<false, 1>(lines, assignment),
        (Kind::Warm, false) => respond_walk::<true, 0>(lines, assignment),
        (Kind::Warm, true) => respond_walk::<true, 1>(lines, assignment),
        (Kind::Stream, false) => stream_floor::read::<0>(lines, assignment),
        (Kind::Stream, true) => stream_floor::read::<BACK_OFF>(lines, assignment),
    }
}

fn drive_walk<const WARM: bool, const PAUSES: u32>(
    lines: &Lines,
    assignment: &Assignment,
    clock: &Clock,
    samples: &mut Samples,
) -> Result<(), FloorError> {
    let timed_from = assignment.first + WALK_LINES as u64;
    let mut last = clock.ticks();
    for number in assignment.first..assignment.first + assignment.rounds {
        hop::<WARM>(&lines.requests, number);
        wait::<PAUSES>(word(&lines.replies, number), number)?;
        let now = clock.ticks();
        if number >= timed_from {
            samples.push(now - last);
        }
        last = now;
    }
    Ok(())
}

fn respond_walk<const WARM: bool, const PAUSES: u32>(
    lines: &Lines,
    assignment: &Assignment,
) -> Result<(), FloorError> {
    for number in assignment.first..assignment.first + assignment.rounds {
        wait::<PAUSES>(word(&lines.requests, number), number)?;
        hop::<WARM>(&lines.replies, number);
    }
    Ok(())
}

fn word(lines: &[Line; WALK_LINES], number: u64) -> &AtomicU64 {
    &lines[number as usize % WALK_LINES].0[0]
}

/// Sends a number to the other side; warm, it then takes the next line before it is needed.
#[inline(always)]
fn hop<const WARM: bool>(lines: &[Line; WALK_LINES], number: u64) {
    // Release: partner of the acquire load in `wait`.
    word(lines, number).store(number, Ordering::Release);
    if WARM {
        // Relaxed: no number is 0, so this store says nothing to anybody.
        word(lines, number + 1).store(0, Ordering::Relaxed);
    }
}

/// Spins until `word` is `value`, with so many `PAUSE` instructions between two looks.
#[inline(always)]
pub fn wait<const PAUSES: u32>(word: &AtomicU64, value: u64) -> Result<(), FloorError> {
    wait_until::<PAUSES>(word, |found| found == value)
}

/// Spins until what is found in `word` is `enough`, with so many `PAUSE` between two looks.
#[inline(always)]
pub fn wait_until<const PAUSES: u32>(
    word: &AtomicU64,
    enough: impl Fn(u64) -> bool,
) -> Result<(), FloorError> {
    let mut patience = Patience(None);
    loop {
        for _ in 0..LOOKS {
            // Acquire: partner of the release store in `hop`, or of those in the stream floor.
            if enough(word.load(Ordering::Acquire)) {
                return Ok(());
            }
            for _ in 0..PAUSES {
                std::hint::spin_loop();
            }
        }
        patience.check()?;
    }
}

/// Notices that nothing has happened for [`PATIENCE`], and reads no clock before the first check.
struct Patience(Option<Instant>);

impl Patience {
    #[cold]
    fn check(&mut self) -> Result<(), FloorError> {
        let since = *self.0.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            Ok(())
        } else {
            Err(FloorError::Stalled)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines in private memory; the two halves run as threads.
    fn lines() -> Box<Lines> {
        let layout = std::alloc::Layout::new::<Lines>();
        // SAFETY: the layout is not of size zero; all-zero bytes are a valid `Lines`, which is
        // made of integers; the box frees it with the same layout.
        unsafe {
            let memory = std::alloc::alloc_zeroed(layout).cast::<Lines>();
            assert!(!memory.is_null());
            Box::from_raw(memory)
        }
    }

    #[test]
    fn every_kind_of_floor_completes_twice_on_the_same_memory() {
        let (lines, clock) = (lines(), Clock::monotonic());
        let mut assignments = Assignments::new();
        let mut samples = Samples::with_capacity(TIMED_ROUNDS);
        for kind in [
            Kind::Walking,
            Kind::Warm,
            Kind::Stream,
            Kind::Walking,
            Kind::Stream,
        ] {
            for pause in [true, false] {
                let assignment = assignments.next(kind, pause);
                samples.clear();
                std::thread::scope(|scope| {
                    let responder = scope.spawn(|| respond(&lines, &assignment));
                    drive(&lines, &assignment, &clock, &mut samples).unwrap();
                    responder.join().unwrap().unwrap();
                });
                assert!(samples.reading(&clock).unwrap().p50_ns > 0.0);
            }
        }
    }

    #[test]
    fn assignments_survive_their_encoding_and_nonsense_is_refused() {
        let mut assignments = Assignments::new();
        for kind in [Kind::Walking, Kind::Warm, Kind::Stream] {
            let assignment = assignments.next(kind, kind == Kind::Warm);
            assert_eq!(Assignment::decode(assignment.encode()), Some(assignment));
        }
        for words in [
            [0, 0, 1, 1],
            [4, 0, 1, 1],
            [1, 2, 1, 1],
            [1, 0, u64::MAX, 1],
        ] {
            assert_eq!(Assignment::decode(words), None);
        }
    }

    #[test]
    fn numbers_of_later_assignments_are_above_all_earlier_ones() {
        let mut assignments = Assignments::new();
        let first = assignments.next(Kind::Walking, true);
        let second = assignments.next(Kind::Warm, true);
        assert_eq!(second.first, first.first + first.rounds);
        assert_eq!(assignments.next(Kind::Stream, true).first, 0);
    }
}
