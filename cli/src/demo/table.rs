//! The result of a demo, in the words of its JSON keys and as tables.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::map::source::Found;
use crate::report::{self, nanoseconds};
use crate::serve::Served;

use super::args::DemoArguments;
use super::cores::Cores;
use super::floor::Floor;
use super::result::{HostResult, LatencyNs};

/// The name under which accepted moves are counted.
const ACCEPTED: &str = "accepted";

/// What is known beside what the hosts have found.
pub struct Facts<'a> {
    /// What was asked for.
    pub arguments: &'a DemoArguments,
    /// Who ran where.
    pub cores: &'a Cores,
    /// The map.
    pub found: &'a Found,
    /// The floor before and after.
    pub floors: [Option<Floor>; 2],
    /// Where the curve was drawn.
    pub picture: Option<&'a Path>,
}

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
pub struct DemoResult {
    sent: u64,
    answered: u64,
    accepted: u64,
    /// By the reason.
    refused: BTreeMap<String, u64>,
    /// Of all answers: those that repeated an earlier one, to moves that did so too.
    repeated: u64,
    wrong: u64,
    lost: u64,
    moves_per_second: f64,
    latency_ns: LatencyNs,
    /// Mean of the floor before and after; nothing where engine and host were not pinned.
    floor_p50_ns: Option<f64>,
    floor_p99_ns: Option<f64>,
    floor_before_p50_ns: Option<f64>,
    floor_after_p50_ns: Option<f64>,
    map: MapPart,
    /// Bytes of the smallest pages that a ring lies on.
    page_size: u64,
    pages: Pages,
    engine_core: Option<usize>,
    host_cores: Vec<Option<usize>>,
    hosts: u32,
    players: u32,
    /// Asked of each host; nothing: saturated.
    rate_per_host: Option<f64>,
    rate_kept: bool,
    /// How often the kernel took the core away from a sending host.
    preempted: u64,
    /// What the players meant by their moves.
    behaviours: BTreeMap<String, u64>,
    /// The engine's own counters; nothing if it did not leave as it should.
    engine: Option<Served>,
    picture: Option<String>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct MapPart {
    name: String,
    nodes: u32,
    arcs: u32,
    attribution: String,
    source: String,
}

#[derive(Debug, Serialize)]
struct Pages {
    request: String,
    reply: String,
}

impl DemoResult {
    /// Puts everything together.
    pub fn new(
        facts: &Facts<'_>,
        hosts: HostResult,
        engine: Option<Served>,
        notes: Vec<String>,
    ) -> DemoResult {
        let latencies = hosts.histogram();
        let mut refused = hosts.answers;
        let accepted = refused.remove(ACCEPTED).unwrap_or(0);
        let [before, after] = facts.floors;
        let mean = |pick: fn(&Floor) -> f64| {
            let both = before.iter().chain(&after).map(pick);
            before.map(|_| both.sum::<f64>() / facts.floors.len() as f64)
        };
        DemoResult {
            sent: hosts.sent,
            answered: hosts.answered,
            accepted,
            refused,
            repeated: hosts.repeated,
            wrong: hosts.wrong,
            lost: hosts.lost,
            moves_per_second: hosts.answered as f64 / (hosts.elapsed_ns / 1e9).max(1e-9),
            latency_ns: LatencyNs::of(&latencies),
            floor_p50_ns: mean(|floor| floor.p50_ns),
            floor_p99_ns: mean(|floor| floor.p99_ns),
            floor_before_p50_ns: before.map(|floor| floor.p50_ns),
            floor_after_p50_ns: after.map(|floor| floor.p50_ns),
            map: MapPart::new(facts.found),
            page_size: hosts.page_size,
            pages: Pages {
                request: hosts.pages.0,
                reply: hosts.pages.1,
            },
            engine_core: facts.cores.engine,
            host_cores: facts.cores.hosts.clone(),
            hosts: facts.arguments.hosts,
            players: facts.arguments.players,
            rate_per_host: facts.arguments.rate.per_second(),
            rate_kept: hosts.rate_kept,
            preempted: hosts.preempted,
            behaviours: hosts.behaviours,
            engine,
            picture: facts.picture.map(|path| path.display().to_string()),
            notes,
        }
    }
}

impl MapPart {
    fn new(found: &Found) -> MapPart {
        MapPart {
            name: found.map.name().to_owned(),
            nodes: found.map.node_count(),
            arcs: found.map.arc_count(),
            attribution: found.map.attribution().to_owned(),
            source: found.source.describe(),
        }
    }
}

/// The result for people.
pub fn as_table(result: &DemoResult) -> String {
    format!(
        "{}\n\n{}\n\n{}",
        moves(result),
        latencies(result),
        circumstances(result)
    )
}

fn moves(result: &DemoResult) -> String {
    let mut table = report::table(&["moves", "count"]);
    let mut row = |name: &str, count: u64| {
        table.add_row([name.to_owned(), count.to_string()]);
    };
    row("sent", result.sent);
    row("answered", result.answered);
    row(ACCEPTED, result.accepted);
    for (reason, count) in &result.refused {
        row(&format!("refused, {reason}"), *count);
    }
    row("of these: repeated", result.repeated);
    row("wrong", result.wrong);
    row("lost", result.lost);
    row("moves per second", result.moves_per_second as u64);
    table.to_string()
}

fn latencies(result: &DemoResult) -> String {
    let mut table = report::table(&["latency", "p50", "p90", "p99", "p99.9", "max"]);
    let from = match result.rate_per_host {
        Some(_) => "move, from its due time",
        None => "move, saturated",
    };
    table.add_row(std::iter::once(from.to_owned()).chain(result.latency_ns.cells()));
    let dash = || "-".to_owned();
    table.add_row([
        "walking floor".to_owned(),
        nanoseconds(result.floor_p50_ns),
        dash(),
        nanoseconds(result.floor_p99_ns),
        dash(),
        dash(),
    ]);
    table.to_string()
}

fn circumstances(result: &DemoResult) -> String {
    let core = |core: &Option<usize>| core.map_or("not pinned".to_owned(), |core| core.to_string());
    let hosts: Vec<String> = result.host_cores.iter().map(core).collect();
    let rate = match result.rate_per_host {
        Some(rate) if result.rate_kept => format!("{rate} moves/s each, kept"),
        Some(rate) => format!("{rate} moves/s each, NOT kept"),
        None => "saturated".to_owned(),
    };
    let picture = match &result.picture {
        Some(path) => format!("\nlatency curve: {path}"),
        None => String::new(),
    };
    let map = &result.map;
    format!(
        "map      {}, {} nodes, {} arcs ({})\n         {}\n\
         engine   core {}\n\
         hosts    {}, core {}; {rate}\n\
         pages    requests {}, replies {}{picture}",
        map.name,
        map.nodes,
        map.arcs,
        map.source,
        map.attribution,
        core(&result.engine_core),
        result.hosts,
        hosts.join(", "),
        result.pages.request,
        result.pages.reply,
    )
}
