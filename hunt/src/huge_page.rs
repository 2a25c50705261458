//! Pages of 2 MiB: their size, and how many of them are filled beside a running engine.
//!
//! ```text
//!   page ─ pause ─ page ─ pause ─ …        the pause: as long as the page took, 1 ms at most
//! ```
//!
//! A page that the kernel has at hand is zeroed in a tenth of a millisecond. A virtual machine's may have
//! to be found by the hypervisor first, and then takes five. Whoever asks the kernel for it holds the lock
//! of the process's address space meanwhile, and who starts a thread or maps a host's rings waits for
//! that. In the pause these get on: they take microseconds each, so that many fit in.

use std::ops::Range;
use std::time::{Duration, Instant};

/// Bytes of a large page.
pub(crate) const HUGE_PAGE: usize = 2 << 20;
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// Does `work` for the bytes of each page of `0..bytes` in turn, with pauses, until it fails.
pub(crate) fn one_by_one<E>(
    bytes: usize,
    mut work: impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    for start in (0..bytes).step_by(HUGE_PAGE) {
        let begin = Instant::now();
        work(start..bytes.min(start + HUGE_PAGE))?;
        std::thread::sleep(begin.elapsed().min(LONGEST_PAUSE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_have_their_turn_once_until_one_fails() {
        let turns = |bytes, fails_at| {
            let mut turns = Vec::new();
            let end = one_by_one(bytes, |range| {
                turns.push((range.start, range.end));
                (range.start != fails_at).then_some(()).ok_or("no")
            });
            (turns, end)
        };
        let (first, second) = ((0, HUGE_PAGE), (HUGE_PAGE, 2 * HUGE_PAGE));
        let rest = (2 * HUGE_PAGE, 2 * HUGE_PAGE + 5);
        let whole = vec![first, second, rest];
        assert_eq!(turns(2 * HUGE_PAGE + 5, usize::MAX), (whole, Ok(())));
        assert_eq!(
            turns(9 * HUGE_PAGE, HUGE_PAGE),
            (vec![first, second], Err("no"))
        );
        assert_eq!(turns(0, 0), (vec![], Ok(())));
    }
}
