//! Latencies as a percentile file, in the form that HdrHistogram's tools draw (`.hgrm`).
//!
//! ```text
//!         Value     Percentile TotalCount 1/(1-Percentile)
//!
//!         512.0 0.500000000000       1000           2.00
//!  #[Mean    =   …, StdDeviation   = …]
//! ```
//!
//! Values are nanoseconds.

use std::fmt::Write as _;
use std::path::Path;

use hdrhistogram::Histogram;

use crate::report::ReportError;

/// Lines for each halving of the distance to 100 %.
const TICKS_PER_HALF: u32 = 5;

/// Writes the file.
pub fn write(path: &Path, latencies: &Histogram<u64>) -> Result<(), ReportError> {
    std::fs::write(path, text(latencies)).map_err(|error| ReportError::Picture {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn text(latencies: &Histogram<u64>) -> String {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    // Writing to a string does not fail.
    for step in latencies.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile());
        let _ = write!(out, "{value:12.1} {quantile:14.12} {total:10}");
        let _ = match quantile < 1.0 {
            true => writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(out),
        };
    }
    let _ = writeln!(
        out,
        "#[Mean    = {:12.1}, StdDeviation   = {:12.1}]\n\
         #[Max     = {:12.1}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]",
        latencies.mean(),
        latencies.stdev(),
        latencies.max() as f64,
        latencies.len(),
        latencies.buckets(),
        latencies.distinct_values() / usize::from(latencies.buckets()).max(1),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples::histogram;

    #[test]
    fn lines_rise_to_all_values_at_one() {
        let mut latencies = histogram();
        (1..=1000).for_each(|ns| latencies.record(ns).unwrap());
        let text = text(&latencies);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .take_while(|line| !line.starts_with('#'))
            .map(|line| {
                line.split_whitespace()
                    .map(|word| word.parse().unwrap())
                    .collect()
            })
            .collect();
        assert!(rows
            .windows(2)
            .all(|pair| pair[0][0] <= pair[1][0] && pair[0][2] <= pair[1][2]));
        let last = rows.last().unwrap();
        assert_eq!((last[1], last[2], last.len()), (1.0, 1000.0, 3));
        let half = rows.iter().find(|row| row[1] >= 0.5).unwrap();
        assert!((495.0..=510.0).contains(&half[0]), "{half:?}");
        assert!(text.contains("Total count    =         1000"));
    }

    #[test]
    fn nothing_is_a_file_too_and_a_bad_path_is_named() {
        assert!(text(&histogram()).contains("Percentile"));
        let error = write(Path::new("/nonexistent/a.hgrm"), &histogram()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/a.hgrm"));
    }
}
