//! `ironhoard bench go`: what a host in Go pays, beside one in Rust.
//!
//! ```text
//!   floor ── Rust ── Go call ── Go lane ── floor ── Go lane ── Go call ── Rust ── floor …    host core
//!   ─────────────────────────── one engine, always the same ───────────────────────────   engine core
//! ```
//!
//! The Go host is a process of its own on the Rust host's core. It sleeps in a read while the Rust host
//! works, and the other way round; both warm up before they are timed. [`talk`] carries questions and
//! timings between them. Which of the two goes first changes from slice to slice.

pub mod args;
mod build;
mod command;
mod crowd;
mod host;
mod open;
mod result;
mod rivals;
mod streams;
mod talk;
mod turns;

use std::io;
use std::path::PathBuf;

use ironhoard::host::HostError;

use crate::child::ChildError;
use crate::cores::CoreError;

use super::attached::BenchError;

pub use command::run;

/// Why there are no figures of a Go host.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    /// The engine, the Rust host or the floors.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A process.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The cores.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// There is no Go.
    #[error("cannot run `go`: {0}; install Go 1.24 or later, or put it into PATH")]
    NoGo(io::Error),
    /// There is no source to build.
    #[error("cannot find go-bindings/go.mod in any of {0:?}; name the checkout with --source")]
    Source(Vec<PathBuf>),
    /// The source does not build.
    #[error("cannot build {what} in {}: {reason}", module.display())]
    Build {
        /// What was built.
        what: &'static str,
        /// The module.
        module: PathBuf,
        /// What the compiler said.
        reason: String,
    },
    /// The program in Go has given up.
    #[error("the program in Go could not go on: {0}")]
    Failed(String),
    /// What came back to the program in Go is not what it sent.
    #[error("{0}; the figures are worthless")]
    Wrong(String),
    /// The program in Go speaks differently.
    #[error("the program in Go said {0:?}, which was not asked; both must come from one checkout (--source)")]
    Said(String),
    /// The program in Go does not speak.
    #[error("the program in Go has said nothing for {0} s; check that its core is not taken away from it, and run again")]
    Silent(u64),
}

impl From<HostError> for GoError {
    fn from(error: HostError) -> GoError {
        BenchError::from(error).into()
    }
}
