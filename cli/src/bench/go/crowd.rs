//! A thousand goroutines on one Go processor.
//!
//! * **closed loop**: each calls again as soon as its reply is there;
//! * **bursts**: all are released together, five hundred times a second, half a million calls a second.
//!   A call is timed from its own beginning, and beside that from the moment of its release: the
//!   thousandth of a burst has waited for 999 others, and says so.

use super::super::slices::median;
use super::turns::Pair;
use super::GoError;

/// Goroutines.
const GOROUTINES: u64 = 1000;
/// Calls a second in bursts.
const RATE: u64 = 500_000;
/// Milliseconds of one measurement.
const MILLISECONDS: u64 = 300;
/// How often each is measured; figures are medians.
const TURNS: usize = 5;

/// What a thousand goroutines get.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrowdFigures {
    /// Closed loop.
    pub calls_per_second: Option<f64>,
    /// In bursts, from the beginning of the call: p50 and p99.
    pub call_ns: [Option<f64>; 2],
    /// In bursts, from the release: p50 and p99.
    pub intended_ns: [Option<f64>; 2],
    /// Calls a second that the bursts came to.
    pub burst_rate: Option<f64>,
    /// Walking floor around the bursts.
    pub floor_ns: Option<f64>,
}

/// One round of both.
struct Round {
    calls_per_second: f64,
    call: [f64; 2],
    intended: [f64; 2],
    burst_rate: f64,
    floor_ns: f64,
}

/// Both kinds by turns.
pub fn measure(pair: &mut Pair<'_>) -> Result<CrowdFigures, GoError> {
    let rounds: Result<Vec<Round>, GoError> = (0..TURNS).map(|_| round(pair)).collect();
    let rounds = rounds?;
    let over = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick));
    Ok(CrowdFigures {
        calls_per_second: over(|round| round.calls_per_second),
        call_ns: [over(|round| round.call[0]), over(|round| round.call[1])],
        intended_ns: [
            over(|round| round.intended[0]),
            over(|round| round.intended[1]),
        ],
        burst_rate: over(|round| round.burst_rate),
        floor_ns: over(|round| round.floor_ns),
    })
}

fn round(pair: &mut Pair<'_>) -> Result<Round, GoError> {
    let closed = pair.go.ask("closed", &[GOROUTINES, MILLISECONDS])?;
    let calls_per_second = pair.rate(closed.number(0)?, closed.number(1)?);
    let before = pair.attached.walking()?.floor();
    let burst = pair.go.ask("burst", &[GOROUTINES, RATE, MILLISECONDS])?;
    let floor_ns = before.mean(pair.attached.walking()?.floor()).p50_ns;
    let (own, intended) = burst.timings.split_at(burst.timings.len() / 2);
    Ok(Round {
        calls_per_second,
        call: pair.percentiles(own)?,
        intended: pair.percentiles(intended)?,
        burst_rate: pair.rate(burst.number(0)?, burst.number(1)?),
        floor_ns,
    })
}

impl Pair<'_> {
    /// So many things in so many ticks, a second.
    fn rate(&self, count: u64, ticks: u64) -> f64 {
        1e9 * count as f64 / self.attached.clock.ns(ticks.max(1))
    }

    /// p50 and p99 of timings, in nanoseconds.
    pub fn percentiles(&mut self, timings: &[u32]) -> Result<[f64; 2], GoError> {
        let reading = self.go.reading(timings)?;
        Ok([reading.p50_ns, reading.p99_ns.unwrap_or(f64::NAN)])
    }
}
