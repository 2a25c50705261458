//! The clock handlers see: nanoseconds of CLOCK_MONOTONIC, the same in every process of a machine.
//! And deadlines, for which any duration will do.

use std::time::{Duration, Instant};

use rustix::time::{clock_gettime, ClockId};

/// Nanoseconds of CLOCK_MONOTONIC. About 20 ns a reading; never once per message.
///
/// ```
/// let before = ironhoard::sys::clock::monotonic_ns();
/// assert!(ironhoard::sys::clock::monotonic_ns() >= before);
/// ```
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The moment `duration` from now; a century where that is beyond the clock.
pub(crate) fn deadline_in(duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + duration.min(CENTURY)
}
