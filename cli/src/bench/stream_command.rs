//! `ironhoard bench stream`: what one message costs when many are under way.
//!
//! ```text
//!   floor ── batch ── floor ── one by one ── floor ── full window ── floor ── batch …
//! ```
//!
//! * **batch**: one way through a ring, 16 records made visible at a time;
//! * **oneway**: the same, each record committed by itself;
//! * **roundtrip**: requests and replies over a lane whose window is kept full. The window is half of
//!   what the request ring holds: with all of it, both rings together no longer fit into the
//!   second-level cache beside a core, and the host waits for room that is given back by the eighth.
//!
//! Each is divided by the whole-line stream floor of its neighbouring slices. Which class of floor a
//! slice belongs to is said by the walking floor of the same moment. The stream floor moves within
//! milliseconds, so slices are short.

use std::sync::Arc;

use ironhoard::host::{HostError, HostOptions};
use ironhoard::ring::MemoryProducer;
use serde::Serialize;

use crate::args::StreamArguments;
use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, nanoseconds, Report};

use super::attached::{send, Attached, BenchError, Setup, Started};
use super::engine::{ECHO, STREAM};
use super::memory::FloorMemory;
use super::stream::{self, expected_sum, word_value, Commit, RING_BYTES};
use super::stream_floor::BACK_OFF;
use super::turns::{Moment, Turns, TurnsClass, TurnsSummary};

/// Laps of the ring that are timed in one slice.
pub const TIMED_LAPS: u64 = 2;
/// Requests that are sent together.
const BURST: u64 = 64;

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct StreamResult {
    bench: &'static str,
    payload: usize,
    floor_ns_per_line: Option<f64>,
    batch_ns_per_message: Option<f64>,
    oneway_ns_per_message: Option<f64>,
    roundtrip_ns_per_message: Option<f64>,
    ratio_batch: Option<f64>,
    ratio_oneway: Option<f64>,
    ratio_roundtrip: Option<f64>,
    page_size: u64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    #[serde(flatten)]
    summary: TurnsSummary,
}

/// The kinds of work, in the order of their turns.
const BATCH: usize = 0;
const ONEWAY: usize = 1;
const ROUNDTRIP: usize = 2;
const NAMES: [&str; 3] = ["batch", "oneway", "roundtrip"];

/// The measuring side.
struct Bench<'m> {
    attached: Attached<'m>,
    ring: MemoryProducer,
    words: usize,
}

/// Runs `bench stream`.
pub fn run(arguments: &StreamArguments, report: &Report) -> Result<Ending, Failure> {
    let measuring = &arguments.measuring;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let ring = Arc::new(FloorMemory::create().map_err(BenchError::from)?);
    let started = Started::new(Setup {
        cores,
        wait: "busy",
        ring: Some(ring.fd()),
        bell: None,
    })?;
    let outcome = measure(&started, &ring, cores, arguments, report);
    let result = started.finish(outcome)?;
    report.show(&result, as_table)?;
    Ok(Ending::of_measurement(result.summary.too_busy))
}

fn measure(
    started: &Started,
    ring: &Arc<FloorMemory>,
    cores: CorePair,
    arguments: &StreamArguments,
    report: &Report,
) -> Result<StreamResult, BenchError> {
    let attached = started.attach(cores.host, HostOptions::default())?;
    let (page_size, clock) = (ring.page_bytes(), attached.clock.name());
    let mut bench = Bench {
        attached,
        ring: stream::producer(ring),
        words: arguments.payload / 8,
    };
    let wanted = arguments.measuring.slices as usize;
    let turns = Turns::collect(
        NAMES,
        &mut bench,
        wanted,
        report,
        Bench::floors,
        Bench::work,
    )?;
    bench.attached.end()?;
    let ([ratio_batch, ratio_oneway, ratio_roundtrip], summary) = turns.summarise();
    Ok(StreamResult {
        bench: "stream",
        payload: arguments.payload,
        floor_ns_per_line: turns.floor_ns(),
        batch_ns_per_message: turns.work_ns(BATCH),
        oneway_ns_per_message: turns.work_ns(ONEWAY),
        roundtrip_ns_per_message: turns.work_ns(ROUNDTRIP),
        ratio_batch,
        ratio_oneway,
        ratio_roundtrip,
        page_size,
        engine_core: cores.engine,
        host_core: cores.host,
        clock,
        summary,
    })
}

impl Bench<'_> {
    fn floors(&mut self) -> Result<Moment, BenchError> {
        self.attached.stream_moment()
    }

    fn work(&mut self, kind: usize) -> Result<f64, BenchError> {
        match kind {
            BATCH => self.one_way(Commit::Batched),
            ONEWAY => self.one_way(Commit::Single),
            _ => self.round_trips(),
        }
    }

    /// Records of one lap of a ring.
    fn lap(&self) -> u64 {
        RING_BYTES / ironhoard::layout::record_bytes(8 * self.words as u32)
    }

    /// Nanoseconds a record, one way.
    fn one_way(&mut self, commit: Commit) -> Result<f64, BenchError> {
        let (warm_up, timed) = (self.lap(), TIMED_LAPS * self.lap());
        let first = self.ring.cursor().number;
        let (words, clock) = (self.words, self.attached.clock);
        send(
            &mut self.attached.lane,
            STREAM,
            &[words as u64, warm_up + timed],
        )?;
        let ticks = stream::produce(&mut self.ring, commit, words, (warm_up, timed), &clock)?;
        let found = self.attached.take_word()?;
        let expected = expected_sum(first, warm_up + timed, words);
        check("the sum of a stream's words", expected, found)?;
        Ok(clock.ns(ticks) / timed as f64)
    }

    /// Nanoseconds a request and its reply, with a full window.
    fn round_trips(&mut self) -> Result<f64, BenchError> {
        let (warm_up, timed) = (self.lap(), TIMED_LAPS * self.lap());
        self.full_window(warm_up)?;
        let clock = self.attached.clock;
        let start = clock.ticks();
        self.full_window(timed)?;
        Ok(clock.ns(clock.ticks() - start) / timed as f64)
    }

    fn full_window(&mut self, count: u64) -> Result<(), BenchError> {
        match self.words {
            // The usual payload as a constant, as in a program whose messages have one size.
            6 => self.full_window_of(6, count),
            words => self.full_window_of(words, count),
        }
    }

    /// Sends `count` requests in bursts, never more under way than the window, and takes all replies.
    #[inline(always)]
    fn full_window_of(&mut self, words: usize, count: u64) -> Result<(), BenchError> {
        let window = BURST.max(self.lap() / 2);
        let (mut sent, mut taken, mut sum) = (0, 0, 0u64);
        while taken < count {
            while sent < count && sent - taken + BURST <= window {
                match send_burst(&mut self.attached, words, sent, BURST.min(count - sent))? {
                    0 => break,
                    some => sent += some,
                }
            }
            let before = taken;
            let mut replies = self.attached.lane.poll(4 * BURST as usize)?;
            while let Some(reply) = replies.next().map_err(HostError::from)? {
                let payload = reply.payload();
                for index in 0..words {
                    sum = sum.wrapping_add(payload.u64_at(8 * index).unwrap_or(0));
                }
                taken += 1;
            }
            drop(replies);
            if taken - before < BURST {
                back_off(); // it has caught up with the engine
            }
        }
        let expected = expected_sum(0, count, words);
        check("the sum of the replies' words", expected, sum)
    }
}

/// Leaves the lines that are being written alone for a moment, as the reader of the floor does.
#[inline(always)]
fn back_off() {
    for _ in 0..BACK_OFF {
        std::hint::spin_loop();
    }
}

/// Up to `count` requests in one batch; gives how many there was room for.
#[inline(always)]
fn send_burst(
    attached: &mut Attached<'_>,
    words: usize,
    first: u64,
    count: u64,
) -> Result<u64, BenchError> {
    let mut batch = attached.lane.batch()?;
    for number in first..first + count {
        match batch.claim(8 * words) {
            Ok(mut claim) => {
                for index in 0..words {
                    claim.put_u64(index, word_value(number, index));
                }
                claim.commit(ECHO);
            }
            Err(HostError::Full) => return Ok(number - first),
            Err(error) => return Err(error.into()),
        }
    }
    batch.publish();
    Ok(count)
}

/// An error where what was found is not what it must be.
pub fn check(what: &'static str, expected: u64, found: u64) -> Result<(), BenchError> {
    if expected == found {
        Ok(())
    } else {
        Err(BenchError::Wrong {
            what,
            expected,
            found,
        })
    }
}

fn as_table(result: &StreamResult) -> String {
    let mut figures = report::table(&["", "each message", "ratio"]);
    let mut row = |name: &str, ns, ratio: Option<f64>| {
        figures.add_row([name.to_owned(), nanoseconds(ns), report::ratio(ratio)]);
    };
    row("whole-line stream floor", result.floor_ns_per_line, None);
    row(
        "one way, batches of 16",
        result.batch_ns_per_message,
        result.ratio_batch,
    );
    row(
        "one way, one by one",
        result.oneway_ns_per_message,
        result.ratio_oneway,
    );
    row(
        "request and reply, full window",
        result.roundtrip_ns_per_message,
        result.ratio_roundtrip,
    );
    let mut distances = report::table(&[
        "distance",
        "slices",
        "walking",
        "batch",
        "one by one",
        "full window",
    ]);
    for class in &result.summary.floors {
        distances.add_row([
            class.class.to_owned(),
            class.slices.to_string(),
            nanoseconds(class.floor_ns),
            ratio(class, BATCH),
            ratio(class, ONEWAY),
            ratio(class, ROUNDTRIP),
        ]);
    }
    format!(
        "{figures}\n\n{distances}\n\n{} bytes of payload; engine on core {}, host on core {}, pages of {}, \
         clock {}; {} slices kept, {} dropped{}",
        result.payload,
        result.engine_core,
        result.host_core,
        report::page_size(result.page_size),
        result.clock,
        result.summary.slices,
        result.summary.slices_dropped,
        report::note(result.summary.note.as_deref()),
    )
}

fn ratio(class: &TurnsClass, kind: usize) -> String {
    report::ratio(class.ratios[&format!("ratio_{}", NAMES[kind])])
}
