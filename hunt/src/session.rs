//! Sessions: who is in the game now. A fixed number of places; one player has at most one.
//!
//! ```text
//!   join ── free place? ─ yes ─▶ taken ──▶ leave ──▶ free
//!               └─ no ─▶ somebody asleep? (64 places looked at, from where the last look ended)
//!                          ├─ yes ─▶ that session ends, and its place is taken
//!                          └─ no ──▶ full: an answer, try again later
//! ```
//!
//! The number of a session is its place and how often the place was used, so an old number names
//! nothing. A player is asleep when nothing was heard of it for the time that the game was started
//! with, by the engine's clock.

use std::io::Error;

use bytemuck::Zeroable;

use crate::arena::Arena;
use crate::settling::Settling;

/// Seconds in a unit of the clock that sessions age by.
pub const TICK_SECONDS: u64 = 16;
/// The most places that one joining looks at.
const MOST_LOOKED_AT: u32 = 64;

#[derive(Clone, Copy, Zeroable)]
struct Place {
    /// The player plus one; 0 for a free place.
    player: u32,
    uses: u32,
    /// Of a place that was given back, the next such one plus one.
    next_free: u32,
}

/// The places.
pub struct Sessions {
    places: Arena<Place>,
    /// Of each player, its place plus one; 0 for none.
    of_player: Arena<u32>,
    /// The place that was given back last, plus one; 0 for none.
    free: u32,
    /// Places from here on were never used, and so not touched either.
    used: u32,
    hand: u32,
    live: u32,
    evicted: u64,
}

/// A session that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its number.
    pub session: u64,
    /// The player whose session ended for it, if one did.
    pub evicted: Option<u32>,
}

impl Sessions {
    /// Room for `budget` sessions of the players below `players`.
    ///
    /// # Errors
    /// Where the memory cannot be had.
    pub fn new(budget: u32, players: u32) -> Result<Sessions, Error> {
        Ok(Sessions {
            places: Arena::new(budget as usize)?,
            of_player: Arena::new(players as usize)?,
            free: 0,
            used: 0,
            hand: 0,
            live: 0,
            evicted: 0,
        })
    }

    /// Bytes for so many sessions and players.
    pub fn bytes(budget: u32, players: u32) -> u64 {
        u64::from(budget) * size_of::<Place>() as u64 + u64::from(players) * 4
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.places);
        settling.add(&self.of_player);
    }

    /// How many sessions there are.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// How many sessions ended because others wanted their places.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The session of a player below the budget.
    #[inline]
    pub fn of(&self, player: u32) -> Option<u64> {
        let at = self.of_player[player as usize].checked_sub(1)?;
        Some(u64::from(self.places[at as usize].uses) << 32 | u64::from(at))
    }

    /// Begins a session; one that the player had ends. `None` where all places are taken by players
    /// for whom `is_asleep` says no.
    pub fn join(&mut self, player: u32, is_asleep: impl Fn(u32) -> bool) -> Option<Joined> {
        self.leave(player);
        let evicted = if self.is_full() {
            Some(self.evict(is_asleep)?)
        } else {
            None
        };
        let at = self.take();
        let place = &mut self.places[at as usize];
        place.player = player + 1;
        place.uses = place.uses.wrapping_add(1);
        self.of_player[player as usize] = at + 1;
        self.live += 1;
        let session = u64::from(place.uses) << 32 | u64::from(at);
        Some(Joined { session, evicted })
    }

    /// Ends the session of a player, if it has one.
    pub fn leave(&mut self, player: u32) {
        let at = std::mem::take(&mut self.of_player[player as usize]);
        if at == 0 {
            return;
        }
        let place = &mut self.places[at as usize - 1];
        (place.player, place.next_free) = (0, self.free);
        self.free = at;
        self.live -= 1;
    }

    fn is_full(&self) -> bool {
        self.free == 0 && self.used as usize == self.places.len()
    }

    /// A free place, which there must be: one that was given back, else the next that was never used.
    fn take(&mut self) -> u32 {
        let Some(at) = self.free.checked_sub(1) else {
            self.used += 1;
            return self.used - 1;
        };
        self.free = self.places[at as usize].next_free;
        at
    }

    /// Ends the first session of somebody asleep; returns the player.
    fn evict(&mut self, is_asleep: impl Fn(u32) -> bool) -> Option<u32> {
        let places = self.places.len() as u32;
        for _ in 0..places.min(MOST_LOOKED_AT) {
            let player = self.places[self.hand as usize].player - 1;
            self.hand = (self.hand + 1) % places;
            if is_asleep(player) {
                self.leave(player);
                self.evicted += 1;
                return Some(player);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_number_names_nothing() {
        let mut sessions = Sessions::new(2, 10).unwrap();
        let first = sessions.join(7, |_| false).unwrap();
        assert_eq!((sessions.of(7), first.evicted), (Some(first.session), None));
        let second = sessions.join(7, |_| false).unwrap();
        assert_ne!(first.session, second.session);
        assert_eq!((sessions.of(7), sessions.live()), (Some(second.session), 1));
        sessions.leave(7);
        sessions.leave(7);
        assert_eq!((sessions.of(7), sessions.live()), (None, 0));
    }

    #[test]
    fn a_place_that_was_given_back_is_taken_before_one_never_used() {
        let mut sessions = Sessions::new(4, 10).unwrap();
        let mut place = |player, leaving: &[u32]| {
            leaving.iter().for_each(|&player| sessions.leave(player));
            let joined = sessions.join(player, |_| false).unwrap();
            joined.session as u32
        };
        assert_eq!((place(0, &[]), place(1, &[]), place(2, &[])), (0, 1, 2));
        assert_eq!((place(3, &[0, 1]), place(4, &[]), place(5, &[])), (1, 0, 3));
    }

    #[test]
    fn full_is_an_answer_until_somebody_sleeps_or_leaves() {
        let mut sessions = Sessions::new(3, 10).unwrap();
        for player in 0..3 {
            sessions.join(player, |_| false).unwrap();
        }
        assert_eq!(sessions.join(3, |_| false), None);
        assert_eq!(sessions.of(3), None);
        let joined = sessions.join(3, |player| player == 1).unwrap();
        assert_eq!(
            (joined.evicted, sessions.of(1), sessions.evicted()),
            (Some(1), None, 1)
        );
        sessions.leave(0);
        assert_eq!(sessions.join(4, |_| false).unwrap().evicted, None);
        assert_eq!(sessions.live(), 3);
        assert_eq!(Sessions::new(0, 1).unwrap().join(0, |_| true), None);
    }
}
