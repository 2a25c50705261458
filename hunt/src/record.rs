//! A move and its reply, byte for byte. Both travel inside one cache line.
//!
//! ```text
//!  move, 48 bytes                                          little-endian throughout
//!  0             8           12        16         20       24           26     27      28         32     48
//!  ├─ player u64 ┼─ sequence ┼─ time ──┼─ from ───┼─ to ───┼─ offset u16 ┼ kind ┼ flags ┼ treasure ┼─ tag ─┤
//!  │             │ u32       │ u32 ms  │ node u32 │ u32    │ dm          │ u8   │ u8    │ u32      │ 16 B  │
//!
//!  reply, 32 bytes; its code is the kind of the reply record
//!  0             8           12        16         20       24           28           30     31     32
//!  ├─ player u64 ┼─ sequence ┼─ time ──┼─ x i32 ──┼─ y i32 ┼─ z i32 ─────┼ strikes u16 ┼ marks ┼ zero ┤
//! ```
//!
//! The place of a move is *(from, to, offset)*: so many decimetres along the arc between two nodes. The
//! place in a reply is where the engine believes the player to be, in centimetres from the earth's
//! centre ([`Point::to_degrees`](crate::map::Point::to_degrees) turns it into degrees).

use std::ops::Range;

pub use crate::code::Code;
use crate::map::Point;

/// Kind of a request record that carries a move.
pub const KIND_MOVE: u16 = 1;

/// Bytes of a move.
pub const MOVE_BYTES: usize = 48;
/// The bytes of a move that its tag covers: all before the tag.
pub const MOVE_SIGNED: Range<usize> = 0..32;
/// Offset of the player (u64).
pub const MOVE_PLAYER: usize = 0;
/// Offset of the sequence (u32).
pub const MOVE_SEQUENCE: usize = 8;
/// Offset of the player's clock in milliseconds (u32).
pub const MOVE_TIME: usize = 12;
/// Offset of the node that the arc leaves (u32).
pub const MOVE_FROM: usize = 16;
/// Offset of the node that the arc reaches (u32).
pub const MOVE_TO: usize = 20;
/// Offset of the decimetres along the arc (u16).
pub const MOVE_OFFSET: usize = 24;
/// Offset of the kind of move (u8).
pub const MOVE_KIND: usize = 26;
/// Offset of the flags (u8).
pub const MOVE_FLAGS: usize = 27;
/// Offset of the treasure (u32).
pub const MOVE_TREASURE: usize = 28;
/// The bytes of the tag.
pub const MOVE_TAG: Range<usize> = 32..48;

/// The one kind of move there is today: the player says where it is. Any other kind is malformed.
pub const MOVE_KIND_STEP: u8 = 0;
/// The treasure of a move that is about none; other values are carried and mean nothing yet.
pub const NO_TREASURE: u32 = u32::MAX;

/// Bytes of a reply's payload. Only a move of the wrong size is answered without one.
pub const REPLY_BYTES: usize = 32;
/// Mark of a reply: the sequence was judged before, and this is the code of that first time.
pub const MARK_DUPLICATE: u8 = 1;
/// Mark of a reply: the player has a place, and time, x, y and z name it. Else they are zero.
pub const MARK_PLACED: u8 = 2;

/// A player's claim to be at a place at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Who moves.
    pub player: u64,
    /// The player's own count of its moves; each is judged once.
    pub sequence: u32,
    /// The player's clock in milliseconds.
    pub time_ms: u32,
    /// The node that the arc leaves.
    pub from: u32,
    /// The node that the arc reaches.
    pub to: u32,
    /// Decimetres along the arc, from 0 at `from` to the arc's length at `to`.
    pub offset_dm: u16,
    /// [`MOVE_KIND_STEP`].
    pub kind: u8,
    /// Zero today; anything else is malformed.
    pub flags: u8,
    /// [`NO_TREASURE`] where the move is about none.
    pub treasure: u32,
    /// Proof that the player's key signed the bytes before: [`crate::tag`].
    pub tag: [u8; 16],
}

impl Move {
    /// The bytes of this move.
    ///
    /// ```
    /// use ironhoard_hunt::record::{Move, NO_TREASURE};
    /// let step = Move { player: 7, sequence: 1, time_ms: 0, from: 3, to: 4, offset_dm: 12,
    ///     kind: 0, flags: 0, treasure: NO_TREASURE, tag: [0; 16] };
    /// assert_eq!(Move::decode(&step.encode()), step);
    /// ```
    pub fn encode(&self) -> [u8; MOVE_BYTES] {
        let mut bytes = [0; MOVE_BYTES];
        bytes[MOVE_PLAYER..][..8].copy_from_slice(&self.player.to_le_bytes());
        bytes[MOVE_SEQUENCE..][..4].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[MOVE_TIME..][..4].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[MOVE_FROM..][..4].copy_from_slice(&self.from.to_le_bytes());
        bytes[MOVE_TO..][..4].copy_from_slice(&self.to.to_le_bytes());
        bytes[MOVE_OFFSET..][..2].copy_from_slice(&self.offset_dm.to_le_bytes());
        bytes[MOVE_KIND] = self.kind;
        bytes[MOVE_FLAGS] = self.flags;
        bytes[MOVE_TREASURE..][..4].copy_from_slice(&self.treasure.to_le_bytes());
        bytes[MOVE_TAG].copy_from_slice(&self.tag);
        bytes
    }

    /// The move in these bytes. Every 48 bytes are a move; whether a sane one is for the game to say.
    #[inline]
    pub fn decode(bytes: &[u8; MOVE_BYTES]) -> Move {
        Move {
            player: u64::from_le_bytes(field(bytes, MOVE_PLAYER)),
            sequence: u32::from_le_bytes(field(bytes, MOVE_SEQUENCE)),
            time_ms: u32::from_le_bytes(field(bytes, MOVE_TIME)),
            from: u32::from_le_bytes(field(bytes, MOVE_FROM)),
            to: u32::from_le_bytes(field(bytes, MOVE_TO)),
            offset_dm: u16::from_le_bytes(field(bytes, MOVE_OFFSET)),
            kind: bytes[MOVE_KIND],
            flags: bytes[MOVE_FLAGS],
            treasure: u32::from_le_bytes(field(bytes, MOVE_TREASURE)),
            tag: field(bytes, MOVE_TAG.start),
        }
    }
}

/// The payload of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The player of the move.
    pub player: u64,
    /// The sequence of the move.
    pub sequence: u32,
    /// The player's clock at its last accepted move.
    pub time_ms: u32,
    /// Where the player was last accepted, in centimetres from the earth's centre.
    pub place: Option<Point>,
    /// How often the player has said what cannot be; stays at 65,535.
    pub strikes: u16,
    /// Whether the sequence was judged before.
    pub is_duplicate: bool,
}

impl Reply {
    /// The bytes of this reply.
    pub fn encode(&self) -> [u8; REPLY_BYTES] {
        let mut bytes = [0; REPLY_BYTES];
        self.encode_into(&mut bytes);
        bytes
    }

    /// Writes the reply where it is to lie: a copy right after these narrow stores would have to wait
    /// for them.
    #[inline]
    pub fn encode_into(&self, bytes: &mut [u8; REPLY_BYTES]) {
        let place = self.place.unwrap_or(Point { x: 0, y: 0, z: 0 });
        let placed = if self.place.is_some() { MARK_PLACED } else { 0 };
        let duplicate = if self.is_duplicate { MARK_DUPLICATE } else { 0 };
        bytes[0..8].copy_from_slice(&self.player.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[16..20].copy_from_slice(&place.x.to_le_bytes());
        bytes[20..24].copy_from_slice(&place.y.to_le_bytes());
        bytes[24..28].copy_from_slice(&place.z.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.strikes.to_le_bytes());
        bytes[30] = placed | duplicate;
        bytes[31] = 0;
    }

    /// The reply in these bytes; `None` where they are not the 32 bytes of one or carry unknown marks.
    pub fn decode(bytes: &[u8]) -> Option<Reply> {
        let bytes: &[u8; REPLY_BYTES] = bytes.try_into().ok()?;
        let marks = bytes[30];
        let is_known = marks & !(MARK_DUPLICATE | MARK_PLACED) == 0 && bytes[31] == 0;
        let part = |offset| i32::from_le_bytes(field(bytes, offset));
        is_known.then(|| Reply {
            player: u64::from_le_bytes(field(bytes, 0)),
            sequence: u32::from_le_bytes(field(bytes, 8)),
            time_ms: u32::from_le_bytes(field(bytes, 12)),
            place: (marks & MARK_PLACED != 0).then(|| Point {
                x: part(16),
                y: part(20),
                z: part(24),
            }),
            strikes: u16::from_le_bytes(field(bytes, 28)),
            is_duplicate: marks & MARK_DUPLICATE != 0,
        })
    }
}

/// The `N` bytes at `offset`; all offsets above lie within their record.
#[inline]
pub(crate) fn field<const N: usize, const M: usize>(bytes: &[u8; M], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[offset..offset + N]);
    out
}

const _: () = {
    assert!(MOVE_SIGNED.end == MOVE_TAG.start && MOVE_TAG.end == MOVE_BYTES);
    assert!(MOVE_TREASURE + 4 == MOVE_SIGNED.end);
    assert!(REPLY_BYTES <= 48 && MOVE_BYTES <= 48);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_lies_where_its_ruler_says() {
        let step = Move {
            player: 0x0807_0605_0403_0201,
            sequence: 0x0c0b_0a09,
            time_ms: 0x100f_0e0d,
            from: 0x1413_1211,
            to: 0x1817_1615,
            offset_dm: 0x1a19,
            kind: 0x1b,
            flags: 0x1c,
            treasure: 0x201f_1e1d,
            tag: std::array::from_fn(|index| 0x21 + index as u8),
        };
        let counting: [u8; 48] = std::array::from_fn(|index| 1 + index as u8);
        assert_eq!(step.encode(), counting);
        assert_eq!(Move::decode(&counting), step);
    }

    #[test]
    fn a_reply_comes_back() {
        let reply = Reply {
            player: 9,
            sequence: 8,
            time_ms: 7,
            place: Some(Point { x: -1, y: 2, z: -3 }),
            strikes: 6,
            is_duplicate: true,
        };
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        assert_eq!(
            Reply::decode(&Reply::default().encode()),
            Some(Reply::default())
        );
        assert_eq!(Reply::decode(&[0; 31]), None);
        let mut unknown = reply.encode();
        unknown[30] = 4;
        assert_eq!(Reply::decode(&unknown), None);
    }
}
