//! The reply to a play, looked at: what it says beyond the reply to a bare move must hold together.
//!
//! ```text
//!  0                    24              30      31       32        40        48
//!  ├─ as the reply to ──┼─ z, strikes ──┼ marks ┼ counts ┼─ score ─┼─ ranks ─┼─ lists ─┤
//! ```
//!
//! The oracle knows the answer to the bare move and the score. Who is near and which rank that makes
//! depends on the players of all lanes together, whose order nobody knows beforehand; of these it is
//! checked that they are there when they must be, and as long as they say.

use ironhoard::ring::{MemoryWords, Record};
use ironhoard_hunt::record::{Code, MARK_DUPLICATE, MARK_PLACED, REPLY_BYTES};
use ironhoard_hunt::request::{
    FOUND_BYTES, MARK_RANKED, MARK_SESSION, MOST_FOUND, PLAY_HEAD_BYTES, SESSION_BYTES,
};

use crate::demo::open_loop::Got;

/// Shift of the marks and of the counts in the fourth word of a reply.
const MARKS: u32 = 48;
const COUNTS: u32 = 56;

/// Reduces a reply to what a bare move would have been answered with, if all the rest is right. If not,
/// the length is left as it is, which is none of a bare reply.
#[inline]
pub fn as_bare(got: &mut Got, reply: &Record<'_, MemoryWords>, score: Option<i64>) {
    let payload = reply.payload();
    let word = |at| payload.u64_at(at).unwrap_or(0);
    let more = More {
        len: got.len,
        marks: (got.words[3] >> MARKS) as u8,
        counts: (got.words[3] >> COUNTS) as u8,
        score: word(32) as i64,
        ranks: word(40),
    };
    let bare = u64::from(MARK_DUPLICATE | MARK_PLACED) << MARKS;
    got.words[3] &= bare | ((1 << MARKS) - 1);
    if more.is_right(got.status == Code::TooOld.number(), score) {
        got.len = REPLY_BYTES;
    }
}

/// What a reply to a play holds beyond that to a bare move.
struct More {
    len: usize,
    marks: u8,
    counts: u8,
    score: i64,
    ranks: u64,
}

impl More {
    #[inline]
    fn is_right(&self, has_session: bool, score: Option<i64>) -> bool {
        let marked = |mark| self.marks & mark != 0;
        let (treasures, players) = (usize::from(self.counts & 15), usize::from(self.counts >> 4));
        let session = if marked(MARK_SESSION) {
            SESSION_BYTES
        } else {
            0
        };
        let (rank, shared) = (self.ranks as u32, (self.ranks >> 32) as u32);
        let is_standing_right = match score {
            Some(score) => {
                marked(MARK_RANKED) && self.score == score && shared >= 1 && shared <= rank
            }
            None => !marked(MARK_RANKED) && self.score == 0 && self.ranks == 0,
        };
        is_standing_right
            && marked(MARK_SESSION) == has_session
            && treasures.max(players) <= MOST_FOUND
            && self.len == PLAY_HEAD_BYTES + session + (treasures + players) * FOUND_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: More = More {
        len: 48 + 3 * 8,
        marks: MARK_RANKED | MARK_PLACED,
        counts: 2 << 4 | 1,
        score: 70,
        ranks: 4 << 32 | 9,
    };

    #[test]
    fn a_reply_must_hold_what_it_says_and_the_right_score() {
        assert!(RIGHT.is_right(false, Some(70)));
        let wrong = [
            More { len: 48, ..RIGHT },
            More { len: 88, ..RIGHT },
            More {
                marks: MARK_PLACED,
                ..RIGHT
            },
            More {
                marks: RIGHT.marks | MARK_SESSION,
                ..RIGHT
            },
            More {
                counts: 9,
                len: 48 + 9 * 8,
                ..RIGHT
            },
            More { score: 71, ..RIGHT },
            More {
                ranks: 4 << 32 | 3,
                ..RIGHT
            },
            More { ranks: 9, ..RIGHT },
        ];
        for more in &wrong {
            assert!(!more.is_right(false, Some(70)));
        }
        assert!(!RIGHT.is_right(false, None) && !RIGHT.is_right(true, Some(70)));
    }

    #[test]
    fn a_stranger_is_told_nothing() {
        let bare = More {
            len: 48,
            marks: 0,
            counts: 0,
            score: 0,
            ranks: 0,
        };
        assert!(bare.is_right(false, None) && !bare.is_right(false, Some(0)));
        assert!(!More { score: 1, ..bare }.is_right(false, None));
    }
}
