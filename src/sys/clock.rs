//! The clock handlers see: nanoseconds of CLOCK_MONOTONIC, the same in every process of a machine.

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
