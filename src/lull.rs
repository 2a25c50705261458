//! When to look for an answer: not before it can be there.
//!
//! ```text
//!   commit ── own the next lines ── lull: a few pauses ── first look ── look, pause, look …
//!                                   └ learned ─────────┘
//! ```
//!
//! A look at a line that the other side is about to write takes the line away from it: the writer must
//! fetch it back, and the reader fetches it twice. To look a little late costs only that little. So a
//! waiter puts off its first look, and learns by how much: one pause less after a row of looks that
//! found their record at once, one more after a look that was just too early. What takes much longer
//! than usual teaches nothing. A stream, where every look finds a record, brings the lull to nothing.

/// The longest lull, in pauses of the processor: a microsecond or two.
const LONGEST: u32 = 32;
/// Looks in a row that find their record at once before the lull is made shorter.
const ROW: u32 = 6;
/// Found in this many further looks, the first one was just too early.
const JUST_TOO_EARLY: u32 = 4;

/// How long to wait before the first look.
#[derive(Debug)]
pub(crate) struct Lull {
    pauses: u32,
    at_once: u32,
    row: u32,
}

impl Default for Lull {
    fn default() -> Self {
        Self {
            pauses: 1,
            at_once: 0,
            row: ROW,
        }
    }
}

impl Lull {
    /// Waits.
    #[inline(always)]
    pub(crate) fn wait(&self) {
        for _ in 0..self.pauses {
            std::hint::spin_loop();
        }
    }

    /// A record was found after so many looks that found nothing.
    #[inline(always)]
    pub(crate) fn found_after(&mut self, looks: u32) {
        match looks {
            0 => self.at_once += 1,
            1..=JUST_TOO_EARLY => {
                self.pauses = LONGEST.min(self.pauses + 1);
                self.at_once = 0;
                self.row = ROW;
            }
            _ => {}
        }
        if self.at_once >= self.row {
            self.pauses = self.pauses.saturating_sub(1);
            self.at_once = 0;
            self.row = (self.row / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_settles_just_behind_the_moment_in_which_records_come() {
        let mut lull = Lull::default();
        let mut early = 0;
        for _ in 0..10_000 {
            let looks = 5u32.saturating_sub(lull.pauses);
            early += u32::from(looks > 0);
            lull.found_after(looks);
        }
        assert!((4..=5).contains(&lull.pauses));
        assert!(early < 2_000, "{early} looks were too early");
    }

    #[test]
    fn a_stream_brings_it_to_nothing_soon() {
        let mut lull = Lull {
            pauses: LONGEST,
            ..Lull::default()
        };
        (0..64).for_each(|_| lull.found_after(0));
        assert_eq!(lull.pauses, 0);
    }

    #[test]
    fn what_takes_long_teaches_nothing() {
        let mut lull = Lull::default();
        (0..1000).for_each(|_| lull.found_after(JUST_TOO_EARLY + 1));
        assert_eq!(lull.pauses, 1);
    }

    #[test]
    fn it_never_grows_without_bound() {
        let mut lull = Lull::default();
        (0..1000).for_each(|_| lull.found_after(1));
        assert_eq!(lull.pauses, LONGEST);
    }
}
