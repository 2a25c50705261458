//! Reports: tables for people, one JSON object for scripts, pictures for both.
//!
//! Standard output carries the result and nothing else; progress and errors go to standard error.

mod picture;
mod progress;
mod timeline;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::exit::Ending;

pub use picture::{draw_latency, Curve, Level};
pub use progress::Progress;
pub use timeline::draw_timeline;

/// Why a result could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Standard output cannot be written.
    #[error("cannot write the result to standard output: {0}; check where it goes")]
    Output(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("cannot write the result as JSON: {0}; run again without --json")]
    Json(#[from] serde_json::Error),
    /// A picture, or figures for other tools, cannot be written.
    #[error("cannot write {}: {reason}; choose a path that can be written", path.display())]
    Picture {
        /// Where it should go.
        path: PathBuf,
        /// Why it cannot.
        reason: String,
    },
}

/// Where the result goes and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    json: bool,
}

#[derive(Serialize)]
struct JsonFailure<'f> {
    error: &'f str,
    exit_code: u8,
}

impl Report {
    /// A report as one JSON object, or as tables.
    pub fn new(json: bool) -> Report {
        Report { json }
    }

    /// Shows `result`: as JSON, or as what `table` makes of it.
    pub fn show<T: Serialize>(
        &self,
        result: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<(), ReportError> {
        let text = if self.json {
            serde_json::to_string_pretty(result)?
        } else {
            table(result)
        };
        write_line(&text)
    }

    /// Says why there is no result: to people on standard error, and in JSON.
    pub fn failure(&self, error: &dyn std::error::Error, ending: Ending) {
        let error = error.to_string();
        eprintln!("ironhoard: {error}");
        if self.json {
            let failure = JsonFailure {
                error: &error,
                exit_code: ending as u8,
            };
            let text = serde_json::to_string_pretty(&failure);
            // Nothing is left to be done if standard output is gone too.
            let _ = text
                .map_err(ReportError::from)
                .and_then(|text| write_line(&text));
        }
    }

    /// A progress bar of `length` steps; hidden with `--json` and where nobody would see it.
    pub fn progress(&self, length: u64, what: &'static str) -> Progress {
        Progress::new(length, what, !self.draws_progress())
    }

    /// Whether anybody sees progress.
    pub fn draws_progress(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }
}

fn write_line(text: &str) -> Result<(), ReportError> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

/// An empty table with these headings; the columns after the first are numbers.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(if std::io::stdout().is_terminal() {
        UTF8_FULL_CONDENSED
    } else {
        ASCII_MARKDOWN
    });
    table.set_header(headings.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Nanoseconds for a table, to three or four digits; a dash for nothing.
pub fn nanoseconds(value: impl Into<Option<f64>>) -> String {
    match value.into() {
        None => "-".to_owned(),
        Some(ns) if ns < 100.0 => format!("{ns:.1} ns"),
        Some(ns) if ns < 10_000.0 => format!("{ns:.0} ns"),
        Some(ns) if ns < 10_000_000.0 => format!("{:.1} µs", ns / 1e3),
        Some(ns) => format!("{:.1} ms", ns / 1e6),
    }
}

/// A ratio for a table; a dash for nothing.
pub fn ratio(value: impl Into<Option<f64>>) -> String {
    value
        .into()
        .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// A remark below a table, on a line of its own; nothing for nothing.
pub fn note(note: Option<&str>) -> String {
    note.map_or_else(String::new, |note| format!("\n{note}"))
}

/// A page size for a table.
pub fn page_size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_have_units() {
        assert_eq!(nanoseconds(9.96), "10.0 ns");
        assert_eq!(nanoseconds(141.6), "142 ns");
        assert_eq!(nanoseconds(12_345.0), "12.3 µs");
        assert_eq!(nanoseconds(12_345_678.0), "12.3 ms");
        assert_eq!(nanoseconds(None), "-");
        assert_eq!(ratio(0.746), "0.75");
        assert_eq!(ratio(None), "-");
        assert_eq!(
            (page_size(4096), page_size(2 << 20)),
            ("4 KiB".into(), "2 MiB".into())
        );
    }
}
