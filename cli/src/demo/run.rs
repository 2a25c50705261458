//! The demo's parent: floor, engine, hosts, floor, result.
//!
//! Nothing has a name that could be left behind but the socket and its lock file, and both are removed
//! at the end. The map reaches the children as an open file.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use ironhoard_hunt::map::MapMemory;

use crate::exit::{Ending, Failure};
use crate::map::source::{self, Found, Source};
use crate::notes::Notes;
use crate::report::{draw_latency, Curve, Level, Report};
use crate::serve::{runtime_path, Served};

use super::args::DemoArguments;
use super::cores::Cores;
use super::crew::{Crew, Event};
use super::error::DemoError;
use super::floor::{self, Floor};
use super::result::HostResult;
use super::table::{as_table, DemoResult, Facts};
use super::wire;

/// Preemptions a second from which on they are worth a note.
const MANY_PREEMPTIONS: f64 = 10.0;

/// Runs `demo`.
pub fn run(arguments: &DemoArguments, report: &Report) -> Result<Ending, Failure> {
    let (players, hosts) = (arguments.players, arguments.hosts);
    if players < hosts {
        return Err(DemoError::TooFewPlayers { players, hosts }.into());
    }
    let mut notes = Notes::default();
    let cores = Cores::choose(
        arguments.engine_core,
        &arguments.host_cores,
        hosts as usize,
        &mut notes,
    )?;
    let found = source::open(
        arguments.map.as_deref(),
        MapMemory::File,
        report,
        &mut notes,
    )?;
    let map_file = hand_over(&found)?;
    let measure = || cores.pair().map(floor::measure).transpose();
    let before = measure()?;
    let demo = Demo {
        arguments,
        cores: &cores,
        report,
    };
    let (hosts, engine) = demo.play(&map_file, &mut notes)?;
    let floors = [before, measure()?];
    demo.comment(&hosts, &mut notes);
    let picture = (!arguments.no_picture).then_some(arguments.picture.as_path());
    if let Some(path) = picture {
        draw(path, &hosts, floors)?;
    }
    let facts = Facts {
        arguments,
        cores: &cores,
        found: &found,
        floors,
        picture,
    };
    let is_wrong = hosts.is_wrong(arguments.moves);
    let result = DemoResult::new(&facts, hosts, engine, notes.into_vec());
    report.show(&result, as_table)?;
    Ok(if is_wrong {
        Ending::Wrong
    } else {
        Ending::Done
    })
}

struct Demo<'a> {
    arguments: &'a DemoArguments,
    cores: &'a Cores,
    report: &'a Report,
}

impl Demo<'_> {
    /// Starts everybody, lets them play, and sees them off.
    fn play(
        &self,
        map: &File,
        notes: &mut Notes,
    ) -> Result<(HostResult, Option<Served>), DemoError> {
        // Dropped last: the path is removed when nobody can be there any more.
        let socket = SocketPath::new();
        let mut crew = Crew::new()?;
        let engine = crew.start("engine", self.engine_words(&socket.0), map)?;
        match crew.next()? {
            Event::Said(_, wire::Report::Bound) => {}
            _ => return Err(crew.failure(engine)),
        }
        for index in 0..self.arguments.hosts {
            crew.start("host", self.host_words(index, &socket.0), map)?;
        }
        let hosts = self.fly(&mut crew, engine, notes)?;
        crew.dismiss(engine);
        Ok((hosts, last_words(&mut crew, engine, notes)?))
    }

    /// From the hosts' start to their last words, added up.
    fn fly(
        &self,
        crew: &mut Crew,
        engine: usize,
        notes: &mut Notes,
    ) -> Result<HostResult, DemoError> {
        let hosts = self.arguments.hosts as usize;
        let bar = self.report.progress(
            2 * self.arguments.moves,
            "preparing moves, then sending them",
        );
        let mut steps = vec![0; 1 + hosts];
        let (mut ready, mut results) = (0, Vec::new());
        let mut done = vec![false; 1 + hosts];
        while results.len() < hosts {
            match crew.next()? {
                Event::Said(_, wire::Report::Ready) => {
                    ready += 1;
                    if ready == hosts {
                        (1..=hosts).try_for_each(|host| crew.order_start(host))?;
                    }
                }
                Event::Said(host, wire::Report::Progress(now)) => {
                    steps[host] = now;
                    bar.set(steps.iter().sum());
                }
                Event::Said(host, wire::Report::Result(result)) => {
                    done[host] = true;
                    results.push(*result);
                }
                // The hosts notice it themselves and say what they have lost by it.
                Event::Ended(place) if place == engine && ready == hosts => {
                    notes.say("the engine ended while hosts were sending".to_owned());
                }
                Event::Ended(place) if !done[place] => return Err(crew.failure(place)),
                Event::Said(..) | Event::Ended(_) => {}
            }
        }
        (1..=hosts).try_for_each(|host| crew.see_off(host))?;
        let mut results = results.into_iter();
        let mut sum = results.next().unwrap_or_default();
        results.for_each(|result| sum.merge(result));
        Ok(sum)
    }

    fn engine_words(&self, socket: &Path) -> Vec<OsString> {
        let default_wait = if self.cores.shared { "yield" } else { "spin" };
        let mut words = words(&["__engine", "hunt"]);
        words.push(option("socket", socket));
        words.push(option("players", self.arguments.players.to_string()));
        words.push(option("seed", self.arguments.seed.to_string()));
        words.push(option("pages", self.arguments.pages.to_string()));
        let wait = self.arguments.wait.as_deref().unwrap_or(default_wait);
        words.push(option("wait", wait));
        words.extend(
            self.cores
                .engine
                .map(|core| option("core", core.to_string())),
        );
        words
    }

    fn host_words(&self, index: u32, socket: &Path) -> Vec<OsString> {
        let arguments = self.arguments;
        let hosts = u64::from(arguments.hosts);
        let share = |all: u64, index: u32| (all * u64::from(index) / hosts).to_string();
        let moves = arguments.moves / hosts + u64::from(u64::from(index) < arguments.moves % hosts);
        let players = u64::from(arguments.players);
        let mut words = words(&["__host"]);
        words.push(option("socket", socket));
        words.push(option("index", index.to_string()));
        words.push(option("first-player", share(players, index)));
        words.push(option("end-player", share(players, index + 1)));
        words.push(option("players", players.to_string()));
        words.push(option("moves", moves.to_string()));
        words.push(option("rate", arguments.rate.to_string()));
        words.push(option("seed", arguments.seed.to_string()));
        words.push(option("pages", arguments.pages.to_string()));
        let core = self.cores.hosts[index as usize];
        words.extend(core.map(|core| option("core", core.to_string())));
        words.extend(self.cores.shared.then(|| "--gives-way".into()));
        words.extend(
            self.report
                .draws_progress()
                .then(|| "--tells-progress".into()),
        );
        words
    }

    /// Says what a user should know about the result.
    fn comment(&self, hosts: &HostResult, notes: &mut Notes) {
        for trouble in &hosts.troubles {
            notes.say(trouble.clone());
        }
        if !hosts.rate_kept {
            notes.say(format!(
                "the rate of {} moves/s for each host was NOT KEPT: latencies contain the delay; \
                 lower --rate, or give engine and hosts cores of their own",
                self.arguments.rate
            ));
        }
        if hosts.preempted as f64 > MANY_PREEMPTIONS * hosts.elapsed_ns / 1e9 {
            notes.say(format!(
                "the machine is BUSY: the kernel took the core away from a sending host {} times; \
                 the latencies contain that, run again when it is quiet",
                hosts.preempted
            ));
        }
        if !hosts.pages.0.contains("hugetlb") || !hosts.pages.1.contains("hugetlb") {
            notes.say(format!(
                "no free 2 MiB pages were used: the rings lie on {} and {}; reserve some with \
                 `sysctl vm.nr_hugepages=N`, 2 for each host",
                hosts.pages.0, hosts.pages.1
            ));
        }
    }
}

/// Words of a command line.
pub fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// An option of a command line with its value.
pub fn option(name: &str, value: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

/// What the engine has counted, if it left as it should.
pub fn last_words(
    crew: &mut Crew,
    engine: usize,
    notes: &mut Notes,
) -> Result<Option<Served>, DemoError> {
    let mut served = None;
    while !crew.has_ended(engine) {
        if let Event::Said(_, wire::Report::Served(last)) = crew.next()? {
            served = Some(last);
        }
    }
    match crew.see_off(engine) {
        Ok(()) => Ok(served),
        Err(DemoError::Interrupted) => Err(DemoError::Interrupted),
        Err(error) => {
            notes.say(error.to_string());
            Ok(None)
        }
    }
}

/// The map as an open file that the children load: the prepared one, or one without a name.
pub fn hand_over(found: &Found) -> Result<File, Failure> {
    if let Source::Prepared(path) = &found.source {
        return Ok(File::open(path).map_err(DemoError::system("open the map again"))?);
    }
    let path = runtime_path(&format!("ironhoard-demo-{}.ihmap", std::process::id()));
    found.map.save(&path)?;
    let file = File::open(&path).map_err(DemoError::system("open the map again"));
    std::fs::remove_file(&path).map_err(DemoError::system("remove the map's name"))?;
    Ok(file?)
}

fn draw(path: &Path, hosts: &HostResult, floors: [Option<Floor>; 2]) -> Result<(), Failure> {
    let latencies = hosts.histogram();
    let curve = Curve {
        name: "move, from its due time to its answer",
        latencies: &latencies,
    };
    let levels: Vec<Level<'_>> = floors
        .iter()
        .flatten()
        .zip(["walking floor before, p50", "walking floor after, p50"])
        .map(|(floor, name)| Level {
            name,
            ns: floor.p50_ns,
        })
        .collect();
    let title = "Treasure hunt: moves validated by the engine";
    Ok(draw_latency(path, title, &[curve], &levels)?)
}

/// The engine's path, removed together with its lock file when the demo is over.
pub struct SocketPath(pub PathBuf);

impl SocketPath {
    /// A path of this process's own.
    pub fn new() -> SocketPath {
        SocketPath(runtime_path(&format!(
            "ironhoard-demo-{}.sock",
            std::process::id()
        )))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let mut lock = self.0.clone().into_os_string();
        lock.push(".lock");
        // Either may never have come to be.
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_file(lock);
    }
}
