//! `ironhoard replay`: a recording of `serve --record`, played again on a new hunt, and compared.
//!
//! ```text
//!   recording + map + secret ─▶ the same requests at the same times ─▶ the same answers and state?
//! ```

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ironhoard_hunt::map::MapMemory;
use ironhoard_hunt::recording::{replay, ReplayError};
use serde::Serialize;

use crate::exit::{Ending, Failure};
use crate::map::source;
use crate::notes::Notes;
use crate::report::{self, Report};
use crate::serve;

/// Examples below `replay --help`.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard serve --map city.ihmap --record game.ihrec
  ironhoard replay game.ihrec --map city.ihmap

Exit codes: 0 the same answers and the same state, 1 others, or a recording without an end,
2 another map or secret, 3 the recording or the map cannot be read.";

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub recording: PathBuf,

    /// The map that the engine used [default: as `serve` finds it].
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// The secret that the engine used.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub secret_file: Option<PathBuf>,

    /// The seed that the engine's secret came from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What a replay came to, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct Outcome {
    requests: u64,
    same_answers: Option<bool>,
    same_state: Option<bool>,
    state_hash: String,
}

/// Runs `replay`.
pub fn run(arguments: &ReplayArguments, report: &Report) -> Result<Ending, Failure> {
    let file = File::open(&arguments.recording).map_err(ReplayError::File)?;
    let secret = serve::secret(arguments.secret_file.as_deref(), arguments.seed)?;
    let mut notes = Notes::default();
    let found = source::open(
        arguments.map.as_deref(),
        MapMemory::Huge,
        report,
        &mut notes,
    )?;
    let map = Arc::new(found.map);
    let replayed = replay(BufReader::new(file), map, secret, available_bytes())?;
    let digits = replayed.state_hash.iter().map(|byte| format!("{byte:02x}"));
    let outcome = Outcome {
        requests: replayed.requests,
        same_answers: replayed.same_answers,
        same_state: replayed.same_state,
        state_hash: digits.collect(),
    };
    report.show(&outcome, as_table)?;
    let is_same = (outcome.same_answers, outcome.same_state) == (Some(true), Some(true));
    Ok(if is_same { Ending::Done } else { Ending::Wrong })
}

/// Memory that can be had without taking it from others; any amount where the kernel does not say.
fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let figure = line.and_then(|figure| figure.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    figure.map_or(u64::MAX, |kib| kib.saturating_mul(1_024))
}

fn as_table(outcome: &Outcome) -> String {
    let verdict = |is_same: Option<bool>| match is_same {
        Some(true) => "the same",
        Some(false) => "another",
        None => "unknown: the recording has no end",
    };
    let mut table = report::table(&["replay", ""]);
    table.add_row(["requests".to_owned(), outcome.requests.to_string()]);
    table.add_row(["answers", verdict(outcome.same_answers)]);
    table.add_row(["state", verdict(outcome.same_state)]);
    table.add_row(["hash of the state", &outcome.state_hash]);
    table.to_string()
}
