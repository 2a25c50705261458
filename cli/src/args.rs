//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::demo::args::{DemoArguments, EngineArguments as HuntArguments, HostArguments};
use ironhoard::wait::WaitStrategy;

use crate::bench::c_args::{self, CArguments, StepsArguments};
use crate::bench::engine::LARGEST_ECHO;
use crate::bench::fanout::ListenerArguments;
use crate::bench::fanout_command::{self, FanoutArguments};
use crate::bench::go::{self, args::GoArguments};
use crate::exit;
use crate::load::args::{LoadArguments, LoadEngineArguments, LoadHostArguments};
use crate::map::args::MapCommand;
use crate::replay::ReplayArguments;
use crate::serve::args::ServeArguments;
use crate::{demo, load, replay, serve};

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(
    name = "ironhoard",
    version,
    about = "Hand a hot path to a pinned engine process through shared memory",
    after_help = exit::HELP,
    arg_required_else_help = true,
    propagate_version = true
)]
pub struct Arguments {
    /// Print one JSON object instead of tables, and no progress.
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Players walk a real city: every answer is checked, every latency counted.
    #[command(after_help = demo::args::EXAMPLES)]
    Demo(DemoArguments),
    /// Load an engine as a city would: bursts, retries, crowds; every answer is checked.
    #[command(after_help = load::args::EXAMPLES)]
    Load(LoadArguments),
    /// Run the treasure-hunt engine.
    #[command(after_help = serve::args::EXAMPLES)]
    Serve(ServeArguments),
    /// Play a recording of `serve --record` again, and compare.
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArguments),
    /// Make maps, and look into them.
    #[command(after_help = exit::HELP)]
    Map {
        /// What to do.
        #[command(subcommand)]
        map: MapCommand,
    },
    /// Measure, each figure beside the floor of the same moment.
    #[command(after_help = exit::HELP)]
    Bench {
        /// What to measure.
        #[command(subcommand)]
        bench: Bench,
    },
    /// The engine process of a benchmark; started by the program itself.
    #[command(name = "__engine", hide = true)]
    Engine {
        /// Which engine.
        #[command(subcommand)]
        role: EngineRole,
    },
    /// A host whose instructions are counted; started by the program itself.
    #[command(name = "__steps", hide = true)]
    Steps(StepsArguments),
    /// The host process of a load; started by the program itself.
    #[command(name = "__load", hide = true)]
    LoadHost(LoadHostArguments),
    /// A host process of a demo; started by the program itself.
    #[command(name = "__host", hide = true)]
    Host(HostArguments),
    /// A host process that listens to events; started by the program itself.
    #[command(name = "__listener", hide = true)]
    Listener(ListenerArguments),
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Know your machine: what moving cache lines between two cores costs.
    #[command(
        long_about = "Know your machine: what moving cache lines between two cores costs.\n\n\
            Two processes on two cores bounce cache lines and do nothing else. No handoff through \
            shared memory can be faster than that, whatever its code; so every other benchmark \
            here is given as a multiple of these figures.\n\n\
            walking  a round trip over 1024 lines each way\n\
            warm     the same, each side owning its next line while it waits\n\
            stream   whole lines one way, every word written and read\n\n\
            On virtual machines the cores may change places while you look. The figures are \
            therefore taken in slices of a few milliseconds and grouped by the distance met.",
        after_help = FLOOR_EXAMPLES
    )]
    Floor(FloorArguments),
    /// A request there, its reply back, through the whole stack.
    #[command(
        long_about = "A request there, its reply back, through the whole stack.\n\n\
            An engine process with an echo handler on one core, a host process on another. Every \
            round trip writes a request in place, and reads and compares every word of its reply. \
            The walking floor is measured between the slices by the same two threads; a ratio of \
            1.00 means that a round trip costs what moving two cache lines costs.",
        after_help = RTT_EXAMPLES
    )]
    Rtt(RttArguments),
    /// What the C border costs: a C host beside a Rust host, on the same core and engine.
    #[command(long_about = c_args::ABOUT, after_help = c_args::EXAMPLES)]
    C(CArguments),
    /// What one message costs when many are under way.
    #[command(
        long_about = "What one message costs when many are under way.\n\n\
            batch       one way through a ring, 16 records made visible at a time\n\
            one by one  the same, each record committed by itself\n\
            full window requests and replies over a lane whose rings are kept full\n\n\
            Every word of every message is written and read, and their sum is checked. The ratio is \
            to a stream of whole cache lines between the same two threads, measured between the \
            slices.",
        after_help = STREAM_EXAMPLES
    )]
    Stream(StreamArguments),
    /// Many producers, and what sharing one ring would cost them.
    #[command(
        long_about = "Many producers, and what sharing one ring would cost them.\n\n\
            With a core for each producer, rings are filled and then drained and checked:\n\n\
            lanes             a ring for each producer; the others are divided by it\n\
            compare-exchange  one ring whose end all claim from, a rival for measurement only\n\
            shared            one ring under a mutex, taken for each message or for groups of 16\n\n\
            With more producers than cores, threads share one producer while a consumer drains it. \
            Either way no message may be lost, torn or out of its producer's order.",
        after_help = FANIN_EXAMPLES
    )]
    Fanin(FaninArguments),
    /// One event to many sleeping hosts, and what a stopped host costs the engine.
    #[command(after_help = fanout_command::EXAMPLES)]
    Fanout(FanoutArguments),
    /// How long a parked engine takes to look at a request.
    #[command(
        long_about = "How long a parked engine takes to look at a request.\n\n\
            From just before the commit to the handler's first instruction, after the engine has been \
            asleep for 50 µs and for 1 ms; beside a bare wake-up of the same thread on the same core: \
            one byte over a socketpair to an epoll_wait. And what the parked engine uses of a core \
            while nobody asks anything of it.",
        after_help = WAKE_EXAMPLES
    )]
    Wake(WakeArguments),
    /// What a host in Go pays, beside one in Rust.
    #[command(long_about = go::args::ABOUT, after_help = go::args::EXAMPLES)]
    Go(GoArguments),
}

const FLOOR_EXAMPLES: &str = "\
Examples:
  ironhoard bench floor                                   a table
  ironhoard bench floor --json | jq .floors               for a script
  ironhoard bench floor --engine-core 3 --host-core 2     two cores of your choice
  ironhoard bench floor --picture floor.svg               and the latency curve

Exit codes: 0 done, 2 usage, 3 environment, 4 the other process failed, 5 machine too busy,
6 the report could not be written.";

const RTT_EXAMPLES: &str = "\
Examples:
  ironhoard bench rtt                              48 bytes: one cache line each way
  ironhoard bench rtt --payload 240 --json         four lines each way, for a script
  ironhoard bench rtt --picture rtt.svg            and the latency curve beside the floor's

Exit codes: 0 done, 1 a reply was wrong, 2 usage, 3 environment, 4 the engine failed,
5 machine too busy, 6 the report could not be written.";

const STREAM_EXAMPLES: &str = "\
Examples:
  ironhoard bench stream                           48 bytes: one cache line a message
  ironhoard bench stream --payload 240 --json      four lines a message, for a script

Exit codes: 0 done, 1 a sum was wrong, 2 usage, 3 environment, 4 the engine failed,
5 machine too busy, 6 the report could not be written.";

const FANIN_EXAMPLES: &str = "\
Examples:
  ironhoard bench fanin                            two producers on two cores
  ironhoard bench fanin --producers 8 --json       eight threads on one shared producer

Exit codes: 0 done, 1 a message was lost, torn or out of order, 2 usage, 3 environment,
4 a thread made no progress, 5 machine too busy, 6 the report could not be written.";

const WAKE_EXAMPLES: &str = "\
Examples:
  ironhoard bench wake                             a table
  ironhoard bench wake --json | jq .ratio_1ms      for a script

Exit codes: 0 done, 2 usage, 3 environment, 4 the engine failed, 5 machine too busy,
6 the report could not be written.";

/// Which cores, and how long.
#[derive(Debug, Args)]
pub struct Measuring {
    /// Core of the engine process [default: the second this process may use].
    #[arg(long, value_name = "CORE")]
    pub engine_core: Option<usize>,

    /// Core of the host process [default: the first this process may use].
    #[arg(long, value_name = "CORE")]
    pub host_core: Option<usize>,

    /// Steady slices to collect; on a busy machine at most three times as many are tried.
    #[arg(long, value_name = "COUNT", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub slices: u32,
}

/// Options of `bench floor`.
#[derive(Debug, Args)]
pub struct FloorArguments {
    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,

    /// Write the latency curve as an SVG picture.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
}

/// Options of `bench rtt`.
#[derive(Debug, Args)]
pub struct RttArguments {
    /// Bytes of each request and reply.
    #[arg(long, value_name = "BYTES", default_value_t = 48, value_parser = payload)]
    pub payload: usize,

    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,

    /// Write the latency curve as an SVG picture.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
}

/// Options of `bench stream`.
#[derive(Debug, Args)]
pub struct StreamArguments {
    /// Bytes of each message.
    #[arg(long, value_name = "BYTES", default_value_t = 48, value_parser = payload)]
    pub payload: usize,

    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,
}

/// Options of `bench fanin`.
#[derive(Debug, Args)]
pub struct FaninArguments {
    /// Producers; with at most as many as there are cores each has one to itself.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = producers)]
    pub producers: usize,

    /// Steady slices of each kind to collect, with a core for each producer.
    #[arg(long, value_name = "COUNT", default_value_t = 150,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub slices: u32,

    /// Messages of each producer, with more producers than cores.
    #[arg(long, value_name = "COUNT", default_value_t = 250_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub messages: u64,
}

/// A number of producers: two at least, or nothing is shared.
fn producers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 2..=64) => Ok(count),
        _ => Err("choose 2 to 64 producers".to_owned()),
    }
}

/// Options of `bench wake`.
#[derive(Debug, Args)]
pub struct WakeArguments {
    /// Cores and duration.
    #[command(flatten)]
    pub measuring: Measuring,
}

/// A payload: whole words, so that every byte can be checked, and at most what is echoed.
pub fn payload(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes % 8 == 0 && (8..=LARGEST_ECHO).contains(&bytes) => Ok(bytes),
        _ => Err(format!("choose a multiple of 8 from 8 to {LARGEST_ECHO}")),
    }
}

/// The engine processes of the benchmarks.
#[derive(Debug, Subcommand)]
pub enum EngineRole {
    /// Judges the moves of a demo.
    Hunt(Box<HuntArguments>),
    /// Judges the moves of a load, and says what it takes of the machine.
    Load(Box<LoadEngineArguments>),
    /// Serves a host that measures.
    Bench(EngineArguments),
    /// Responds to floor measurements.
    Floor {
        /// Inherited descriptor of the shared memory.
        #[arg(long)]
        memory_fd: i32,
        /// Core to run on.
        #[arg(long)]
        core: usize,
    },
}

/// Options of a benchmark's engine process.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// Inherited descriptor of the shared memory.
    #[arg(long)]
    pub memory_fd: i32,
    /// Inherited descriptor of the memory of a ring beside the lanes.
    #[arg(long)]
    pub ring_fd: Option<i32>,
    /// Inherited descriptor of a bare doorbell's sleeping end.
    #[arg(long)]
    pub bell_fd: Option<i32>,
    /// Core of the shard.
    #[arg(long)]
    pub core: usize,
    /// How the shard waits.
    #[arg(long)]
    pub wait: WaitStrategy,
    /// Where to listen.
    #[arg(long)]
    pub socket: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn json_may_stand_anywhere() {
        for line in [
            "--json bench floor",
            "bench --json floor",
            "bench floor --json",
        ] {
            let words = ["ironhoard"].into_iter().chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).unwrap().json, "{line}");
        }
    }

    #[test]
    fn impossible_values_are_usage_errors() {
        for line in [
            "bench floor --slices 0",
            "bench floor --engine-core x",
            "bench",
            "benhc",
        ] {
            let words = ["ironhoard"].into_iter().chain(line.split(' '));
            assert_eq!(
                Arguments::try_parse_from(words).unwrap_err().exit_code(),
                2,
                "{line}"
            );
        }
    }

    #[test]
    fn hidden_subcommands_stay_out_of_the_help() {
        assert!(!Arguments::command()
            .render_help()
            .to_string()
            .contains("  __"));
    }
}
