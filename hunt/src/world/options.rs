//! What a hunt is started with, what that takes, and why it can be refused.

use crate::board::{Board, BoardError};
use crate::game::{Game, GameError, GameOptions};
use crate::map::StreetMap;
use crate::near::crowd::{Crowd, FARTHEST_CM, MOST_PLAYERS};
use crate::near::treasures::{Treasures, MOST_TREASURES};
use crate::session::Sessions;

/// What a hunt is started with. All memory is taken for it at start; full is an answer later.
#[derive(Clone, Debug)]
pub struct HuntOptions {
    /// Players, their speed limit, the secret.
    pub game: GameOptions,
    /// The most sessions at one time.
    pub sessions: u32,
    /// Seconds after which a silent player's session may end for another's.
    pub idle_seconds: u32,
    /// The most treasures at one time.
    pub treasures: u32,
    /// Treasures that lie about from the beginning, at nodes that are drawn from `seed`. Each one that
    /// is taken appears again elsewhere.
    pub scattered: u32,
    /// What each of those is worth.
    pub treasure_value: i64,
    /// Where scattered treasures lie depends on this and on nothing else.
    pub seed: u64,
    /// Boards. Board 0 counts decimetres walked and the worth of treasures, board 1 treasures alone; all
    /// others are the operators' own.
    pub boards: u16,
    /// The most players on one board.
    pub board_entries: u32,
    /// From how far away treasures are seen, in decimetres along the streets.
    pub reach_dm: u32,
    /// From how far away they can be taken.
    pub arm_dm: u32,
    /// From how far away players see each other, in centimetres; at most [`FARTHEST_CM`].
    pub sight_cm: u32,
}

impl HuntOptions {
    /// A hunt for these players, with room for all of them everywhere.
    ///
    /// ```
    /// use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
    /// use ironhoard_hunt::tag::WorldSecret;
    /// use ironhoard_hunt::world::HuntOptions;
    /// let secret = WorldSecret::from_seed(1);
    /// let game = GameOptions { players: 1_000, max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S, secret };
    /// let options = HuntOptions { boards: 3, ..HuntOptions::new(game) };
    /// assert_eq!((options.sessions, options.board_entries), (1_000, 1_000));
    /// ```
    pub fn new(game: GameOptions) -> HuntOptions {
        HuntOptions {
            sessions: game.players,
            idle_seconds: 600,
            treasures: 20_000,
            scattered: 10_000,
            treasure_value: 1_000,
            seed: 1,
            boards: 2,
            board_entries: game.players,
            reach_dm: 1_000,
            arm_dm: 250,
            sight_cm: 3_000,
            game,
        }
    }

    /// What these options take on a map: a line for each budget.
    pub fn budget(&self, map: &StreetMap) -> [BudgetLine; 4] {
        let players = self.game.players;
        let board = Board::bytes(self.board_entries, players);
        let line = |what, count: u64, bytes| BudgetLine { what, count, bytes };
        [
            line(
                "players",
                players.into(),
                Game::bytes(players) + Crowd::bytes(players),
            ),
            line(
                "sessions",
                self.sessions.into(),
                Sessions::bytes(self.sessions, players),
            ),
            line(
                "treasures",
                self.treasures.into(),
                Treasures::bytes(map.node_count(), self.treasures),
            ),
            line("boards", self.boards.into(), board * u64::from(self.boards)),
        ]
    }

    pub(super) fn check(&self) -> Result<(), HuntError> {
        let limits = [
            ("sessions", self.sessions, 1, u32::MAX - 1),
            ("players", self.game.players, 1, MOST_PLAYERS),
            ("treasures", self.treasures, 0, MOST_TREASURES),
            ("scattered treasures", self.scattered, 0, self.treasures),
            ("boards", self.boards.into(), 1, 1_024),
            ("decimetres of arm", self.arm_dm, 0, self.reach_dm),
            ("centimetres of sight", self.sight_cm, 0, FARTHEST_CM),
        ];
        for (what, found, least, most) in limits {
            if !(least..=most).contains(&found) {
                return Err(HuntError::Limit {
                    what,
                    found,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}

/// A budget, and the memory that is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLine {
    /// What.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Bytes for all of them.
    pub bytes: u64,
}

/// Why a hunt cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// The players.
    #[error(transparent)]
    Game(#[from] GameError),
    /// A board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Memory for something else.
    #[error("no memory for the {what}: {source}; start with smaller budgets")]
    NoMemory {
        /// For what.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A number that is not possible.
    #[error("{found} {what} are not possible: choose {least} to {most}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many were asked for.
        found: u32,
        /// The fewest.
        least: u32,
        /// The most.
        most: u32,
    },
}
