//! Statistics for operators: what was answered, how full the budgets are, what each stage costs.
//!
//! ```text
//!   one play in 1024:   ├─ validation ─┼─ proximity ─┼─ board ─┼─ fan-out ─┤   five clock readings
//!   all others:         no clock is read
//! ```
//!
//! The reply to a statistics request is 64-bit words, little-endian, in the order of [`Statistics::NAMES`]:
//! new ones come at the end. Times depend on the machine, so these replies are no part of a replay.

use std::time::Instant;

use crate::record::Code;

/// One play in so many is timed.
pub const SAMPLE_EVERY: u32 = 1024;
/// Words of the reply.
pub const STATISTICS_WORDS: usize = 16 + 2 * STAGES + Code::ALL.len();
/// Bytes of the reply.
pub const STATISTICS_BYTES: usize = 8 * STATISTICS_WORDS;

/// Stages of a play.
const STAGES: usize = 4;

/// A stage of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Tag, sequence, street, speed.
    Validation = 0,
    /// Treasures and players near by.
    Proximity = 1,
    /// Score and rank.
    Board = 2,
    /// Events.
    FanOut = 3,
}

/// What an engine has counted; the fields are the words of the reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Requests of all kinds.
    pub requests: u64,
    /// Sessions now.
    pub sessions: u64,
    /// Sessions that there is room for.
    pub sessions_budget: u64,
    /// Sessions that ended because others wanted their places.
    pub sessions_evicted: u64,
    /// Treasures now.
    pub treasures: u64,
    /// Treasures that there is room for.
    pub treasures_budget: u64,
    /// Treasures that the index had no room for; while there are some, looking is a search.
    pub treasures_alone: u64,
    /// Treasures that were taken.
    pub claims: u64,
    /// Steps whose score found no room on the board.
    pub unranked: u64,
    /// Players on board 0.
    pub board_entries: u64,
    /// Players that there is room for on each board.
    pub board_budget: u64,
    /// Events that were published.
    pub events: u64,
    /// Events that found no room in their request's list.
    pub events_dropped: u64,
    /// Requests whose clock was behind that of an earlier one.
    pub clock_went_back: u64,
    /// Bytes that the game takes.
    pub bytes: u64,
    /// Plays that were timed.
    pub samples: u64,
    /// Nanoseconds of the timed plays, in each stage: all together, and the longest.
    pub stages: [StageCost; STAGES],
    /// Replies by code.
    pub codes: [u64; Code::ALL.len()],
}

/// What the timed plays spent in a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCost {
    /// Nanoseconds, all together.
    pub sum_ns: u64,
    /// The longest.
    pub longest_ns: u64,
}

impl Statistics {
    /// The names of the first words; after them come `sum` and `longest` of each stage, then a count for
    /// each code.
    pub const NAMES: [&'static str; 16] = [
        "requests",
        "sessions",
        "sessions_budget",
        "sessions_evicted",
        "treasures",
        "treasures_budget",
        "treasures_alone",
        "claims",
        "unranked",
        "board_entries",
        "board_budget",
        "events",
        "events_dropped",
        "clock_went_back",
        "bytes",
        "samples",
    ];
    /// The names of the stages.
    pub const STAGE_NAMES: [&'static str; STAGES] = ["validation", "proximity", "board", "fan_out"];

    fn words(&self) -> [u64; STATISTICS_WORDS] {
        let head = [
            self.requests,
            self.sessions,
            self.sessions_budget,
            self.sessions_evicted,
            self.treasures,
            self.treasures_budget,
            self.treasures_alone,
            self.claims,
            self.unranked,
            self.board_entries,
            self.board_budget,
            self.events,
            self.events_dropped,
            self.clock_went_back,
            self.bytes,
            self.samples,
        ];
        let stages = self
            .stages
            .iter()
            .flat_map(|stage| [stage.sum_ns, stage.longest_ns]);
        let mut words = head.into_iter().chain(stages).chain(self.codes);
        std::array::from_fn(|_| words.next().unwrap_or(0))
    }

    /// Writes the reply to where it is to lie.
    pub fn encode_into(&self, bytes: &mut [u8; STATISTICS_BYTES]) {
        for (word, room) in self.words().into_iter().zip(bytes.chunks_exact_mut(8)) {
            room.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// The statistics in these bytes; words that a newer engine adds are left out, and fewer than there
    /// should be are none.
    pub fn decode(bytes: &[u8]) -> Option<Statistics> {
        let mut words = bytes.chunks_exact(8).map(|word| {
            word.iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        });
        let mut next = || words.next();
        Some(Statistics {
            requests: next()?,
            sessions: next()?,
            sessions_budget: next()?,
            sessions_evicted: next()?,
            treasures: next()?,
            treasures_budget: next()?,
            treasures_alone: next()?,
            claims: next()?,
            unranked: next()?,
            board_entries: next()?,
            board_budget: next()?,
            events: next()?,
            events_dropped: next()?,
            clock_went_back: next()?,
            bytes: next()?,
            samples: next()?,
            stages: {
                let mut stages = [StageCost::default(); STAGES];
                for stage in &mut stages {
                    (stage.sum_ns, stage.longest_ns) = (next()?, next()?);
                }
                stages
            },
            codes: {
                let mut codes = [0; Code::ALL.len()];
                for code in &mut codes {
                    *code = next()?;
                }
                codes
            },
        })
    }
}

/// Times one play in [`SAMPLE_EVERY`].
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    count: u32,
    last: Option<Instant>,
    pub samples: u64,
    pub stages: [StageCost; STAGES],
}

impl Stopwatch {
    /// A play begins.
    #[inline]
    pub fn start(&mut self) {
        self.count = self.count.wrapping_add(1);
        self.last = None;
        if self.count % SAMPLE_EVERY == 0 {
            self.last = Some(Instant::now());
            self.samples += 1;
        }
    }

    /// A stage is over.
    #[inline]
    pub fn lap(&mut self, stage: Stage) {
        if let Some(last) = self.last {
            let now = Instant::now();
            let cost_ns = now.duration_since(last).as_nanos() as u64;
            let cost = &mut self.stages[stage as usize];
            cost.sum_ns += cost_ns;
            cost.longest_ns = cost.longest_ns.max(cost_ns);
            self.last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_in_its_place() {
        let mut bytes = [0; STATISTICS_BYTES];
        for (at, word) in bytes.chunks_exact_mut(8).enumerate() {
            word[0] = at as u8 + 1;
        }
        let statistics = Statistics::decode(&bytes).unwrap();
        assert_eq!((statistics.requests, statistics.samples), (1, 16));
        assert_eq!(
            (statistics.stages[0].sum_ns, statistics.codes[20]),
            (17, STATISTICS_WORDS as u64)
        );
        let mut again = [0; STATISTICS_BYTES];
        statistics.encode_into(&mut again);
        assert_eq!(again, bytes);
        assert_eq!(Statistics::decode(&bytes[8..]), None);
    }

    #[test]
    fn one_play_in_1024_is_timed() {
        let mut watch = Stopwatch::default();
        for _ in 0..3 * SAMPLE_EVERY {
            watch.start();
            watch.lap(Stage::Board);
        }
        assert_eq!(watch.samples, 3);
        assert!(watch.stages[2].longest_ns * 3 >= watch.stages[2].sum_ns);
    }
}
