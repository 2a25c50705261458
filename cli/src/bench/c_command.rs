//! `ironhoard bench c`: what the C border costs.
//!
//! ```text
//!   floor ── Rust, C ── floor ── C, Rust ── floor …      round trips, then filling a ring
//! ```
//!
//! A Rust host (this process) and a C host (its child, linked to the shared library) share one core and one
//! engine and take turns within each slice. `ratio_rtt` is C's median divided by Rust's of the same slice.
//! `claim_commit_extra_ns` is what a claim, six stores and a commit take longer in C while the engine
//! is held, so that nothing but filling the ring is timed. Every reply is compared, of both hosts.

use std::path::Path;

use hdrhistogram::Histogram;
use ironhoard::host::HostOptions;
use serde::Serialize;

use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, nanoseconds, Report};

use super::attached::{Attached, BenchError, Setup, Started};
use super::c_args::CArguments;
use super::c_host::{CHost, CProgram};
use super::floor::{TIMED_ROUNDS, WALK_LINES};
use super::meter::BothSpins;
use super::round_trips::{right, RoundTrips};
use super::samples::{histogram, Samples};
use super::slices::{collect_steady, median, summarise, Reading, Slice, Summary};
use super::steps;

/// Round trips of each host and slice that are not timed, as many as in the floor.
const WARM_UP: usize = WALK_LINES;
/// Records of one filling: three quarters of a ring of one-line records.
const FILL: usize = 12288;

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct CResult {
    bench: &'static str,
    payload: usize,
    /// C's round trip divided by Rust's, medians of the same slice: the worst class with a bar.
    ratio_rtt: Option<f64>,
    ratio_rtt_p99: Option<f64>,
    /// What a claim, six stores and a commit take longer in C.
    claim_commit_extra_ns: Option<f64>,
    floor_p50_ns: Option<f64>,
    rust_rtt_p50_ns: Option<f64>,
    rust_rtt_p99_ns: Option<f64>,
    c_rtt_p50_ns: Option<f64>,
    c_rtt_p99_ns: Option<f64>,
    /// Over all round trips.
    rust_rtt_p999_ns: Option<f64>,
    c_rtt_p999_ns: Option<f64>,
    rust_claim_commit_ns: Option<f64>,
    c_claim_commit_ns: Option<f64>,
    /// Instructions of a claim, six stores and a commit; nothing where processes cannot be traced.
    rust_claim_commit_instructions: Option<f64>,
    c_claim_commit_instructions: Option<f64>,
    samples: u64,
    page_size: u64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    library: String,
    #[serde(flatten)]
    summary: Summary,
}

/// What one host did in one slice.
#[derive(Clone, Copy)]
struct Work {
    rtt: Reading,
    claim_commit_ns: f64,
}

/// What one slice measured.
struct Measured {
    floor: Reading,
    is_steady: bool,
    rust: Work,
    c: Work,
    /// C's round trip between Rust's, as a work between floors.
    slice: Slice,
}

/// The measuring side.
struct Bench<'m> {
    attached: Attached<'m>,
    c: CHost,
    payload: usize,
    trips: RoundTrips,
    samples: Samples,
    curves: [Histogram<u64>; 2],
    c_is_first: bool,
}

/// Runs `bench c`.
pub fn run(arguments: &CArguments, report: &Report) -> Result<Ending, Failure> {
    let measuring = &arguments.measuring;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let program = CProgram::compile(arguments.library.as_deref()).map_err(BenchError::from)?;
    let started = Started::new(Setup {
        cores,
        wait: "busy",
        ring: None,
        bell: None,
    })?;
    let outcome = measure(&started, &program, cores, arguments, report);
    let result = started.finish(outcome)?;
    report.show(&result, as_table)?;
    Ok(Ending::of_measurement(result.summary.too_busy))
}

fn measure(
    started: &Started,
    program: &CProgram,
    cores: CorePair,
    arguments: &CArguments,
    report: &Report,
) -> Result<CResult, BenchError> {
    let in_rust = steps::counted(&started.socket(), Path::new("/proc/self/exe"), "__steps");
    let in_c = steps::counted(&started.socket(), &program.path(), "steps");
    let attached = started.attach(cores.host, HostOptions::default())?;
    let c = CHost::start(program, &started.socket(), cores.host, &attached.clock)?;
    let (page_size, clock) = (attached.terms().request_pages.bytes(), attached.clock);
    let mut bench = Bench {
        attached,
        c,
        payload: arguments.payload,
        trips: RoundTrips::new(arguments.payload),
        samples: Samples::with_capacity(WARM_UP.max(TIMED_ROUNDS)),
        curves: [histogram(), histogram()],
        c_is_first: false,
    };
    let measured = bench.collect(arguments.measuring.slices as usize, report)?;
    let Bench {
        attached,
        c,
        curves,
        ..
    } = bench;
    c.end()?;
    attached.end()?;
    let slices: Vec<Slice> = measured.iter().map(|one| one.slice).collect();
    let summary = summarise(&slices);
    let steady = || measured.iter().filter(|one| one.is_steady);
    let over = |pick: fn(&Measured) -> Option<f64>| median(steady().filter_map(pick));
    let far =
        |curve: &Histogram<u64>| (!curve.is_empty()).then(|| curve.value_at_quantile(0.999) as f64);
    let extra = over(|one| Some(one.c.claim_commit_ns - one.rust.claim_commit_ns));
    Ok(CResult {
        bench: "c",
        payload: arguments.payload,
        ratio_rtt: summary.ratio_p50,
        ratio_rtt_p99: summary.ratio_p99,
        claim_commit_extra_ns: extra.filter(|_| !summary.too_busy),
        floor_p50_ns: over(|one| Some(one.floor.p50_ns)),
        rust_rtt_p50_ns: over(|one| Some(one.rust.rtt.p50_ns)),
        rust_rtt_p99_ns: over(|one| one.rust.rtt.p99_ns),
        c_rtt_p50_ns: over(|one| Some(one.c.rtt.p50_ns)),
        c_rtt_p99_ns: over(|one| one.c.rtt.p99_ns),
        rust_rtt_p999_ns: far(&curves[0]),
        c_rtt_p999_ns: far(&curves[1]),
        rust_claim_commit_ns: over(|one| Some(one.rust.claim_commit_ns)),
        c_claim_commit_ns: over(|one| Some(one.c.claim_commit_ns)),
        rust_claim_commit_instructions: in_rust,
        c_claim_commit_instructions: in_c,
        samples: curves[1].len(),
        page_size,
        engine_core: cores.engine,
        host_core: cores.host,
        clock: clock.name(),
        library: program.library.display().to_string(),
        summary,
    })
}

impl Bench<'_> {
    /// Slices until `wanted` are steady, or three times as many were tried.
    fn collect(&mut self, wanted: usize, report: &Report) -> Result<Vec<Measured>, BenchError> {
        collect_steady(
            self,
            (wanted, "steady slices"),
            report,
            |bench| bench.attached.walking(),
            Bench::both,
            |before, work, after| {
                let one = judge(before, work, after);
                (one.is_steady, one)
            },
        )
    }

    /// Both hosts' work, each of them first in every other slice.
    fn both(&mut self) -> Result<(Work, Work), BenchError> {
        self.c_is_first = !self.c_is_first;
        if self.c_is_first {
            let c = self.work_in_c()?;
            return Ok((self.work_in_rust()?, c));
        }
        Ok((self.work_in_rust()?, self.work_in_c()?))
    }

    fn work_in_rust(&mut self) -> Result<Work, BenchError> {
        self.round_trips(WARM_UP)?;
        self.round_trips(TIMED_ROUNDS)?;
        let rtt = self.reading(0);
        let held = self.attached.hold()?;
        let clock = self.attached.clock;
        let started = clock.ticks();
        steps::fill(&mut self.attached.lane, self.trips.sent, FILL)?;
        let ticks = clock.ticks() - started;
        self.attached.let_go(held)?;
        steps::drain(&mut self.attached.lane, FILL)?;
        Ok(self.work(rtt, ticks))
    }

    fn work_in_c(&mut self) -> Result<Work, BenchError> {
        self.samples.clear();
        let samples = &mut self.samples;
        let wrong = self
            .c
            .round_trips(TIMED_ROUNDS, WARM_UP, self.payload, |ticks| {
                samples.push(ticks)
            })?;
        right(wrong)?;
        let rtt = self.reading(1);
        let held = self.attached.hold()?;
        let ticks = self.c.fill(FILL)?;
        self.attached.let_go(held)?;
        right(self.c.drain(FILL)?)?;
        Ok(self.work(rtt, ticks))
    }

    fn work(&self, rtt: Reading, fill_ticks: u64) -> Work {
        Work {
            rtt,
            claim_commit_ns: self.attached.clock.ns(fill_ticks) / FILL as f64,
        }
    }

    fn reading(&mut self, curve: usize) -> Reading {
        let clock = self.attached.clock;
        self.samples.add_to(&mut self.curves[curve], &clock);
        let reading = self.samples.reading(&clock);
        reading.expect("round trips leave samples")
    }

    fn round_trips(&mut self, count: usize) -> Result<(), BenchError> {
        self.trips
            .timed(&mut self.attached, count, &mut self.samples)
    }
}

/// A slice is dropped where its two floors differ. Else Rust's round trip stands where a floor does in
/// other benchmarks, so that what is summarised is C's ratio to it.
fn judge(before: &BothSpins, (rust, c): (Work, Work), after: &BothSpins) -> Measured {
    let (before, after) = (before.floor(), after.floor());
    let beside_floor = Slice::of_round_trips(before, c.rtt, after);
    let is_steady = beside_floor.is_steady();
    let slice = beside_floor.beside(rust.rtt, c.rtt);
    Measured {
        floor: before.mean(after),
        is_steady,
        rust,
        c,
        slice,
    }
}

fn as_table(result: &CResult) -> String {
    let mut figures = report::table(&["", "Rust", "C"]);
    for (name, rust, c) in [
        (
            "round trip, p50",
            result.rust_rtt_p50_ns,
            result.c_rtt_p50_ns,
        ),
        (
            "round trip, p99",
            result.rust_rtt_p99_ns,
            result.c_rtt_p99_ns,
        ),
        (
            "round trip, p99.9",
            result.rust_rtt_p999_ns,
            result.c_rtt_p999_ns,
        ),
        (
            "claim to commit",
            result.rust_claim_commit_ns,
            result.c_claim_commit_ns,
        ),
    ] {
        figures.add_row([name.to_owned(), nanoseconds(rust), nanoseconds(c)]);
    }
    let instructions =
        |count: Option<f64>| count.map_or("–".to_owned(), |count| format!("{count:.1}"));
    figures.add_row([
        "… instructions".to_owned(),
        instructions(result.rust_claim_commit_instructions),
        instructions(result.c_claim_commit_instructions),
    ]);
    let mut distances = report::table(&["distance", "slices", "floor", "C", "C ÷ Rust p50", "p99"]);
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
        "{figures}\n\n{distances}\n\nclaim and commit take {} more in C; {} bytes of payload, {} round trips each; \
         engine on core {}, hosts on core {}, pages of {}, clock {}; {} slices kept, {} dropped{}",
        nanoseconds(result.claim_commit_extra_ns),
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
