//! Requests and replies of the whole hunt, byte for byte; little-endian throughout.
//!
//! | kind | request | bytes | signed by | reply |
//! |---|---|---|---|---|
//! | 1 | [a bare move](crate::record) | 48 | player | [32 bytes](crate::record::Reply) |
//! | 2 | [play](PlayVerb) | 48 | session, or player | [48 bytes](PlayReply), then lists |
//! | 3 | [board query](BoardQuery) | 24 | nobody | [32 bytes](BoardReply), then rows |
//! | 4 | [operate](Operate) | 48 | operator | [48 bytes](OperateReply) |
//! | 5 | statistics | 0 | nobody | [words](crate::statistics::Statistics) |
//! | 6 | [area query](AreaQuery) | 16 | nobody | [8 bytes](AreaReply), then entries |
//!
//! The reply record's kind is the [`Code`](crate::record::Code). A request of a wrong size or an unknown
//! kind, verb or flag is `Malformed` and answered without a payload; spare bytes are zero, and anything
//! else in them is malformed: they are room for what comes. Boards and areas are public, so asking
//! about them takes no signature; whatever changes the game does.
//!
//! Lists are capped, and a reply whose list was cut says so.

mod area;
mod board;
mod operate;
mod play;

pub use area::{AreaQuery, AreaReply, AREA_BYTES, AREA_HEAD_BYTES};
pub use board::{
    BoardHead, BoardQuery, BoardReply, BoardRow, BoardView, BOARD_HEAD_BYTES, BOARD_QUERY_BYTES,
    BOARD_ROW_BYTES, MARK_ROWS_AFTER, MARK_ROWS_BEFORE, MARK_STANDING,
};
pub use operate::{Operate, OperateReply, OperateVerb, OPERATE_BYTES, OPERATE_REPLY_BYTES};
pub use play::{
    Found, List, PlayReply, PlayVerb, SessionNote, Standing, FOUND_BYTES, MARK_PLAYERS_CUT,
    MARK_RANKED, MARK_SESSION, MARK_TREASURES_CUT, MOST_FOUND, PLAY_HEAD_BYTES, PLAY_REPLY_LIMIT,
    SESSION_BYTES,
};

/// Kind of a request record that carries a signed action of a player: [`PlayVerb`].
pub const KIND_PLAY: u16 = 2;
/// Kind of a request record that asks about a board.
pub const KIND_BOARD: u16 = 3;
/// Kind of a request record that carries a signed action of an operator.
pub const KIND_OPERATE: u16 = 4;
/// Kind of a request record that asks for the engine's statistics.
pub const KIND_STATISTICS: u16 = 5;
/// Kind of a request record that asks for the treasures around a node.
pub const KIND_AREA: u16 = 6;

/// The most bytes of any reply.
pub const LARGEST_REPLY_BYTES: usize = 1024;
