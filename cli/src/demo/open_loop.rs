//! The open loop: sends each move when it is due, takes what has come back, and never waits for either.
//!
//! ```text
//!  due    |----|----|----|----|----|----|----|      one move each 1 / rate seconds
//!  sent   |----|-----------|||-|----|----|----      late ones at once, in order
//!  latency of a move: from its `due` to the moment its answer was taken
//! ```
//!
//! With `--rate max` there are no due times: a move is due when it is sent. The ring is then full all
//! the time and latencies are those of a queue; the throughput is what such a run is for.
//!
//! Nothing in the loop allocates or makes a system call. Answers are compared while the next moves
//! wait: 4 words each, well below the time of a cache miss.

use ironhoard::host::{HostError, Lane};
use ironhoard::ring::{MemoryWords, Record};
use ironhoard_hunt::record::{Code, KIND_MOVE, MOVE_BYTES, REPLY_BYTES};

use crate::bench::clock::Clock;

use super::load::{Answer, Load, REPLY_WORDS};

/// The most moves sent, and answers taken, before it is the other's turn.
const BURST: usize = 64;
/// Answers are given up when none came for this long.
const PATIENCE_NS: f64 = 5e9;
/// Between two reports of progress.
const PROGRESS_NS: f64 = 2e8;

/// How a host goes about it.
pub struct Course {
    /// The clock of all times here.
    pub clock: Clock,
    /// Nanoseconds between two moves; nothing: as fast as the engine takes them.
    pub interval_ns: Option<f64>,
    /// Give the core up while there is nothing to do.
    pub gives_way: bool,
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Flown {
    /// Moves sent.
    pub sent: usize,
    /// Answers that came.
    pub answered: usize,
    /// Answers that were wrong.
    pub wrong: usize,
    /// The first of these: its place in the load, and what came.
    pub first_wrong: Option<(usize, String)>,
    /// Answers by status; whatever the game does not know is counted last.
    pub statuses: [u64; STATUSES],
    /// Right answers to repeats.
    pub repeated: u64,
    /// Ticks from due (or sent) to answered, in the order of the moves.
    pub latencies: Vec<u64>,
    /// Ticks from the first due time to the last move sent.
    pub sending_ticks: u64,
    /// Ticks from the first due time to the last answer.
    pub answering_ticks: u64,
    /// Why it ended early.
    pub trouble: Option<String>,
}

/// One place for each code of the game, one for all others.
pub const STATUSES: usize = Code::ALL.len() + 1;

/// Flies `load` through `lane`; `progress` is told the moves sent, a few times a second.
pub fn fly(
    lane: &mut Lane,
    load: &Load,
    course: &Course,
    progress: &mut dyn FnMut(usize),
) -> Flown {
    let mut flight = Flight::new(lane, load, course);
    if let Err(error) = flight.run(progress) {
        flight.flown.trouble = Some(error.to_string());
    }
    flight.flown
}

struct Flight<'f> {
    lane: &'f mut Lane,
    load: &'f Load,
    course: &'f Course,
    /// When move 0 is due, in ticks.
    start: u64,
    interval_ticks: f64,
    /// Request number of move 0.
    first_number: u64,
    /// When each move was sent; only where no due times are kept.
    sent_at: Vec<u64>,
    flown: Flown,
}

/// Room for so many numbers on pages that are there: else each page would be asked for while the clock runs.
pub fn touched(count: usize) -> Vec<u64> {
    let mut numbers = vec![u64::MAX; count];
    numbers.clear();
    numbers
}

impl<'f> Flight<'f> {
    fn new(lane: &'f mut Lane, load: &'f Load, course: &'f Course) -> Flight<'f> {
        let count = load.moves.len();
        let kept = if course.interval_ns.is_none() {
            count
        } else {
            0
        };
        Flight {
            lane,
            load,
            course,
            start: course.clock.ticks(),
            interval_ticks: course.interval_ns.unwrap_or(0.0) / course.clock.ns(1),
            first_number: 0,
            sent_at: touched(kept),
            flown: Flown {
                latencies: touched(count),
                ..Flown::default()
            },
        }
    }

    fn run(&mut self, progress: &mut dyn FnMut(usize)) -> Result<(), HostError> {
        let clock = self.course.clock;
        self.start = clock.ticks();
        let (mut last_news, mut last_progress) = (self.start, self.start);
        while self.flown.answered < self.load.moves.len() {
            let now = clock.ticks();
            let moved = self.send_due(now)? + self.take_answers()?;
            if clock.ns(now - last_progress) > PROGRESS_NS {
                progress(self.flown.sent);
                last_progress = now;
            }
            if moved > 0 {
                last_news = now;
            } else if self.flown.answered < self.flown.sent
                && clock.ns(now - last_news) > PATIENCE_NS
            {
                self.flown.trouble = Some("no answer came for five seconds".to_owned());
                break;
            } else {
                self.idle();
            }
        }
        Ok(())
    }

    fn idle(&self) {
        if self.course.gives_way {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }

    /// When a move is due, in ticks.
    #[inline]
    fn due(&self, index: usize) -> u64 {
        self.start + (index as f64 * self.interval_ticks) as u64
    }

    #[inline]
    fn send_due(&mut self, now: u64) -> Result<usize, HostError> {
        let first = self.flown.sent;
        let end = self.load.moves.len().min(first + BURST);
        while self.flown.sent < end && self.due(self.flown.sent) <= now {
            let mut claim = match self.lane.claim(MOVE_BYTES) {
                Ok(claim) => claim,
                Err(HostError::Full) => break,
                Err(error) => return Err(error),
            };
            for (index, word) in self.load.moves[self.flown.sent].iter().enumerate() {
                claim.put_u64(index, *word);
            }
            let number = claim.commit(KIND_MOVE);
            if self.flown.sent == 0 {
                self.first_number = number;
            }
            if self.course.interval_ns.is_none() {
                self.sent_at.push(now);
            }
            self.flown.sent += 1;
        }
        let sent = self.flown.sent - first;
        if sent > 0 {
            self.flown.sending_ticks = now - self.start;
        }
        Ok(sent)
    }

    #[inline]
    fn take_answers(&mut self) -> Result<usize, HostError> {
        let first = self.flown.answered;
        let mut now = 0;
        let mut replies = self.lane.poll(BURST)?;
        while let Some(reply) = replies.next()? {
            now = self.course.clock.ticks();
            let index = self.flown.answered;
            let due = match self.sent_at.get(index) {
                Some(sent_at) => *sent_at,
                None => self.start + (index as f64 * self.interval_ticks) as u64,
            };
            self.flown.latencies.push(now.saturating_sub(due));
            let got = Got::new(&reply, self.first_number);
            self.flown.judge(index, &got, self.load.answers.get(index));
        }
        if now > 0 {
            self.flown.answering_ticks = now - self.start;
        }
        Ok(self.flown.answered - first)
    }
}

/// A reply as it came.
#[derive(Debug)]
pub struct Got {
    /// Its number, counted from that of the load's first move.
    pub number: u64,
    /// Its status.
    pub status: u16,
    /// Bytes of its payload.
    pub len: usize,
    /// The first of these.
    pub words: [u64; REPLY_WORDS],
}

impl Flown {
    /// Counts an answer, and whether it is right.
    #[inline]
    pub fn judge(&mut self, index: usize, got: &Got, right: Option<&Answer>) {
        self.answered += 1;
        let place = usize::from(got.status).min(STATUSES - 1);
        self.statuses[place] += 1;
        match right {
            Some(right) if got.is(index, right) => self.repeated += u64::from(right.is_repeat),
            _ => self.note_wrong(index, got, right),
        }
    }

    #[cold]
    fn note_wrong(&mut self, index: usize, got: &Got, right: Option<&Answer>) {
        self.wrong += 1;
        if self.first_wrong.is_none() {
            self.first_wrong = Some((index, format!("{got:x?} came, {right:x?} is right")));
        }
    }
}

impl Got {
    /// Takes a reply out of its ring; the lane's first move had request number `first_number`.
    #[inline]
    pub fn new(reply: &Record<'_, MemoryWords>, first_number: u64) -> Got {
        let payload = reply.payload();
        Got {
            number: reply.number().wrapping_sub(first_number),
            status: reply.kind(),
            len: payload.len(),
            words: std::array::from_fn(|word| payload.u64_at(8 * word).unwrap_or(0)),
        }
    }

    #[inline]
    fn is(&self, index: usize, right: &Answer) -> bool {
        let payload_is_right = match &right.words {
            Some(words) => self.len == REPLY_BYTES && self.words == *words,
            None => self.len == 0,
        };
        self.number == index as u64 && self.status == right.status && payload_is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Answer = Answer {
        words: Some([1, 2, 3, 4]),
        status: 6,
        is_repeat: true,
    };

    fn got() -> Got {
        Got {
            number: 5,
            status: 6,
            len: REPLY_BYTES,
            words: [1, 2, 3, 4],
        }
    }

    #[test]
    fn an_answer_is_right_in_number_status_and_every_byte_or_wrong() {
        let mut flown = Flown::default();
        flown.judge(5, &got(), Some(&RIGHT));
        assert_eq!((flown.answered, flown.wrong, flown.repeated), (1, 0, 1));
        let mutants: [fn(&mut Got); 4] = [
            |got| got.number = 6,
            |got| got.status = 0,
            |got| got.len = 0,
            |got| got.words[3] ^= 1 << 63,
        ];
        for mutate in mutants {
            let mut wrong = got();
            mutate(&mut wrong);
            flown.judge(5, &wrong, Some(&RIGHT));
        }
        flown.judge(5, &got(), None);
        assert_eq!((flown.answered, flown.wrong, flown.repeated), (6, 5, 1));
        assert_eq!(flown.first_wrong.unwrap().0, 5);
    }

    #[test]
    fn statuses_that_the_game_does_not_know_are_counted_last() {
        let mut flown = Flown::default();
        let strange = Got {
            status: 0xff01,
            ..got()
        };
        flown.judge(0, &strange, Some(&RIGHT));
        assert_eq!(flown.statuses[STATUSES - 1], 1);
        assert_eq!(flown.wrong, 1);
    }
}
