//! The Hilbert curve: a walk through all cells of a square that never jumps.
//!
//! ```text
//!   ┌─┐ ┌─┐      Cells that follow each other on the curve touch in the square, and cells near in
//!   │ └─┘ │      the square are mostly near on the curve. Numbering nodes along it puts the streets
//!   └┐   ┌┘      around a player into few cache lines.
//!   ──┘ └──
//! ```

/// Bits of each coordinate; the square is 2^31 cells wide.
const ORDER: u32 = 31;

/// How far along the curve the cell (x, y) lies. Both must be below 2^31.
pub(super) fn hilbert_index(mut x: u32, mut y: u32) -> u64 {
    let mut index = 0;
    for level in (0..ORDER).rev() {
        let (right, up) = ((x >> level) & 1, (y >> level) & 1);
        index = (index << 2) | u64::from((3 * right) ^ up);
        if up == 0 {
            // The lower quarters are turned: the curve enters and leaves them on another side.
            if right == 1 {
                (x, y) = (!x, !y);
            }
            (x, y) = (y, x);
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_visits_every_cell_and_never_jumps() {
        let mut cells: Vec<(u64, u32, u32)> = (0..32)
            .flat_map(|x| (0..32).map(move |y| (hilbert_index(x, y), x, y)))
            .collect();
        cells.sort_unstable();
        for (step, pair) in cells.windows(2).enumerate() {
            let ((a, ax, ay), (b, bx, by)) = (pair[0], pair[1]);
            assert_eq!((a, b), (step as u64, step as u64 + 1));
            assert_eq!(ax.abs_diff(bx) + ay.abs_diff(by), 1);
        }
    }

    #[test]
    fn the_largest_cell_has_a_number() {
        assert!(hilbert_index((1 << 31) - 1, (1 << 31) - 1) < 1 << 62);
    }
}
