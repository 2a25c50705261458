//! The lull: how long a call waits before its first look for the reply.
//!
//! ```text
//!   host    commit ─── lull ───────────▶ look, look, …
//!   engine         ──▶ reads ─ answers ──▶ publishes
//!                                        ▲ a look before this takes the reply's line away from the
//!                                          engine just when it is about to write it
//! ```
//!
//! A look too early costs two ways of a line between the cores, a look too late its delay. The right
//! moment is when the request has arrived and the reply is written: a way of a line, and what the engine
//! needs. How long a way is depends on where the two threads run *now*, so it is measured: once in
//! [`CALLS_A_SAMPLE`] calls the host times one read of a line that the engine writes all the time, its
//! request position. The value read is used for nothing. The other calls read no clock.
//!
//! Cores that share a cache need the shortest lull there is, three pauses; so does a processor whose cycle
//! counter is not known here. Measurements: `docs/decisions/0008-first-look.md`.

use std::hint::{black_box, spin_loop};

/// Steps of a lull that are one pause of the processor; what lies between is multiplications.
const STEPS_A_PAUSE: u32 = 8;
/// The shortest lull: at the start, between near cores, and where nothing can be measured.
const SHORTEST: u32 = 3 * STEPS_A_PAUSE;
/// The longest lull.
const LONGEST: u64 = 24 * STEPS_A_PAUSE as u64;
/// Calls between two samples of the way.
const CALLS_A_SAMPLE: u32 = 256;
/// Samples of which the faster half counts.
const SAMPLES: usize = 8;
/// A read that is over sooner, in cycles, found the line here: the engine has not written it since.
const LINE_WAS_HERE: u64 = 24;
/// The lull of one lane.
#[derive(Debug)]
pub(super) struct Lull {
    steps: u32,
    /// Calls until the next sample.
    countdown: u32,
    taken: usize,
    samples: [u64; SAMPLES],
    ruler: Option<Ruler>,
}

/// What timing costs here, in cycles.
#[derive(Debug, Clone, Copy)]
struct Ruler {
    nothing: u64,
    pause: u64,
}

impl Lull {
    pub(super) fn new() -> Self {
        Self {
            steps: SHORTEST,
            countdown: CALLS_A_SAMPLE,
            taken: 0,
            samples: [0; SAMPLES],
            ruler: None,
        }
    }

    /// Waits before the first look.
    #[inline(always)]
    pub(super) fn wait(&self) {
        for _ in 0..self.steps / STEPS_A_PAUSE {
            spin_loop();
        }
        let mut value = u64::from(self.steps);
        for _ in 0..self.steps % STEPS_A_PAUSE {
            value = black_box(value.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }

    /// A call is over. Now and then the way is measured with `read`, one read of a line that the engine
    /// writes.
    #[inline(always)]
    pub(super) fn over(&mut self, read: impl FnOnce()) {
        self.countdown -= 1;
        if self.countdown == 0 {
            self.sample(read);
        }
    }

    #[cold]
    fn sample(&mut self, read: impl FnOnce()) {
        let ruler = *self.ruler.get_or_insert_with(Ruler::new);
        let Some(took) = time(read) else {
            self.countdown = u32::MAX;
            return;
        };
        self.countdown = CALLS_A_SAMPLE;
        let took = took.saturating_sub(ruler.nothing);
        if took < LINE_WAS_HERE {
            return;
        }
        self.samples[self.taken] = took;
        self.taken += 1;
        if self.taken == SAMPLES {
            self.taken = 0;
            self.set(ruler);
        }
    }

    /// From the samples to the lull: nine fifths of a way.
    #[cold]
    fn set(&mut self, ruler: Ruler) {
        self.samples.sort_unstable();
        let faster = &self.samples[..SAMPLES / 2];
        let way = faster.iter().sum::<u64>() / faster.len() as u64;
        self.steps = ruler.steps(way.saturating_mul(9) / 5);
    }
}

impl Ruler {
    fn new() -> Self {
        let least = |work: fn()| (0..SAMPLES).filter_map(|_| time(work)).min();
        let nothing = least(|| ()).unwrap_or(0);
        let pauses = least(|| (0..16).for_each(|_| spin_loop())).unwrap_or(0);
        Self {
            nothing,
            pause: (pauses.saturating_sub(nothing) / 16).max(1),
        }
    }

    fn steps(self, cycles: u64) -> u32 {
        let steps = cycles.saturating_mul(u64::from(STEPS_A_PAUSE)) / self.pause;
        steps.clamp(SHORTEST.into(), LONGEST) as u32
    }
}

/// Cycles that `work` takes; `None` where there is no cycle counter.
#[cfg(target_arch = "x86_64")]
fn time(work: impl FnOnce()) -> Option<u64> {
    use std::arch::x86_64::{_mm_lfence, _rdtsc};
    let now = || {
        // SAFETY: all three are part of x86-64 and touch no memory. (A supervisor can forbid the counter
        // to user space; then the C library's clocks do not work either.)
        unsafe {
            _mm_lfence(); // what comes before is over
            let ticks = _rdtsc();
            _mm_lfence(); // and what comes behind has not begun
            ticks
        }
    };
    let start = now();
    work();
    Some(now().wrapping_sub(start))
}

#[cfg(not(target_arch = "x86_64"))]
fn time(_work: impl FnOnce()) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULER: Ruler = Ruler {
        nothing: 52,
        pause: 64,
    };

    fn lull_after(samples: [u64; SAMPLES]) -> Lull {
        let mut lull = Lull::new();
        lull.samples = samples;
        lull.set(RULER);
        lull
    }

    #[test]
    fn a_longer_way_makes_a_longer_lull_and_outliers_do_not_count() {
        let near = lull_after([52, 78, 52, 78, 78, 900, 78, 5000]);
        let far = lull_after([312, 286, 312, 338, 312, 5000, 312, 312]);
        assert_eq!(near.steps, SHORTEST);
        assert!((8 * STEPS_A_PAUSE..=9 * STEPS_A_PAUSE).contains(&far.steps));
    }

    #[test]
    fn no_sample_makes_a_lull_endless() {
        let lull = lull_after([u64::MAX / SAMPLES as u64; SAMPLES]);
        assert_eq!(u64::from(lull.steps), LONGEST);
    }

    #[test]
    fn the_clock_is_read_once_in_many_calls() {
        let (mut lull, mut reads) = (Lull::new(), 0);
        for _ in 0..10 * CALLS_A_SAMPLE {
            lull.over(|| reads += 1);
        }
        let expected = if cfg!(target_arch = "x86_64") { 10 } else { 1 };
        assert_eq!(reads, expected);
    }
}
