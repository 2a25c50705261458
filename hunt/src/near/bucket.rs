//! Buckets: players of one cell and where they are, four to a cache line.
//!
//! ```text
//!   bucket  │ a  b  c  – │ x x x – │ y y y – │ z z z – │ ──next──▶ │ full │ ──▶ │ full │
//! ```
//!
//! Who looks for those near by reads whole lines, each with four places in it, and need not know the
//! players. Only the first bucket of a cell has room: who leaves is replaced by one of the first. So a
//! cell of two players or more has at most one bucket for every two, which bounds how many there are.

use std::io::Error;

use bytemuck::Zeroable;

use crate::arena::{prefetch, Arena};
use crate::map::Point;
use crate::settling::Settling;

/// Players in a bucket.
pub(super) const WIDTH: usize = 4;

/// One cache line. Those that it holds come first.
#[derive(Clone, Copy, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    /// The players plus one; 0 where nobody is.
    players: [u32; WIDTH],
    x: [i32; WIDTH],
    y: [i32; WIDTH],
    z: [i32; WIDTH],
}

/// All buckets, and which are free.
pub(super) struct Buckets {
    lines: Arena<Bucket>,
    /// Of each, the next of its cell plus one; of a free one, the next free one plus one; 0 for none.
    next: Arena<u32>,
    free: u32,
    /// Buckets from here on were never used.
    used: u32,
}

impl Bucket {
    /// How many players it holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.players.iter().filter(|&&player| player != 0).count()
    }

    /// Its players, and where they are.
    #[inline]
    pub fn all(&self) -> impl Iterator<Item = (u32, Point)> + '_ {
        (0..WIDTH).map_while(|at| {
            let player = self.players[at].checked_sub(1)?;
            let (x, y, z) = (self.x[at], self.y[at], self.z[at]);
            Some((player, Point { x, y, z }))
        })
    }

    /// Where a player of its is kept.
    #[inline]
    pub fn find(&self, player: u32) -> Option<usize> {
        self.players.iter().position(|&other| other == player + 1)
    }

    /// Keeps a player at one of its places.
    #[inline]
    pub fn put(&mut self, at: usize, player: u32, place: Point) {
        self.players[at] = player + 1;
        (self.x[at], self.y[at], self.z[at]) = (place.x, place.y, place.z);
    }

    /// Takes out the last that it holds.
    pub fn pop(&mut self) -> Option<u32> {
        let last = self.len().checked_sub(1)?;
        std::mem::take(&mut self.players[last]).checked_sub(1)
    }
}

impl Buckets {
    /// As many as `players` players can need.
    pub fn new(players: u32) -> Result<Buckets, Error> {
        Ok(Buckets {
            lines: Arena::new(players as usize / 2)?,
            next: Arena::new(players as usize / 2)?,
            free: 0,
            used: 0,
        })
    }

    /// Bytes for so many players.
    pub fn bytes(players: u32) -> u64 {
        u64::from(players / 2) * (size_of::<Bucket>() + size_of::<u32>()) as u64
    }

    /// Their memory, for when the engine has booted.
    pub fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.lines);
        settling.add(&self.next);
    }

    /// A bucket.
    #[inline]
    pub fn get(&self, bucket: u32) -> &Bucket {
        &self.lines[bucket as usize]
    }

    /// A bucket, to change it.
    #[inline]
    pub fn get_mut(&mut self, bucket: u32) -> &mut Bucket {
        &mut self.lines[bucket as usize]
    }

    /// The next bucket of its cell.
    #[inline]
    pub fn next(&self, bucket: u32) -> Option<u32> {
        self.next[bucket as usize].checked_sub(1)
    }

    /// Asks the cache for a bucket.
    #[inline]
    pub fn prefetch(&self, bucket: u32) {
        prefetch(&self.lines, bucket as usize);
        prefetch(&self.next, bucket as usize);
    }

    /// Takes an empty bucket, before `next` in its cell.
    pub fn take(&mut self, next: Option<u32>) -> u32 {
        let bucket = match self.free.checked_sub(1) {
            Some(bucket) => {
                self.free = self.next[bucket as usize];
                bucket
            }
            None => {
                self.used += 1;
                self.used - 1
            }
        };
        self.next[bucket as usize] = next.map_or(0, |next| next + 1);
        bucket
    }

    /// Gives a bucket back; it holds nobody any more.
    pub fn give_back(&mut self, bucket: u32) {
        self.lines[bucket as usize] = Bucket::zeroed();
        self.next[bucket as usize] = std::mem::replace(&mut self.free, bucket + 1);
    }
}

#[cfg(test)]
impl Buckets {
    /// How many are not free.
    pub fn taken(&self) -> usize {
        let free = std::iter::successors(self.free.checked_sub(1), |&free| self.next(free));
        self.used as usize - free.count()
    }
}

const _: () = assert!(size_of::<Bucket>() == 64);
