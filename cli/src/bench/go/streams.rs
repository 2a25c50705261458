//! Streams: Go's producer beside the stream of whole lines.
//!
//! * **stream**: one way through a ring, in groups of 16 that are claimed at once;
//! * **single**: the same, each record committed by itself;
//! * **window**: requests and replies over a lane of a `Producer` whose window is kept full;
//! * **appended**: as the first, each record claimed and appended to its group by itself.
//!
//! As in `bench stream`, the ring of the one-way streams lies beside the lanes, because a lane answers each
//! request: the code that writes it is the one that a `Producer` writes its request ring with.

use crate::report::Report;

use super::super::attached::send;
use super::super::engine::STREAM;
use super::super::stream::{expected_sum, BATCH, RING_BYTES};
use super::super::stream_command::{check, TIMED_LAPS};
use super::super::turns::{Turns, TurnsSummary};
use super::turns::Pair;
use super::GoError;

/// The kinds of work, in the order of their turns.
const NAMES: [&str; KINDS] = ["stream", "single", "window", "appended"];
const KINDS: usize = 4;
const SINGLE: usize = 1;
const WINDOW: usize = 2;
const APPENDED: usize = 3;

/// What streams cost.
pub struct StreamFigures {
    /// A line of the whole-line stream.
    pub floor_ns: Option<f64>,
    /// A message of each kind.
    pub ns: [Option<f64>; KINDS],
    /// Each kind divided by the floor.
    pub ratios: [Option<f64>; KINDS],
    /// The classes of floor that were met.
    pub summary: TurnsSummary,
}

/// The measuring side: both hosts, and how many records the ring has carried.
struct Bench<'p, 'm> {
    pair: &'p mut Pair<'m>,
    words: usize,
    next: u64,
}

/// Slices until each kind has `wanted` steady ones, or three times as many were tried.
pub fn measure(
    pair: &mut Pair<'_>,
    wanted: usize,
    report: &Report,
) -> Result<StreamFigures, GoError> {
    let words = pair.payload / 8;
    let mut bench = Bench {
        pair,
        words,
        next: 1,
    };
    let turns = Turns::collect(
        NAMES,
        &mut bench,
        wanted,
        report,
        |bench| Ok(bench.pair.attached.stream_moment()?),
        Bench::work,
    )?;
    let (ratios, summary) = turns.summarise();
    Ok(StreamFigures {
        floor_ns: turns.floor_ns(),
        ns: [0, SINGLE, WINDOW, APPENDED].map(|kind| turns.work_ns(kind)),
        ratios,
        summary,
    })
}

impl Bench<'_, '_> {
    /// Nanoseconds a message.
    fn work(&mut self, kind: usize) -> Result<f64, GoError> {
        let lap = RING_BYTES / ironhoard::layout::record_bytes(8 * self.words as u32);
        let (warm_up, timed) = (lap, TIMED_LAPS * lap);
        let ticks = match kind {
            WINDOW => self.pair.go.window(self.words, (warm_up, timed))?,
            SINGLE => self.one_way(1, true, (warm_up, timed))?,
            kind => self.one_way(BATCH, kind == APPENDED, (warm_up, timed))?,
        };
        Ok(self.pair.attached.clock.ns(ticks) / timed as f64)
    }

    /// The engine takes the stream while the Go host writes it; its sum comes back to the Rust host.
    fn one_way(
        &mut self,
        group: u64,
        appends: bool,
        (warm_up, timed): (u64, u64),
    ) -> Result<u64, GoError> {
        let (words, count) = (self.words, warm_up + timed);
        let attached = &mut self.pair.attached;
        send(&mut attached.lane, STREAM, &[words as u64, count])?;
        let ticks = self
            .pair
            .go
            .stream(group, appends, words, (warm_up, timed))?;
        let found = self.pair.attached.take_word()?;
        let expected = expected_sum(self.next, count, words);
        check("the sum of a stream's words", expected, found)?;
        self.next += count;
        Ok(ticks)
    }
}
