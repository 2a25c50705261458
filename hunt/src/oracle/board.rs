//! A board as one would write it on paper: a vector that is sorted after each change.

use crate::board::{BoardError, Change, Changed};
use crate::request::Standing;

/// Who leads, the slow way. Each change sorts all rows; each rank is counted.
#[derive(Clone, Debug, Default)]
pub struct PaperBoard {
    /// Score, when it was reached, player; best first, and of equals who came first.
    rows: Vec<(i64, u64, u32)>,
    changes: u64,
    entries: usize,
    season: u32,
}

impl PaperBoard {
    /// An empty board for so many players.
    pub fn of(entries: usize) -> PaperBoard {
        PaperBoard {
            entries,
            ..PaperBoard::default()
        }
    }

    /// How many are on it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How often it was reset.
    pub fn season(&self) -> u32 {
        self.season
    }

    /// The players, best first.
    pub fn players(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.iter().map(|row| row.2)
    }

    /// Where a player stands.
    pub fn standing(&self, player: u32) -> Option<Standing> {
        let at = self.rows.iter().position(|row| row.2 == player)?;
        let score = self.rows[at].0;
        let better = self.rows.iter().filter(|row| row.0 > score).count();
        Some(Standing {
            score,
            rank: at as u32 + 1,
            shared_rank: better as u32 + 1,
        })
    }

    /// Changes a score.
    ///
    /// # Errors
    /// [`BoardError::ScoreRange`], [`BoardError::Full`].
    pub fn change(&mut self, player: u32, change: Change) -> Result<Changed, BoardError> {
        let before = self.standing(player);
        let old = before.map_or(0, |standing| standing.score);
        let new = match change {
            Change::Set(score) => i128::from(score),
            Change::Best(score) => i128::from(score.max(before.map_or(i64::MIN, |old| old.score))),
            Change::Increment(by) => i128::from(old) + i128::from(by),
            Change::Decrement(by) => i128::from(old) - i128::from(by),
        };
        let new = i64::try_from(new).map_err(|_| BoardError::ScoreRange)?;
        if before.is_none() && self.rows.len() == self.entries {
            return Err(BoardError::Full {
                entries: self.entries as u32,
            });
        }
        if before.is_none_or(|before| before.score != new) {
            self.rows.retain(|row| row.2 != player);
            self.changes += 1;
            self.rows.push((new, self.changes, player));
            self.rows
                .sort_by_key(|row| (std::cmp::Reverse(row.0), row.1));
        }
        Ok(Changed {
            standing: self.standing(player).unwrap_or_default(),
            rank_before: before.map(|before| before.rank),
        })
    }

    /// Takes a player off; returns the rank it had.
    pub fn remove(&mut self, player: u32) -> Option<u32> {
        let rank = self.standing(player).map(|standing| standing.rank);
        self.rows.retain(|row| row.2 != player);
        rank
    }

    /// Takes everybody off.
    pub fn reset(&mut self) {
        self.rows.clear();
        self.season += 1;
    }
}
