//! The walking floor between the demo's own cores, before the engine starts and after it has left.

use std::thread;

use crate::bench::clock::Clock;
use crate::bench::floor::Kind;
use crate::bench::meter::{BothSpins, Meter};
use crate::bench::pair::{FloorPair, PairError};
use crate::bench::slices::median;
use crate::cores::CorePair;

/// Measurements of which the median is taken; each lasts a few milliseconds.
const READINGS: usize = 15;

/// A walking floor, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Its median.
    pub p50_ns: f64,
    /// Its 99th percentile.
    pub p99_ns: f64,
}

/// Measures the floor; the calling thread is left where it was.
pub fn measure(cores: CorePair) -> Result<Floor, PairError> {
    // A thread of its own, because whoever drives a floor is pinned for the rest of its life.
    thread::scope(|scope| {
        let measured = scope.spawn(|| on_this_thread(cores));
        measured
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn on_this_thread(cores: CorePair) -> Result<Floor, PairError> {
    let clock = Clock::calibrate();
    let pair = FloorPair::start(cores)?;
    let mut meter = Meter::new(pair.lines(), clock);
    let readings = (0..READINGS).map(|_| reading(&pair, &mut meter));
    let readings: Result<Vec<BothSpins>, PairError> = readings.collect();
    let readings = pair.finish(readings)?;
    let floors = || readings.iter().map(BothSpins::floor);
    Ok(Floor {
        p50_ns: median(floors().map(|floor| floor.p50_ns)).unwrap_or_default(),
        p99_ns: median(floors().filter_map(|floor| floor.p99_ns)).unwrap_or_default(),
    })
}

fn reading(pair: &FloorPair, meter: &mut Meter<'_>) -> Result<BothSpins, PairError> {
    let mut walking = |pause| {
        meter.measure(Kind::Walking, pause, &mut |assignment| {
            pair.tell(assignment);
            Ok::<(), PairError>(())
        })
    };
    Ok(BothSpins {
        pause: walking(true)?,
        no_pause: walking(false)?,
    })
}
