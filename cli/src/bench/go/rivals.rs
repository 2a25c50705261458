//! What the same payload costs over what a Go service would use otherwise.
//!
//! The engine is gone by now: a rival that shares a core with a spinning engine would look worse than
//! it is. Each rival is measured with server and client on the two cores of this run, and left to the
//! scheduler; the better of both counts.

use std::ffi::OsString;
use std::path::Path;

use rustix::thread::{sched_setaffinity, CpuSet};

use crate::cores::CorePair;

use super::super::attached::BenchError;
use super::super::clock::Clock;
use super::super::samples::Samples;
use super::super::slices::Reading;
use super::talk::Talk;
use super::GoError;

/// Round trips that are not timed.
const WARM_UP: u64 = 500;
/// Round trips that are.
const TIMED: u64 = 4000;

/// Where and how rivals run.
pub struct Arena<'a> {
    /// A folder for their sockets.
    pub folder: &'a Path,
    /// The cores of this run.
    pub cores: CorePair,
    /// All cores that may be used.
    pub allowed: &'a [usize],
    /// Bytes of each request and reply.
    pub payload: usize,
    /// The clock of all figures.
    pub clock: Clock,
}

impl Arena<'_> {
    /// Round trips of the rival `kind` that `program` knows, at its best placement.
    pub fn measure(&self, program: &Path, kind: &'static str) -> Result<Reading, GoError> {
        let apart = self.at(program, kind, &[self.cores.engine], &[self.cores.host])?;
        let free = self.at(program, kind, self.allowed, self.allowed)?;
        Ok(if free.p50_ns < apart.p50_ns {
            free
        } else {
            apart
        })
    }

    fn at(
        &self,
        program: &Path,
        kind: &'static str,
        server: &[usize],
        client: &[usize],
    ) -> Result<Reading, GoError> {
        let socket = self.folder.join(kind);
        let clock = format!("-clock={}", self.clock.name());
        stay_on(server)?;
        let (server, _) =
            Talk::start("rival server", program, words("-serve", kind, &socket), &[])?;
        stay_on(client)?;
        let arguments = words("-measure", kind, &socket)
            .into_iter()
            .chain([clock.into()]);
        let (mut client, _) = Talk::start("rival client", program, arguments, &[])?;
        let answer = client.ask("call", &[WARM_UP, TIMED, self.payload as u64])?;
        client.end()?;
        server.end()?;
        let mut samples = Samples::with_capacity(answer.timings.len());
        for ticks in &answer.timings {
            samples.push(u64::from(*ticks));
        }
        let nothing = || GoError::Said("no timings".to_owned());
        samples.reading(&self.clock).ok_or_else(nothing)
    }
}

fn words(role: &str, kind: &str, socket: &Path) -> [OsString; 2] {
    let mut at = OsString::from("-at=");
    at.push(socket);
    [format!("{role}={kind}").into(), at]
}

/// Lets this thread, and what it starts from now on, use these cores.
pub fn stay_on(cores: &[usize]) -> Result<(), GoError> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(BenchError::kernel("an affinity mask"))?;
    Ok(())
}
