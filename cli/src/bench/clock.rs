//! The clock of the benchmarks: the processor's time-stamp counter where it can be trusted.
//!
//! Reading the counter costs about 12 ns, `clock_gettime` about 20. A round trip is timed with one
//! reading: the time between two consecutive replies. The counter is trusted only if the kernel
//! says that it runs at one speed (`constant_tsc`) and never stops (`nonstop_tsc`); its speed is
//! then measured against `CLOCK_MONOTONIC`. Elsewhere the monotonic clock itself is read.

use std::time::{Duration, Instant};

use rustix::time::{clock_gettime, ClockId};

/// How long the counter is compared with the monotonic clock.
const CALIBRATION: Duration = Duration::from_millis(20);

/// A source of ticks and the length of one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    counter: bool,
    ns_per_tick: f64,
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
        }
    }

    /// The clock that ticks once a nanosecond and can be had everywhere.
    pub fn monotonic() -> Clock {
        Clock {
            counter: false,
            ns_per_tick: 1.0,
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

    /// The source, for reports: `tsc` or `monotonic`.
    pub fn name(&self) -> &'static str {
        if self.counter {
            "tsc"
        } else {
            "monotonic"
        }
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
