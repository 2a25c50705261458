//! Timings of one slice: written by the loop that is timed, so one store each and no allocation.
//!
//! Percentiles are those of grouped data: where a clock ticks in steps of 10 ns, every timing near
//! 134 ns reads as 130 or 140, and the share of each says where between them the median lies. A
//! percentile that can only be 130 or 140 would make two equal floors differ by 8 %.

use hdrhistogram::Histogram;

use super::clock::Clock;
use super::slices::Reading;

/// Durations in ticks, in the order in which they were measured.
#[derive(Debug)]
pub struct Samples {
    ticks: Vec<u32>,
}

impl Samples {
    /// Room for `capacity` timings; one more would allocate.
    pub fn with_capacity(capacity: usize) -> Samples {
        Samples {
            ticks: Vec::with_capacity(capacity),
        }
    }

    /// Adds one duration; longer than 2^32 - 1 ticks (over a second) counts as that.
    #[inline(always)]
    pub fn push(&mut self, ticks: u64) {
        self.ticks.push(ticks.min(u64::from(u32::MAX)) as u32);
    }

    /// Forgets the timings and keeps the room.
    pub fn clear(&mut self) {
        self.ticks.clear();
    }

    /// Median and 99th percentile, or nothing where nothing was timed. Sorts the timings.
    pub fn reading(&mut self, clock: &Clock) -> Option<Reading> {
        self.ticks.sort_unstable();
        let ns = |ticks: f64| ticks * clock.ns(1);
        Some(Reading {
            p50_ns: ns(self.quantile(0.50, clock.step_ticks())?),
            p99_ns: Some(ns(self.quantile(0.99, clock.step_ticks())?)),
        })
    }

    /// Adds every timing, in nanoseconds, to `histogram`.
    pub fn add_to(&self, histogram: &mut Histogram<u64>, clock: &Clock) {
        for ticks in &self.ticks {
            histogram.saturating_record(clock.ns(u64::from(*ticks)) as u64);
        }
    }

    /// The quantile of the sorted timings, in ticks. The timings of one step of the clock are taken
    /// to be spread evenly over it.
    fn quantile(&self, quantile: f64, step_ticks: u64) -> Option<f64> {
        let step_of = |ticks: u32| (u64::from(ticks) + step_ticks / 2) / step_ticks;
        let rank = self.ticks.len() as f64 * quantile;
        let step = step_of(*self.ticks.get(rank as usize)?);
        let below = self.ticks.partition_point(|ticks| step_of(*ticks) < step);
        let alike = self.ticks[below..].partition_point(|ticks| step_of(*ticks) == step);
        let within = (rank - below as f64) / alike as f64 - 0.5;
        Some(((step as f64 + within) * step_ticks as f64).max(0.0))
    }
}

/// An empty histogram of nanoseconds up to ten seconds, exact to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(ticks: impl IntoIterator<Item = u64>) -> Samples {
        let mut samples = Samples::with_capacity(128);
        ticks.into_iter().for_each(|ticks| samples.push(ticks));
        samples.ticks.sort_unstable();
        samples
    }

    #[test]
    fn a_fine_clock_gives_plain_quantiles() {
        let samples = samples((0..100).rev());
        assert_eq!(samples.quantile(0.50, 1), Some(49.5));
        assert_eq!(samples.quantile(0.99, 1), Some(98.5));
        assert_eq!(samples.quantile(0.0, 1), Some(0.0));
    }

    #[test]
    fn a_coarse_clock_is_read_between_its_steps() {
        let share = |low: usize| [vec![130; low], vec![140; 100 - low]].concat();
        assert_eq!(samples(share(50)).quantile(0.50, 10), Some(135.0));
        assert_eq!(samples(share(100)).quantile(0.50, 10), Some(130.0));
        assert_eq!(samples(share(80)).quantile(0.50, 10), Some(131.25));
        let nearly = [vec![129; 10], vec![130; 30], vec![131; 10], vec![140; 50]].concat();
        assert_eq!(samples(nearly).quantile(0.50, 10), Some(135.0));
    }

    #[test]
    fn nothing_timed_is_no_reading() {
        assert_eq!(Samples::with_capacity(4).reading(&Clock::monotonic()), None);
    }

    #[test]
    fn an_endless_duration_saturates() {
        let samples = samples([u64::MAX]);
        assert_eq!(samples.ticks, [u32::MAX]);
        let mut histogram = histogram();
        samples.add_to(&mut histogram, &Clock::monotonic());
        assert_eq!(histogram.len(), 1);
    }
}
