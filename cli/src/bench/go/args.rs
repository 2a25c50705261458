//! What can be typed behind `ironhoard bench go`.

use std::path::PathBuf;

use clap::Args;

use crate::args::Measuring;

/// Said at length by `bench go --help`.
pub const ABOUT: &str = "What a host in Go pays, beside one in Rust.\n\n\
    Builds a Go host from the binding's source, and lets it take turns with a Rust host on the same \
    core, against the same engine, between floors of the same moment:\n\n\
    call    Client.Call, one goroutine       lane    a Producer of its own\n\
    stream  one way through a ring           1000    a thousand goroutines on one processor\n\n\
    Then, with the engine gone, the same payload over a plain Unix socket and over unary gRPC on a \
    Unix socket, both in Go. Go 1.24 or later is needed, and for gRPC a network or a module cache.";

/// Examples below `bench go --help`.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard bench go                               a table
  ironhoard bench go --json | jq .ratio_call       for a script
  ironhoard bench go --without-rivals              no socket, no gRPC: a minute less
  ironhoard bench go --source ~/ironhoard          another checkout's binding

Exit codes: 0 done, 1 a reply or a sum was wrong, 2 usage, 3 environment (no Go, no source, a build
that fails), 4 the engine or the Go host failed, 5 machine too busy, 6 the report could not be written.";

/// Options of `bench go`.
#[derive(Debug, Args)]
pub struct GoArguments {
    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,

    /// The checkout with go-bindings in it [default: looked for in and above the
    /// working directory, above this program's file, and where it was built].
    #[arg(long, value_name = "FOLDER")]
    pub source: Option<PathBuf>,

    /// Leave out the plain socket and gRPC.
    #[arg(long)]
    pub without_rivals: bool,
}
