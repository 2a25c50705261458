//! The grid: which cell of the ground a point of the earth belongs to.
//!
//! Places are points in three dimensions. A city is flat enough to leave one of them out: the one in
//! which it looks out of the earth. That never makes a distance longer, so nobody near is missed. Cells are
//! squares of 82 m or more, so many that there are about as many as nodes.

use crate::map::{Point, StreetMap};

/// The least side of a cell: 2¹³ cm.
const LEAST_SHIFT: u32 = 13;
/// The farthest that can be asked around a place, in cm: half the side of the smallest cell, so that what
/// is asked for lies in two columns and two rows.
pub const FARTHEST_CM: u32 = 1 << (LEAST_SHIFT - 1);
/// As many cells as nodes are enough, and never fewer than this.
const LEAST_CELLS: u64 = 1 << 20;

/// How points become cells.
#[derive(Clone, Copy)]
pub(super) struct Grid {
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

impl Grid {
    /// The grid over a map.
    pub fn over(map: &StreetMap) -> Grid {
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

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// The cell of a place.
    #[inline]
    pub fn cell(&self, place: Point) -> usize {
        let (u, v) = self.flat(place);
        let column = self.line(u.into(), self.low.0, self.width);
        let row = self.line(v.into(), self.low.1, self.height);
        (row * self.width + column) as usize
    }

    /// The cells within `radius` cm of a place, which is at most [`FARTHEST_CM`]: one, two or four.
    #[inline]
    pub fn around(&self, place: Point, radius: i32) -> impl Iterator<Item = usize> {
        let (u, v) = self.flat(place);
        let lines = |at: i32, low: i32, lines: u32| {
            let side = |way: i64| self.line(i64::from(at) + way, low, lines);
            side(-i64::from(radius))..=side(radius.into())
        };
        let columns = lines(u, self.low.0, self.width);
        let (rows, width) = (lines(v, self.low.1, self.height), self.width);
        rows.flat_map(move |row| {
            columns
                .clone()
                .map(move |column| (row * width + column) as usize)
        })
    }
}
