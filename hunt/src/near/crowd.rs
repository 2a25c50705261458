//! The crowd: which players are near a place, through the air.
//!
//! ```text
//!   cells of 82 m    ┌───┬───┬───┐    each cell heads a list of its players, newest first;
//!                    │ · │ ·:│   │    a question looks into at most four cells, and at
//!                    ├───┼──(x)──┤    no more than 16 players: it costs the same in
//!                    │   │:· │ · │    a crowd of 35,000
//!                    └───┴───┴───┘
//! ```
//!
//! Places are points in three dimensions. A city is flat enough to leave one of them out: the one in
//! which it looks out of the earth. That never makes a distance longer, so nobody near is missed, and
//! each candidate's distance is then computed from all three. Whole numbers throughout.

use std::io::Error;

use bytemuck::Zeroable;

use super::treasures::Spot;
use crate::arena::{prefetch, Arena};
use crate::map::{Point, StreetMap};
use crate::request::{Found, List};
use crate::settling::Settling;

/// The least side of a cell: 2¹³ cm.
const LEAST_SHIFT: u32 = 13;
/// The farthest that players see each other, in cm: half the side of the smallest cell, so that what is
/// seen lies in two columns and two rows.
pub const FARTHEST_CM: u32 = 1 << (LEAST_SHIFT - 1);
/// The most players that one question looks at.
const MOST_LOOKED_AT: u32 = 16;
/// As many cells as nodes are enough, and never fewer than this.
const LEAST_CELLS: u64 = 1 << 20;

/// Where a player is, and its neighbours in the list of its cell: half a cache line.
#[derive(Clone, Copy, Zeroable)]
#[repr(C, align(32))]
struct Presence {
    x: i32,
    y: i32,
    z: i32,
    from: u32,
    to: u32,
    /// The next player of the cell, plus one; 0 ends the list.
    next: u32,
    /// The one before, plus one; [`FIRST`] for the first; 0 for a player who is not here.
    before: u32,
    offset_dm: u16,
    /// When the player was last heard of, in units of [`crate::session::TICK_SECONDS`].
    seen: u16,
}

const FIRST: u32 = u32::MAX;

/// All players that are somewhere.
pub struct Crowd {
    players: Arena<Presence>,
    /// Of each cell, its first player plus one.
    cells: Arena<u32>,
    grid: Grid,
}

/// How points become cells.
#[derive(Clone, Copy)]
struct Grid {
    left_out: Axis,
    low: (i32, i32),
    shift: u32,
    width: u32,
    height: u32,
}

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
    Z,
}

impl Crowd {
    /// Room for the players below `players` on this map.
    ///
    /// # Errors
    /// Where the memory cannot be had.
    pub fn new(map: &StreetMap, players: u32) -> Result<Crowd, Error> {
        let grid = Grid::over(map);
        Ok(Crowd {
            players: Arena::new(players as usize)?,
            cells: Arena::new(grid.width as usize * grid.height as usize)?,
            grid,
        })
    }

    /// Bytes that are taken.
    pub fn bytes(&self) -> u64 {
        (size_of_val(&self.players[..]) + size_of_val(&self.cells[..])) as u64
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.players);
        settling.add(&self.cells);
    }

    /// A player is here now.
    #[inline]
    pub fn arrive(&mut self, player: u32, place: Point, spot: Spot, seen: u16) {
        let at = player as usize;
        let old = self.players[at];
        let cell = self.grid.cell(place);
        if old.before == 0 || self.grid.cell(old.place()) != cell {
            self.leave(player);
            let first = std::mem::replace(&mut self.cells[cell], player + 1);
            if first != 0 {
                self.players[first as usize - 1].before = player + 1;
            }
            (self.players[at].next, self.players[at].before) = (first, FIRST);
        }
        let here = &mut self.players[at];
        (here.x, here.y, here.z) = (place.x, place.y, place.z);
        (here.from, here.to, here.offset_dm, here.seen) =
            (spot.from, spot.to, spot.offset_dm, seen);
    }

    /// A player is nowhere now.
    pub fn leave(&mut self, player: u32) {
        let old = self.players[player as usize];
        match old.before {
            0 => return,
            FIRST => {
                let cell = self.grid.cell(old.place());
                self.cells[cell] = old.next;
            }
            before => self.players[before as usize - 1].next = old.next,
        }
        if old.next != 0 {
            self.players[old.next as usize - 1].before = old.before;
        }
        let here = &mut self.players[player as usize];
        (here.before, here.next) = (0, 0);
    }

    /// Where a player was last; `None` for one who is not here.
    #[inline]
    pub fn spot(&self, player: u32) -> Option<Spot> {
        let here = &self.players[player as usize];
        (here.before != 0).then_some(Spot {
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
        let mut list = List::default();
        let radius = radius_cm.min(FARTHEST_CM) as i32;
        let square = radius as u64 * radius as u64;
        let (columns, rows) = self.grid.around(place, radius);
        let mut left = MOST_LOOKED_AT;
        let cells = (rows.0..=rows.1)
            .flat_map(|row| (columns.0..=columns.1).map(move |column| (row, column)))
            .map(|(row, column)| self.cells[(row * self.grid.width + column) as usize]);
        let mut firsts = [0; 4];
        for (first, head) in firsts.iter_mut().zip(cells) {
            *first = head;
            prefetch(&self.players, (head as usize).wrapping_sub(1));
        }
        for mut next in firsts {
            while next != 0 {
                if left == 0 {
                    list.is_cut = true;
                    return list;
                }
                left -= 1;
                let other = &self.players[next as usize - 1];
                let distance = place.distance_squared(&other.place());
                if distance <= square && next - 1 != player {
                    list.add(Found {
                        distance_dm: (distance.isqrt() / 10) as u32,
                        id: next - 1,
                    });
                }
                next = other.next;
            }
        }
        list
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

impl Grid {
    fn over(map: &StreetMap) -> Grid {
        let mut spans = [(i32::MAX, i32::MIN); 3];
        for point in (0..map.node_count()).filter_map(|node| map.point(node)) {
            for (span, at) in spans.iter_mut().zip([point.x, point.y, point.z]) {
                *span = (span.0.min(at), span.1.max(at));
            }
        }
        let [x, y, z] = spans;
        let outwards = |(low, high): (i32, i32)| (i64::from(low) + i64::from(high)).abs();
        let (left_out, u, v) = if outwards(x) >= outwards(y).max(outwards(z)) {
            (Axis::X, y, z)
        } else if outwards(y) >= outwards(z) {
            (Axis::Y, x, z)
        } else {
            (Axis::Z, x, y)
        };
        let most = u64::from(map.node_count()).max(LEAST_CELLS);
        let cells = |span: (i32, i32), shift: u32| {
            ((i64::from(span.1) - i64::from(span.0)) as u64 >> shift) + 1
        };
        let fits = |shift: &u32| cells(u, *shift) * cells(v, *shift) <= most;
        let shift = (LEAST_SHIFT..31).find(fits).unwrap_or(31);
        Grid {
            left_out,
            low: (u.0, v.0),
            shift,
            width: cells(u, shift) as u32,
            height: cells(v, shift) as u32,
        }
    }

    #[inline]
    fn flat(&self, place: Point) -> (i32, i32) {
        match self.left_out {
            Axis::X => (place.y, place.z),
            Axis::Y => (place.x, place.z),
            Axis::Z => (place.x, place.y),
        }
    }

    /// Column or row of a coordinate; what is beyond the edge belongs to the edge.
    #[inline]
    fn line(&self, at: i64, low: i32, lines: u32) -> u32 {
        let line = (at - i64::from(low)).max(0) >> self.shift;
        line.min(i64::from(lines) - 1) as u32
    }

    #[inline]
    fn cell(&self, place: Point) -> usize {
        let (u, v) = self.flat(place);
        let column = self.line(u.into(), self.low.0, self.width);
        let row = self.line(v.into(), self.low.1, self.height);
        (row * self.width + column) as usize
    }

    /// First and last column, first and last row of the square around a place.
    #[inline]
    fn around(&self, place: Point, radius: i32) -> ((u32, u32), (u32, u32)) {
        let (u, v) = self.flat(place);
        let lines = |at: i32, low: i32, lines: u32| {
            let side = |way: i64| self.line(i64::from(at) + way, low, lines);
            (side(-i64::from(radius)), side(radius.into()))
        };
        (
            lines(u, self.low.0, self.width),
            lines(v, self.low.1, self.height),
        )
    }
}

const _: () = assert!(size_of::<Presence>() == 32);
