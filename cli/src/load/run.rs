//! The load's parent: floor, engine, its first reply, host, floor, result.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use ironhoard::sys::affinity::allowed_cores;
use ironhoard_hunt::map::MapMemory;
use ironhoard_hunt::record::KIND_MOVE;

use crate::demo::cores::Cores;
use crate::demo::crew::{Crew, Event};
use crate::demo::floor;
use crate::demo::run::{hand_over, last_words, option, words, SocketPath};
use crate::demo::{wire, DemoError};
use crate::exit::{Ending, Failure};
use crate::map::source;
use crate::notes::Notes;
use crate::report::{draw_latency, draw_timeline, Curve, Report};
use crate::serve::Served;
use crate::usage::Usage;

use super::args::LoadArguments;
use super::hgrm;
use super::host::attach;
use super::profile::Shape;
use super::result::Found;
use super::table::{as_table, Facts, LoadResult};

/// The most moves of a load; each takes about 130 bytes of the host's memory.
const MOST_MOVES: f64 = 50e6;
/// How long the first reply may take.
const FIRST_REPLY: Duration = Duration::from_secs(30);

/// Runs `load`.
pub fn run(arguments: &LoadArguments, report: &Report) -> Result<Ending, Failure> {
    let moves = Shape {
        profile: arguments.profile,
        rate: arguments.rate,
        seconds: arguments.seconds,
        scale: arguments.scale,
    }
    .moves_at_most();
    if moves > MOST_MOVES {
        return Err(DemoError::TooManyMoves {
            moves: moves as u64,
            limit: MOST_MOVES as u64,
        }
        .into());
    }
    let mut notes = Notes::default();
    let host_cores: Vec<usize> = arguments.host_core.into_iter().collect();
    let mut cores = Cores::choose(arguments.engine_core, &host_cores, 1, &mut notes)?;
    let pair = cores.pair();
    let is_asked = arguments.engine_core.is_some() || arguments.host_core.is_some();
    if !is_asked && cores.unpin_if_none_is_left(allowed_cores().len()) {
        notes.say(
            "no third core is there for others: engine and host are not pinned, so that who is in \
             the way of one of them can be got out of (the floor is measured pinned); --engine-core or \
             --host-core pins both"
                .to_owned(),
        );
    }
    let map = source::open(
        arguments.map.as_deref(),
        MapMemory::File,
        report,
        &mut notes,
    )?;
    let map_file = hand_over(&map)?;
    let measure = || pair.map(floor::measure).transpose();
    let before = measure()?;
    let load = Load {
        arguments,
        cores: &cores,
        report,
    };
    let outcome = load.play(&map_file, &mut notes)?;
    let facts = Facts {
        arguments,
        cores: &cores,
        map: &map,
        floors: [before, measure()?],
        start_ms: outcome.start_ms,
        usage: outcome.usage,
        steal: outcome.steal,
    };
    comment(&outcome.found, &mut notes);
    write_files(arguments, &outcome.found)?;
    let is_wrong = outcome.found.is_wrong();
    let result = LoadResult::new(&facts, outcome.found, outcome.served, notes.into_vec());
    report.show(&result, as_table)?;
    Ok(if is_wrong {
        Ending::Wrong
    } else {
        Ending::Done
    })
}

/// What came of it.
struct Outcome {
    found: Found,
    served: Option<Served>,
    start_ms: f64,
    usage: [Usage; 2],
    steal: Option<f64>,
}

struct Load<'a> {
    arguments: &'a LoadArguments,
    cores: &'a Cores,
    report: &'a Report,
}

impl Load<'_> {
    /// Starts everybody, lets them play, and sees them off.
    fn play(&self, map: &File, notes: &mut Notes) -> Result<Outcome, DemoError> {
        // Dropped last: the path is removed when nobody can be there any more.
        let socket = SocketPath::new();
        let mut crew = Crew::new()?;
        let start = Instant::now();
        let engine = crew.start("engine", self.engine_words(&socket.0), map)?;
        match crew.next()? {
            Event::Said(_, wire::Report::Bound) => {}
            _ => return Err(crew.failure(engine)),
        }
        self.first_reply(&socket.0)?;
        let start_ms = start.elapsed().as_secs_f64() * 1e3;
        let host = crew.start("host", self.host_words(&socket.0), map)?;
        self.wait_until_ready(&mut crew)?;
        let before = usage(&mut crew, engine)?;
        let stolen = Stolen::now();
        crew.order_start(host)?;
        let found = match crew.next()? {
            Event::Said(_, wire::Report::Found(found)) => *found,
            Event::Ended(place) => return Err(crew.failure(place)),
            Event::Said(..) => return Err(crew.failure(host)),
        };
        let steal = stolen.share();
        let after = usage(&mut crew, engine)?;
        crew.see_off(host)?;
        crew.dismiss(engine);
        Ok(Outcome {
            found,
            served: last_words(&mut crew, engine, notes)?,
            start_ms,
            usage: [before, after],
            steal,
        })
    }

    /// Asks the engine something, whatever: an empty move is malformed, and said to be.
    fn first_reply(&self, socket: &Path) -> Result<(), DemoError> {
        let host = attach(socket, 1, self.arguments.traffic.pages)?;
        let mut lane = host.lane()?;
        lane.call(KIND_MOVE, &[], &mut [], FIRST_REPLY)?;
        Ok(())
    }

    fn wait_until_ready(&self, crew: &mut Crew) -> Result<(), DemoError> {
        let planned = Shape {
            profile: self.arguments.profile,
            rate: self.arguments.rate,
            seconds: self.arguments.seconds,
            scale: self.arguments.scale,
        };
        let bar = self
            .report
            .progress(planned.moves_at_most() as u64, "planning moves");
        loop {
            match crew.next()? {
                Event::Said(_, wire::Report::Ready) => return Ok(()),
                Event::Said(_, wire::Report::Progress(now)) => bar.set(now),
                Event::Ended(place) => return Err(crew.failure(place)),
                Event::Said(..) => {}
            }
        }
    }

    fn engine_words(&self, socket: &Path) -> Vec<OsString> {
        // Of two cores: an engine that sleeps leaves its own to a host that was pushed off the other. The
        // kernel moves nobody who ran half a millisecond ago, so it must not sleep before that.
        let default_wait = match (self.cores.shared, self.cores.engine) {
            (true, _) => "yield",
            (false, None) => "spin:600",
            (false, Some(_)) => "spin",
        };
        let traffic = &self.arguments.traffic;
        let mut words = words(&["__engine", "load"]);
        words.push(option("socket", socket));
        words.push(option("players", traffic.players.to_string()));
        words.push(option("seed", traffic.seed.to_string()));
        words.push(option("pages", traffic.pages.to_string()));
        let wait = self.arguments.wait.as_deref().unwrap_or(default_wait);
        words.push(option("wait", wait));
        let core = self.cores.engine;
        words.extend(core.map(|core| option("core", core.to_string())));
        words
    }

    fn host_words(&self, socket: &Path) -> Vec<OsString> {
        let (arguments, traffic) = (self.arguments, &self.arguments.traffic);
        let mut words = words(&["__load"]);
        words.push(option("socket", socket));
        let figures = [
            ("profile", arguments.profile.to_string()),
            ("rate", arguments.rate.to_string()),
            ("seconds", arguments.seconds.to_string()),
            ("scale", arguments.scale.to_string()),
            ("players", traffic.players.to_string()),
            ("lanes", traffic.lanes.to_string()),
            ("retries", traffic.retries.to_string()),
            ("reordered", traffic.reordered.to_string()),
            ("bad-tags", traffic.bad_tags.to_string()),
            ("teleports", traffic.teleports.to_string()),
            ("hot-spots", traffic.hot_spots.to_string()),
            ("zipf", traffic.zipf.to_string()),
            ("seed", traffic.seed.to_string()),
            ("pages", traffic.pages.to_string()),
        ];
        words.extend(figures.map(|(name, figure)| option(name, figure)));
        let core = self.cores.hosts.first().copied().flatten();
        words.extend(core.map(|core| option("core", core.to_string())));
        words.extend(self.cores.shared.then(|| "--gives-way".into()));
        words.extend(traffic.bare.then(|| "--bare".into()));
        words
    }
}

/// Asks the engine what it has taken so far.
fn usage(crew: &mut Crew, engine: usize) -> Result<Usage, DemoError> {
    crew.order_start(engine)?;
    loop {
        match crew.next()? {
            Event::Said(_, wire::Report::Usage(usage)) => return Ok(usage),
            Event::Ended(place) if place == engine => return Err(crew.failure(engine)),
            Event::Said(..) | Event::Ended(_) => {}
        }
    }
}

/// What a reader of the figures should know.
fn comment(found: &Found, notes: &mut Notes) {
    for trouble in &found.troubles {
        notes.say(trouble.clone());
    }
    if !found.rate_held() {
        let why = match found.full {
            0 => "no lane was full: this host did not get round to it (its core is too slow or not its own)",
            _ => "lanes were full: the engine did not keep up",
        };
        notes.say(format!(
            "the rate could NOT be kept: {} of {} moves were sent more than 1 ms late, the latest by \
             {:.1} ms; {why}. Latencies count from the due times all the same",
            found.late,
            found.planned,
            found.latest_ns as f64 / 1e6
        ));
    }
}

fn write_files(arguments: &LoadArguments, found: &Found) -> Result<(), Failure> {
    let latencies = found.histogram();
    if let Some(path) = &arguments.hgrm {
        hgrm::write(path, &latencies)?;
    }
    let title = format!("Treasure hunt, {}", arguments.profile);
    if let Some(path) = &arguments.picture {
        let curve = Curve {
            name: "move, from its due time to its answer",
            latencies: &latencies,
        };
        draw_latency(path, &title, &[curve], &[])?;
    }
    if let Some(path) = &arguments.timeline {
        draw_timeline(path, &title, &found.bins)?;
    }
    Ok(())
}

/// The processors' time, of which the hypervisor may have given some to others.
struct Stolen([u64; 2]);

impl Stolen {
    fn now() -> Stolen {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|word| word.parse().ok())
            .collect();
        Stolen([ticks.iter().sum(), ticks.get(7).copied().unwrap_or(0)])
    }

    /// The share that was stolen since; nothing where the kernel does not say.
    fn share(&self) -> Option<f64> {
        let now = Stolen::now();
        let [all, stolen] = [0, 1].map(|at| now.0[at].saturating_sub(self.0[at]));
        (all > 0).then(|| stolen as f64 / all as f64)
    }
}
