//! What operators do and what anybody asks, on paper.

use sha2::{Digest, Sha256};

use super::hunt::HuntOracle;
use super::{is_signed, word};
use crate::board::{BoardError, Change, Changed};
use crate::event::{Audience, Event, EventKind};
use crate::record::Code;
use crate::request::Standing;

/// Who caused an event that no player caused.
const NOBODY: u32 = u32::MAX;
/// Ranks up to this one are news.
const TOP: u32 = 10;

impl HuntOracle {
    /// The request of an operator, 48 bytes.
    pub(super) fn operate(&mut self, payload: &[u8]) -> (Code, Vec<u8>) {
        let (operator, verb) = (short(payload, 0), payload[2]);
        if verb > 7 || payload[3] != 0 || short(payload, 6) != 0 {
            return (Code::Malformed, Vec::new());
        }
        if usize::from(operator) >= self.operators.len() {
            return (Code::UnknownOperator, Vec::new());
        }
        let label: &[u8] = b"ironhoard operator key";
        let secret = self.options.game.secret.bytes();
        let key = Sha256::digest([label, secret, &operator.to_le_bytes()].concat());
        if !is_signed(payload, &key[..16]) {
            return (Code::BadTag, Vec::new());
        }
        let sequence = word(payload, 8);
        let used = &self.operators[usize::from(operator)];
        let highest = used.last().copied().unwrap_or(0);
        let is_too_old = i64::from(highest) - i64::from(sequence) > 63;
        let is_again = !is_too_old && used.contains(&sequence);
        let done = match (is_too_old, is_again) {
            (true, _) => Err(Code::TooOld),
            (_, true) => Ok(word(payload, 12)),
            _ => self.carry_out(payload),
        };
        let used = &mut self.operators[usize::from(operator)];
        if done.is_ok() {
            used.insert(sequence);
            while used.len() > 1_000 {
                used.pop_first();
            }
        }
        let mut reply = self.report(payload, is_again);
        if let Ok(treasure) = done {
            reply[12..16].copy_from_slice(&treasure.to_le_bytes());
        }
        (done.err().unwrap_or(Code::Accepted), reply)
    }

    /// Does it; returns the treasure that the reply names.
    fn carry_out(&mut self, payload: &[u8]) -> Result<u32, Code> {
        let (value, treasure) = (long(payload, 24) as i64, word(payload, 12));
        let (board, subject) = (short(payload, 4), long(payload, 16));
        let change = match payload[2] {
            0 => Change::Set(value),
            1 => Change::Best(value),
            2 => Change::Increment(value),
            3 => Change::Decrement(value),
            4 => {
                let player = self.known_player(subject).ok_or(Code::UnknownPlayer)?;
                let board = self.boards.get_mut(usize::from(board));
                let removed = board.ok_or(Code::UnknownBoard)?.remove(player);
                return removed.map(|_| treasure).ok_or(Code::NotRanked);
            }
            5 => return self.reset(board).map(|()| treasure),
            6 => return self.drop_clue(subject, value),
            _ => {
                let at = self.find(treasure).ok_or(Code::NoTreasure)?;
                self.treasures.give_back(at);
                return Ok(treasure);
            }
        };
        let player = self.known_player(subject).ok_or(Code::UnknownPlayer)?;
        let paper = self.boards.get_mut(usize::from(board));
        let changed = paper.ok_or(Code::UnknownBoard)?.change(player, change);
        match changed {
            Ok(changed) => self.tell_rank(board, player, changed),
            Err(BoardError::ScoreRange) => return Err(Code::ScoreRange),
            Err(_) => return Err(Code::BoardFull),
        }
        Ok(treasure)
    }

    fn known_player(&self, number: u64) -> Option<u32> {
        (number < self.people.len() as u64).then_some(number as u32)
    }

    fn reset(&mut self, number: u16) -> Result<(), Code> {
        let board = self.boards.get_mut(usize::from(number));
        let board = board.ok_or(Code::UnknownBoard)?;
        board.reset();
        self.events.push(Event {
            kind: EventKind::BoardReset,
            audience: Audience::Board(number),
            cause: NOBODY,
            subject: 0,
            value: board.season().into(),
            place: None,
        });
        Ok(())
    }

    fn drop_clue(&mut self, node: u64, value: i64) -> Result<u32, Code> {
        if node >= self.city.points.len() as u64 {
            return Err(Code::UnknownNode);
        }
        let node = node as u32;
        let treasure = self.lay(node, value).ok_or(Code::TreasuresFull)?;
        self.events.push(Event {
            kind: EventKind::ClueDrop,
            audience: Audience::Area(node),
            cause: NOBODY,
            subject: treasure,
            value,
            place: Some(self.city.points[node as usize]),
        });
        Ok(treasure)
    }

    /// Tells who follows a board, where a player came to a rank among the first.
    pub(super) fn tell_rank(&mut self, board: u16, player: u32, changed: Changed) {
        let rank = changed.standing.rank;
        if rank > TOP || changed.rank_before == Some(rank) {
            return;
        }
        self.events.push(Event {
            kind: EventKind::RankChange,
            audience: Audience::Board(board),
            cause: player,
            subject: player,
            value: rank.into(),
            place: None,
        });
    }

    /// How things stand: the request again, and what became of it.
    fn report(&self, payload: &[u8], is_again: bool) -> Vec<u8> {
        let board = self.boards.get(usize::from(short(payload, 4)));
        let player = self.known_player(long(payload, 16));
        let player = player.filter(|_| payload[2] <= 4);
        let standing = board
            .zip(player)
            .and_then(|(board, player)| board.standing(player));
        let mut reply = payload[..24].to_vec();
        reply[3] = u8::from(is_again);
        let standing = standing.unwrap_or_default();
        reply.extend(standing.score.to_le_bytes());
        reply.extend(standing.rank.to_le_bytes());
        reply.extend(standing.shared_rank.to_le_bytes());
        reply.extend(board.map_or(0, |board| board.len() as u32).to_le_bytes());
        reply.extend(board.map_or(0, |board| board.season()).to_le_bytes());
        reply
    }

    /// A question about a board, 24 bytes.
    pub(super) fn ask_board(&self, payload: &[u8], limit: usize) -> (Code, Vec<u8>) {
        let (number, view, start) = (short(payload, 0), payload[2], word(payload, 4));
        if view > 5 || payload[3] != 0 || payload[18..] != [0; 6] {
            return (Code::Malformed, Vec::new());
        }
        let Some(board) = self.boards.get(usize::from(number)) else {
            return (Code::UnknownBoard, Vec::new());
        };
        let is_about_player = view >= 4;
        let player = self.known_player(long(payload, 8));
        if is_about_player && player.is_none() {
            return (Code::UnknownPlayer, Vec::new());
        }
        let standing = player.filter(|_| is_about_player);
        let standing = standing.and_then(|player| board.standing(player));
        let most = (limit as i64 - 32).max(0) / 24;
        let rank = standing.map(|standing| i64::from(standing.rank));
        let asked = i64::from(short(payload, 16));
        let (first, last) = ranks(view, start.into(), asked, most, rank);
        let rows: Vec<(i64, u32)> = (1..)
            .zip(board.players())
            .filter(|(rank, _)| (first..=last).contains(rank))
            .collect();
        let is_after = rows.last().is_some_and(|row| row.0 < board.len() as i64);
        let is_before = rows.first().is_some_and(|row| row.0 > 1);
        let marks = [is_after, is_before, standing.is_some()];
        let mut reply = payload[..3].to_vec();
        reply.push((0..3).map(|at| u8::from(marks[at]) << at).sum());
        reply.extend((rows.len() as u32).to_le_bytes());
        reply.extend((board.len() as u32).to_le_bytes());
        reply.extend(board.season().to_le_bytes());
        extend_standing(&mut reply, standing.unwrap_or_default());
        reply.extend(standing.unwrap_or_default().score.to_le_bytes());
        for (_, player) in rows {
            let standing = board.standing(player).unwrap_or_default();
            extend_standing(&mut reply, standing);
            reply.extend(u64::from(player).to_le_bytes());
            reply.extend(standing.score.to_le_bytes());
        }
        match is_about_player && standing.is_none() {
            true => (Code::NotRanked, reply),
            false => (Code::Accepted, reply),
        }
    }

    /// A question about an area, 16 bytes. Nearest first; of nodes that are equally far the lower one, and
    /// at one node what was laid last.
    pub(super) fn ask_area(&self, payload: &[u8], limit: usize) -> (Code, Vec<u8>) {
        let (node, reach, count) = (word(payload, 0), word(payload, 4), short(payload, 8));
        if payload[10..] != [0; 6] {
            return (Code::Malformed, Vec::new());
        }
        if node >= self.map.node_count() {
            return (Code::UnknownNode, Vec::new());
        }
        let numbers = self.lying();
        let mut found: Vec<_> = self
            .treasures
            .all()
            .zip(numbers)
            .filter_map(|((_, _, treasure), (number, _))| {
                let distance = self.paths.between(node, treasure.node)?;
                let order = (distance, treasure.node, std::cmp::Reverse(treasure.laid));
                (distance <= reach).then_some((order, number))
            })
            .collect();
        found.sort_unstable();
        let named = usize::from(count).min(limit.saturating_sub(8) / 8);
        let named = &found[..named.min(found.len())];
        let mut reply = (named.len() as u16).to_le_bytes().to_vec();
        reply.extend([u8::from(named.len() < found.len()), 0]);
        reply.extend((found.len() as u32).to_le_bytes());
        for ((distance, ..), number) in named {
            reply.extend(number.to_le_bytes());
            reply.extend(distance.to_le_bytes());
        }
        (Code::Accepted, reply)
    }
}

/// The first and the last rank that a view shows, if the board is long enough.
fn ranks(view: u8, start: i64, count: i64, most: i64, rank: Option<i64>) -> (i64, i64) {
    let (start, fitting) = (start.max(1), count.min(most));
    match (view, rank) {
        (1, _) => (1, fitting),
        (2, _) => (start, start + fitting - 1),
        (3, _) => ((start - fitting).max(1), start - 1),
        (4, Some(rank)) => {
            let side = count.min((most - 1).max(0) / 2);
            let first = (rank - side).max(1);
            (first, (rank + side).min(first + most - 1))
        }
        _ => (1, 0),
    }
}

fn extend_standing(reply: &mut Vec<u8>, standing: Standing) {
    reply.extend(standing.rank.to_le_bytes());
    reply.extend(standing.shared_rank.to_le_bytes());
}

fn short(payload: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([payload[at], payload[at + 1]])
}

fn long(payload: &[u8], at: usize) -> u64 {
    u64::from(word(payload, at + 4)) << 32 | u64::from(word(payload, at))
}
