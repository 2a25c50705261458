//! Spoils bytes, the same way for the same seed: bits, numbers at the edge, cuts, splices, repeats.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Numbers at which things break: ends of ranges, signs, lengths that are almost right.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// The longest run of bytes that is put in at once.
const LONGEST: usize = 300;

/// Draws what to spoil.
pub struct Mutator {
    /// For everything else that a case has to draw.
    pub random: Pcg64,
}

impl Mutator {
    /// The mutator of this seed.
    pub fn new(seed: u64) -> Mutator {
        Mutator {
            random: Pcg64::seed_from_u64(seed),
        }
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.random.random_ratio(1, times)
    }

    /// These bytes with one to four things changed; pieces may come from `other`.
    pub fn spoil(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..self.random.random_range(1..=4) {
            self.spoil_once(&mut bytes, other);
        }
        bytes
    }

    /// These bytes with one number changed: what gets past readers that look at lengths.
    pub fn nudge(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let at = self.random.random_range(0..=bytes.len());
        self.put_edge(&mut bytes, at);
        bytes
    }

    fn spoil_once(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.random.random_range(0..=bytes.len());
        match self.random.random_range(0..12) {
            0 => bytes.truncate(at),
            1 => {
                let (from, to) = self.piece(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            2 => {
                let (from, to) = self.piece(bytes.len());
                let piece = bytes[from..to].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let (from, to) = self.piece(bytes.len());
                bytes.drain(from..to);
            }
            4 => {
                let count = self.random.random_range(1..LONGEST);
                let byte: u8 = self.random.random();
                bytes.extend(std::iter::repeat_n(byte, count));
            }
            5..8 => self.put_edge(bytes, at),
            8 if at < bytes.len() => bytes[at] = self.random.random(),
            _ if at < bytes.len() => bytes[at] ^= 1 << self.random.random_range(0..8),
            _ => {}
        }
    }

    /// Where a piece of so many bytes begins and ends.
    fn piece(&mut self, length: usize) -> (usize, usize) {
        let from = self.random.random_range(0..=length);
        let to = self.random.random_range(from..=length.min(from + LONGEST));
        (from, to)
    }

    /// Writes a number over what is there: one at the edge of its range, or one that stands elsewhere in
    /// the bytes, a count say, or its neighbour.
    fn put_edge(&mut self, bytes: &mut [u8], at: usize) {
        let other = self.random.random_range(0..=bytes.len().min(64)) / 4 * 4;
        let edge = match bytes.get(other..other + 4) {
            Some(&[a, b, c, d]) if self.once_in(3) => {
                let number = u64::from(u32::from_le_bytes([a, b, c, d]));
                number
                    .wrapping_add(self.random.random_range(0..3))
                    .wrapping_sub(1)
            }
            _ => EDGES[self.random.random_range(0..EDGES.len())],
        };
        let edge = edge.to_le_bytes();
        let width = 1 << self.random.random_range(0..4);
        // Numbers lie at multiples of their size, mostly.
        let at = match self.once_in(4) {
            true => at,
            false => at / width * width,
        };
        let Some(room) = bytes.get_mut(at..at + width) else {
            return;
        };
        room.copy_from_slice(&edge[..width]);
        if self.once_in(4) {
            room.reverse();
        }
    }
}
