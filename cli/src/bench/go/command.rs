//! The order of a run, and its result.

use std::path::{Path, PathBuf};

use ironhoard::host::HostOptions;

use crate::cores::{allowed, CorePair};
use crate::exit::{Ending, Failure};
use crate::report::Report;

use super::super::attached::{BenchError, OwnDirectory, Setup, Started};
use super::super::memory::FloorMemory;
use super::args::GoArguments;
use super::host::GoHost;
use super::result::{as_table, GoResult, Hosts, Rivals};
use super::rivals::{stay_on, Arena};
use super::turns::Pair;
use super::{build, crowd, open, streams, GoError};

/// Bytes of each request and reply.
pub const PAYLOAD: usize = 48;
/// The most timings that one answer is sorted for: a measurement of bursts.
const MOST_TIMINGS: usize = 1 << 19;

/// Runs `bench go`.
pub fn run(arguments: &GoArguments, report: &Report) -> Result<Ending, Failure> {
    let result = measure(arguments, report)?;
    report.show(&result, as_table)?;
    Ok(Ending::of_measurement(result.is_too_busy()))
}

fn measure(arguments: &GoArguments, report: &Report) -> Result<GoResult, GoError> {
    let measuring = &arguments.measuring;
    let all = allowed()?;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let folder = OwnDirectory::create("-go")?;
    let programs = Programs::build(arguments, folder.path())?;
    let ring = FloorMemory::create().map_err(BenchError::from)?;
    let started = Started::new(Setup {
        cores,
        wait: "busy",
        ring: Some(ring.fd()),
        bell: None,
    })?;
    let outcome = hosts(
        &started,
        &ring,
        &programs.host,
        cores,
        &all,
        arguments,
        report,
    );
    let hosts = match outcome {
        Ok(hosts) => started.finish(Ok(hosts))?,
        // The engine's own reason, if it has one, is a better one.
        Err(GoError::Bench(error)) => started.finish(Err(error))?,
        Err(error) => return Err(error),
    };
    let arena = Arena {
        folder: folder.path(),
        cores,
        allowed: &all,
        payload: PAYLOAD,
        clock: hosts.clock,
    };
    let rivals = rivals(&programs, &arena)?;
    Ok(GoResult::new(hosts, rivals, cores, programs.go_version))
}

/// What was built before anything is measured.
struct Programs {
    host: PathBuf,
    /// Nothing where rivals are not wanted; else the program, or why there is none.
    rivals: Option<Result<PathBuf, GoError>>,
    go_version: String,
}

impl Programs {
    fn build(arguments: &GoArguments, folder: &Path) -> Result<Programs, GoError> {
        let checkout = build::checkout(arguments.source.as_deref())?;
        let rivals = || build::rivals(&checkout, folder);
        Ok(Programs {
            host: build::host(&checkout, folder)?,
            rivals: (!arguments.without_rivals).then(rivals),
            go_version: build::version()?,
        })
    }
}

/// Everything that needs the engine.
fn hosts(
    started: &Started,
    ring: &FloorMemory,
    program: &Path,
    cores: CorePair,
    all: &[usize],
    arguments: &GoArguments,
    report: &Report,
) -> Result<Hosts, GoError> {
    let attached = started.attach(cores.host, HostOptions::default())?;
    let clock = attached.clock;
    let page_size = attached.terms().request_pages.bytes();
    let go = GoHost::start(program, &started.socket(), ring.fd(), clock, MOST_TIMINGS)?;
    let wanted = arguments.measuring.slices as usize;
    let mut pair = Pair::new(attached, go, PAYLOAD)?;
    let round_trips = pair.collect(wanted, report)?.figures();
    let counted = pair.go.counted;
    let streams = streams::measure(&mut pair, wanted, report)?;
    let crowd = crowd::measure(&mut pair)?;
    let open = open::measure(&mut pair, all, cores)?;
    let Pair { attached, go, .. } = pair;
    go.end()?;
    attached.end()?;
    Ok(Hosts {
        round_trips,
        counted,
        streams,
        crowd,
        open,
        page_size,
        clock,
    })
}

/// Everything that needs the engine to be gone.
fn rivals(programs: &Programs, arena: &Arena<'_>) -> Result<Rivals, GoError> {
    let Some(built) = &programs.rivals else {
        return Ok(Rivals::default());
    };
    stay_on(arena.allowed)?;
    let socket = Some(arena.measure(&programs.host, "socket")?);
    Ok(match built {
        Ok(program) => Rivals {
            socket,
            grpc: Some(arena.measure(program, "grpc")?),
            note: None,
        },
        Err(error) => Rivals {
            socket,
            grpc: None,
            note: Some(format!("no gRPC: {error}")),
        },
    })
}
