//! What a demo has found: by each host, and added up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use ironhoard_hunt::record::Code;
use serde::{Deserialize, Serialize};

use crate::bench::clock::Clock;
use crate::bench::samples::histogram;
use crate::report::nanoseconds;

use super::open_loop::{Flown, STATUSES};

/// A host may be this much later than its rate before that is said aloud: a hundredth of the time …
const LATE_SHARE: f64 = 1.01;
/// … and a few milliseconds for whatever the machine did meanwhile.
const LATE_NS: f64 = 5e6;

/// What one host has found; merged over its loads, then over the hosts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct HostResult {
    /// Moves sent.
    pub sent: u64,
    /// Answers that came.
    pub answered: u64,
    /// Answers by the name of their status.
    pub answers: BTreeMap<String, u64>,
    /// Right answers to repeats.
    pub repeated: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Moves sent whose answer did not come.
    pub lost: u64,
    /// Nanoseconds from the first due time to the last answer.
    pub elapsed_ns: f64,
    /// Whether every move was sent when it was due, or nearly.
    pub rate_kept: bool,
    /// How often the kernel took the core away from a sending host.
    pub preempted: u64,
    /// What was wrong, lost or late first, in words.
    pub troubles: Vec<String>,
    /// What the walkers meant by their moves.
    pub behaviours: BTreeMap<String, u64>,
    /// Pages of the request and the reply region, in words.
    pub pages: (String, String),
    /// Bytes of the smaller of these pages.
    pub page_size: u64,
    /// Latencies in nanoseconds and how often each was met.
    pub latencies: Vec<(u64, u64)>,
}

impl HostResult {
    /// Adds what came of one load.
    pub fn add(&mut self, flown: Flown, interval_ns: Option<f64>, clock: &Clock) {
        self.note_troubles(&flown);
        self.sent += flown.sent as u64;
        self.answered += flown.answered as u64;
        self.wrong += flown.wrong as u64;
        self.lost += (flown.sent - flown.answered) as u64;
        self.repeated += flown.repeated;
        self.elapsed_ns += clock.ns(flown.answering_ticks);
        let due_ns = interval_ns.map_or(f64::MAX, |interval| interval * flown.sent as f64);
        self.rate_kept &= clock.ns(flown.sending_ticks) <= due_ns * LATE_SHARE + LATE_NS;
        for (status, count) in flown.statuses.iter().enumerate() {
            if *count > 0 {
                *self.answers.entry(status_name(status)).or_default() += count;
            }
        }
    }

    fn note_troubles(&mut self, flown: &Flown) {
        if let Some((index, what)) = &flown.first_wrong {
            let number = self.sent + *index as u64;
            self.troubles
                .push(format!("move {number} was answered wrongly: {what}"));
        }
        self.troubles.extend(flown.trouble.clone());
    }

    /// Whether an answer was wrong or missed, or a move never sent.
    pub fn is_wrong(&self, wanted: u64) -> bool {
        self.wrong > 0 || self.lost > 0 || self.answered != wanted
    }

    /// Adds another host.
    pub fn merge(&mut self, other: HostResult) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.repeated += other.repeated;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        self.rate_kept &= other.rate_kept;
        self.preempted += other.preempted;
        self.troubles.extend(other.troubles);
        if self.page_size == 0 || other.page_size < self.page_size {
            (self.page_size, self.pages) = (other.page_size, other.pages);
        }
        add_counts(&mut self.answers, other.answers);
        add_counts(&mut self.behaviours, other.behaviours);
        self.latencies.extend(other.latencies);
    }

    /// All latencies, in nanoseconds.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut all = histogram();
        for &(ns, count) in &self.latencies {
            all.saturating_record_n(ns, count);
        }
        all
    }
}

/// The values of a histogram, as they travel.
pub fn values(latencies: &Histogram<u64>) -> Vec<(u64, u64)> {
    latencies
        .iter_recorded()
        .map(|value| (value.value_iterated_to(), value.count_at_value()))
        .collect()
}

fn add_counts(sums: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (name, count) in counts {
        *sums.entry(name).or_default() += count;
    }
}

/// The name of a status, or of the place where all others are counted.
pub fn status_name(status: usize) -> String {
    let code = u16::try_from(status).ok().and_then(Code::from_number);
    match code {
        Some(code) if status < STATUSES - 1 => code.name().to_owned(),
        _ => "unknown_to_the_game".to_owned(),
    }
}

/// Percentiles of the latency, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyNs {
    /// Half of the answers came within this time.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// All but one in a hundred.
    pub p99: u64,
    /// All but one in a thousand.
    pub p999: u64,
    /// The latest of all.
    pub max: u64,
}

impl LatencyNs {
    /// Reads them from a histogram.
    pub fn of(latencies: &Histogram<u64>) -> LatencyNs {
        let at = |quantile| latencies.value_at_quantile(quantile);
        LatencyNs {
            p50: at(0.50),
            p90: at(0.90),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max(),
        }
    }

    /// For a table, in the order of the fields.
    pub fn cells(&self) -> [String; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max].map(|ns| nanoseconds(ns as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flown(sent: usize, answered: usize, sending_ticks: u64) -> Flown {
        Flown {
            sent,
            answered,
            sending_ticks,
            answering_ticks: sending_ticks + 1000,
            ..Flown::default()
        }
    }

    #[test]
    fn what_was_sent_and_not_answered_is_lost() {
        let mut result = HostResult {
            rate_kept: true,
            ..HostResult::default()
        };
        let clock = Clock::monotonic();
        result.add(flown(100, 100, 1_000_000), Some(10_000.0), &clock);
        assert!(!result.is_wrong(100) && result.rate_kept);
        assert!(result.is_wrong(101), "a move that was never sent is missed");
        result.add(flown(100, 99, 1_000_000), Some(10_000.0), &clock);
        assert_eq!((result.lost, result.is_wrong(200)), (1, true));
    }

    #[test]
    fn a_late_host_says_so_and_a_saturating_one_is_never_late() {
        let clock = Clock::monotonic();
        for (interval, kept) in [(Some(10_000.0), false), (None, true)] {
            let mut result = HostResult {
                rate_kept: true,
                ..HostResult::default()
            };
            result.add(flown(100, 100, 50_000_000), interval, &clock);
            assert_eq!(result.rate_kept, kept);
        }
    }

    #[test]
    fn hosts_are_merged_and_the_smallest_pages_are_named() {
        let host = |page_size, name: &str| HostResult {
            sent: 10,
            answered: 10,
            rate_kept: true,
            page_size,
            pages: (name.to_owned(), name.to_owned()),
            answers: BTreeMap::from([("accepted".to_owned(), 10)]),
            latencies: vec![(500, 10)],
            ..HostResult::default()
        };
        let mut all = host(2 << 20, "2 MiB");
        all.merge(host(4096, "4 KiB"));
        all.merge(host(2 << 20, "2 MiB"));
        assert_eq!((all.page_size, all.pages.0.as_str()), (4096, "4 KiB"));
        assert_eq!((all.answered, all.answers["accepted"]), (30, 30));
        assert_eq!(all.histogram().len(), 30);
        assert_eq!(values(&all.histogram()).len(), 1);
    }

    #[test]
    fn each_status_has_a_name() {
        assert_eq!(status_name(0), "accepted");
        assert_eq!(status_name(STATUSES - 1), "unknown_to_the_game");
    }
}
