//! Exit codes: the one place where they are decided.
//!
//! | code | meaning                                                                           |
//! |------|-----------------------------------------------------------------------------------|
//! | 0    | done, and the result is right                                                     |
//! | 1    | done, but the result is wrong: a message was lost, torn or answered wrongly       |
//! | 2    | usage: an unknown option, an impossible value                                     |
//! | 3    | environment: too few cores, no memory, no huge pages where they were required, …  |
//! | 4    | the other process ended, was not ready, or refused                                |
//! | 5    | the machine was too busy for a headline; the figures are printed without it       |
//! | 6    | the report could not be written                                                   |
//! | 130  | interrupted by a signal; nothing is left behind                                   |

use std::process::ExitCode;

use ironhoard_hunt::map::MapError;
use ironhoard_hunt::recording::ReplayError;

use ironhoard::host::HostError;

use crate::bench::attached::BenchError;
use crate::bench::c_host::CHostError;
use crate::bench::engine::ServeError as BenchEngineError;
use crate::bench::fanin::FaninError;
use crate::bench::floor::FloorError;
use crate::bench::go::GoError;
use crate::bench::pair::PairError;
use crate::bench::stream::StreamError;
use crate::cores::CoreError;
use crate::demo::DemoError;
use crate::map;
use crate::report::ReportError;
use crate::serve::ServeError;

/// The exit codes for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  done, and the result is right
  1  the result is wrong: something was lost, torn or answered wrongly
  2  usage: an unknown option or an impossible value
  3  environment: too few cores, not enough memory, no huge pages where required
  4  the other process ended, was not ready, or refused
  5  the machine was too busy for a headline (the figures are printed without it)
  6  the report could not be written
  130  interrupted by a signal";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The result is right.
    Done = 0,
    /// The result is wrong.
    Wrong = 1,
    /// The command line asks for something impossible.
    Usage = 2,
    /// The machine or its limits do not allow it.
    Environment = 3,
    /// The other process is of no use.
    Peer = 4,
    /// No headline.
    TooBusy = 5,
    /// The result could not be shown.
    Report = 6,
    /// A signal ended it.
    Interrupted = 130,
}

impl Ending {
    /// The ending of a measurement, which a machine that is too busy leaves without a headline.
    pub fn of_measurement(too_busy: bool) -> Ending {
        match too_busy {
            true => Ending::TooBusy,
            false => Ending::Done,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        ExitCode::from(ending as u8)
    }
}

/// Why a command failed; each variant has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A pair of processes could not measure floors.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A host and its engine could not measure.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Producers could not fill their rings.
    #[error(transparent)]
    Fanin(#[from] FaninError),
    /// A host in Go could not be measured.
    #[error(transparent)]
    Go(#[from] GoError),
    /// The engine process could not serve.
    #[error(transparent)]
    BenchEngine(#[from] BenchEngineError),
    /// The cores asked for cannot be used.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A map cannot be used.
    #[error(transparent)]
    Map(#[from] MapError),
    /// An engine did not start, or was lost.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A recording cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A demo has no result.
    #[error(transparent)]
    Demo(#[from] DemoError),
}

impl Failure {
    /// The exit code's name.
    pub fn ending(&self) -> Ending {
        match self {
            Failure::Pair(error) => pair_ending(error),
            Failure::Bench(error) => bench_ending(error),
            Failure::Fanin(error) => fanin_ending(error),
            Failure::Go(error) => go_ending(error),
            Failure::BenchEngine(_) => Ending::Environment,
            Failure::Core(error) => core_ending(error),
            Failure::Report(_) => Ending::Report,
            Failure::Map(error) => map::command::ending(error),
            Failure::Serve(error) => error.ending(),
            Failure::Replay(ReplayError::Other(_)) => Ending::Usage,
            Failure::Replay(_) => Ending::Environment,
            Failure::Demo(error) => error.ending(),
        }
    }
}

fn pair_ending(error: &PairError) -> Ending {
    match error {
        PairError::Memory(_) => Ending::Environment,
        PairError::Core(error) => core_ending(error),
        PairError::Floor(FloorError::Torn { .. }) => Ending::Wrong,
        PairError::Floor(FloorError::Stalled) | PairError::Child(_) | PairError::NotReady => {
            Ending::Peer
        }
    }
}

fn fanin_ending(error: &FaninError) -> Ending {
    match error {
        FaninError::Memory(_) => Ending::Environment,
        FaninError::Core(error) => core_ending(error),
        FaninError::Floor(FloorError::Stalled) => Ending::Peer,
        FaninError::Floor(FloorError::Torn { .. })
        | FaninError::Claim(_)
        | FaninError::Corrupt(_) => Ending::Wrong,
    }
}

fn bench_ending(error: &BenchError) -> Ending {
    match error {
        BenchError::Memory(_)
        | BenchError::Directory { .. }
        | BenchError::Kernel { .. }
        | BenchError::Schedstat { .. }
        | BenchError::Clocks => Ending::Environment,
        BenchError::Core(error) => core_ending(error),
        BenchError::CHost(CHostError::Ended { .. }) => Ending::Peer,
        BenchError::CHost(_) | BenchError::Steps(_) => Ending::Environment,
        BenchError::Floor(FloorError::Torn { .. })
        | BenchError::Wrong { .. }
        | BenchError::Host(HostError::Corrupt(_)) => Ending::Wrong,
        BenchError::Stream(StreamError::Corrupt(_)) => Ending::Wrong,
        BenchError::Host(HostError::TooLarge { .. }) => Ending::Usage,
        BenchError::Floor(FloorError::Stalled)
        | BenchError::Host(_)
        | BenchError::Stream(_)
        | BenchError::Child(_)
        | BenchError::Status { .. }
        | BenchError::NotReady => Ending::Peer,
    }
}

fn go_ending(error: &GoError) -> Ending {
    match error {
        GoError::Bench(error) => bench_ending(error),
        GoError::Core(error) => core_ending(error),
        GoError::NoGo(_) | GoError::Source(_) | GoError::Build { .. } => Ending::Environment,
        GoError::Wrong(_) => Ending::Wrong,
        GoError::Child(_) | GoError::Failed(_) | GoError::Said(_) | GoError::Silent(_) => {
            Ending::Peer
        }
    }
}

fn core_ending(error: &CoreError) -> Ending {
    match error {
        CoreError::Shared { .. } => Ending::Usage,
        CoreError::NotAllowed { .. }
        | CoreError::Unknown
        | CoreError::TooFew { .. }
        | CoreError::Refused { .. } => Ending::Environment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_the_documented_code() {
        let code = |failure: Failure| failure.ending() as u8;
        assert_eq!(code(CoreError::Shared { core: 1 }.into()), 2);
        assert_eq!(code(CoreError::Unknown.into()), 3);
        assert_eq!(code(PairError::Core(CoreError::Unknown).into()), 3);
        assert_eq!(code(PairError::NotReady.into()), 4);
        assert_eq!(code(PairError::Floor(FloorError::Stalled).into()), 4);
        let torn = FloorError::Torn {
            expected: 1,
            found: 2,
        };
        assert_eq!(code(PairError::Floor(torn).into()), 1);
    }

    #[test]
    fn help_lists_every_code() {
        for code in 0..=Ending::Report as u8 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "code {code}");
        }
    }
}
