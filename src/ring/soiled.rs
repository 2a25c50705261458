//! The soiled map: one private bit a line, the producer's memory of where payload has been.
//!
//! A consumer takes the word at the committed end of the ring for a header if it carries the right
//! number. An old header never does. Payload may: an end user can have written a perfect header
//! into it. So the producer remembers, privately, which lines may hold something else than zero or
//! a header *published* within the last lap, and erases such a word before the committed end comes
//! to lie on it. A stream of one-line records pays one test of a bit that is never set, or of the count of
//! those that are.

use crate::layout::LINE;

/// One bit a line of the ring.
#[derive(Clone)]
pub(crate) struct Soiled {
    bits: Box<[u64]>,
    lines_mask: u64,
    /// How many lines are soiled.
    count: u64,
}

impl Soiled {
    /// A clean map for a ring of `capacity` bytes (a power of two).
    pub(crate) fn new(capacity: u64) -> Self {
        let lines = capacity / LINE as u64;
        Self {
            bits: vec![0; lines.div_ceil(64) as usize].into(),
            lines_mask: lines - 1,
            count: 0,
        }
    }

    #[inline(always)]
    fn place(&self, position: u64) -> (usize, u64) {
        let line = (position / LINE as u64) & self.lines_mask;
        ((line / 64) as usize, 1 << (line % 64))
    }

    /// Is the line at `position` soiled? Clears its bit: the caller erases the word.
    #[inline(always)]
    pub(crate) fn take(&mut self, position: u64) -> bool {
        let (index, bit) = self.place(position);
        // Every line has its bit. A panic for one that had none would cost each commit the registers
        // that unwinding wants; to erase its word harms nobody.
        let Some(word) = self.bits.get_mut(index) else {
            return true;
        };
        let soiled = *word & bit != 0;
        if soiled {
            *word &= !bit;
            self.count -= 1;
        }
        soiled
    }

    /// Is the line at `position` soiled? Where no line is, as in a stream of one-line records, the map is
    /// not looked at.
    #[inline(always)]
    pub(crate) fn has(&self, position: u64) -> bool {
        self.count != 0 && self.looks_soiled(position)
    }

    #[cold] // says which way the branch falls; what is called stays where it is
    #[inline(always)]
    fn looks_soiled(&self, position: u64) -> bool {
        let (index, bit) = self.place(position);
        self.bits.get(index).is_none_or(|word| word & bit != 0) // every line has its bit
    }

    /// Soils the lines from `from` up to `to`, both multiples of a line, at most one lap apart. In a
    /// stream of equal records they are soiled already, and nothing is stored.
    #[inline(always)]
    pub(crate) fn soil(&mut self, from: u64, to: u64) {
        let mut position = from;
        while position != to {
            let (index, bit) = self.place(position);
            let ahead = (to.wrapping_sub(position) / LINE as u64).min(self.lines_mask + 1);
            let run = ahead.min((64 - bit.trailing_zeros()) as u64);
            let run = run.min(self.lines_mask + 1 - ((position / LINE as u64) & self.lines_mask));
            let bits = (u64::MAX >> (64 - run)) * bit;
            let added = bits & !self.bits[index];
            if added != 0 {
                self.bits[index] |= added;
                self.count += u64::from(added.count_ones());
            }
            position = position.wrapping_add(run * LINE as u64);
        }
    }

    /// The bits themselves, for tests that look at the whole state.
    pub(crate) fn bits(&self) -> &[u64] {
        &self.bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of lines are soiled anywhere, across the end too, and taken one by one: the count is that of the
    /// bits all the while, and `has` says before what `take` says then.
    #[test]
    fn the_count_is_that_of_the_bits() {
        for lines in [4u64, 64, 128] {
            let mut soiled = Soiled::new(lines * LINE as u64);
            let line = |at: u64| at * LINE as u64;
            for turn in 0..1000 {
                let from = turn * 7 % (3 * lines);
                soiled.soil(line(from), line(from + turn % lines));
                for at in turn * 5..turn * 5 + turn % 11 {
                    let had = soiled.has(line(at));
                    assert_eq!(soiled.take(line(at)), had);
                    assert!(!soiled.has(line(at)));
                }
                let bits = soiled.bits().iter().map(|word| word.count_ones() as u64);
                assert_eq!(soiled.count, bits.sum::<u64>());
            }
            soiled.soil(line(5), line(5 + lines));
            assert_eq!(soiled.count, lines, "each of them");
            for at in 0..lines {
                soiled.take(line(at));
            }
            assert_eq!(soiled.count, 0);
        }
    }
}
