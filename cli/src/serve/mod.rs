//! `ironhoard serve`: the treasure-hunt engine.
//!
//! ```text
//!   map, secret, players ─▶ game ─▶ bind the path ─▶ announce ─▶ run ─▶ counters
//!                                                                 ▲
//!                           SIGTERM, SIGINT, a closed pipe ── stop handle
//! ```
//!
//! Everything that may be refused is tried before the path is taken, so that a wrong option never
//! disturbs hosts.

pub mod args;
mod error;
mod socket;
mod stop;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironhoard::attach::Policy;
use ironhoard::engine::{Counts, Engine, EngineOptions};
use ironhoard::region::{reserve_report, PageCounts};
use ironhoard::sys::affinity::allowed_cores;
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::handler::HuntHandler;
use ironhoard_hunt::map::{MapMemory, StreetMap};
use ironhoard_hunt::recording::Recorder;
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::world::{Hunt, HuntOptions};
use serde::{Deserialize, Serialize};

use crate::exit::{Ending, Failure};
use crate::map::source;
use crate::notes::Notes;
use crate::report::{self, Report};
use crate::usage;

use args::ServeArguments;
pub use error::ServeError;
pub use socket::runtime_path;

/// Name and version of the service, which hosts may ask for.
pub const SERVICE: &str = "treasure-hunt";
/// See [`SERVICE`].
pub const SERVICE_VERSION: u32 = 1;

/// The rest of the memory is taken so long after hosts could connect: boot and first attach take less.
const SETTLES_AFTER: Duration = Duration::from_secs(1);

/// What an engine has done, in the words of its JSON keys.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Served {
    /// Where hosts attached.
    pub socket: String,
    /// The engine's counters.
    pub counters: BTreeMap<String, u64>,
    /// The regions' pages.
    pub regions: BTreeMap<String, u64>,
}

/// Runs `serve`.
pub fn run(arguments: &ServeArguments, report: &Report) -> Result<Ending, Failure> {
    let mut notes = Notes::default();
    let found = source::open(
        arguments.map.as_deref(),
        MapMemory::FileFirst,
        report,
        &mut notes,
    )?;
    let source = found.source.describe();
    let served = engine(arguments, found.map, &source, None, &mut || {})?;
    report.show(&served, as_table)?;
    Ok(Ending::Done)
}

/// Serves a game on `map` until stopped by a signal, or by the closing of `life`'s other end; says
/// `bound` as soon as hosts can connect.
pub fn engine(
    arguments: &ServeArguments,
    map: StreetMap,
    source: &str,
    life: Option<OwnedFd>,
    bound: &mut dyn FnMut(),
) -> Result<Served, ServeError> {
    let map = Arc::new(map);
    let options = hunt_options(
        arguments,
        secret(arguments.secret_file.as_deref(), arguments.seed)?,
    );
    let hunt = Hunt::new(map.clone(), &options)?;
    let recorder = match &arguments.record {
        Some(path) => Some(recorder(path, &options, &map)?),
        None => None,
    };
    let socket = arguments
        .socket
        .clone()
        .unwrap_or_else(|| runtime_path("ironhoard.sock"));
    let engine = Engine::bind(engine_options(arguments, &socket))?;
    announce(arguments, &options, &map, source, &socket);
    stop::on_signal(engine.stop_handle())?;
    if let Some(life) = life {
        stop::on_hang_up(life, engine.stop_handle())?;
    }
    bound();
    settle(&hunt);
    let counters = engine.counters();
    let handler = Mutex::new(Some(HuntHandler::new(hunt).record_to(recorder)));
    let only_shard = || handler.lock().ok().and_then(|mut handler| handler.take());
    let counts = engine.run(|_| {
        // The engine makes a shard's handler on the shard's own thread.
        usage::count_this_thread();
        only_shard().expect("there is one shard")
    })?;
    tracing::info!("left; the path is free");
    Ok(Served::new(
        &socket.to_string_lossy(),
        &counts,
        &counters.pages().counts(),
    ))
}

/// Lets the hunt take the rest of its memory when the first hosts have had their first replies.
fn settle(hunt: &Hunt) {
    if let Err(error) = hunt.settling().start_after(SETTLES_AFTER) {
        tracing::warn!(
            "no thread to populate the memory with, it comes when it is touched: {error}"
        );
    }
}

/// The budgets and distances that were asked for.
fn hunt_options(arguments: &ServeArguments, secret: WorldSecret) -> HuntOptions {
    let game = GameOptions {
        players: arguments.players,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret,
    };
    let usual = HuntOptions::new(game);
    HuntOptions {
        sessions: arguments.sessions.unwrap_or(usual.sessions),
        idle_seconds: arguments.idle_seconds,
        treasures: arguments.treasures,
        scattered: arguments.scattered,
        boards: arguments.boards,
        board_entries: arguments.board_entries.unwrap_or(usual.board_entries),
        reach_dm: 10 * arguments.reach,
        seed: arguments.seed,
        ..usual
    }
}

fn recorder(path: &Path, options: &HuntOptions, map: &StreetMap) -> Result<Recorder, ServeError> {
    Recorder::create(path, options, map).map_err(|source| ServeError::Recording {
        path: path.to_owned(),
        source,
    })
}

fn engine_options(arguments: &ServeArguments, socket: &Path) -> EngineOptions {
    let uids = &arguments.allowed_uids;
    let policy = Policy {
        service: SERVICE.to_owned(),
        service_version: SERVICE_VERSION,
        allowed_uids: (!uids.is_empty()).then(|| uids.clone()),
        max_hosts: arguments.max_hosts,
        max_hosts_per_uid: arguments.max_hosts_per_uid.unwrap_or(arguments.max_hosts),
        max_bytes_per_uid: arguments.max_memory_per_uid << 20,
        pages: arguments.pages,
        ..Policy::default()
    };
    let options = EngineOptions::new(socket)
        .wait(arguments.wait)
        .budget(arguments.budget as usize)
        .socket_mode(arguments.socket_mode)
        .drain_for(Duration::from_millis(arguments.drain_for))
        .event_rings(usize::from(arguments.events > 0), arguments.events)
        .policy(policy);
    match arguments.core {
        Some(core) => options.cores([core]),
        None => options,
    }
}

/// The world's secret: out of the file, else out of the seed.
pub fn secret(file: Option<&Path>, seed: u64) -> Result<WorldSecret, ServeError> {
    let Some(path) = file else {
        tracing::warn!(
            seed,
            "the players' keys come from a seed that everybody knows: good for trying out only; \
             give --secret-file for more"
        );
        return Ok(WorldSecret::from_seed(seed));
    };
    let text = std::fs::read_to_string(path).map_err(|source| ServeError::SecretFile {
        path: path.to_owned(),
        source,
    })?;
    let not_hexadecimal = || ServeError::Secret {
        path: path.to_owned(),
    };
    let bytes = hexadecimal(text.trim()).ok_or_else(not_hexadecimal)?;
    Ok(WorldSecret::new(bytes))
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[pair.len() - 1])
        .collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

/// What an operator wants to know of a starting engine.
fn announce(
    arguments: &ServeArguments,
    options: &HuntOptions,
    map: &StreetMap,
    source: &str,
    socket: &Path,
) {
    tracing::info!(
        name = map.name(),
        nodes = map.node_count(),
        arcs = map.arc_count(),
        source,
        "map; {}",
        map.attribution()
    );
    let reserve = reserve_report();
    tracing::info!(
        pages = %arguments.pages,
        huge_free = reserve.huge_available(),
        huge_total = reserve.huge_total,
        kernel = reserve.kernel,
        "regions"
    );
    tracing::info!(
        core = arguments.core.map_or("not pinned".to_owned(), |core| core.to_string()),
        allowed = ?allowed_cores(),
        wait = ?arguments.wait,
        budget = arguments.budget,
        "shard 0"
    );
    for line in options.budget(map) {
        tracing::info!(
            count = line.count,
            bytes = line.bytes,
            "budget: {}",
            line.what
        );
    }
    tracing::info!(
        socket = %socket.display(),
        mode = format!("{:o}", arguments.socket_mode),
        max_hosts = arguments.max_hosts,
        "hosts may attach"
    );
}

impl Served {
    fn new(socket: &str, counts: &Counts, pages: &PageCounts) -> Served {
        let named = |(name, count): (&'static str, u64)| (name.to_owned(), count);
        let regions = [
            ("huge", pages.huge),
            ("collapsed", pages.collapsed),
            ("small", pages.small),
            ("fallbacks", pages.fallbacks),
            ("bytes", pages.bytes),
        ];
        Served {
            socket: socket.to_owned(),
            counters: counts.pairs().into_iter().map(named).collect(),
            regions: regions.into_iter().map(named).collect(),
        }
    }
}

fn as_table(served: &Served) -> String {
    let mut table = report::table(&["counter", "count"]);
    for (name, count) in &served.counters {
        table.add_row([name.clone(), count.to_string()]);
    }
    for (name, count) in &served.regions {
        table.add_row([format!("regions, {name}"), count.to_string()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sixty_four_digits() {
        let digits = "00ff".repeat(16);
        let bytes = hexadecimal(&digits).unwrap();
        assert_eq!((bytes[0], bytes[1], bytes[31]), (0, 255, 255));
        assert_eq!(hexadecimal(&digits[1..]), None);
        assert_eq!(hexadecimal(&"g".repeat(64)), None);
        assert_eq!(hexadecimal(""), None);
    }
}
