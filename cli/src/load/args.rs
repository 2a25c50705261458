//! What can be typed behind `ironhoard load`, and what it types to start its own processes.

use std::path::PathBuf;

use clap::Args;
use ironhoard::region::PageMode;
use ironhoard::wait::WaitStrategy;

use crate::demo::args::WireArguments;
use crate::serve::args::ServeArguments;

use super::profile::Profile;

/// Examples below `load --help`.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard load                                       100,000 moves a second for ten seconds
  ironhoard load --profile clue-drop --json | jq .spike
  ironhoard load --profile city-launch --map big.ihmap --players 600000
  ironhoard load --profile saturated --rate 500000     what one engine core can judge
  ironhoard load --profile diurnal --seconds 60 --timeline day.svg --hgrm day.hgrm

Every move has a moment at which it is due, whatever becomes of the moves before it, and its latency
counts from then. Moves and their right answers are computed before the clock starts.

Exit codes: 0 all answers came and are right, 1 some are wrong or lost, 2 usage, 3 environment,
4 a process ended early or was refused, 6 the report could not be written, 130 interrupted.
A rate that could not be kept is said aloud and stands in the result (rate_held); it is no failure.";

/// Options of `load`.
#[derive(Debug, Args)]
pub struct LoadArguments {
    /// The shape of the load: steady, diurnal, clue-drop, city-launch or saturated.
    #[arg(long, value_name = "PROFILE", default_value = "steady")]
    pub profile: Profile,

    /// Moves a second: of a steady load, of a day's noon; times --seconds, the moves of a saturated one.
    #[arg(long, value_name = "RATE", default_value_t = 100_000.0, value_parser = rate)]
    pub rate: f64,

    /// How long a steady, diurnal or saturated load goes on.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,

    /// All rates of the profile times this.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub scale: f64,

    /// How the moves go out and what they meet.
    #[command(flatten)]
    pub traffic: Traffic,

    /// Prepared map, GeoJSON or .osm.pbf [default: the fetched city, else a generated one].
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// What the engine does while nobody asks [default: spin; of one core yield, of two spin:600].
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    pub wait: Option<String>,

    /// Core of the engine process [default: the second there is; of two none, unless the host's is given].
    #[arg(long, value_name = "CORE")]
    pub engine_core: Option<usize>,

    /// Core of the host process [default: another one; of two none, unless the engine's is given].
    #[arg(long, value_name = "CORE")]
    pub host_core: Option<usize>,

    /// Write the latencies as an HdrHistogram percentile file.
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,

    /// Draw the latencies over their percentiles.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,

    /// Draw rate and latencies over time.
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
}

/// Who moves, and how badly.
#[derive(Clone, Debug, Args)]
pub struct Traffic {
    /// Players, each with a session of its own, over all lanes.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub players: u32,

    /// Send bare moves: no sessions, no treasures or players near by, no boards.
    #[arg(long)]
    pub bare: bool,

    /// Lanes that carry them.
    #[arg(long, value_name = "COUNT", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub lanes: u32,

    /// Moves in a hundred that are sent again.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    pub retries: f64,

    /// Moves in a hundred that overtake the one before of the same player.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent)]
    pub reordered: f64,

    /// Moves in a hundred with a wrong tag.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent)]
    pub bad_tags: f64,

    /// Moves in a hundred to where nobody could get.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent)]
    pub teleports: f64,

    /// Places that draw players, the n-th one with weight 1/n^exponent; 0: players are everywhere.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub hot_spots: u32,

    /// The exponent of their weights.
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, value_parser = exponent)]
    pub zipf: f64,

    /// The same seed gives the same moves.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Pages of the regions: auto, require-huge or small.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub pages: PageMode,
}

/// The engine process of a load.
#[derive(Debug, Args)]
pub struct LoadEngineArguments {
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArguments,
    /// The parent.
    #[command(flatten)]
    pub wire: WireArguments,
}

/// The host process of a load.
#[derive(Debug, Args)]
pub struct LoadHostArguments {
    /// Where the engine is.
    #[arg(long)]
    pub socket: PathBuf,
    /// The prepared map.
    #[arg(long)]
    pub map: PathBuf,
    /// The shape of the load.
    #[arg(long)]
    pub profile: Profile,
    /// See [`LoadArguments::rate`].
    #[arg(long)]
    pub rate: f64,
    /// See [`LoadArguments::seconds`].
    #[arg(long)]
    pub seconds: f64,
    /// See [`LoadArguments::scale`].
    #[arg(long)]
    pub scale: f64,
    /// Who moves.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Core to run on.
    #[arg(long)]
    pub core: Option<usize>,
    /// Another process wants this core too: give it up while there is nothing to do.
    #[arg(long)]
    pub gives_way: bool,
    /// The parent.
    #[command(flatten)]
    pub wire: WireArguments,
}

/// A strategy's name, as the engine's process will be told it.
fn strategy(text: &str) -> Result<String, String> {
    text.parse::<WaitStrategy>().map(|_| text.to_owned())
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("give a number from {low} to {high}")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, 1.0, 1e7)
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.1, 3600.0)
}

fn factor(text: &str) -> Result<f64, String> {
    within(text, 0.001, 100.0)
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0, 50.0)
}

fn exponent(text: &str) -> Result<f64, String> {
    within(text, 0.0, 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_limits_that_are_named() {
        assert_eq!(rate("25000"), Ok(25_000.0));
        for (refused, limit) in [
            (rate("0"), "10000000"),
            (percent("51"), "50"),
            (exponent("NaN"), "4"),
        ] {
            assert!(refused.unwrap_err().contains(limit));
        }
    }
}
