//! The result of a load, in the words of its JSON keys and as tables.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::demo::cores::Cores;
use crate::demo::floor::Floor;
use crate::demo::result::LatencyNs;
use crate::map::source::Found as FoundMap;
use crate::report::{self, nanoseconds};
use crate::serve::Served;
use crate::usage::Usage;

use super::args::LoadArguments;
use super::profile::Profile;
use super::result::{Bin, Found, SpikeFound};

/// What is known beside what the host has found.
pub struct Facts<'a> {
    /// What was asked for.
    pub arguments: &'a LoadArguments,
    /// Who ran where.
    pub cores: &'a Cores,
    /// The map.
    pub map: &'a FoundMap,
    /// The floor before and after.
    pub floors: [Option<Floor>; 2],
    /// The engine's start, in milliseconds, until the first reply.
    pub start_ms: f64,
    /// What the engine had taken when the load began and when it was over.
    pub usage: [Usage; 2],
    /// Share of the time in which the machine's own work was held up by others.
    pub steal: Option<f64>,
}

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
pub struct LoadResult {
    profile: Profile,
    sent: u64,
    answered: u64,
    lost: u64,
    wrong: u64,
    /// Whether all but one move in a hundred were sent within a millisecond of their due time.
    rate_held: bool,
    latency_ns: LatencyNs,
    spike: Option<SpikeFound>,
    /// On the engine's shard, while it was loaded.
    allocations: u64,
    /// Of the engine, at the end, without rings.
    rss_bytes: u64,
    /// From the start of the engine's process to its first reply.
    start_to_first_reply_ms: f64,
    moves_per_second: f64,
    planned: u64,
    late: u64,
    latest_ns: u64,
    full: u64,
    preempted: u64,
    /// Shares of the load's time for which other threads had the core.
    waited_for_core: Waited,
    answers: BTreeMap<String, u64>,
    repeated: u64,
    behaviours: BTreeMap<String, u64>,
    floor_before_p50_ns: Option<f64>,
    floor_after_p50_ns: Option<f64>,
    /// Share of the processors' time that the hypervisor gave to others during the load.
    steal: Option<f64>,
    map: MapPart,
    players: u32,
    lanes: u32,
    scale: f64,
    pages: (String, String),
    engine_core: Option<usize>,
    host_core: Option<usize>,
    timeline: Vec<Bin>,
    /// The engine's own counters; nothing if it did not leave as it should.
    engine: Option<Served>,
    notes: Vec<String>,
}

/// Shares of the load's time, from 0 to 1.
#[derive(Clone, Copy, Debug, Serialize)]
struct Waited {
    engine: f64,
    host: f64,
}

#[derive(Debug, Serialize)]
struct MapPart {
    name: String,
    nodes: u32,
    arcs: u32,
    attribution: String,
}

impl LoadResult {
    /// Puts everything together.
    pub fn new(
        facts: &Facts<'_>,
        found: Found,
        engine: Option<Served>,
        notes: Vec<String>,
    ) -> LoadResult {
        let [before, after] = facts.usage;
        let map = &facts.map.map;
        let elapsed_ns = found.elapsed_ns.max(1.0);
        LoadResult {
            profile: facts.arguments.profile,
            lost: found.lost(),
            rate_held: found.rate_held(),
            latency_ns: LatencyNs::of(&found.histogram()),
            allocations: after.allocations - before.allocations,
            rss_bytes: after.rss_bytes,
            start_to_first_reply_ms: facts.start_ms,
            moves_per_second: found.answered as f64 / (elapsed_ns / 1e9),
            sent: found.sent,
            answered: found.answered,
            wrong: found.wrong,
            planned: found.planned,
            late: found.late,
            latest_ns: found.latest_ns,
            full: found.full,
            preempted: found.preempted,
            waited_for_core: Waited {
                engine: (after.waited_ns - before.waited_ns) as f64 / elapsed_ns,
                host: found.waited_ns as f64 / elapsed_ns,
            },
            answers: found.answers,
            repeated: found.repeated,
            behaviours: found.behaviours,
            spike: found.spike,
            timeline: found.bins,
            pages: found.pages,
            floor_before_p50_ns: facts.floors[0].map(|floor| floor.p50_ns),
            floor_after_p50_ns: facts.floors[1].map(|floor| floor.p50_ns),
            steal: facts.steal,
            map: MapPart {
                name: map.name().to_owned(),
                nodes: map.node_count(),
                arcs: map.arc_count(),
                attribution: map.attribution().to_owned(),
            },
            players: facts.arguments.traffic.players,
            lanes: facts.arguments.traffic.lanes,
            scale: facts.arguments.scale,
            engine_core: facts.cores.engine,
            host_core: facts.cores.hosts.first().copied().flatten(),
            engine,
            notes,
        }
    }
}

/// The result for people.
pub fn as_table(result: &LoadResult) -> String {
    let mut counts = report::table(&["moves", "count"]);
    let mut row = |name: &str, count: u64| {
        counts.add_row([name.to_owned(), count.to_string()]);
    };
    row("sent", result.sent);
    row("answered", result.answered);
    for (name, count) in &result.answers {
        row(&format!("… {name}"), *count);
    }
    row("of these: repeated", result.repeated);
    row("wrong", result.wrong);
    row("lost", result.lost);
    row("sent late", result.late);
    row("a lane was full", result.full);
    row("moves per second", result.moves_per_second as u64);
    format!(
        "{counts}\n\n{}\n\n{}",
        latencies(result),
        circumstances(result)
    )
}

fn latencies(result: &LoadResult) -> String {
    let mut table = report::table(&["latency", "p50", "p90", "p99", "p99.9", "max"]);
    let mut row = |name: &str, latency: &LatencyNs| {
        table.add_row(std::iter::once(name.to_owned()).chain(latency.cells()));
    };
    row("all moves", &result.latency_ns);
    let mut text = String::new();
    if let Some(spike) = &result.spike {
        row("the spike's", &spike.latency_ns);
        let back = match spike.back_to_normal_ms {
            Some(ms) => format!("{ms} ms after its top"),
            None => "NOT within the load".to_owned(),
        };
        text = format!(
            "\nspike    {} moves, all answered {} ms after it began; back to normal {back}",
            spike.moves, spike.drained_ms
        );
    }
    format!("{table}{text}")
}

fn circumstances(result: &LoadResult) -> String {
    let core = |core: Option<usize>| core.map_or("not pinned".to_owned(), |core| core.to_string());
    let held = match result.rate_held {
        true => "held",
        false => "NOT held",
    };
    let map = &result.map;
    format!(
        "profile  {}, scale {}; rate {held}, latest move {} after it was due\n\
         map      {}, {} nodes, {} arcs\n         {}\n\
         players  {} over {} lanes\n\
         engine   core {}, first reply {:.0} ms after its start, {} MB without rings, {} allocations\n\
         host     core {}; pages: requests {}, replies {}\n\
         machine  floor {} before, {} after; stolen {}; others had the engine's core {}, the host's {}",
        result.profile,
        result.scale,
        nanoseconds(result.latest_ns as f64),
        map.name,
        map.nodes,
        map.arcs,
        map.attribution,
        result.players,
        result.lanes,
        core(result.engine_core),
        result.start_to_first_reply_ms,
        result.rss_bytes / 1_000_000,
        result.allocations,
        core(result.host_core),
        result.pages.0,
        result.pages.1,
        nanoseconds(result.floor_before_p50_ns),
        nanoseconds(result.floor_after_p50_ns),
        result
            .steal
            .map_or("unknown".to_owned(), percent),
        percent(result.waited_for_core.engine),
        percent(result.waited_for_core.host),
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
