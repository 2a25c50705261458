//! The crowd: which players are near a place, through the air.
//!
//! ```text
//!   cells of 82 m    ┌───┬───┬───┐    a cell names its one player, or its first bucket of four;
//!                    │ · │ ·:│   │    a question looks into at most four cells, a bucket of each in
//!                    ├───┼──(x)──┤    turn, and at no more than 16 players: it costs the same in
//!                    │   │:· │ · │    a crowd of 35,000
//!                    └───┴───┴───┘
//! ```
//!
//! Each candidate's distance is computed from all three dimensions, in whole numbers. In a crowd of more
//! than 16 which of them are looked at follows from who came and went before, and from nothing else.

use std::io::{Error, ErrorKind};

use bytemuck::Zeroable;

use super::bucket::{Buckets, WIDTH};
use super::grid::Grid;
use super::treasures::Spot;
use crate::arena::{prefetch, Arena};
use crate::map::{Point, StreetMap};
use crate::request::{Found, List};
use crate::settling::Settling;

pub use super::grid::FARTHEST_CM;

#[cfg(test)]
mod tests;

/// The most players that one question looks at.
const MOST_LOOKED_AT: usize = 16;
/// The most players that there can be: one bit of a cell says what the others mean.
pub const MOST_PLAYERS: u32 = (1 << 31) - 1;

/// Where a player is: half a cache line.
#[derive(Clone, Copy, Zeroable)]
#[repr(C, align(32))]
struct Presence {
    x: i32,
    y: i32,
    z: i32,
    from: u32,
    to: u32,
    /// Its bucket plus one; [`ALONE`] for the only player of a cell; 0 for one who is not here.
    bucket: u32,
    offset_dm: u16,
    /// When the player was last heard of, in units of [`crate::session::TICK_SECONDS`].
    seen: u16,
}

const ALONE: u32 = u32::MAX;

/// Who is in a cell: nobody (0), one player (its number plus one), or those of some buckets (the first's
/// number, and the highest bit).
#[derive(Clone, Copy, Zeroable)]
struct Cell(u32);

const MANY: u32 = 1 << 31;

enum Who {
    Nobody,
    One(u32),
    Many(u32),
}

/// All players that are somewhere.
pub struct Crowd {
    players: Arena<Presence>,
    cells: Arena<Cell>,
    buckets: Buckets,
    grid: Grid,
}

impl Crowd {
    /// Room for the players below `players`, [`MOST_PLAYERS`] at most, on this map.
    ///
    /// # Errors
    /// Where there are more, or the memory cannot be had.
    pub fn new(map: &StreetMap, players: u32) -> Result<Crowd, Error> {
        if players > MOST_PLAYERS {
            return Err(ErrorKind::InvalidInput.into());
        }
        let grid = Grid::over(map);
        Ok(Crowd {
            players: Arena::new(players as usize)?,
            cells: Arena::new(grid.len())?,
            buckets: Buckets::new(players)?,
            grid,
        })
    }

    /// Bytes for so many players, without the cells.
    pub fn bytes(players: u32) -> u64 {
        u64::from(players) * size_of::<Presence>() as u64 + Buckets::bytes(players)
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.players);
        settling.add(&self.cells);
        self.buckets.enlist(settling);
    }

    /// A player is here now.
    #[inline]
    pub fn arrive(&mut self, player: u32, place: Point, spot: Spot, seen: u16) {
        let old = self.players[player as usize];
        let cell = self.grid.cell(place);
        let stays = old.bucket != 0 && self.grid.cell(old.place()) == cell;
        if !stays {
            self.leave(player);
        }
        let here = &mut self.players[player as usize];
        (here.x, here.y, here.z) = (place.x, place.y, place.z);
        (here.from, here.to, here.offset_dm, here.seen) =
            (spot.from, spot.to, spot.offset_dm, seen);
        match old.bucket {
            _ if !stays => self.join(player, cell),
            ALONE => {}
            bucket => {
                let bucket = self.buckets.get_mut(bucket - 1);
                if let Some(at) = bucket.find(player) {
                    bucket.put(at, player, place);
                }
            }
        }
    }

    /// Puts a player that is in no cell into its own.
    fn join(&mut self, player: u32, cell: usize) {
        let first = match self.cells[cell].who() {
            Who::Nobody => {
                self.cells[cell] = Cell::one(player);
                self.players[player as usize].bucket = ALONE;
                return;
            }
            Who::One(other) => {
                let bucket = self.buckets.take(None);
                self.keep(other, bucket, 0);
                bucket
            }
            Who::Many(first) if self.buckets.get(first).len() == WIDTH => {
                self.buckets.take(Some(first))
            }
            Who::Many(first) => first,
        };
        self.cells[cell] = Cell::many(first);
        self.keep(player, first, self.buckets.get(first).len());
    }

    /// A player is nowhere now.
    pub fn leave(&mut self, player: u32) {
        let here = &mut self.players[player as usize];
        let (cell, bucket) = (self.grid.cell(here.place()), here.bucket);
        here.bucket = 0;
        match (bucket, self.cells[cell].who()) {
            (0, _) => {}
            (_, Who::Many(first)) => {
                self.replace(player, bucket - 1, first);
                self.tidy(cell, first);
            }
            (_, _) => self.cells[cell] = Cell::zeroed(),
        }
    }

    /// Puts the last player of a cell's first bucket where `player` was; that may be the same.
    fn replace(&mut self, player: u32, bucket: u32, first: u32) {
        let hole = self.buckets.get(bucket).find(player);
        let last = self.buckets.get_mut(first).pop();
        if let (Some(at), Some(other)) = (hole, last.filter(|&last| last != player)) {
            self.keep(other, bucket, at);
        }
    }

    /// Gives a cell's first bucket back if it is empty, or if it holds the only player.
    fn tidy(&mut self, cell: usize, first: u32) {
        let bucket = self.buckets.get(first);
        let one = bucket.all().next();
        self.cells[cell] = match (bucket.len(), one, self.buckets.next(first)) {
            (0, _, next) => next.map_or(Cell::zeroed(), Cell::many),
            (1, Some((player, _)), None) => {
                self.players[player as usize].bucket = ALONE;
                Cell::one(player)
            }
            _ => return,
        };
        self.buckets.give_back(first);
    }

    /// Keeps a player at a place of a bucket.
    fn keep(&mut self, player: u32, bucket: u32, at: usize) {
        let here = &mut self.players[player as usize];
        here.bucket = bucket + 1;
        self.buckets.get_mut(bucket).put(at, player, here.place());
    }

    /// Where a player was last; `None` for one who is not here.
    #[inline]
    pub fn spot(&self, player: u32) -> Option<Spot> {
        let here = &self.players[player as usize];
        (here.bucket != 0).then_some(Spot {
            from: here.from,
            to: here.to,
            offset_dm: here.offset_dm,
        })
    }

    /// Asks the cache for a player.
    #[inline]
    pub(crate) fn prefetch(&self, player: u32) {
        prefetch(&self.players, player as usize);
    }

    /// When a player was last heard of.
    pub fn seen(&self, player: u32) -> u16 {
        self.players[player as usize].seen
    }

    /// A player was heard of, wherever it is.
    pub fn see(&mut self, player: u32, seen: u16) {
        self.players[player as usize].seen = seen;
    }

    /// The other players within `radius_cm` (at most [`FARTHEST_CM`]) of a place, nearest first.
    #[inline]
    pub fn near(&self, player: u32, place: Point, radius_cm: u32) -> List {
        let radius = radius_cm.min(FARTHEST_CM) as i32;
        let mut cells = [Cell::zeroed(); 4];
        for (cell, at) in cells.iter_mut().zip(self.grid.around(place, radius)) {
            *cell = self.cells[at];
            match cell.who() {
                Who::Nobody => {}
                Who::One(other) => self.prefetch(other),
                Who::Many(first) => self.buckets.prefetch(first),
            }
        }
        let mut look = Look {
            list: List::default(),
            place,
            square: radius as u64 * radius as u64,
            player,
            left: MOST_LOOKED_AT,
            is_over: false,
        };
        while !look.is_over && cells.iter().any(|cell| cell.0 != 0) {
            for cell in &mut cells {
                *cell = match cell.who() {
                    Who::Nobody => continue,
                    Who::One(other) => {
                        look.at(other, self.players[other as usize].place());
                        Cell::zeroed()
                    }
                    Who::Many(bucket) => self.look_into(bucket, &mut look),
                };
            }
        }
        look.list
    }

    /// Looks at the players of a bucket; says what is left of its cell.
    #[inline]
    fn look_into(&self, bucket: u32, look: &mut Look) -> Cell {
        let next = self.buckets.next(bucket);
        if let Some(next) = next {
            self.buckets.prefetch(next);
        }
        for (other, place) in self.buckets.get(bucket).all() {
            look.at(other, place);
        }
        next.map_or(Cell::zeroed(), Cell::many)
    }
}

/// A question under way.
struct Look {
    list: List,
    place: Point,
    square: u64,
    player: u32,
    /// How many more may be looked at.
    left: usize,
    /// There was one more.
    is_over: bool,
}

impl Look {
    #[inline]
    fn at(&mut self, other: u32, place: Point) {
        if self.left == 0 {
            (self.list.is_cut, self.is_over) = (true, true);
            return;
        }
        self.left -= 1;
        let distance = self.place.distance_squared(&place);
        if distance <= self.square && other != self.player {
            self.list.add(Found {
                distance_dm: (distance.isqrt() / 10) as u32,
                id: other,
            });
        }
    }
}

impl Cell {
    fn one(player: u32) -> Cell {
        Cell(player + 1)
    }

    fn many(first: u32) -> Cell {
        Cell(MANY | first)
    }

    #[inline]
    fn who(self) -> Who {
        match self.0 {
            0 => Who::Nobody,
            word if word & MANY != 0 => Who::Many(word & !MANY),
            word => Who::One(word - 1),
        }
    }
}

impl Presence {
    #[inline]
    fn place(&self) -> Point {
        Point {
            x: self.x,
            y: self.y,
            z: self.z,
        }
    }
}

const _: () = assert!(size_of::<Presence>() == 32);
