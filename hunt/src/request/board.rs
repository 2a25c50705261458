//! Questions about a board: how many are on it, who leads, a page, around somebody, the rank of one.
//!
//! ```text
//!  question, 24 bytes                                           row, 24 bytes
//!  0       2      3      4            8          16      18     0           4          8        16    24
//!  ├ board ┼ view ┼ zero ┼ start u32 ─┼ player ──┼ count ┼ zero ┼─ rank u32 ┼ shared ──┼ player ┼ score ┤
//!  │ u16   │ u8   │      │ ordinal    │ u64      │ u16   │  6   │           │ rank u32 │ u64    │ i64   │
//!
//!  answer, 32 bytes, then rows
//!  0       2      3       4      6      8         12       16      20       24      28     32
//!  ├ board ┼ view ┼ marks ┼ rows ┼ zero ┼ entries ┼ season ┼ rank ─┼ shared ┼─ score i64 ──┤  of the player
//! ```

use super::Standing;
use crate::record::field;

/// Bytes of a question.
pub const BOARD_QUERY_BYTES: usize = 24;
/// Bytes of an answer before its rows.
pub const BOARD_HEAD_BYTES: usize = 32;
/// Bytes of a row.
pub const BOARD_ROW_BYTES: usize = 24;
/// Mark of an answer: there are players behind the last row.
pub const MARK_ROWS_AFTER: u8 = 1;
/// Mark of an answer: there are players before the first row.
pub const MARK_ROWS_BEFORE: u8 = 2;
/// Mark of an answer: the player that was asked about is on the board; rank and score are its own.
pub const MARK_STANDING: u8 = 4;

/// Which part of a board is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BoardView {
    /// Only the head.
    Info = 0,
    /// The first `count` players.
    Top = 1,
    /// `count` players from rank `start` on (from 1).
    Page = 2,
    /// `count` players that end just before rank `start`: paging backwards.
    Before = 3,
    /// A player, with up to `count` on each side.
    Around = 4,
    /// A player alone.
    Rank = 5,
}

impl BoardView {
    const ALL: [BoardView; 6] = [
        BoardView::Info,
        BoardView::Top,
        BoardView::Page,
        BoardView::Before,
        BoardView::Around,
        BoardView::Rank,
    ];
}

/// A question about a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardQuery {
    /// Which board.
    pub board: u16,
    /// Which part of it.
    pub view: BoardView,
    /// A rank from 1; for pages, else 0.
    pub start: u32,
    /// A player; for [`BoardView::Around`] and [`BoardView::Rank`], else 0.
    pub player: u64,
    /// How many rows; what the reply cannot hold is left out, and the marks say so.
    pub count: u16,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardHead {
    /// Which board.
    pub board: u16,
    /// Which part of it.
    pub view: BoardView,
    /// [`MARK_ROWS_AFTER`], [`MARK_ROWS_BEFORE`].
    pub marks: u8,
    /// How many rows follow.
    pub rows: u16,
    /// How many players are on the board.
    pub entries: u32,
    /// How often the board was reset.
    pub season: u32,
    /// The player that was asked about, where it is on the board.
    pub standing: Option<Standing>,
}

/// A row of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardRow {
    /// Who.
    pub player: u64,
    /// Rank and score.
    pub standing: Standing,
}

/// An answer, taken apart; for hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardReply {
    /// What precedes the rows.
    pub head: BoardHead,
    /// The rows, best first.
    pub rows: Vec<BoardRow>,
}

impl BoardQuery {
    /// The bytes of this question.
    ///
    /// ```
    /// use ironhoard_hunt::request::{BoardQuery, BoardView};
    /// let top = BoardQuery { board: 0, view: BoardView::Top, start: 0, player: 0, count: 10 };
    /// assert_eq!(BoardQuery::decode(&top.encode()), Some(top));
    /// ```
    pub fn encode(&self) -> [u8; BOARD_QUERY_BYTES] {
        let mut bytes = [0; BOARD_QUERY_BYTES];
        bytes[0..2].copy_from_slice(&self.board.to_le_bytes());
        bytes[2] = self.view as u8;
        bytes[4..8].copy_from_slice(&self.start.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.player.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }

    /// The question in these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<BoardQuery> {
        let bytes: &[u8; BOARD_QUERY_BYTES] = bytes.try_into().ok()?;
        let is_clean = bytes[3] == 0 && bytes[18..].iter().all(|&byte| byte == 0);
        let view = *BoardView::ALL.get(usize::from(bytes[2]))?;
        is_clean.then(|| BoardQuery {
            board: u16::from_le_bytes(field(bytes, 0)),
            view,
            start: u32::from_le_bytes(field(bytes, 4)),
            player: u64::from_le_bytes(field(bytes, 8)),
            count: u16::from_le_bytes(field(bytes, 16)),
        })
    }
}

impl BoardHead {
    /// Writes the head to where it is to lie.
    pub fn encode_into(&self, bytes: &mut [u8; BOARD_HEAD_BYTES]) {
        let standing = self.standing.unwrap_or_default();
        let known = if self.standing.is_some() {
            MARK_STANDING
        } else {
            0
        };
        bytes[0..2].copy_from_slice(&self.board.to_le_bytes());
        bytes[2] = self.view as u8;
        bytes[3] = self.marks | known;
        bytes[4..6].copy_from_slice(&self.rows.to_le_bytes());
        bytes[6..8].fill(0);
        bytes[8..12].copy_from_slice(&self.entries.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.season.to_le_bytes());
        bytes[16..20].copy_from_slice(&standing.rank.to_le_bytes());
        bytes[20..24].copy_from_slice(&standing.shared_rank.to_le_bytes());
        bytes[24..32].copy_from_slice(&standing.score.to_le_bytes());
    }

    fn decode(bytes: &[u8; BOARD_HEAD_BYTES]) -> Option<BoardHead> {
        let standing = Standing {
            rank: u32::from_le_bytes(field(bytes, 16)),
            shared_rank: u32::from_le_bytes(field(bytes, 20)),
            score: i64::from_le_bytes(field(bytes, 24)),
        };
        Some(BoardHead {
            board: u16::from_le_bytes(field(bytes, 0)),
            view: *BoardView::ALL.get(usize::from(bytes[2]))?,
            marks: bytes[3] & (MARK_ROWS_AFTER | MARK_ROWS_BEFORE),
            rows: u16::from_le_bytes(field(bytes, 4)),
            entries: u32::from_le_bytes(field(bytes, 8)),
            season: u32::from_le_bytes(field(bytes, 12)),
            standing: (bytes[3] & MARK_STANDING != 0).then_some(standing),
        })
    }
}

impl BoardRow {
    /// Writes the row to where it is to lie.
    pub fn encode_into(&self, bytes: &mut [u8; BOARD_ROW_BYTES]) {
        bytes[0..4].copy_from_slice(&self.standing.rank.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.standing.shared_rank.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.player.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.standing.score.to_le_bytes());
    }

    fn decode(bytes: &[u8; BOARD_ROW_BYTES]) -> BoardRow {
        BoardRow {
            player: u64::from_le_bytes(field(bytes, 8)),
            standing: Standing {
                rank: u32::from_le_bytes(field(bytes, 0)),
                shared_rank: u32::from_le_bytes(field(bytes, 4)),
                score: i64::from_le_bytes(field(bytes, 16)),
            },
        }
    }
}

impl BoardReply {
    /// The answer in these bytes; `None` where they are none.
    pub fn decode(bytes: &[u8]) -> Option<BoardReply> {
        let (head, rest) = bytes.split_first_chunk::<BOARD_HEAD_BYTES>()?;
        let head = BoardHead::decode(head)?;
        let chunks = rest.chunks_exact(BOARD_ROW_BYTES);
        let is_whole = chunks.remainder().is_empty() && chunks.len() == usize::from(head.rows);
        let rows = chunks
            .filter_map(|row| row.try_into().ok())
            .map(BoardRow::decode);
        is_whole.then(|| BoardReply {
            head,
            rows: rows.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_lies_where_its_ruler_says() {
        let mut bytes = [0_u8; 24];
        bytes[0] = 1;
        bytes[2] = 4;
        bytes[4] = 5;
        bytes[8] = 9;
        bytes[16] = 17;
        let query = BoardQuery {
            board: 1,
            view: BoardView::Around,
            start: 5,
            player: 9,
            count: 17,
        };
        assert_eq!(BoardQuery::decode(&bytes), Some(query));
        assert_eq!(query.encode(), bytes);
        for (at, value) in [(2, 6), (3, 1), (18, 1), (23, 1)] {
            let mut wrong = bytes;
            wrong[at] = value;
            assert_eq!(BoardQuery::decode(&wrong), None, "byte {at}");
        }
        assert_eq!(BoardQuery::decode(&bytes[..23]), None);
    }

    #[test]
    fn an_answer_comes_back() {
        let standing = Standing {
            score: -3,
            rank: 4,
            shared_rank: 2,
        };
        let head = BoardHead {
            board: 3,
            view: BoardView::Page,
            marks: MARK_ROWS_BEFORE,
            rows: 1,
            entries: 70,
            season: 2,
            standing: Some(standing),
        };
        let mut bytes = [0xee; 56];
        head.encode_into(bytes.first_chunk_mut().unwrap());
        let row = BoardRow {
            player: 77,
            standing,
        };
        row.encode_into(bytes.last_chunk_mut().unwrap());
        let reply = BoardReply::decode(&bytes).unwrap();
        assert_eq!(
            reply,
            BoardReply {
                head,
                rows: vec![row]
            }
        );
        assert_eq!(BoardReply::decode(&bytes[..55]), None);
        assert_eq!(BoardReply::decode(&bytes[..32]), None);
    }
}
