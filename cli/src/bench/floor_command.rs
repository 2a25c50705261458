//! `ironhoard bench floor`: the floors alone, with the distances between the cores that were met.
//!
//! ```text
//!   walking ── warm, stream ── walking ── warm, stream ── walking …
//! ```
//!
//! The warm floor takes the place of the work: its ratio to the walking floor says how much owning
//! the next line while waiting is worth on this machine.

use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::FloorArguments;
use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, draw_latency, nanoseconds, Curve, Level, Report, ReportError};

use super::clock::Clock;
use super::floor::Kind;
use super::meter::{BothSpins, Meter};
use super::pair::{FloorPair, PairError};
use super::samples::histogram;
use super::slices::{collect_steady, median, summarise, Reading, Slice, Summary};

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct FloorResult {
    bench: &'static str,
    /// Lower of both ways to spin, median over slices.
    floor_p50_ns: Option<f64>,
    floor_p99_ns: Option<f64>,
    floor_pause_p50_ns: Option<f64>,
    floor_pause_p99_ns: Option<f64>,
    floor_no_pause_p50_ns: Option<f64>,
    floor_no_pause_p99_ns: Option<f64>,
    warm_floor_p50_ns: Option<f64>,
    warm_floor_p99_ns: Option<f64>,
    floor_ns_per_line: Option<f64>,
    engine_core: usize,
    host_core: usize,
    page_size: u64,
    clock: &'static str,
    /// The clock's step; percentiles are read between two steps.
    clock_step_ns: f64,
    /// The stream floor by class of floor, in the order of `floors`.
    stream_floors: Vec<StreamFloor>,
    /// Warm floor divided by walking floor, by class of floor.
    #[serde(flatten)]
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct StreamFloor {
    class: &'static str,
    ns_per_line: f64,
}

/// What one slice measured.
struct Measured {
    walking: BothSpins,
    stream: Reading,
    slice: Slice,
}

/// The measuring side: the pair, its meter, and the round trips of each curve.
struct Bench<'p> {
    pair: &'p FloorPair,
    meter: Meter<'p>,
    curves: Curves,
}

/// Round trips of all slices.
struct Curves {
    walking_pause: Histogram<u64>,
    walking_no_pause: Histogram<u64>,
    warm: Histogram<u64>,
}

/// Runs `bench floor`.
pub fn run(arguments: &FloorArguments, report: &Report) -> Result<Ending, Failure> {
    let measuring = &arguments.measuring;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let clock = Clock::calibrate();
    let pair = FloorPair::start(cores)?;
    let page_size = pair.page_bytes();
    let mut bench = Bench::new(&pair, clock);
    let outcome = collect(&mut bench, measuring.slices as usize, report);
    let curves = bench.curves;
    let measured = pair.finish(outcome)?;
    let result = FloorResult::new(&measured, cores, page_size, &clock);
    report.show(&result, as_table)?;
    if let Some(path) = &arguments.picture {
        curves.draw(path, result.floor_p50_ns)?;
    }
    Ok(Ending::of_measurement(result.summary.too_busy))
}

/// Slices until `wanted` are steady, or three times as many were tried.
fn collect(
    bench: &mut Bench<'_>,
    wanted: usize,
    report: &Report,
) -> Result<Vec<Measured>, PairError> {
    collect_steady(
        bench,
        (wanted, "steady slices"),
        report,
        Bench::walking,
        Bench::warm_and_stream,
        |before, (warm, stream), after| {
            let slice = Slice::of_round_trips(before.floor(), warm, after.floor());
            let one = Measured {
                walking: *after,
                stream,
                slice,
            };
            (slice.is_steady(), one)
        },
    )
}

impl<'p> Bench<'p> {
    fn new(pair: &'p FloorPair, clock: Clock) -> Bench<'p> {
        Bench {
            pair,
            meter: Meter::new(pair.lines(), clock),
            curves: Curves {
                walking_pause: histogram(),
                walking_no_pause: histogram(),
                warm: histogram(),
            },
        }
    }

    fn measure(&mut self, kind: Kind, pause: bool) -> Result<Reading, PairError> {
        self.meter.measure(kind, pause, &mut |assignment| {
            self.pair.tell(assignment);
            Ok(())
        })
    }

    fn walking(&mut self) -> Result<BothSpins, PairError> {
        let pause = self.measure(Kind::Walking, true)?;
        self.meter.add_samples_to(&mut self.curves.walking_pause);
        let no_pause = self.measure(Kind::Walking, false)?;
        self.meter.add_samples_to(&mut self.curves.walking_no_pause);
        Ok(BothSpins { pause, no_pause })
    }

    fn warm_and_stream(&mut self) -> Result<(Reading, Reading), PairError> {
        let warm = self.measure(Kind::Warm, true)?;
        self.meter.add_samples_to(&mut self.curves.warm);
        let warm = warm.lower(self.measure(Kind::Warm, false)?);
        let stream = self.measure(Kind::Stream, true)?;
        Ok((warm, stream.lower(self.measure(Kind::Stream, false)?)))
    }
}

impl Curves {
    fn draw(&self, path: &Path, floor_ns: Option<f64>) -> Result<(), ReportError> {
        let curve = |name, latencies| Curve { name, latencies };
        let curves = [
            curve("walking, PAUSE", &self.walking_pause),
            curve("walking, no PAUSE", &self.walking_no_pause),
            curve("warm, PAUSE", &self.warm),
        ];
        let floor = floor_ns.map(|ns| Level {
            name: "walking floor, p50",
            ns,
        });
        let title = "Floor: one cache line there, one back";
        draw_latency(path, title, &curves, floor.as_slice())
    }
}

impl FloorResult {
    fn new(measured: &[Measured], cores: CorePair, page_size: u64, clock: &Clock) -> FloorResult {
        let steady = || measured.iter().filter(|one| one.slice.is_steady());
        let p50 = |pick: fn(&Measured) -> Reading| median(steady().map(|one| pick(one).p50_ns));
        let p99 =
            |pick: fn(&Measured) -> Reading| median(steady().filter_map(|one| pick(one).p99_ns));
        FloorResult {
            bench: "floor",
            floor_p50_ns: p50(|one| one.walking.floor()),
            floor_p99_ns: p99(|one| one.walking.floor()),
            floor_pause_p50_ns: p50(|one| one.walking.pause),
            floor_pause_p99_ns: p99(|one| one.walking.pause),
            floor_no_pause_p50_ns: p50(|one| one.walking.no_pause),
            floor_no_pause_p99_ns: p99(|one| one.walking.no_pause),
            warm_floor_p50_ns: p50(|one| one.slice.work),
            warm_floor_p99_ns: p99(|one| one.slice.work),
            floor_ns_per_line: p50(|one| one.stream),
            engine_core: cores.engine,
            host_core: cores.host,
            page_size,
            clock: clock.name(),
            clock_step_ns: clock.ns(clock.step_ticks()),
            stream_floors: stream_floors(measured),
            summary: summarise(&measured.iter().map(|one| one.slice).collect::<Vec<_>>()),
        }
    }
}

/// The stream floor by class: the stream stands in for the work of each slice.
fn stream_floors(measured: &[Measured]) -> Vec<StreamFloor> {
    let streams: Vec<Slice> = measured
        .iter()
        .map(|one| Slice {
            work: one.stream,
            ..one.slice
        })
        .collect();
    let classes = summarise(&streams).floors.into_iter();
    classes
        .map(|class| StreamFloor {
            class: class.class,
            ns_per_line: class.work_p50_ns,
        })
        .collect()
}

fn as_table(result: &FloorResult) -> String {
    let mut figures = report::table(&["floor", "p50", "p99"]);
    let mut row = |name: &str, p50, p99| {
        figures.add_row([name.to_owned(), nanoseconds(p50), nanoseconds(p99)]);
    };
    row(
        "walking, PAUSE",
        result.floor_pause_p50_ns,
        result.floor_pause_p99_ns,
    );
    row(
        "walking, no PAUSE",
        result.floor_no_pause_p50_ns,
        result.floor_no_pause_p99_ns,
    );
    row(
        "walking, the lower",
        result.floor_p50_ns,
        result.floor_p99_ns,
    );
    row(
        "warm, the lower",
        result.warm_floor_p50_ns,
        result.warm_floor_p99_ns,
    );
    row("stream, each line", result.floor_ns_per_line, None);
    let mut distances =
        report::table(&["distance", "slices", "walking", "warm / walking", "stream"]);
    for (class, stream) in result.summary.floors.iter().zip(&result.stream_floors) {
        distances.add_row([
            class.class.to_owned(),
            class.slices.to_string(),
            nanoseconds(class.floor_ns),
            report::ratio(class.ratio_p50),
            nanoseconds(stream.ns_per_line),
        ]);
    }
    let summary = &result.summary;
    format!(
        "{figures}\n\n{distances}\n\nengine on core {}, host on core {}, pages of {}, clock {} in steps of {}; \
         {} slices kept, {} dropped{}",
        result.engine_core,
        result.host_core,
        report::page_size(result.page_size),
        result.clock,
        nanoseconds(result.clock_step_ns),
        summary.slices,
        summary.slices_dropped,
        report::note(summary.note.as_deref()),
    )
}
