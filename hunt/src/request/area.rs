//! The treasures around a node, within any reach that a bounded search can cover.
//!
//! ```text
//!  question, 16 bytes                        answer: 8 bytes, then entries
//!  0          4             8       10   16  0             2        3      4        8
//!  ├ node u32 ┼ reach_dm ───┼ count ┼ zero ┤ ├ entries u16 ┼ cut u8 ┼ zero ┼ all u32 ┼ (id u32, dm u32) × n
//! ```
//!
//! Moves are answered with the treasures in the reach of the game, by an index; this question searches
//! the streets anew, so it costs what the area costs. A search that would visit more nodes than one
//! request may is refused.

use super::play::{Found, FOUND_BYTES};
use crate::record::field;

/// Bytes of a question.
pub const AREA_BYTES: usize = 16;
/// Bytes of an answer before its entries.
pub const AREA_HEAD_BYTES: usize = 8;

/// A question about the treasures around a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AreaQuery {
    /// The node.
    pub node: u32,
    /// How far along the streets, in decimetres.
    pub reach_dm: u32,
    /// How many treasures to name, the nearest first; what the reply cannot hold is left out.
    pub count: u16,
}

/// An answer, taken apart; for hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaReply {
    /// How many treasures are in the area.
    pub all: u32,
    /// Whether not all of them are named.
    pub is_cut: bool,
    /// The nearest, in order.
    pub entries: Vec<Found>,
}

impl AreaQuery {
    /// The bytes of this question.
    ///
    /// ```
    /// use ironhoard_hunt::request::AreaQuery;
    /// let area = AreaQuery { node: 7, reach_dm: 5_000, count: 20 };
    /// assert_eq!(AreaQuery::decode(&area.encode()), Some(area));
    /// ```
    pub fn encode(&self) -> [u8; AREA_BYTES] {
        let mut bytes = [0; AREA_BYTES];
        bytes[0..4].copy_from_slice(&self.node.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.reach_dm.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }

    /// The question in these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<AreaQuery> {
        let bytes: &[u8; AREA_BYTES] = bytes.try_into().ok()?;
        let is_clean = bytes[10..].iter().all(|&byte| byte == 0);
        is_clean.then(|| AreaQuery {
            node: u32::from_le_bytes(field(bytes, 0)),
            reach_dm: u32::from_le_bytes(field(bytes, 4)),
            count: u16::from_le_bytes(field(bytes, 8)),
        })
    }
}

impl AreaReply {
    /// Writes an answer: as many entries as `out` holds behind its head, of `all` that there are.
    ///
    /// # Panics
    /// Where `out` is shorter than the head.
    pub fn encode_into(all: u32, entries: &[Found], out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(AREA_HEAD_BYTES);
        let named = entries.len().min(rest.len() / FOUND_BYTES) as u16;
        head[0..2].copy_from_slice(&named.to_le_bytes());
        head[2] = u8::from(u32::from(named) < all);
        head[3] = 0;
        head[4..8].copy_from_slice(&all.to_le_bytes());
        for (entry, room) in entries.iter().zip(rest.chunks_exact_mut(FOUND_BYTES)) {
            room[0..4].copy_from_slice(&entry.id.to_le_bytes());
            room[4..8].copy_from_slice(&entry.distance_dm.to_le_bytes());
        }
    }

    /// The answer in these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<AreaReply> {
        let (head, rest) = bytes.split_first_chunk::<AREA_HEAD_BYTES>()?;
        let count = usize::from(u16::from_le_bytes(field(head, 0)));
        let entries = rest.chunks_exact(FOUND_BYTES).filter_map(|room| {
            let room: &[u8; FOUND_BYTES] = room.try_into().ok()?;
            Some(Found {
                id: u32::from_le_bytes(field(room, 0)),
                distance_dm: u32::from_le_bytes(field(room, 4)),
            })
        });
        (rest.len() == count * FOUND_BYTES && head[2] <= 1 && head[3] == 0).then(|| AreaReply {
            all: u32::from_le_bytes(field(head, 4)),
            is_cut: head[2] == 1,
            entries: entries.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_and_says_when_it_is_cut() {
        let entries = [
            Found {
                id: 4,
                distance_dm: 0,
            },
            Found {
                id: 2,
                distance_dm: 9,
            },
        ];
        let mut bytes = [7; 24];
        AreaReply::encode_into(2, &entries, &mut bytes);
        let whole = AreaReply {
            all: 2,
            is_cut: false,
            entries: entries.to_vec(),
        };
        assert_eq!(AreaReply::decode(&bytes), Some(whole));
        AreaReply::encode_into(3, &entries, &mut bytes);
        assert!(AreaReply::decode(&bytes).unwrap().is_cut);
        assert_eq!(AreaReply::decode(&bytes[..23]), None);
        assert_eq!(
            AreaQuery::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            None
        );
    }
}
