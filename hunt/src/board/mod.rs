//! Boards: who leads, exactly, at any moment, among millions.
//!
//! ```text
//!   player ──▶ table: score, stamp ──▶ key ──▶ counted tree ──▶ rank
//!                     (16 bytes each)          (entries in order; every node knows its count)
//! ```
//!
//! A change takes the old entry out of the tree and puts the new one in; both descents add up ranks on
//! their way, so the reply to a change holds the rank *after* it at no extra cost. Equal scores are in
//! the order in which they were reached: a change that does not change the score (adding zero, a best
//! that is none) keeps the player's place among its equals. Ranks are *plain* (1, 2, 3, 4) or *shared*
//! (1, 2, 2, 4).
//!
//! Memory is taken at start, for so many entries and so many players. A reset is one step however many
//! are on the board: stamps from before it count for nothing.

mod key;
mod node;
mod tree;
#[cfg(test)]
mod tree_tests;

use bytemuck::Zeroable;

use crate::arena::{prefetch, Arena};
use crate::request::Standing;
use crate::settling::Settling;
use key::Key;
use tree::{Inserted, Tree};

/// What is done to a player's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It becomes this.
    Set(i64),
    /// It becomes this if that is higher, or if there was none.
    Best(i64),
    /// This is added; a player without a score starts from 0.
    Increment(i64),
    /// This is taken off; a player without a score starts from 0.
    Decrement(i64),
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Where the player stands now.
    pub standing: Standing,
    /// The player's rank before; `None` where it was not on the board.
    pub rank_before: Option<u32>,
}

/// Why a board cannot be made or changed. A refused change leaves everything as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// The player's number is beyond the budget.
    #[error("there is no player {player}; a board for {players} knows those below")]
    UnknownPlayer {
        /// Who was named.
        player: u32,
        /// How many there are.
        players: u32,
    },
    /// All entries are taken.
    #[error("all {entries} entries are taken; reset the board, or start it with more")]
    Full {
        /// How many there are.
        entries: u32,
    },
    /// The score would not fit 64 bits.
    #[error("the score would leave the range of 64 bits")]
    ScoreRange,
    /// The memory cannot be had.
    #[error("no memory for a board of {entries} entries and {players} players ({bytes} bytes); start with a smaller budget")]
    NoMemory {
        /// Entries asked for.
        entries: u32,
        /// Players asked for.
        players: u32,
        /// Bytes they would take.
        bytes: u64,
    },
}

/// A player's line in the table; on the board only if its stamp is of this season.
#[derive(Clone, Copy, Default, Zeroable)]
struct Score {
    score: i64,
    stamp: u64,
}

/// A leaderboard.
///
/// ```
/// use ironhoard_hunt::board::{Board, Change};
/// let mut board = Board::new(100, 1_000).unwrap();
/// board.change(7, Change::Set(50)).unwrap();
/// board.change(8, Change::Increment(50)).unwrap();
/// let changed = board.change(9, Change::Best(60)).unwrap();
/// assert_eq!((changed.standing.rank, changed.rank_before), (1, None));
/// // 7 and 8 are equal: 7 was there first.
/// let eight = board.standing(8).unwrap();
/// assert_eq!((eight.rank, eight.shared_rank), (3, 2));
/// let order: Vec<u32> = board.rows(1).map(|(player, _)| player).collect();
/// assert_eq!(order, [9, 7, 8]);
/// ```
pub struct Board {
    tree: Tree,
    table: Arena<Score>,
    budget: u32,
    next_stamp: u64,
    season_stamp: u64,
    season: u32,
}

impl Board {
    /// An empty board for at most `entries` of the players below `players`.
    ///
    /// # Errors
    /// [`BoardError::NoMemory`].
    pub fn new(entries: u32, players: u32) -> Result<Board, BoardError> {
        let no_memory = || BoardError::NoMemory {
            entries,
            players,
            bytes: Board::bytes(entries, players),
        };
        Ok(Board {
            tree: Tree::new(entries).ok_or_else(no_memory)?,
            table: Arena::new(players as usize).map_err(|_| no_memory())?,
            budget: entries,
            next_stamp: 1,
            season_stamp: 1,
            season: 0,
        })
    }

    /// Bytes that a board takes.
    pub fn bytes(entries: u32, players: u32) -> u64 {
        Tree::bytes(entries) + u64::from(players) * size_of::<Score>() as u64
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.table);
        settling.add(&self.tree.leaves);
        settling.add(&self.tree.inners);
    }

    /// How many players are on the board.
    pub fn len(&self) -> u32 {
        self.tree.len()
    }

    /// Whether nobody is on the board.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often the board was reset.
    pub fn season(&self) -> u32 {
        self.season
    }

    /// Changes a player's score. Costs two descents of the tree; none where the score stays.
    ///
    /// # Errors
    /// [`BoardError::UnknownPlayer`], [`BoardError::Full`], [`BoardError::ScoreRange`].
    pub fn change(&mut self, player: u32, change: Change) -> Result<Changed, BoardError> {
        let old = self.on_board(player)?;
        let score = match (change, old.map_or(0, |old| old.score)) {
            (Change::Set(score), _) => score,
            (Change::Best(score), before) if old.is_some() => score.max(before),
            (Change::Best(score), _) => score,
            (Change::Increment(by), before) => {
                before.checked_add(by).ok_or(BoardError::ScoreRange)?
            }
            (Change::Decrement(by), before) => {
                before.checked_sub(by).ok_or(BoardError::ScoreRange)?
            }
        };
        match old {
            Some(old) if old.score == score => {
                let standing = self.standing_of(old);
                Ok(Changed {
                    standing,
                    rank_before: Some(standing.rank),
                })
            }
            Some(old) => Ok(self.move_entry(player, old, score)),
            None if self.len() == self.budget => Err(BoardError::Full {
                entries: self.budget,
            }),
            None => Ok(Changed {
                standing: self.enter(player, score),
                rank_before: None,
            }),
        }
    }

    /// Takes a player off the board; returns the rank it had, or nothing where it was not there.
    ///
    /// # Errors
    /// [`BoardError::UnknownPlayer`].
    pub fn remove(&mut self, player: u32) -> Result<Option<u32>, BoardError> {
        let Some(old) = self.on_board(player)? else {
            return Ok(None);
        };
        self.table[player as usize] = Score::default();
        Ok(Some(1 + self.tree.remove(Key::new(old.score, old.stamp))))
    }

    /// Where a player stands; `None` where it is not on the board.
    pub fn standing(&self, player: u32) -> Option<Standing> {
        let entry = self.on_board(player).ok()??;
        Some(self.standing_of(entry))
    }

    /// The rows from `rank` (from 1) on, best first: players and where they stand.
    pub fn rows(&self, rank: u32) -> impl Iterator<Item = (u32, Standing)> + '_ {
        let first = rank.max(1);
        let mut shared: Option<(i64, u32)> = None;
        self.tree
            .from(first - 1)
            .zip(first..)
            .map(move |((key, player), rank)| {
                let score = key.score();
                let shared_rank = match shared {
                    Some((last, shared_rank)) if last == score => shared_rank,
                    Some(_) => rank,
                    None => self.shared_rank(score),
                };
                shared = Some((score, shared_rank));
                (
                    player,
                    Standing {
                        score,
                        rank,
                        shared_rank,
                    },
                )
            })
    }

    /// Empties the board; the next season begins. One step, however many are on it.
    pub fn reset(&mut self) {
        self.tree.clear();
        self.season_stamp = self.next_stamp;
        self.season = self.season.saturating_add(1);
    }

    /// Asks the cache for a player's line of the table.
    #[inline]
    pub(crate) fn prefetch(&self, player: u32) {
        prefetch(&self.table, player as usize);
    }

    fn on_board(&self, player: u32) -> Result<Option<Score>, BoardError> {
        let unknown = BoardError::UnknownPlayer {
            player,
            players: self.table.len() as u32,
        };
        let line = self.table.get(player as usize).ok_or(unknown)?;
        Ok((line.stamp >= self.season_stamp).then_some(*line))
    }

    /// Puts a player that is not on the board at the end of its equals.
    fn enter(&mut self, player: u32, score: i64) -> Standing {
        let key = self.stamp(player, score);
        let inserted = self.tree.insert(key, player);
        self.standing_at(score, inserted)
    }

    /// Moves a player to the end of its new equals.
    fn move_entry(&mut self, player: u32, old: Score, score: i64) -> Changed {
        let old = Key::new(old.score, old.stamp);
        let key = self.stamp(player, score);
        let (before, inserted) = self.tree.shift(old, key).unwrap_or_else(|| {
            let before = self.tree.remove(old);
            (before, self.tree.insert(key, player))
        });
        Changed {
            standing: self.standing_at(score, inserted),
            rank_before: Some(before + 1),
        }
    }

    /// Writes a score into the table, with the next stamp; returns its key.
    fn stamp(&mut self, player: u32, score: i64) -> Key {
        let stamp = self.next_stamp;
        self.next_stamp += 1;
        self.table[player as usize] = Score { score, stamp };
        Key::new(score, stamp)
    }

    fn standing_at(&self, score: i64, inserted: Inserted) -> Standing {
        let rank = inserted.before + 1;
        // Where the neighbour has a better score, nobody is equal and before.
        let is_alone = rank == 1 || inserted.neighbour.is_some_and(|key| key.score() != score);
        Standing {
            score,
            rank,
            shared_rank: if is_alone {
                rank
            } else {
                self.shared_rank(score)
            },
        }
    }

    fn standing_of(&self, entry: Score) -> Standing {
        Standing {
            score: entry.score,
            rank: 1 + self.tree.before(Key::new(entry.score, entry.stamp)),
            shared_rank: self.shared_rank(entry.score),
        }
    }

    /// One more than the players with a higher score.
    fn shared_rank(&self, score: i64) -> u32 {
        1 + self.tree.before(Key::new(score, 0))
    }
}
