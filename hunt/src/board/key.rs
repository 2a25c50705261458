//! The order of a board, as one number: better is less, and of equal scores earlier is less.
//!
//! ```text
//!  127                         64 63                           0
//!  ├─ all ones − (score + 2⁶³) ──┼─ stamp: when it came there ──┤
//! ```

use bytemuck::Zeroable;

/// Where an entry belongs on a board.
#[derive(Clone, Copy, Debug, Default, Zeroable, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u128);

impl Key {
    /// The least of all keys.
    pub const ZERO: Key = Key(0);

    /// The key of a score that was reached at `stamp`. Stamp 0 is before all that were given.
    #[inline]
    pub fn new(score: i64, stamp: u64) -> Key {
        let falling = !((score as u64) ^ (1 << 63));
        Key(u128::from(falling) << 64 | u128::from(stamp))
    }

    /// The score in the key.
    #[inline]
    pub fn score(self) -> i64 {
        (!((self.0 >> 64) as u64) ^ (1 << 63)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_less_and_earlier_is_less() {
        let falling = [i64::MAX, 1, 0, -1, i64::MIN];
        for pair in falling.windows(2) {
            assert!(Key::new(pair[0], u64::MAX) < Key::new(pair[1], 0));
            assert!(Key::new(pair[0], 3) < Key::new(pair[0], 4));
        }
        for score in falling {
            assert_eq!(Key::new(score, 9).score(), score);
        }
    }
}
