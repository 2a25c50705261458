//! Why a demo has no result; each with its exit code.

use ironhoard::attach::{AttachError, RefusalCode};
use ironhoard::host::HostError;
use ironhoard_hunt::walk::WalkError;

use crate::child::ChildError;
use crate::exit::Ending;

/// Why a demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A process could not be started, or ended early.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// A process ended without a result and without a failure.
    #[error(
        "the {name} process ended without a result; run again with RUST_LOG=debug to see more"
    )]
    Silent {
        /// Which process.
        name: &'static str,
    },
    /// A host could not attach, or lost its lane.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nobody walks.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// More hosts than players.
    #[error(
        "{players} players are too few for {hosts} hosts: each host has its own; raise --players"
    )]
    TooFewPlayers {
        /// Players asked for.
        players: u32,
        /// Hosts asked for.
        hosts: u32,
    },
    /// A player could not join.
    #[error("a player could not join (status {status:#x}); the engine must be new and have room for all players")]
    NotJoined {
        /// What the engine answered.
        status: u16,
    },
    /// More moves than a host can plan.
    #[error(
        "{moves} moves are more than the {limit} that are planned at most; lower --rate, --seconds or --scale"
    )]
    TooManyMoves {
        /// Moves asked for, at most.
        moves: u64,
        /// Moves possible.
        limit: u64,
    },
    /// The kernel refused something.
    #[error("cannot {what}: {source}; check the limits on files, threads and memory")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A signal came.
    #[error("interrupted; engine and hosts were ended and nothing is left behind")]
    Interrupted,
}

impl DemoError {
    /// A closure for `map_err`.
    pub fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
        move |source| DemoError::System { what, source }
    }

    /// The exit code's name. A process that failed has the code of its own failure.
    pub fn ending(&self) -> Ending {
        match self {
            DemoError::Child(ChildError::Failed { status, .. }) => match status.code() {
                Some(code) if code == Ending::Usage as i32 => Ending::Usage,
                Some(code) if code == Ending::Environment as i32 => Ending::Environment,
                _ => Ending::Peer,
            },
            DemoError::Child(ChildError::Start { .. }) | DemoError::System { .. } => {
                Ending::Environment
            }
            DemoError::Child(ChildError::Stuck { .. })
            | DemoError::Silent { .. }
            | DemoError::NotJoined { .. } => Ending::Peer,
            DemoError::Host(HostError::Attach(AttachError::Refused(refusal)))
                if refusal.code == RefusalCode::Pages =>
            {
                Ending::Environment
            }
            DemoError::Host(_) => Ending::Peer,
            DemoError::Walk(_)
            | DemoError::TooFewPlayers { .. }
            | DemoError::TooManyMoves { .. } => Ending::Usage,
            DemoError::Interrupted => Ending::Interrupted,
        }
    }
}
