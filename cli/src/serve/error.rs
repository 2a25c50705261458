//! Why an engine did not start, or ended; each with its exit code.

use std::path::PathBuf;

use ironhoard::attach::ListenError;
use ironhoard::engine::EngineError;
use ironhoard_hunt::world::HuntError;

use crate::exit::Ending;

/// Why `serve` failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The hunt.
    #[error(transparent)]
    Hunt(#[from] HuntError),
    /// The recording cannot be written.
    #[error("cannot record to {}: {source}; check the path and its permissions", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret cannot be read.
    #[error("cannot read the secret from {}: {source}; check the path and its permissions", path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret is no secret.
    #[error("{} does not hold 64 hexadecimal digits; make a secret with `od -An -N32 -tx1 /dev/urandom | tr -d ' \\n'`", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
    },
    /// No signals, or no thread to wait for them.
    #[error("cannot wait for signals: {0}; check the limit on threads")]
    Signals(std::io::Error),
}

impl ServeError {
    /// The exit code's name.
    pub fn ending(&self) -> Ending {
        match self {
            ServeError::Engine(EngineError::Shards { .. }) | ServeError::Secret { .. } => {
                Ending::Usage
            }
            ServeError::Engine(EngineError::Listen(
                ListenError::PathTooLong { .. } | ListenError::NoFileName { .. },
            )) => Ending::Usage,
            ServeError::Hunt(HuntError::Limit { .. }) => Ending::Usage,
            ServeError::Engine(EngineError::ShardLost { .. }) => Ending::Peer,
            _ => Ending::Environment,
        }
    }
}
