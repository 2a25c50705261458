//! `ironhoard bench stream`: what one message costs when many are under way.
//!
//! ```text
//!   floor ── batch ── floor ── one by one ── floor ── full window ── floor ── batch …
//! ```
//!
//! * **batch**: one way through a ring, 16 records made visible at a time;
//! * **oneway**: the same, each record committed by itself;
//! * **roundtrip**: requests and replies over a lane whose window is kept full.
//!
//! Each is divided by the whole-line stream floor of its neighbouring slices. Which class of floor a
//! slice belongs to is said by the walking floor of the same moment. The stream floor moves within
//! milliseconds, so slices are short.

use std::ops::ControlFlow;
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
use super::floor::Kind;
use super::memory::FloorMemory;
use super::slices::{alternate, median, summarise, Reading, Slice, Summary, TRIES};
use super::stream::{self, expected_sum, word_value, Commit, RING_BYTES};

/// Laps of the ring that are timed in one slice.
const TIMED_LAPS: u64 = 2;
/// Requests sent before replies are looked for.
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
    /// Kept slices of all three kinds of work.
    slices: usize,
    slices_dropped: usize,
    too_busy: bool,
    floors: Vec<StreamClass>,
    page_size: u64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What was found at one class of floor.
#[derive(Debug, Serialize)]
struct StreamClass {
    class: &'static str,
    /// Walking floor.
    floor_ns: f64,
    /// Kept slices of the kind of work that has fewest.
    slices: usize,
    counts: bool,
    has_bar: bool,
    ratio_batch: Option<f64>,
    ratio_oneway: Option<f64>,
    ratio_roundtrip: Option<f64>,
}

/// What is compared with the floor, in the order of the slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Batch,
    Oneway,
    Roundtrip,
}

const WORKS: [Work; 3] = [Work::Batch, Work::Oneway, Work::Roundtrip];

/// The floors of one moment.
#[derive(Clone, Copy)]
struct Floors {
    walking: Reading,
    stream: Reading,
}

/// The measuring side.
struct Bench<'m> {
    attached: Attached<'m>,
    ring: MemoryProducer,
    words: usize,
    turn: usize,
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
    })?;
    let outcome = measure(&started, &ring, cores, arguments, report);
    let result = started.finish(outcome)?;
    report.show(&result, as_table)?;
    Ok(if result.too_busy {
        Ending::TooBusy
    } else {
        Ending::Done
    })
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
        turn: 0,
    };
    let measured = collect(&mut bench, arguments.measuring.slices as usize, report)?;
    bench.attached.end()?;
    Ok(StreamResult {
        payload: arguments.payload,
        page_size,
        engine_core: cores.engine,
        host_core: cores.host,
        clock,
        ..StreamResult::new(&measured)
    })
}

/// Slices until each work has `wanted` steady ones, or three times as many were tried.
fn collect(
    bench: &mut Bench<'_>,
    wanted: usize,
    report: &Report,
) -> Result<Vec<(Work, Slice)>, BenchError> {
    let progress = report.progress(wanted as u64, "steady slices of each kind");
    let mut measured = Vec::new();
    let mut steady = [0; WORKS.len()];
    alternate(
        bench,
        Bench::floors,
        Bench::work,
        |before, (work, done), after| {
            let slice = Slice {
                before: before.stream,
                work: done,
                after: after.stream,
                distance_ns: before.walking.mean(after.walking).p50_ns,
            };
            steady[work as usize] += usize::from(slice.is_steady());
            measured.push((work, slice));
            let fewest = *steady.iter().min().expect("three kinds");
            progress.set(fewest as u64);
            if fewest >= wanted || measured.len() >= TRIES * WORKS.len() * wanted {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )?;
    Ok(measured)
}

impl Bench<'_> {
    fn floors(&mut self) -> Result<Floors, BenchError> {
        let walking = self.attached.floor(Kind::Walking, true)?;
        let stream = self.attached.floor(Kind::Stream, true)?;
        let no_pause = self.attached.floor(Kind::Stream, false)?;
        Ok(Floors {
            walking,
            stream: stream.lower(no_pause),
        })
    }

    fn work(&mut self) -> Result<(Work, Reading), BenchError> {
        let work = WORKS[self.turn % WORKS.len()];
        self.turn += 1;
        let p50_ns = match work {
            Work::Batch => self.one_way(Commit::Batched)?,
            Work::Oneway => self.one_way(Commit::Single)?,
            Work::Roundtrip => self.round_trips()?,
        };
        Ok((
            work,
            Reading {
                p50_ns,
                p99_ns: None,
            },
        ))
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

    /// Sends `count` requests, as many at a time as there is room for, and takes all replies.
    fn full_window(&mut self, count: u64) -> Result<(), BenchError> {
        let words = self.words;
        let (mut sent, mut taken, mut sum) = (0, 0, 0u64);
        while taken < count {
            while sent < count {
                match send_burst(&mut self.attached, words, sent, BURST.min(count - sent))? {
                    0 => break,
                    some => sent += some,
                }
            }
            let mut replies = self.attached.lane.poll(usize::MAX)?;
            while let Some(reply) = replies.next().map_err(HostError::from)? {
                let payload = reply.payload();
                for index in 0..words {
                    sum = sum.wrapping_add(payload.u64_at(8 * index).unwrap_or(0));
                }
                taken += 1;
            }
        }
        let expected = expected_sum(0, count, words);
        check("the sum of the replies' words", expected, sum)
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

fn check(what: &'static str, expected: u64, found: u64) -> Result<(), BenchError> {
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

impl StreamResult {
    /// The figures of all slices; what is not measured is filled in by the caller.
    fn new(measured: &[(Work, Slice)]) -> StreamResult {
        let [batch, oneway, roundtrip] = WORKS.map(|work| of_work(measured, work));
        let summaries = [&batch, &oneway, &roundtrip].map(|slices| summarise(slices));
        let per_message = |slices: &[Slice]| median(steady(slices).map(|slice| slice.work.p50_ns));
        let all = measured.iter().filter(|(_, slice)| slice.is_steady());
        let [ratio_batch, ratio_oneway, ratio_roundtrip] =
            summaries.each_ref().map(|summary| summary.ratio_p50);
        StreamResult {
            bench: "stream",
            payload: 0,
            floor_ns_per_line: median(all.map(|(_, slice)| slice.before.mean(slice.after).p50_ns)),
            batch_ns_per_message: per_message(&batch),
            oneway_ns_per_message: per_message(&oneway),
            roundtrip_ns_per_message: per_message(&roundtrip),
            ratio_batch,
            ratio_oneway,
            ratio_roundtrip,
            slices: summaries.iter().map(|summary| summary.slices).sum(),
            slices_dropped: summaries.iter().map(|summary| summary.slices_dropped).sum(),
            too_busy: summaries.iter().any(|summary| summary.too_busy),
            floors: classes(&summaries),
            page_size: 0,
            engine_core: 0,
            host_core: 0,
            clock: "",
            note: summaries.into_iter().find_map(|summary| summary.note),
        }
    }
}

fn of_work(measured: &[(Work, Slice)], work: Work) -> Vec<Slice> {
    let of_kind = measured.iter().filter(|(kind, _)| *kind == work);
    of_kind.map(|(_, slice)| *slice).collect()
}

fn steady(slices: &[Slice]) -> impl Iterator<Item = &Slice> {
    slices.iter().filter(|slice| slice.is_steady())
}

/// The classes which any of the three works met.
fn classes(summaries: &[Summary; 3]) -> Vec<StreamClass> {
    let mut met: Vec<&'static str> = Vec::new();
    for class in summaries.iter().flat_map(|summary| &summary.floors) {
        if !met.contains(&class.class) {
            met.push(class.class);
        }
    }
    met.into_iter()
        .map(|name| {
            let found = summaries.each_ref().map(|summary| {
                let mut classes = summary.floors.iter();
                classes.find(|class| class.class == name)
            });
            let [ratio_batch, ratio_oneway, ratio_roundtrip] =
                found.map(|class| class.map(|class| class.ratio_p50));
            let any = || found.iter().flatten();
            StreamClass {
                class: name,
                floor_ns: median(any().map(|class| class.floor_ns)).expect("met by one at least"),
                slices: found
                    .map(|class| class.map_or(0, |class| class.slices))
                    .into_iter()
                    .min()
                    .unwrap_or(0),
                counts: found
                    .iter()
                    .all(|class| class.is_some_and(|class| class.counts)),
                has_bar: any().all(|class| class.has_bar),
                ratio_batch,
                ratio_oneway,
                ratio_roundtrip,
            }
        })
        .collect()
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
    for class in &result.floors {
        distances.add_row([
            class.class.to_owned(),
            class.slices.to_string(),
            nanoseconds(class.floor_ns),
            report::ratio(class.ratio_batch),
            report::ratio(class.ratio_oneway),
            report::ratio(class.ratio_roundtrip),
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
        result.slices,
        result.slices_dropped,
        report::note(result.note.as_deref()),
    )
}
