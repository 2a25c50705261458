//! What a load has found: counts, latencies, a spike, and everything over time.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::bench::clock::Clock;
use crate::bench::samples::histogram;
use crate::demo::result::{status_name, values, LatencyNs};

use super::flight::Flight;
use super::profile::Spike;
use super::stream::Plan;

/// A rate is held when at most this share of the moves was sent late.
const LATE_SHARE: f64 = 0.01;
/// Length of a bin of the timeline.
pub const BIN_NS: u64 = 100_000_000;
/// After a spike: normal is a 99th percentile of a bin below this …
const NORMAL_NS: u64 = 1_000_000;
/// … or below so many times that of before, in so many bins one behind the other.
const NORMAL_TIMES: u64 = 2;
const NORMAL_BINS: usize = 5;

/// What a host has found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Moves that were to be sent.
    pub planned: u64,
    /// Moves sent.
    pub sent: u64,
    /// Answers that came.
    pub answered: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Answers by the name of their status.
    pub answers: BTreeMap<String, u64>,
    /// Right answers to repeats.
    pub repeated: u64,
    /// Moves sent a millisecond or more after they were due.
    pub late: u64,
    /// The latest of them.
    pub latest_ns: u64,
    /// How often a move that was due found its lane full.
    pub full: u64,
    /// From the first due time to the last answer.
    pub elapsed_ns: f64,
    /// How often the kernel took the core away from the sending host.
    pub preempted: u64,
    /// For how long the sending host could have run, and others had its core.
    pub waited_ns: u64,
    /// What was wrong, lost or late first, in words.
    pub troubles: Vec<String>,
    /// What the walkers meant by their moves.
    pub behaviours: BTreeMap<String, u64>,
    /// Pages of the request and the reply region, in words.
    pub pages: (String, String),
    /// Latencies in nanoseconds and how often each was met.
    pub latencies: Vec<(u64, u64)>,
    /// The spike, if the profile has one.
    pub spike: Option<SpikeFound>,
    /// All of it over time.
    pub bins: Vec<Bin>,
}

/// A tenth of a second, by due times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// Where it begins.
    pub start_ns: u64,
    /// Moves that were due in it and were answered.
    pub moves: u64,
    /// Median of their latencies.
    pub p50_ns: u64,
    /// All but one in a hundred.
    pub p99_ns: u64,
    /// The latest.
    pub max_ns: u64,
}

/// What the moves of a spike met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpikeFound {
    /// Moves that were due in it and were answered.
    pub moves: u64,
    /// Their latencies.
    pub latency_ns: LatencyNs,
    /// From its begin until all of them were answered.
    pub drained_ms: u64,
    /// From its top until half a second began in which each tenth was normal: its 99th percentile below
    /// a millisecond, or below twice that of before the spike. Nothing: not within the load.
    pub back_to_normal_ms: Option<u64>,
}

/// A move that was answered: when it was due, and how long that took, in nanoseconds.
type Answered = (u64, u64);

impl Found {
    /// Takes a flight apart.
    pub fn new(plan: Plan, flight: &Flight, clock: &Clock, spike: Option<Spike>) -> Found {
        let mut found = Found {
            planned: plan.moves() as u64,
            elapsed_ns: clock.ns(flight.elapsed_ticks),
            behaviours: plan.behaviours,
            troubles: flight.trouble.clone().into_iter().collect(),
            ..Found::default()
        };
        let mut latencies = histogram();
        let mut answered: Vec<Answered> = Vec::with_capacity(found.planned as usize);
        for lane in &flight.lanes {
            found.add(&lane.flown);
            found.late += lane.late;
            found.latest_ns = found.latest_ns.max(clock.ns(lane.latest_ticks) as u64);
            found.full += lane.full;
            let due = lane.due_ns(clock, flight.start_ticks);
            let taken = lane
                .flown
                .latencies
                .iter()
                .map(|&ticks| clock.ns(ticks) as u64);
            answered.extend(due.zip(taken));
        }
        for &(_, ns) in &answered {
            latencies.saturating_record(ns);
        }
        answered.sort_unstable();
        found.latencies = values(&latencies);
        found.bins = bins(&answered);
        found.spike = spike.and_then(|spike| spike_found(&answered, &found.bins, spike));
        found
    }

    fn add(&mut self, flown: &crate::demo::open_loop::Flown) {
        if let Some((index, what)) = &flown.first_wrong {
            self.troubles.push(format!(
                "move {index} of a lane was answered wrongly: {what}"
            ));
        }
        self.sent += flown.sent as u64;
        self.answered += flown.answered as u64;
        self.wrong += flown.wrong as u64;
        self.repeated += flown.repeated;
        for (status, count) in flown
            .statuses
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            *self.answers.entry(status_name(status)).or_default() += count;
        }
    }

    /// Moves sent whose answer did not come.
    pub fn lost(&self) -> u64 {
        self.sent - self.answered
    }

    /// Whether an answer was wrong or missed, or a move never sent.
    pub fn is_wrong(&self) -> bool {
        self.wrong > 0 || self.answered != self.planned
    }

    /// Whether moves were sent when they were due.
    pub fn rate_held(&self) -> bool {
        self.sent == self.planned && self.late as f64 <= self.sent as f64 * LATE_SHARE
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

/// Tenths of a second, empty ones too, of moves in the order of their due times.
fn bins(answered: &[Answered]) -> Vec<Bin> {
    let end = answered.last().map_or(0, |last| last.0 / BIN_NS + 1);
    let mut rest = answered;
    (0..end)
        .map(|index| {
            let start_ns = index * BIN_NS;
            let (own, behind) =
                rest.split_at(rest.partition_point(|move_| move_.0 < start_ns + BIN_NS));
            rest = behind;
            let mut sorted: Vec<u64> = own.iter().map(|move_| move_.1).collect();
            sorted.sort_unstable();
            let at = |share: f64| {
                let rank = (sorted.len() as f64 * share) as usize;
                sorted
                    .get(rank.min(sorted.len().saturating_sub(1)))
                    .copied()
                    .unwrap_or(0)
            };
            Bin {
                start_ns,
                moves: sorted.len() as u64,
                p50_ns: at(0.5),
                p99_ns: at(0.99),
                max_ns: at(1.0),
            }
        })
        .collect()
}

fn spike_found(answered: &[Answered], bins: &[Bin], spike: Spike) -> Option<SpikeFound> {
    let before = |ns: u64| answered.partition_point(|move_| move_.0 < ns);
    let own = &answered[before(spike.start_ns)..before(spike.end_ns)];
    let drained_at = own.iter().map(|(due, latency)| due + latency).max()?;
    let mut latencies = histogram();
    own.iter()
        .for_each(|move_| latencies.saturating_record(move_.1));
    let mut calm = histogram();
    answered[..before(spike.start_ns)]
        .iter()
        .for_each(|move_| calm.saturating_record(move_.1));
    let normal_ns = NORMAL_NS.max(NORMAL_TIMES * calm.value_at_quantile(0.99));
    Some(SpikeFound {
        moves: own.len() as u64,
        latency_ns: LatencyNs::of(&latencies),
        drained_ms: (drained_at - spike.start_ns).div_ceil(1_000_000),
        back_to_normal_ms: back_to_normal_ms(bins, spike.top_ns, normal_ns),
    })
}

fn back_to_normal_ms(bins: &[Bin], top_ns: u64, normal_ns: u64) -> Option<u64> {
    let after = bins.partition_point(|bin| bin.start_ns < top_ns);
    let is_normal = |bins: &[Bin]| bins.iter().all(|bin| bin.p99_ns <= normal_ns);
    let at = bins[after..].windows(NORMAL_BINS).position(is_normal)?;
    Some((bins[after + at].start_ns - top_ns) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A move each millisecond for three seconds; those due from 1 s to 1.4 s take `slow_ns`.
    fn moves(slow_ns: u64) -> Vec<Answered> {
        (0..3000)
            .map(|at| {
                (
                    at * MS,
                    if (1000..1400).contains(&at) {
                        slow_ns
                    } else {
                        1000
                    },
                )
            })
            .collect()
    }

    const SPIKE: Spike = Spike {
        start_ns: 1000 * MS,
        top_ns: 1100 * MS,
        end_ns: 1200 * MS,
    };

    #[test]
    fn a_bin_is_a_tenth_of_a_second_and_gaps_are_bins_too() {
        let bins = bins(&[(0, 5), (99 * MS, 7), (350 * MS, 9)]);
        assert_eq!(bins.len(), 4);
        assert_eq!((bins[0].moves, bins[0].p50_ns, bins[0].max_ns), (2, 7, 7));
        assert_eq!((bins[1].moves, bins[1].max_ns), (0, 0));
        assert_eq!((bins[3].start_ns, bins[3].p99_ns), (300 * MS, 9));
    }

    #[test]
    fn a_spike_is_drained_with_its_last_answer_and_over_when_bins_are_normal() {
        let answered = moves(50 * MS);
        let found = spike_found(&answered, &bins(&answered), SPIKE).unwrap();
        assert_eq!((found.moves, found.drained_ms), (200, 249));
        assert_eq!(found.back_to_normal_ms, Some(300), "the bin at 1.4 s");
        let calm = moves(1000);
        let found = spike_found(&calm, &bins(&calm), SPIKE).unwrap();
        assert_eq!(found.back_to_normal_ms, Some(0));
        assert_eq!(found.latency_ns.max, 1000);
    }

    #[test]
    fn a_spike_that_never_ends_says_so() {
        let slow: Vec<Answered> = (0..3000)
            .map(|at| (at * MS, if at < 1000 { 1000 } else { 50 * MS }))
            .collect();
        let found = spike_found(&slow, &bins(&slow), SPIKE).unwrap();
        assert_eq!(found.back_to_normal_ms, None);
        assert!(spike_found(&[], &[], SPIKE).is_none());
    }

    #[test]
    fn what_was_not_sent_or_answered_is_no_success() {
        let found = |planned, sent, answered, late| Found {
            planned,
            sent,
            answered,
            late,
            ..Found::default()
        };
        assert!(!found(1000, 1000, 1000, 10).is_wrong() && found(1000, 1000, 1000, 10).rate_held());
        assert!(found(1000, 1000, 999, 0).is_wrong() && found(1000, 1000, 999, 0).lost() == 1);
        assert!(found(1000, 999, 999, 0).is_wrong() && !found(1000, 999, 999, 0).rate_held());
        assert!(!found(1000, 1000, 1000, 11).rate_held());
    }
}
