//! Players that walk the city, and misbehave at known rates.
//!
//! ```text
//!  walker ── draws ──▶ honest? ── yes ──▶ some seconds on, along the streets ──▶ sign ──▶ move
//!                        └─ no ──▶ one of nine lies, told from where it stands ──▶ sign ──▶ move
//! ```
//!
//! Walkers take turns. Each has its own random numbers, drawn from the seed and its id: a player walks
//! the same way whichever other players its host has. So the players can be split among host processes
//! at will, and each host's oracle needs to know nothing of the others.
//!
//! A lie changes nothing of where the walker stands: it is refused, and the next honest move goes on
//! from the same place. What is right for each move is the [oracle](crate::oracle)'s to say.

mod behaviour;
mod hot_spots;
mod walker;

use std::ops::Range;
use std::sync::Arc;

pub use behaviour::{BadRates, Behaviour};
pub use hot_spots::HotSpotOptions;
use hot_spots::HotSpots;
use walker::Walker;

use crate::game::DEFAULT_MAX_SPEED_CM_S;
use crate::map::StreetMap;
use crate::record::MOVE_BYTES;
use crate::tag::WorldSecret;

/// Who walks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// The ids of the players.
    pub players: Range<u32>,
    /// The same seed gives the same moves.
    pub seed: u64,
    /// The speed limit of the game in cm/s: teleports go where it does not reach.
    pub max_speed_cm_s: u32,
    /// How often they lie.
    pub rates: BadRates,
    /// Where they begin; nothing: anywhere.
    pub hot_spots: Option<HotSpotOptions>,
}

impl WalkOptions {
    /// Players that never lie.
    pub fn honest(players: Range<u32>, seed: u64) -> WalkOptions {
        WalkOptions {
            players,
            seed,
            max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
            rates: BadRates::NONE,
            hot_spots: None,
        }
    }
}

/// Why nobody walks.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The range of players is empty.
    #[error("there are no players from {first} to {end}; give each host at least one player")]
    NoPlayers {
        /// Start of the range.
        first: u32,
        /// End of the range.
        end: u32,
    },
}

/// A move as it goes into a request, and what its walker meant by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The 48 bytes.
    pub bytes: [u8; MOVE_BYTES],
    /// What they are.
    pub behaviour: Behaviour,
}

/// An endless stream of moves: the walkers take turns.
pub struct Walkers {
    map: Arc<StreetMap>,
    walkers: Vec<Walker>,
    turn: usize,
    lie_bounds: [u32; 9],
    max_speed_cm_s: u32,
}

impl Walkers {
    /// Puts each player somewhere on the map.
    ///
    /// # Errors
    /// [`WalkError::NoPlayers`].
    pub fn new(
        map: Arc<StreetMap>,
        secret: &WorldSecret,
        options: &WalkOptions,
    ) -> Result<Walkers, WalkError> {
        let Range { start: first, end } = options.players;
        if first >= end {
            return Err(WalkError::NoPlayers { first, end });
        }
        let spots = options
            .hot_spots
            .map(|spots| HotSpots::new(&map, spots, options.seed));
        let walkers = options
            .players
            .clone()
            .map(|id| Walker::new(id, &map, secret, options.seed, spots.as_ref()));
        Ok(Walkers {
            walkers: walkers.collect(),
            turn: 0,
            lie_bounds: options.rates.bounds(),
            max_speed_cm_s: options.max_speed_cm_s,
            map,
        })
    }

    /// The next move of the next player.
    #[inline]
    pub fn next_move(&mut self) -> Step {
        let turn = self.turn;
        self.turn = (turn + 1) % self.walkers.len();
        let walker = &mut self.walkers[turn];

        let draw = walker.draw(1_000_000);
        let lie = self.lie_bounds.iter().position(|&bound| draw < bound);
        let told =
            lie.and_then(|lie| walker.lie(Behaviour::LIES[lie], &self.map, self.max_speed_cm_s));
        told.unwrap_or_else(|| walker.walk(&self.map))
    }
}

impl Iterator for Walkers {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        Some(self.next_move())
    }
}
