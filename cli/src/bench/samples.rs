//! Timings of one slice: written by the loop that is timed, so one store each and no allocation.

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

    /// Median and 99th percentile, or nothing where nothing was timed. Reorders the timings.
    pub fn reading(&mut self, clock: &Clock) -> Option<Reading> {
        let p50 = self.quantile(0.50)?;
        let p99 = self.quantile(0.99)?;
        Some(Reading {
            p50_ns: clock.ns(p50.into()),
            p99_ns: Some(clock.ns(p99.into())),
        })
    }

    /// Adds every timing, in nanoseconds, to `histogram`.
    pub fn add_to(&self, histogram: &mut Histogram<u64>, clock: &Clock) {
        for ticks in &self.ticks {
            histogram.saturating_record(clock.ns(u64::from(*ticks)) as u64);
        }
    }

    fn quantile(&mut self, quantile: f64) -> Option<u32> {
        let last = self.ticks.len().checked_sub(1)?;
        let rank = (last as f64 * quantile).round() as usize;
        Some(*self.ticks.select_nth_unstable(rank).1)
    }
}

/// An empty histogram of nanoseconds up to ten seconds, exact to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_do_not_depend_on_the_order() {
        let mut samples = Samples::with_capacity(101);
        (0..=100).rev().for_each(|ticks| samples.push(ticks));
        let reading = samples.reading(&Clock::monotonic()).unwrap();
        assert_eq!((reading.p50_ns, reading.p99_ns), (50.0, Some(99.0)));
    }

    #[test]
    fn nothing_timed_is_no_reading() {
        assert_eq!(Samples::with_capacity(4).reading(&Clock::monotonic()), None);
    }

    #[test]
    fn an_endless_duration_saturates() {
        let mut samples = Samples::with_capacity(1);
        samples.push(u64::MAX);
        let reading = samples.reading(&Clock::monotonic()).unwrap();
        assert_eq!(reading.p50_ns, f64::from(u32::MAX));
        let mut histogram = histogram();
        samples.add_to(&mut histogram, &Clock::monotonic());
        assert_eq!(histogram.len(), 1);
    }
}
