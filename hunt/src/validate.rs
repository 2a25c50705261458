//! The rules of a move, each small enough to be seen through.
//!
//! A move is judged in this order; the first rule that it breaks gives the [`Code`]:
//!
//! | step | rule | code | seen by the window | strike |
//! |---|---|---|---|---|
//! | 1 | the payload has 48 bytes | `Malformed` | no | no |
//! | 2 | the player is below the budget | `UnknownPlayer` | no | no |
//! | 3 | the tag is right | `BadTag` | no | no |
//! | 4 | kind is a step, flags are zero | `Malformed` | no | no |
//! | 5 | the sequence is less than 64 behind the player's highest | `TooOld` | no | no |
//! | 6 | the sequence was not judged before | the first code again | – | no |
//! | 7 | the map has the arc `from → to` | `UnknownEdge` | yes | yes |
//! | 8 | the offset is at most the arc's length | `BadOffset` | yes | yes |
//! | 9 | the clock is not behind that of the last accepted move | `BadTime` | yes | yes |
//! | 10 | the place can be reached in the time gone by | `TooFast` | yes | yes |
//! | 11 | – | `Accepted` | yes | no |
//!
//! Only what the player has signed can earn it a strike, and repeats and old moves are a network's
//! doing. The replies of steps 2 and 3 hold the player and the sequence and zeros besides: somebody who
//! cannot sign for a player learns nothing about it.
//!
//! **The window** (5, 6). Sequences are 32-bit numbers that do not wrap: after 2³² − 1 a player is done.
//! The highest sequence *seen by the window* starts at 0; a move is too old when
//! `highest − sequence ≥ 64`, and 63 behind is the oldest that is judged. Moves may arrive in any order.
//!
//! **The place** is `P = A + (B − A) · offset / length` for each of x, y and z of the points A of `from`
//! and B of `to`, the quotient rounded towards zero.
//!
//! **The speed** (10) is that of the straight line from the last accepted place, against the player's
//! own clock: with the distance `d` in cm, the time `t` in ms and the limit `v` in cm/s, the move is
//! possible when `1000 · d ≤ v · t`, exactly. A player's first accepted move may be anywhere, any time.
//! The clock is the player's word: one that runs ahead buys distance with time which it then lacks.

use bytemuck::Zeroable;

use crate::map::{Point, StreetArc};
use crate::record::Code;

/// How many sequences, from the highest down, a window remembers.
pub const WINDOW: u32 = 64;

/// What a window says about a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not judged before.
    New,
    /// Judged before, with this code.
    Before(Code),
    /// Too far behind to know.
    TooOld,
}

/// The codes that were given to the last 64 sequences: three bits for each, spread over three words.
///
/// ```text
///  sequence & 63:    … 3 2 1 0
///  bits[0]           … 1 0 1 0      read downwards: 0 = not judged, else its number in VERDICTS
///  bits[1]           … 0 0 1 0
///  bits[2]           … 0 0 0 0
/// ```
#[derive(Clone, Copy, Debug, Default, Zeroable)]
pub struct SequenceWindow {
    bits: [Plane; 3],
    highest: u32,
}

/// One bit for each sequence of the window, aligned like a u32: the window then leaves no gap behind it
/// and all of a player's state fits one cache line.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, packed(4))]
struct Plane(u64);

/// What a window can remember; 0 stands for a sequence that was not judged.
const VERDICTS: [Code; 8] = [
    Code::Malformed,
    Code::Accepted,
    Code::UnknownEdge,
    Code::BadOffset,
    Code::TooFast,
    Code::BadTime,
    Code::NoTreasure,
    Code::TooFar,
];

impl SequenceWindow {
    /// What is known of a sequence. A sequence above the highest is new.
    #[inline]
    pub fn look(&self, sequence: u32) -> Seen {
        if sequence > self.highest {
            return Seen::New;
        }
        if self.highest - sequence >= WINDOW {
            return Seen::TooOld;
        }
        let bit = |plane: Plane| (plane.0 >> (sequence % WINDOW)) & 1;
        match bit(self.bits[0]) | bit(self.bits[1]) << 1 | bit(self.bits[2]) << 2 {
            0 => Seen::New,
            verdict => Seen::Before(VERDICTS[verdict as usize]),
        }
    }

    /// Remembers the code of a sequence for which [`SequenceWindow::look`] has just said new.
    #[inline]
    pub fn remember(&mut self, sequence: u32, code: Code) {
        if sequence > self.highest {
            self.advance(sequence);
        }
        let verdict: u64 = match code {
            Code::Accepted => 1,
            Code::UnknownEdge => 2,
            Code::BadOffset => 3,
            Code::TooFast => 4,
            Code::BadTime => 5,
            Code::NoTreasure => 6,
            Code::TooFar => 7,
            _ => return,
        };
        for (digit, plane) in self.bits.iter_mut().enumerate() {
            plane.0 |= ((verdict >> digit) & 1) << (sequence % WINDOW);
        }
    }

    /// The highest sequence that was judged; 0 before the first.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// The words of the window, for a hash of the state.
    pub(crate) fn words(&self) -> [u64; 4] {
        let [a, b, c] = self.bits.map(|plane| plane.0);
        [a, b, c, self.highest.into()]
    }

    /// Moves the window up to a new highest sequence and forgets what falls out below.
    fn advance(&mut self, sequence: u32) {
        let steps = sequence - self.highest;
        let first = (self.highest + 1) % WINDOW;
        let fresh = if steps >= WINDOW {
            u64::MAX
        } else {
            ((1 << steps) - 1_u64).rotate_left(first)
        };
        self.bits = self.bits.map(|plane| Plane(plane.0 & !fresh));
        self.highest = sequence;
    }
}

/// The place `offset_dm` along an arc between two points; the offset must be within the arc.
#[inline]
pub fn place_on_arc(start: Point, end: Point, arc: &StreetArc, offset_dm: u16) -> Point {
    let along = |start: i32, end: i32| {
        let way = i64::from(end) - i64::from(start);
        start + (way * i64::from(offset_dm) / i64::from(arc.length_dm)) as i32
    };
    Point {
        x: along(start.x, end.x),
        y: along(start.y, end.y),
        z: along(start.z, end.z),
    }
}

/// Whether somebody at `max_speed_cm_s` gets from one point to another in `elapsed_ms`.
#[inline]
pub fn is_reachable(from: &Point, to: &Point, elapsed_ms: u32, max_speed_cm_s: u32) -> bool {
    let reach = u128::from(u64::from(max_speed_cm_s) * u64::from(elapsed_ms));
    u128::from(from.distance_squared(to)) * 1_000_000 <= reach * reach
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window_at(highest: u32) -> SequenceWindow {
        let mut window = SequenceWindow::default();
        window.remember(highest, Code::Accepted);
        window
    }

    #[test]
    fn the_first_sequences_are_new() {
        let window = SequenceWindow::default();
        for sequence in [0, 1, 63, 64, 65, u32::MAX] {
            assert_eq!(window.look(sequence), Seen::New);
        }
    }

    #[test]
    fn the_window_ends_63_back() {
        let window = window_at(1000);
        assert_eq!(window.look(1000), Seen::Before(Code::Accepted));
        assert_eq!(window.look(1001), Seen::New);
        assert_eq!(window.look(1000 - 63), Seen::New);
        assert_eq!(window.look(1000 - 64), Seen::TooOld);
        assert_eq!(window.look(1000 - 65), Seen::TooOld);
        assert_eq!(window.look(0), Seen::TooOld);
    }

    #[test]
    fn the_oldest_result_is_remembered_until_it_falls_out() {
        let mut window = window_at(500);
        window.remember(500 + 63, Code::TooFast);
        assert_eq!(window.look(500), Seen::Before(Code::Accepted));
        window.remember(500 + 64, Code::BadTime);
        assert_eq!(window.look(500), Seen::TooOld);
        assert_eq!(window.look(501), Seen::New);
        assert_eq!(window.look(563), Seen::Before(Code::TooFast));
        assert_eq!(window.look(564), Seen::Before(Code::BadTime));
    }

    #[test]
    fn sequences_do_not_wrap() {
        let mut window = window_at(u32::MAX - 1);
        assert_eq!(window.look(u32::MAX), Seen::New);
        window.remember(u32::MAX, Code::UnknownEdge);
        assert_eq!(window.look(u32::MAX), Seen::Before(Code::UnknownEdge));
        assert_eq!(window.look(u32::MAX - 1), Seen::Before(Code::Accepted));
        assert_eq!(window.look(u32::MAX - 63), Seen::New);
        assert_eq!(window.look(u32::MAX - 64), Seen::TooOld);
        assert_eq!(window.look(0), Seen::TooOld);
    }

    #[test]
    fn every_verdict_comes_back() {
        let verdicts = [
            Code::Accepted,
            Code::UnknownEdge,
            Code::BadOffset,
            Code::TooFast,
            Code::BadTime,
            Code::NoTreasure,
            Code::TooFar,
        ];
        let mut window = SequenceWindow::default();
        for (sequence, code) in (60..).zip(verdicts) {
            window.remember(sequence, code);
        }
        for (sequence, code) in (60..).zip(verdicts) {
            assert_eq!(window.look(sequence), Seen::Before(code));
        }
    }

    const HOME: Point = Point { x: 0, y: 0, z: 0 };

    #[test]
    fn the_speed_limit_itself_is_allowed() {
        let at = |x, y| Point { x, y, z: 0 };
        // 60, 80, 100 is a right triangle: exactly a metre.
        assert!(is_reachable(&HOME, &at(60, -80), 1000, 100));
        assert!(!is_reachable(&HOME, &at(60, -80), 999, 100));
        assert!(!is_reachable(&HOME, &at(60, -80), 1000, 99));
        // 100.603 cm: between two milliseconds.
        assert!(is_reachable(&HOME, &at(61, -80), 1007, 100));
        assert!(!is_reachable(&HOME, &at(61, -80), 1006, 100));
    }

    #[test]
    fn no_time_allows_no_way() {
        assert!(is_reachable(&HOME, &HOME, 0, 100));
        assert!(is_reachable(&HOME, &HOME, 0, 0));
        assert!(!is_reachable(
            &HOME,
            &Point { x: 1, y: 0, z: 0 },
            0,
            u32::MAX
        ));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let far = Point {
            x: 637_100_880,
            y: 637_100_880,
            z: 637_100_880,
        };
        let opposite = Point {
            x: -far.x,
            y: -far.y,
            z: -far.z,
        };
        assert!(is_reachable(&far, &opposite, u32::MAX, u32::MAX));
        assert!(!is_reachable(&far, &opposite, 1, 1));
    }

    #[test]
    fn a_place_is_between_the_ends() {
        let arc = StreetArc {
            to: 1,
            length_dm: 3,
            speed_kmh: 0,
            spare: 0,
        };
        let (start, end) = (
            Point {
                x: 10,
                y: -10,
                z: 5,
            },
            Point {
                x: 20,
                y: -20,
                z: 5,
            },
        );
        assert_eq!(place_on_arc(start, end, &arc, 0), start);
        assert_eq!(
            place_on_arc(start, end, &arc, 1),
            Point {
                x: 13,
                y: -13,
                z: 5
            }
        );
        assert_eq!(
            place_on_arc(start, end, &arc, 2),
            Point {
                x: 16,
                y: -16,
                z: 5
            }
        );
        assert_eq!(place_on_arc(start, end, &arc, 3), end);
    }
}
