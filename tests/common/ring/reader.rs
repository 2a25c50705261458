//! A second opinion: a reader of a few lines, written from the description of the record format and
//! sharing no code with the ring.
//!
//! It is pessimistic: it takes [`WILD`] for a perfect header wherever it meets it.

use super::wild::WILD;

/// What the reader finds at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No record is committed here.
    Empty,
    /// A record of this many payload bytes.
    Record(u64),
    /// Filler up to the end.
    Padding(u64),
    /// Something that no producer may ever let a consumer see.
    Nonsense(u64),
}

/// Reads the header `word` at `offset` of a ring of `capacity` bytes where `number` is expected.
pub fn read(word: u64, offset: u64, capacity: u64, payload_limit: u64, number: u64) -> Seen {
    if word == WILD {
        return Seen::Nonsense(word);
    }
    let bytes = word.to_le_bytes();
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let low = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    if low as u64 != number % (1 << 32) || length == 0 {
        return Seen::Empty;
    }
    let left = capacity - offset;
    if length >= 1 << 31 {
        let padding = length as u64 - (1 << 31);
        return if padding == left && offset != 0 {
            Seen::Padding(padding)
        } else {
            Seen::Nonsense(word)
        };
    }
    let whole_lines = (length as u64).div_ceil(64) * 64;
    if length < 16 || length as u64 - 16 > payload_limit || whole_lines > left {
        return Seen::Nonsense(word);
    }
    Seen::Record(length as u64 - 16)
}
