//! The moves of a host and the right answer to each, computed before anything is sent.
//!
//! A move and its answer take 96 bytes, so a million of both are 96 MB. More than that is prepared in
//! parts, and the clock stands still meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::StreetMap;
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{MOVE_BYTES, REPLY_BYTES};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};

use super::args::HostArguments;
use super::error::DemoError;

/// 64-bit words of a move and of a reply.
pub const MOVE_WORDS: usize = MOVE_BYTES / 8;
/// See [`MOVE_WORDS`].
pub const REPLY_WORDS: usize = REPLY_BYTES / 8;
/// Moves prepared at a time.
const PART: u64 = 1 << 20;
/// Moves between two reports of progress.
const PROGRESS_STEP: u64 = 1 << 14;

/// The right answer to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reply's payload, if it has one.
    pub words: Option<[u64; REPLY_WORDS]>,
    /// The reply's status.
    pub status: u16,
    /// Whether the move repeats an earlier one.
    pub is_repeat: bool,
}

/// Moves to send, in their order, and what must come back.
pub struct Load {
    /// The moves, as they lie in a record.
    pub moves: Vec<[u64; MOVE_WORDS]>,
    /// The answers, in the same order.
    pub answers: Vec<Answer>,
}

/// Makes one load after the other.
pub struct Loader {
    walkers: Walkers,
    oracle: Oracle,
    left: u64,
    prepared: u64,
    /// Moves by what their walkers meant by them.
    pub behaviours: BTreeMap<&'static str, u64>,
}

impl Loader {
    /// For this host's players on this map.
    pub fn new(map: Arc<StreetMap>, arguments: &HostArguments) -> Result<Loader, DemoError> {
        let secret = WorldSecret::from_seed(arguments.seed);
        let walk = WalkOptions {
            rates: BadRates::DEMO,
            ..WalkOptions::honest(arguments.first_player..arguments.end_player, arguments.seed)
        };
        let game = GameOptions {
            players: arguments.players,
            max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
            secret: secret.clone(),
        };
        Ok(Loader {
            oracle: Oracle::new(City::new(&map), &game),
            walkers: Walkers::new(map, &secret, &walk)?,
            left: arguments.moves,
            prepared: 0,
            behaviours: BTreeMap::new(),
        })
    }

    /// Prepares the next part, or nothing when all moves were prepared; tells `progress` how many were.
    pub fn next(
        &mut self,
        progress: &mut impl FnMut(u64) -> Result<(), DemoError>,
    ) -> Result<Option<Load>, DemoError> {
        let count = self.left.min(PART);
        self.left -= count;
        let mut load = Load {
            moves: Vec::with_capacity(count as usize),
            answers: Vec::with_capacity(count as usize),
        };
        for _ in 0..count {
            self.add_move(&mut load);
            self.prepared += 1;
            if self.prepared % PROGRESS_STEP == 0 {
                progress(self.prepared)?;
            }
        }
        Ok((count > 0).then_some(load))
    }

    fn add_move(&mut self, load: &mut Load) {
        let step = self.walkers.next_move();
        *self.behaviours.entry(step.behaviour.name()).or_default() += 1;
        let right = self.oracle.answer(&step.bytes);
        load.moves.push(words(&step.bytes));
        load.answers.push(Answer {
            status: right.code.number(),
            is_repeat: right.reply.is_some_and(|reply| reply.is_duplicate),
            words: right.reply.map(|reply| words(&reply.encode())),
        });
    }
}

/// Bytes as the little-endian words in which they travel; what is over at the end is left out.
pub fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut chunks = bytes.chunks_exact(8);
    std::array::from_fn(|_| {
        let word = chunks.next().and_then(|word| word.try_into().ok());
        u64::from_le_bytes(word.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_little_endian() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(
            words(&bytes),
            [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]
        );
    }

    #[test]
    fn an_answer_is_small() {
        assert!(size_of::<Answer>() <= 48);
    }
}
