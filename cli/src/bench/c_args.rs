//! What can be typed behind `ironhoard bench c`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{payload, Measuring};

/// The long description.
pub const ABOUT: &str = "\
What the C border costs: a C host beside a Rust host, on the same core and engine.

The C host is compiled here with cc and linked to the shared library. Both take turns within each slice and do
the same: round trips, every word of which is compared, and claiming and committing one-line records while the
engine is held. A ratio of 1.00 means that the border costs nothing.";

/// Examples below the help.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard bench c                                a table
  ironhoard bench c --json | jq .ratio_rtt         for a script
  ironhoard bench c --library /usr/lib/libironhoard.so

The library is looked for beside this program, in deps and in ../lib. CC names another compiler than cc.

Exit codes: 0 done, 1 a reply was wrong, 2 usage, 3 environment (no compiler, no library),
4 the engine or the C host failed, 5 machine too busy, 6 the report could not be written.";

/// Options of `bench c`.
#[derive(Debug, Args)]
pub struct CArguments {
    /// Bytes of each request and reply.
    #[arg(long, value_name = "BYTES", default_value_t = 48, value_parser = payload)]
    pub payload: usize,

    /// The shared library [default: the one beside this program].
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,

    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,
}

/// Options of the Rust host whose instructions are counted.
#[derive(Debug, Args)]
pub struct StepsArguments {
    /// Where the engine listens.
    pub socket: PathBuf,
    /// How many records are claimed and committed.
    pub records: usize,
}
