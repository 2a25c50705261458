//! What can be typed behind `ironhoard demo`, and what the demo types to start its own processes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ironhoard::region::PageMode;

use crate::serve::args::ServeArguments;

/// Examples below `demo --help`.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard demo                                  a million moves, ten seconds
  ironhoard demo --moves 20000 --json | jq .latency_ns
  ironhoard demo --rate max                       saturated: what one engine core can judge
  ironhoard demo --hosts 2 --rate 50000           two host processes, each with its own players
  ironhoard demo --pages require-huge             2 MiB pages or nothing

Exit codes: 0 all answers came and are right, 1 some are wrong or lost, 2 usage, 3 environment,
4 a process ended early or was refused, 6 the report could not be written, 130 interrupted.";

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Moves that are sent, by all hosts together.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub moves: u64,

    /// Host processes, each with its own players.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub hosts: u32,

    /// Moves a second that each host sends, or `max`: as fast as the engine takes them.
    #[arg(long, value_name = "RATE", default_value = "100000")]
    pub rate: Rate,

    /// Players that walk, shared out among the hosts.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub players: u32,

    /// Prepared map, GeoJSON or .osm.pbf [default: the fetched city, else a generated one].
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// The same seed gives the same moves.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Pages of the regions: auto, require-huge or small.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub pages: PageMode,

    /// What the engine does while nobody asks [default: spin; yield where there is but one core].
    #[arg(long, value_name = "STRATEGY", value_parser = ["busy", "spin", "yield", "park"])]
    pub wait: Option<String>,

    /// Core of the engine process [default: the second this process may use].
    #[arg(long, value_name = "CORE")]
    pub engine_core: Option<usize>,

    /// Core of a host process; may be given for each host [default: the others].
    #[arg(long = "host-core", value_name = "CORE")]
    pub host_cores: Vec<usize>,

    /// Where the latency curve is drawn.
    #[arg(long, value_name = "FILE", default_value = "demo-latency.svg")]
    pub picture: PathBuf,

    /// Draw no latency curve.
    #[arg(long, conflicts_with = "picture")]
    pub no_picture: bool,
}

/// How fast a host sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Open loop: so many moves a second.
    PerSecond(f64),
    /// The next move as soon as there is room for it.
    Max,
}

impl Rate {
    /// The rate, unless there is none to keep.
    pub fn per_second(self) -> Option<f64> {
        match self {
            Rate::PerSecond(rate) => Some(rate),
            Rate::Max => None,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        if text == "max" {
            return Ok(Rate::Max);
        }
        match text.parse() {
            Ok(rate @ 0.1..=1e9) => Ok(Rate::PerSecond(rate)),
            _ => Err("give moves a second, from 0.1 to 1e9, or `max`".to_owned()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::PerSecond(rate) => write!(f, "{rate}"),
            Rate::Max => f.write_str("max"),
        }
    }
}

/// The engine process of a demo.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArguments,
    /// The parent.
    #[command(flatten)]
    pub wire: WireArguments,
}

/// A host process of a demo.
#[derive(Debug, Args)]
pub struct HostArguments {
    /// Where the engine is.
    #[arg(long)]
    pub socket: PathBuf,
    /// The prepared map.
    #[arg(long)]
    pub map: PathBuf,
    /// Which host this is, from 0.
    #[arg(long)]
    pub index: u32,
    /// Its first player.
    #[arg(long)]
    pub first_player: u32,
    /// The player behind its last.
    #[arg(long)]
    pub end_player: u32,
    /// Players in the game.
    #[arg(long)]
    pub players: u32,
    /// Moves to send.
    #[arg(long)]
    pub moves: u64,
    /// How fast.
    #[arg(long)]
    pub rate: Rate,
    /// Seed of secret and moves.
    #[arg(long)]
    pub seed: u64,
    /// Pages of the regions.
    #[arg(long)]
    pub pages: PageMode,
    /// Core to run on.
    #[arg(long)]
    pub core: Option<usize>,
    /// Another process wants this core too: give it up while there is nothing to do.
    #[arg(long)]
    pub gives_way: bool,
    /// Say how far it is, now and then.
    #[arg(long)]
    pub tells_progress: bool,
    /// The parent.
    #[command(flatten)]
    pub wire: WireArguments,
}

/// The pipes between a child and its parent, as paths of inherited descriptors.
#[derive(Debug, Args)]
pub struct WireArguments {
    /// What the child says goes there.
    #[arg(long)]
    pub reports: PathBuf,
    /// A line there starts a host's clock; its end lets an engine leave.
    #[arg(long)]
    pub orders: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_max() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("50000".parse(), Ok(Rate::PerSecond(50_000.0)));
        assert_eq!(Rate::PerSecond(50_000.0).to_string(), "50000");
        for text in ["0", "-1", "fast", "NaN", "inf", ""] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
