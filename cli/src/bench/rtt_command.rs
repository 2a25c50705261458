//! `ironhoard bench rtt`: a request there, its reply back, through the whole stack.
//!
//! ```text
//!   walking ── warm, round trips ── walking ── warm, round trips ── walking …
//! ```
//!
//! Each round trip is one `Lane::call_with`: the request is written in place, the engine's handler
//! copies it into its reply, and every word of that is read and compared. As in the floor, the clock
//! is read once a round trip.

use std::path::Path;

use hdrhistogram::Histogram;
use ironhoard::host::HostOptions;
use serde::Serialize;

use crate::args::RttArguments;
use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, draw_latency, nanoseconds, Curve, Level, Report, ReportError};

use super::attached::{Attached, BenchError, Setup, Started};
use super::floor::{Kind, TIMED_ROUNDS, WALK_LINES};
use super::meter::BothSpins;
use super::round_trips::RoundTrips;
use super::samples::{histogram, Samples};
use super::slices::{collect_steady, median, summarise, Reading, Slice, Summary};

/// Round trips of a slice that are not timed, as many as in the floor.
const WARM_UP: usize = WALK_LINES;
/// Round trips before the first slice: a lap of the rings.
const FIRST_LAP: usize = 16384;

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct RttResult {
    bench: &'static str,
    payload: usize,
    floor_p50_ns: Option<f64>,
    floor_p99_ns: Option<f64>,
    warm_floor_p50_ns: Option<f64>,
    /// Median over slices of each slice's median.
    rtt_p50_ns: Option<f64>,
    rtt_p99_ns: Option<f64>,
    /// Over all round trips.
    rtt_p999_ns: Option<f64>,
    samples: u64,
    page_size: u64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

/// What one slice measured.
struct Measured {
    floor: BothSpins,
    warm: Reading,
    slice: Slice,
}

/// The measuring side.
struct Bench<'m> {
    attached: Attached<'m>,
    trips: RoundTrips,
    samples: Samples,
    curves: Curves,
}

/// Round trips of all slices.
struct Curves {
    floor: Histogram<u64>,
    rtt: Histogram<u64>,
}

/// Runs `bench rtt`.
pub fn run(arguments: &RttArguments, report: &Report) -> Result<Ending, Failure> {
    let measuring = &arguments.measuring;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let started = Started::new(Setup {
        cores,
        wait: "busy",
        ring: None,
        bell: None,
    })?;
    let outcome = measure(&started, cores, arguments, report);
    let (result, curves) = started.finish(outcome)?;
    report.show(&result, as_table)?;
    if let Some(path) = &arguments.picture {
        curves.draw(path, result.floor_p50_ns)?;
    }
    Ok(Ending::of_measurement(result.summary.too_busy))
}

fn measure(
    started: &Started,
    cores: CorePair,
    arguments: &RttArguments,
    report: &Report,
) -> Result<(RttResult, Curves), BenchError> {
    let attached = started.attach(cores.host, HostOptions::default())?;
    let (page_size, clock) = (attached.terms().request_pages.bytes(), attached.clock);
    let mut bench = Bench::new(attached, arguments.payload);
    bench.round_trips(FIRST_LAP)?;
    let measured = collect(&mut bench, arguments.measuring.slices as usize, report)?;
    let Bench {
        attached, curves, ..
    } = bench;
    attached.end()?;
    let slices: Vec<Slice> = measured.iter().map(|one| one.slice).collect();
    let steady = || measured.iter().filter(|one| one.slice.is_steady());
    let over = |pick: fn(&Measured) -> Option<f64>| median(steady().filter_map(pick));
    let result = RttResult {
        bench: "rtt",
        payload: arguments.payload,
        floor_p50_ns: over(|one| Some(one.floor.floor().p50_ns)),
        floor_p99_ns: over(|one| one.floor.floor().p99_ns),
        warm_floor_p50_ns: over(|one| Some(one.warm.p50_ns)),
        rtt_p50_ns: over(|one| Some(one.slice.work.p50_ns)),
        rtt_p99_ns: over(|one| one.slice.work.p99_ns),
        rtt_p999_ns: (!curves.rtt.is_empty()).then(|| curves.rtt.value_at_quantile(0.999) as f64),
        samples: curves.rtt.len(),
        page_size,
        engine_core: cores.engine,
        host_core: cores.host,
        clock: clock.name(),
        summary: summarise(&slices),
    };
    Ok((result, curves))
}

/// Slices until `wanted` are steady, or three times as many were tried.
fn collect(
    bench: &mut Bench<'_>,
    wanted: usize,
    report: &Report,
) -> Result<Vec<Measured>, BenchError> {
    collect_steady(
        bench,
        (wanted, "steady slices"),
        report,
        Bench::floor,
        Bench::warm_and_work,
        |before, (warm, work), after| {
            let slice = Slice::of_round_trips(before.floor(), work, after.floor());
            let one = Measured {
                floor: *after,
                warm,
                slice,
            };
            (slice.is_steady(), one)
        },
    )
}

impl<'m> Bench<'m> {
    fn new(attached: Attached<'m>, payload: usize) -> Bench<'m> {
        Bench {
            attached,
            trips: RoundTrips::new(payload),
            samples: Samples::with_capacity(FIRST_LAP.max(WARM_UP + TIMED_ROUNDS)),
            curves: Curves {
                floor: histogram(),
                rtt: histogram(),
            },
        }
    }

    fn floor(&mut self) -> Result<BothSpins, BenchError> {
        let both = self.attached.walking()?;
        self.attached.meter.add_samples_to(&mut self.curves.floor);
        Ok(both)
    }

    fn warm_and_work(&mut self) -> Result<(Reading, Reading), BenchError> {
        let warm = self.attached.floor(Kind::Warm, true)?;
        self.round_trips(WARM_UP)?;
        self.round_trips(TIMED_ROUNDS)?;
        let clock = self.attached.clock;
        self.samples.add_to(&mut self.curves.rtt, &clock);
        let work = self.samples.reading(&clock);
        Ok((warm, work.expect("round trips leave samples")))
    }

    fn round_trips(&mut self, count: usize) -> Result<(), BenchError> {
        self.trips
            .timed(&mut self.attached, count, &mut self.samples)
    }
}

impl Curves {
    fn draw(&self, path: &Path, floor_ns: Option<f64>) -> Result<(), ReportError> {
        let curve = |name, latencies| Curve { name, latencies };
        let curves = [
            curve("round trip", &self.rtt),
            curve("walking floor, no PAUSE", &self.floor),
        ];
        let floor = floor_ns.map(|ns| Level {
            name: "walking floor, p50",
            ns,
        });
        let title = "Round trip: a request there, its reply back";
        draw_latency(path, title, &curves, floor.as_slice())
    }
}

fn as_table(result: &RttResult) -> String {
    let mut figures = report::table(&["", "p50", "p99", "p99.9"]);
    let mut row = |name: &str, p50, p99, p999| {
        figures.add_row([
            name.to_owned(),
            nanoseconds(p50),
            nanoseconds(p99),
            nanoseconds(p999),
        ]);
    };
    row(
        "round trip",
        result.rtt_p50_ns,
        result.rtt_p99_ns,
        result.rtt_p999_ns,
    );
    row(
        "walking floor",
        result.floor_p50_ns,
        result.floor_p99_ns,
        None,
    );
    row("warm floor", result.warm_floor_p50_ns, None, None);
    let mut distances = report::table(&[
        "distance",
        "slices",
        "floor",
        "round trip",
        "ratio p50",
        "p99",
    ]);
    for class in &result.summary.floors {
        distances.add_row([
            class.class.to_owned(),
            class.slices.to_string(),
            nanoseconds(class.floor_ns),
            nanoseconds(class.work_p50_ns),
            report::ratio(class.ratio_p50),
            report::ratio(class.ratio_p99),
        ]);
    }
    let summary = &result.summary;
    format!(
        "{figures}\n\n{distances}\n\n{} bytes of payload, {} round trips; engine on core {}, host on core {}, \
         pages of {}, clock {}; {} slices kept, {} dropped{}",
        result.payload,
        result.samples,
        result.engine_core,
        result.host_core,
        report::page_size(result.page_size),
        result.clock,
        summary.slices,
        summary.slices_dropped,
        report::note(summary.note.as_deref()),
    )
}
