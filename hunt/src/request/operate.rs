//! Operate: what operators do. Signed with the key of the operator: [`crate::tag`].
//!
//! ```text
//!  request, 48 bytes
//!  0            2      3      4       6      8          12         16              24          32    48
//!  ├─ operator ─┼ verb ┼ zero ┼ board ┼ zero ┼ sequence ┼ treasure ┼ player, node ─┼ value i64 ┼ tag ─┤
//!  │  u16       │ u8   │      │ u16   │      │ u32      │ u32      │ u64           │           │ 16 B │
//!
//!  reply, 48 bytes
//!  0          2      3       4       6      8          12         16     24     32     36       40    44
//!  ├ operator ┼ verb ┼ marks ┼ board ┼ zero ┼ sequence ┼ treasure ┼ player ┼ score ┼ rank ┼ shared ┼ … ┤
//!    and at 40 the entries of the board, at 44 its season, u32 each
//! ```
//!
//! An operator's sequences are judged like a player's, except that only what *changed the game* is
//! remembered: a refusal uses no sequence, so the same request may be sent again.

use super::Standing;
use crate::record::{field, MARK_DUPLICATE};

/// Bytes of a request.
pub const OPERATE_BYTES: usize = 48;
/// Bytes of a reply.
pub const OPERATE_REPLY_BYTES: usize = 48;

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OperateVerb {
    /// The player's score on the board becomes `value`.
    SetScore = 0,
    /// The player's score becomes `value` if that is higher.
    BestScore = 1,
    /// `value` is added.
    IncrementScore = 2,
    /// `value` is taken off.
    DecrementScore = 3,
    /// The player leaves the board.
    RemoveScore = 4,
    /// All players leave the board; its season number grows.
    ResetBoard = 5,
    /// A treasure worth `value` is laid at the node; the reply names it. Players are told.
    LayTreasure = 6,
    /// The treasure is taken away.
    LiftTreasure = 7,
}

impl OperateVerb {
    const ALL: [OperateVerb; 8] = [
        OperateVerb::SetScore,
        OperateVerb::BestScore,
        OperateVerb::IncrementScore,
        OperateVerb::DecrementScore,
        OperateVerb::RemoveScore,
        OperateVerb::ResetBoard,
        OperateVerb::LayTreasure,
        OperateVerb::LiftTreasure,
    ];
}

/// A request of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operate {
    /// Which operator, below 16.
    pub operator: u16,
    /// What it does.
    pub verb: OperateVerb,
    /// The board; 0 where the verb is about none.
    pub board: u16,
    /// The operator's own count of its requests.
    pub sequence: u32,
    /// The treasure to lift; else 0.
    pub treasure: u32,
    /// The player, or the node where a treasure is laid.
    pub subject: u64,
    /// Score, or worth of a treasure.
    pub value: i64,
}

/// The reply to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperateReply {
    /// The request that this answers, with the treasure that was laid.
    pub request: Operate,
    /// Whether the sequence had been used before; nothing was done again.
    pub is_duplicate: bool,
    /// Where the player stands now; zeros where it is on no board.
    pub standing: Standing,
    /// Players on the board.
    pub entries: u32,
    /// How often the board was reset.
    pub season: u32,
}

impl Operate {
    /// The bytes of this request, still to be signed.
    ///
    /// ```
    /// use ironhoard_hunt::request::{Operate, OperateVerb};
    /// use ironhoard_hunt::tag::WorldSecret;
    /// let reset = Operate { operator: 0, verb: OperateVerb::ResetBoard, board: 1, sequence: 1,
    ///     treasure: 0, subject: 0, value: 0 };
    /// let mut bytes = reset.encode();
    /// WorldSecret::from_seed(1).operator_key(0).sign(&mut bytes);
    /// assert_eq!(Operate::decode(&bytes), Some(reset));
    /// ```
    pub fn encode(&self) -> [u8; OPERATE_BYTES] {
        let mut bytes = [0; OPERATE_BYTES];
        bytes[0..2].copy_from_slice(&self.operator.to_le_bytes());
        bytes[2] = self.verb as u8;
        bytes[4..6].copy_from_slice(&self.board.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.treasure.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.subject.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    /// The request in these bytes; `None` where they are none. The tag is not looked at.
    pub fn decode(bytes: &[u8; OPERATE_BYTES]) -> Option<Operate> {
        let is_clean = bytes[3] == 0 && bytes[6] == 0 && bytes[7] == 0;
        let verb = *OperateVerb::ALL.get(usize::from(bytes[2]))?;
        is_clean.then(|| Operate {
            operator: u16::from_le_bytes(field(bytes, 0)),
            verb,
            board: u16::from_le_bytes(field(bytes, 4)),
            sequence: u32::from_le_bytes(field(bytes, 8)),
            treasure: u32::from_le_bytes(field(bytes, 12)),
            subject: u64::from_le_bytes(field(bytes, 16)),
            value: i64::from_le_bytes(field(bytes, 24)),
        })
    }
}

impl OperateReply {
    /// Writes the reply to where it is to lie.
    pub fn encode_into(&self, bytes: &mut [u8; OPERATE_REPLY_BYTES]) {
        *bytes = self.request.encode();
        bytes[3] = if self.is_duplicate { MARK_DUPLICATE } else { 0 };
        bytes[24..32].copy_from_slice(&self.standing.score.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.standing.rank.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.standing.shared_rank.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.entries.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.season.to_le_bytes());
    }

    /// The reply in these bytes; `None` where they are none. `request.value` holds the score.
    pub fn decode(bytes: &[u8]) -> Option<OperateReply> {
        let bytes: &[u8; OPERATE_REPLY_BYTES] = bytes.try_into().ok()?;
        let mut request = *bytes;
        request[3] = 0;
        Some(OperateReply {
            request: Operate::decode(&request)?,
            is_duplicate: bytes[3] == MARK_DUPLICATE,
            standing: Standing {
                score: i64::from_le_bytes(field(bytes, 24)),
                rank: u32::from_le_bytes(field(bytes, 32)),
                shared_rank: u32::from_le_bytes(field(bytes, 36)),
            },
            entries: u32::from_le_bytes(field(bytes, 40)),
            season: u32::from_le_bytes(field(bytes, 44)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Operate = Operate {
        operator: 2,
        verb: OperateVerb::LayTreasure,
        board: 0,
        sequence: 8,
        treasure: 12,
        subject: 16,
        value: 24,
    };

    #[test]
    fn a_request_lies_where_its_ruler_says() {
        let mut bytes = [0_u8; 48];
        (
            bytes[0], bytes[2], bytes[8], bytes[12], bytes[16], bytes[24],
        ) = (2, 6, 8, 12, 16, 24);
        assert_eq!(REQUEST.encode(), bytes);
        assert_eq!(Operate::decode(&bytes), Some(REQUEST));
        for (at, value) in [(2, 8), (3, 1), (6, 1), (7, 1)] {
            let mut wrong = bytes;
            wrong[at] = value;
            assert_eq!(Operate::decode(&wrong), None, "byte {at}");
        }
    }

    #[test]
    fn a_reply_comes_back() {
        let reply = OperateReply {
            request: REQUEST,
            is_duplicate: true,
            standing: Standing {
                score: 24,
                rank: 1,
                shared_rank: 1,
            },
            entries: 5,
            season: 6,
        };
        let mut bytes = [9; 48];
        reply.encode_into(&mut bytes);
        assert_eq!(OperateReply::decode(&bytes), Some(reply));
        assert_eq!(OperateReply::decode(&bytes[1..]), None);
    }
}
