//! The clock of the benchmarks: the processor's time-stamp counter where it can be trusted.
//!
//! Reading the counter costs about 12 ns, `clock_gettime` about 20. A round trip is timed with one
//! reading: the time between two consecutive replies. The counter is trusted only if the kernel
//! says that it runs at one speed (`constant_tsc`) and never stops (`nonstop_tsc`); its speed is
//! then measured against `CLOCK_MONOTONIC`. Elsewhere the monotonic clock itself is read.
//!
//! A clock may tick in steps: on Zen 4 the counter was seen to grow by 26 at a time, every 10 ns
//! (seldom by 25 or 27).
//! The step is found at calibration too, so that percentiles can be read between two steps.

use std::time::{Duration, Instant};

use rustix::time::{clock_gettime, ClockId};

/// How long the counter is compared with the monotonic clock.
const CALIBRATION: Duration = Duration::from_millis(20);

/// Readings from which the clock's step is found.
const STEP_READINGS: usize = 4096;
/// Steps shorter than this are not worth reading between.
const COARSE_TICKS: u64 = 8;

/// A source of ticks and the length of one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    counter: bool,
    ns_per_tick: f64,
    step_ticks: u64,
}

impl Clock {
    /// Chooses the source and measures its speed; takes 20 ms.
    pub fn calibrate() -> Clock {
        if !counter_is_steady() {
            return Clock::monotonic();
        }
        let (start, first) = (Instant::now(), counter());
        while start.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        let (last, elapsed) = (counter(), start.elapsed());
        Clock {
            counter: true,
            ns_per_tick: elapsed.as_nanos() as f64 / (last - first).max(1) as f64,
            step_ticks: step(counter),
        }
    }

    /// The clock that ticks once a nanosecond and can be had everywhere.
    pub fn monotonic() -> Clock {
        Clock {
            counter: false,
            ns_per_tick: 1.0,
            step_ticks: step(monotonic_ns),
        }
    }

    /// Ticks now; only differences mean something.
    #[inline(always)]
    pub fn ticks(&self) -> u64 {
        if self.counter {
            counter()
        } else {
            monotonic_ns()
        }
    }

    /// A difference of ticks in nanoseconds.
    pub fn ns(&self, ticks: u64) -> f64 {
        ticks as f64 * self.ns_per_tick
    }

    /// Ticks by which the clock grows at a time.
    pub fn step_ticks(&self) -> u64 {
        self.step_ticks
    }

    /// The source, for reports: `tsc` or `monotonic`.
    pub fn name(&self) -> &'static str {
        if self.counter {
            "tsc"
        } else {
            "monotonic"
        }
    }
}

/// The step by which the clock `read` grows, or 1 if it grows finely.
fn step(read: impl Fn() -> u64) -> u64 {
    let mut last = read();
    let differences = (0..STEP_READINGS).map(|reading| {
        // Pauses of many lengths, so that a fine clock shows many differences.
        for _ in 0..reading % 37 {
            std::hint::black_box(reading);
        }
        let now = read();
        let difference = now.saturating_sub(last);
        last = now;
        difference
    });
    step_of(
        &differences
            .filter(|difference| *difference > 1)
            .collect::<Vec<_>>(),
    )
}

/// The smallest common difference, if nearly all others are its multiples give or take a tick.
fn step_of(differences: &[u64]) -> u64 {
    let mut sorted = differences.to_vec();
    sorted.sort_unstable();
    // The lowest twentieth may hold differences that are a tick short.
    let Some(&step) = sorted.get(sorted.len() / 20) else {
        return 1;
    };
    let is_multiple = |difference: &&u64| (**difference + 1) % step <= 2;
    let multiples = sorted.iter().filter(is_multiple).count();
    if step >= COARSE_TICKS && multiples * 20 >= sorted.len() * 19 {
        step
    } else {
        1
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn counter_is_steady() -> bool {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cfg!(target_arch = "x86_64") && flags_promise_a_steady_counter(&cpuinfo)
}

fn flags_promise_a_steady_counter(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    let has = |flag| flags.is_some_and(|line| line.split_whitespace().any(|word| word == flag));
    has("constant_tsc") && has("nonstop_tsc")
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn counter() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and only reads a register.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn counter() -> u64 {
    monotonic_ns()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_flags_are_needed_as_whole_words() {
        let steady = flags_promise_a_steady_counter;
        assert!(steady(
            "model : x\nflags\t\t: fpu constant_tsc nonstop_tsc\n"
        ));
        assert!(!steady("flags : fpu constant_tsc\n"));
        assert!(!steady("flags : constant_tsc nonstop_tsc_s3\n"));
        assert!(!steady(""));
    }

    #[test]
    fn a_coarse_clock_is_found_though_it_is_a_tick_off_at_times() {
        let differences =
            |odd: u64| [vec![26; 900], vec![25; 40], vec![53; 40], vec![odd; 40]].concat();
        assert_eq!(step_of(&differences(78)), 26);
        assert_eq!(step_of(&[vec![26; 900], vec![39; 100]].concat()), 1);
    }

    #[test]
    fn a_fine_clock_has_a_step_of_one() {
        assert_eq!(step_of(&(20..60).collect::<Vec<_>>()), 1);
        assert_eq!(step_of(&[2; 100]), 1);
        assert_eq!(step_of(&[]), 1);
        assert_eq!(step(|| 5), 1);
    }

    #[test]
    fn a_sleep_measures_as_long_as_it_was() {
        for clock in [Clock::calibrate(), Clock::monotonic()] {
            let (start, ticks) = (Instant::now(), clock.ticks());
            std::thread::sleep(Duration::from_millis(10));
            let (measured, real) = (clock.ns(clock.ticks() - ticks), start.elapsed());
            let ratio = measured / real.as_nanos() as f64;
            assert!(
                (0.98..1.02).contains(&ratio),
                "{} ran at {ratio}",
                clock.name()
            );
        }
    }
}
