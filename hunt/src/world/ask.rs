//! Answers: what a request is answered with, and the questions that change nothing.
//!
//! An answer knows how many bytes it takes before it is written, so that the handler claims exactly that
//! and every field is written where it will be read.

use crate::board::Board;
use crate::game::Game;
use crate::map::StreetMap;
use crate::near::treasures::Treasures;
use crate::record::{Code, Reply, REPLY_BYTES};
use crate::request::{
    AreaQuery, AreaReply, BoardHead, BoardQuery, BoardRow, BoardView, Found, OperateReply,
    PlayReply, AREA_HEAD_BYTES, BOARD_HEAD_BYTES, BOARD_ROW_BYTES, FOUND_BYTES,
    LARGEST_REPLY_BYTES, MARK_ROWS_AFTER, MARK_ROWS_BEFORE, OPERATE_REPLY_BYTES,
};
use crate::statistics::{Statistics, STATISTICS_BYTES};

/// The most entries of an answer about an area.
pub(super) const MOST_ENTRIES: usize = (LARGEST_REPLY_BYTES - AREA_HEAD_BYTES) / FOUND_BYTES;

/// The payload of a reply, before it is written.
pub enum Answer<'h> {
    /// None: the code says it all.
    Nothing,
    /// To a bare move.
    Move(Reply),
    /// To a play.
    Play(PlayReply),
    /// To an operator.
    Operate(OperateReply),
    /// To a question about a board: the head, and the rows from this rank on.
    Board(BoardHead, &'h Board, u32),
    /// To a question about an area: how many treasures are there, and those that are named.
    Area(u32, &'h [Found]),
    /// To an operator who looks.
    Statistics(Statistics),
}

impl Answer<'_> {
    /// How many bytes the answer takes.
    #[inline]
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Nothing => 0,
            Answer::Move(_) => REPLY_BYTES,
            Answer::Play(reply) => reply.bytes(),
            Answer::Operate(_) => OPERATE_REPLY_BYTES,
            Answer::Board(head, ..) => BOARD_HEAD_BYTES + usize::from(head.rows) * BOARD_ROW_BYTES,
            Answer::Area(_, named) => AREA_HEAD_BYTES + named.len() * FOUND_BYTES,
            Answer::Statistics(_) => STATISTICS_BYTES,
        }
    }

    /// Writes the answer to where it is to lie: `out` has exactly [`Answer::bytes`] bytes. What is
    /// shorter than that gets nothing.
    #[inline]
    pub fn encode_into(&self, out: &mut [u8]) {
        if out.len() < self.bytes() {
            return;
        }
        match self {
            Answer::Play(reply) => reply.encode_into(out),
            Answer::Move(reply) => {
                if let Some(out) = out.first_chunk_mut() {
                    reply.encode_into(out);
                }
            }
            _ => self.encode_rare(out),
        }
    }

    #[inline(never)]
    fn encode_rare(&self, out: &mut [u8]) {
        match self {
            Answer::Operate(reply) => {
                if let Some(out) = out.first_chunk_mut() {
                    reply.encode_into(out);
                }
            }
            Answer::Board(head, board, first) => {
                if let Some((room, rest)) = out.split_first_chunk_mut() {
                    head.encode_into(room);
                    let rows = board.rows(*first).take(usize::from(head.rows));
                    for ((player, standing), room) in
                        rows.zip(rest.chunks_exact_mut(BOARD_ROW_BYTES))
                    {
                        let row = BoardRow {
                            player: player.into(),
                            standing,
                        };
                        if let Some(room) = room.first_chunk_mut() {
                            row.encode_into(room);
                        }
                    }
                }
            }
            Answer::Area(all, named) => AreaReply::encode_into(*all, named, out),
            Answer::Statistics(statistics) => {
                if let Some(out) = out.first_chunk_mut() {
                    statistics.encode_into(out);
                }
            }
            Answer::Nothing | Answer::Move(_) | Answer::Play(_) => {}
        }
    }
}

/// Answers a question about a board.
pub(super) fn board<'h>(
    boards: &'h [Board],
    game: &Game,
    payload: &[u8],
    limit: usize,
) -> (Code, Answer<'h>) {
    let Some(query) = BoardQuery::decode(payload) else {
        return (Code::Malformed, Answer::Nothing);
    };
    let Some(board) = boards.get(usize::from(query.board)) else {
        return (Code::UnknownBoard, Answer::Nothing);
    };
    let is_about_player = matches!(query.view, BoardView::Around | BoardView::Rank);
    let player = game.index(query.player);
    if is_about_player && player.is_none() {
        return (Code::UnknownPlayer, Answer::Nothing);
    }
    let standing = player
        .filter(|_| is_about_player)
        .and_then(|player| board.standing(player));
    let most = (limit.saturating_sub(BOARD_HEAD_BYTES) / BOARD_ROW_BYTES) as u32;
    let (first, count) = span(&query, standing.map(|standing| standing.rank), most);
    let rows = count.min((board.len() + 1).saturating_sub(first));
    let is_before = rows > 0 && first > 1;
    let is_after = rows > 0 && first + rows <= board.len();
    let head = BoardHead {
        board: query.board,
        view: query.view,
        marks: (u8::from(is_before) * MARK_ROWS_BEFORE) | (u8::from(is_after) * MARK_ROWS_AFTER),
        rows: rows as u16,
        entries: board.len(),
        season: board.season(),
        standing,
    };
    let code = if is_about_player && standing.is_none() {
        Code::NotRanked
    } else {
        Code::Accepted
    };
    (code, Answer::Board(head, board, first))
}

/// The first rank that is asked for, and how many rows, `most` at most.
fn span(query: &BoardQuery, rank: Option<u32>, most: u32) -> (u32, u32) {
    let count = u32::from(query.count);
    match (query.view, rank) {
        (BoardView::Top, _) => (1, count.min(most)),
        (BoardView::Page, _) => (query.start.max(1), count.min(most)),
        (BoardView::Before, _) => {
            let end = query.start.max(1);
            let count = count.min(most).min(end - 1);
            (end - count, count)
        }
        (BoardView::Around, Some(rank)) => {
            // As many on each side as fit beside the player; at the top of the board, fewer before it.
            let side = count.min(most.saturating_sub(1) / 2);
            let first = rank.saturating_sub(side).max(1);
            (first, (rank - first + 1 + side).min(most))
        }
        (BoardView::Around | BoardView::Info | BoardView::Rank, _) => (1, 0),
    }
}

/// Answers a question about an area; `named` has room for [`MOST_ENTRIES`].
pub(super) fn area<'h>(
    treasures: &mut Treasures,
    named: &'h mut Vec<Found>,
    map: &StreetMap,
    payload: &[u8],
    limit: usize,
) -> (Code, Answer<'h>) {
    let Some(query) = AreaQuery::decode(payload) else {
        return (Code::Malformed, Answer::Nothing);
    };
    if query.node >= map.node_count() {
        return (Code::UnknownNode, Answer::Nothing);
    }
    let fitting = limit.saturating_sub(AREA_HEAD_BYTES) / FOUND_BYTES;
    let most = usize::from(query.count).min(MOST_ENTRIES).min(fitting);
    let mut all = 0;
    named.clear();
    let searched = treasures.around(map, query.node, query.reach_dm, |found| {
        all += 1;
        if named.len() < most {
            named.push(found);
        }
    });
    match searched {
        Ok(()) => (Code::Accepted, Answer::Area(all, named)),
        Err(_) => (Code::AreaTooLarge, Answer::Nothing),
    }
}
