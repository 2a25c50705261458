//! `ironhoard bench fanin`: many producers, and what sharing a ring would cost them.
//!
//! * Up to as many producers as there are cores: each fills rings on a core of its own, see
//!   [`fanin`](super::fanin). Lanes are what the others are divided by.
//! * More: threads on one shared producer, and a consumer that drains it meanwhile.
//!
//! Either way every message is checked: none lost, none torn, each producer's in order.

use serde::Serialize;

use crate::args::FaninArguments;
use crate::cores::allowed;
use crate::exit::{Ending, Failure};
use crate::report::{self, nanoseconds, Report};

use super::clock::Clock;
use super::crowd::crowd;
use super::fanin::{Fanin, FaninError, Way};
use super::floor::{respond, Kind};
use super::memory::FloorMemory;
use super::meter::Meter;
use super::slices::median;
use super::turns::{Moment, Turns, TurnsSummary};

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct FaninResult {
    bench: &'static str,
    producers: usize,
    messages: u64,
    lost: u64,
    torn: u64,
    order_kept: bool,
    lanes_ns: Option<f64>,
    /// Groups of 16 under a mutex.
    shared_ns: Option<f64>,
    mutex_ns: Option<f64>,
    cas_ns: Option<f64>,
    cas_alone_ns: Option<f64>,
    ratio_cas: Option<f64>,
    ratio_mutex: Option<f64>,
    ratio_shared: Option<f64>,
    #[serde(flatten)]
    summary: Option<TurnsSummary>,
}

/// The kinds of work, in the order of their turns.
const NAMES: [&str; 3] = ["cas", "mutex", "shared"];
const WAYS: [Way; 3] = [Way::Cas, Way::Mutex, Way::Groups];

/// The measuring side: producers that fill, and the walking floor between the first two.
struct Bench<'m> {
    fanin: Fanin,
    meter: Meter<'m>,
    memory: &'m FloorMemory,
    other_core: usize,
    alone_ns: Vec<f64>,
}

/// Runs `bench fanin`.
pub fn run(arguments: &FaninArguments, report: &Report) -> Result<Ending, Failure> {
    let cores = allowed()?;
    let result = if arguments.producers <= cores.len() {
        fill(arguments, cores[..arguments.producers].to_vec(), report)?
    } else {
        drained_meanwhile(arguments, report)?
    };
    report.show(&result, as_table)?;
    Ok(if result.lost + result.torn > 0 || !result.order_kept {
        Ending::Wrong
    } else if result.summary.is_some_and(|summary| summary.too_busy) {
        Ending::TooBusy
    } else {
        Ending::Done
    })
}

fn fill(
    arguments: &FaninArguments,
    cores: Vec<usize>,
    report: &Report,
) -> Result<FaninResult, FaninError> {
    let clock = Clock::calibrate();
    let memory = FloorMemory::create()?;
    let mut bench = Bench {
        other_core: cores[1],
        fanin: Fanin::new(cores, clock)?,
        meter: Meter::new(memory.lines(), clock),
        memory: &memory,
        alone_ns: Vec::new(),
    };
    let wanted = arguments.slices as usize;
    let turns = Turns::collect(NAMES, &mut bench, wanted, report, Bench::lanes, Bench::way)?;
    let ([ratio_cas, ratio_mutex, ratio_shared], summary) = turns.summarise();
    let (lost, torn, out_of_order) = bench.fanin.faults();
    Ok(FaninResult {
        bench: "fanin",
        producers: arguments.producers,
        messages: bench.fanin.messages(),
        lost,
        torn,
        order_kept: out_of_order == 0,
        lanes_ns: turns.floor_ns(),
        cas_ns: turns.work_ns(0),
        mutex_ns: turns.work_ns(1),
        shared_ns: turns.work_ns(2),
        cas_alone_ns: median(bench.alone_ns.iter().copied()),
        ratio_cas,
        ratio_mutex,
        ratio_shared,
        summary: Some(summary),
    })
}

fn drained_meanwhile(
    arguments: &FaninArguments,
    report: &Report,
) -> Result<FaninResult, FaninError> {
    let crowd = crowd(arguments.producers, arguments.messages, report)?;
    Ok(FaninResult {
        bench: "fanin",
        producers: arguments.producers,
        messages: crowd.sent,
        lost: crowd.tally.lost(crowd.sent),
        torn: crowd.tally.torn,
        order_kept: crowd.tally.out_of_order == 0,
        shared_ns: Some(crowd.ns_per_message),
        lanes_ns: None,
        mutex_ns: None,
        cas_ns: None,
        cas_alone_ns: None,
        ratio_cas: None,
        ratio_mutex: None,
        ratio_shared: None,
        summary: None,
    })
}

impl Bench<'_> {
    /// Lanes, and the walking floor of the moment.
    fn lanes(&mut self) -> Result<Moment, FaninError> {
        let (lines, core) = (self.memory.lines(), self.other_core);
        let walking = std::thread::scope(|scope| {
            self.meter.measure(Kind::Walking, true, &mut |assignment| {
                let assignment = *assignment;
                scope.spawn(move || -> Result<(), FaninError> {
                    crate::cores::pin(core)?;
                    Ok(respond(lines, &assignment)?)
                });
                Ok::<_, FaninError>(())
            })
        })?;
        Ok(Moment {
            distance_ns: walking.p50_ns,
            floor_ns: self.fanin.fill(Way::Lanes)?,
        })
    }

    fn way(&mut self, kind: usize) -> Result<f64, FaninError> {
        if WAYS[kind] == Way::Cas {
            let alone = self.fanin.fill_cas_alone()?;
            self.alone_ns.push(alone);
        }
        self.fanin.fill(WAYS[kind])
    }
}

fn as_table(result: &FaninResult) -> String {
    let mut figures = report::table(&["", "each message", "ratio to lanes"]);
    let mut row = |name: &str, ns: Option<f64>, ratio: Option<f64>| {
        figures.add_row([name.to_owned(), nanoseconds(ns), report::ratio(ratio)]);
    };
    row("a lane for each producer", result.lanes_ns, None);
    row(
        "shared, groups of 16",
        result.shared_ns,
        result.ratio_shared,
    );
    row("shared, one by one", result.mutex_ns, result.ratio_mutex);
    row("compare-exchange", result.cas_ns, result.ratio_cas);
    row("compare-exchange, alone", result.cas_alone_ns, None);
    let order = if result.order_kept { "kept" } else { "broken" };
    let slices = result.summary.as_ref().map_or_else(String::new, |summary| {
        format!(
            "; {} slices kept, {} dropped{}",
            summary.slices,
            summary.slices_dropped,
            report::note(summary.note.as_deref())
        )
    });
    format!(
        "{figures}\n\n{} producers, {} messages checked: {} lost, {} torn, order {order}{slices}",
        result.producers, result.messages, result.lost, result.torn
    )
}
