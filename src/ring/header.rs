//! The header word: how a length and a number become one u64, and what such a word means to a
//! consumer that expects a certain record. Pure functions, no memory.

use super::error::CorruptKind;
use crate::layout::{record_bytes, HEADER_BYTES, PADDING_BIT};

/// The header word of record `number` with `payload` bytes.
#[inline(always)]
pub(crate) fn record_word(payload: u32, number: u64) -> u64 {
    (number << 32) | (payload + HEADER_BYTES as u32) as u64
}

/// The header word of a padding of `bytes` bytes before record `number`.
#[inline(always)]
pub(crate) fn padding_word(bytes: u64, number: u64) -> u64 {
    (number << 32) | (bytes as u32 | PADDING_BIT) as u64
}

/// The second word of a record.
#[inline(always)]
pub(crate) fn second_word(kind: u16, flags: u16, number: u64) -> u64 {
    kind as u64 | (flags as u64) << 16 | (number & !0xffff_ffff)
}

/// What a header word means where record `number` is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing is committed there, whatever the word is.
    Empty,
    /// A record with this many bytes of payload.
    Record { payload: u32 },
    /// Padding up to the ring's end.
    Padding { bytes: u64 },
    /// The expected number with an impossible length.
    Corrupt(CorruptKind),
}

/// Decides. `to_end` is the distance in bytes from this word to the ring's end, `capacity` the
/// ring's, `payload_limit` its largest payload.
#[inline(always)]
pub(crate) fn meaning(
    word: u64,
    number: u64,
    to_end: u64,
    capacity: u64,
    payload_limit: u32,
) -> Meaning {
    let length = word as u32;
    if (word >> 32) as u32 != number as u32 || length == 0 {
        return Meaning::Empty;
    }
    let payload = length.wrapping_sub(HEADER_BYTES as u32);
    if payload <= payload_limit {
        return if record_bytes(payload) <= to_end {
            Meaning::Record { payload }
        } else {
            Meaning::Corrupt(CorruptKind::PastEnd)
        };
    }
    uncommon(length, to_end, capacity)
}

/// Padding or nonsense: kept out of the way of records.
#[cold]
fn uncommon(length: u32, to_end: u64, capacity: u64) -> Meaning {
    if length & PADDING_BIT != 0 {
        let bytes = (length & !PADDING_BIT) as u64;
        if bytes == to_end && to_end != capacity {
            Meaning::Padding { bytes }
        } else {
            Meaning::Corrupt(CorruptKind::Padding)
        }
    } else if length < HEADER_BYTES as u32 {
        Meaning::Corrupt(CorruptKind::TooShort)
    } else {
        Meaning::Corrupt(CorruptKind::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: u64 = 1024;
    const LIMIT: u32 = 128;

    fn at(word: u64, number: u64, to_end: u64) -> Meaning {
        meaning(word, number, to_end, CAPACITY, LIMIT)
    }

    #[test]
    fn zero_is_empty_even_where_the_low_half_of_the_number_is_zero() {
        assert_eq!(at(0, 1 << 32, 1024), Meaning::Empty);
    }

    #[test]
    fn an_old_header_is_empty() {
        assert_eq!(at(record_word(48, 6), 7, 1024), Meaning::Empty);
    }

    #[test]
    fn every_length_with_the_expected_number_has_one_meaning() {
        for length in 1..=400u32 {
            let word = 7u64 << 32 | length as u64;
            let expected = match length {
                1..=15 => Meaning::Corrupt(CorruptKind::TooShort),
                16..=64 => Meaning::Record {
                    payload: length - 16,
                },
                65..=144 => Meaning::Corrupt(CorruptKind::PastEnd),
                _ => Meaning::Corrupt(CorruptKind::TooLong),
            };
            assert_eq!(at(word, 7, 64), expected, "length {length}");
        }
    }

    #[test]
    fn padding_must_end_at_the_end_and_never_starts_at_the_beginning() {
        assert_eq!(
            at(padding_word(64, 7), 7, 64),
            Meaning::Padding { bytes: 64 }
        );
        for bytes in [0, 63, 65, 128, 1 << 30] {
            let found = at(padding_word(bytes, 7), 7, 64);
            assert_eq!(found, Meaning::Corrupt(CorruptKind::Padding), "{bytes}");
        }
        let whole = at(padding_word(CAPACITY, 7), 7, CAPACITY);
        assert_eq!(whole, Meaning::Corrupt(CorruptKind::Padding));
    }
}
