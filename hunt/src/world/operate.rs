//! What operators do: scores, seasons, treasures.
//!
//! | step | rule | code |
//! |---|---|---|
//! | 1 | the request is one | `Malformed` |
//! | 2 | there is such an operator | `UnknownOperator` |
//! | 3 | the tag is that of its key | `BadTag` |
//! | 4 | the sequence is less than 64 behind the operator's highest | `TooOld` |
//! | 5 | it was not used before | `Accepted`, marked as a duplicate; nothing is done again |
//! | 6 | board, player, node or treasure are there, and there is room | their codes |
//!
//! Only what was accepted uses its sequence.

use super::ask::Answer;
use super::{Hunt, OPERATORS};
use crate::board::{BoardError, Change, Changed};
use crate::event::{Audience, Event, EventKind};
use crate::record::Code;
use crate::request::{Operate, OperateReply, OperateVerb, Standing, OPERATE_BYTES};
use crate::validate::Seen;

/// Changes among so many first ranks of a board are events.
const TOP: u32 = 10;
/// Who caused an event, where no player did.
const OPERATOR: u32 = u32::MAX;

impl Hunt {
    /// Judges the request of an operator and does what it asks.
    pub(super) fn operate(&mut self, bytes: &[u8; OPERATE_BYTES]) -> (Code, Answer<'static>) {
        let Some(mut request) = Operate::decode(bytes) else {
            return (Code::Malformed, Answer::Nothing);
        };
        if request.operator >= OPERATORS {
            return (Code::UnknownOperator, Answer::Nothing);
        }
        let operator = self.operators[usize::from(request.operator)];
        if !operator.key.has_signed(bytes) {
            return (Code::BadTag, Answer::Nothing);
        }
        let seen = operator.window.look(request.sequence);
        let done = match seen {
            Seen::New => self.carry_out(&mut request),
            Seen::Before(_) => Ok(()),
            Seen::TooOld => Err(Code::TooOld),
        };
        if done.is_ok() && seen == Seen::New {
            let operator = &mut self.operators[usize::from(request.operator)];
            operator.window.remember(request.sequence, Code::Accepted);
        }
        let reply = self.report(request, seen != Seen::New && done.is_ok());
        (done.err().unwrap_or(Code::Accepted), Answer::Operate(reply))
    }

    /// Does it; a treasure that is laid gets its number written into the request.
    fn carry_out(&mut self, request: &mut Operate) -> Result<(), Code> {
        let change = match request.verb {
            OperateVerb::SetScore => Change::Set(request.value),
            OperateVerb::BestScore => Change::Best(request.value),
            OperateVerb::IncrementScore => Change::Increment(request.value),
            OperateVerb::DecrementScore => Change::Decrement(request.value),
            OperateVerb::RemoveScore => return self.remove_score(request),
            OperateVerb::ResetBoard => return self.reset_board(request.board),
            OperateVerb::LayTreasure => {
                request.treasure = self.lay_treasure(request.subject, request.value)?;
                return Ok(());
            }
            OperateVerb::LiftTreasure => {
                let lifted = self.treasures.lift(&self.map, request.treasure);
                return lifted.map(|_| ()).ok_or(Code::NoTreasure);
            }
        };
        let player = self
            .game
            .index(request.subject)
            .ok_or(Code::UnknownPlayer)?;
        let board = self.boards.get_mut(usize::from(request.board));
        let changed: Changed = board
            .ok_or(Code::UnknownBoard)?
            .change(player, change)
            .map_err(code)?;
        let rank = changed.standing.rank;
        if rank <= TOP && changed.rank_before != Some(rank) {
            self.rank_changed(request.board, player, rank);
        }
        Ok(())
    }

    fn remove_score(&mut self, request: &Operate) -> Result<(), Code> {
        let player = self
            .game
            .index(request.subject)
            .ok_or(Code::UnknownPlayer)?;
        let board = self.boards.get_mut(usize::from(request.board));
        let removed = board
            .ok_or(Code::UnknownBoard)?
            .remove(player)
            .map_err(code)?;
        removed.map(|_| ()).ok_or(Code::NotRanked)
    }

    fn reset_board(&mut self, number: u16) -> Result<(), Code> {
        let board = self
            .boards
            .get_mut(usize::from(number))
            .ok_or(Code::UnknownBoard)?;
        board.reset();
        let value = board.season().into();
        self.events.add(Event {
            kind: EventKind::BoardReset,
            audience: Audience::Board(number),
            cause: OPERATOR,
            subject: 0,
            value,
            place: None,
        });
        Ok(())
    }

    fn lay_treasure(&mut self, node: u64, value: i64) -> Result<u32, Code> {
        let node = u32::try_from(node).map_err(|_| Code::UnknownNode)?;
        let place = self.map.point(node).ok_or(Code::UnknownNode)?;
        let laid = self.treasures.lay(&self.map, node, value);
        let treasure = laid.ok_or(Code::TreasuresFull)?;
        self.events.add(Event {
            kind: EventKind::ClueDrop,
            audience: Audience::Area(node),
            cause: OPERATOR,
            subject: treasure,
            value,
            place: Some(place),
        });
        Ok(treasure)
    }

    /// How things stand after it.
    fn report(&self, request: Operate, is_duplicate: bool) -> OperateReply {
        let board = self.boards.get(usize::from(request.board));
        let player = self
            .game
            .index(request.subject)
            .filter(|_| is_about_score(request.verb));
        let standing = board
            .zip(player)
            .and_then(|(board, player)| board.standing(player));
        OperateReply {
            request,
            is_duplicate,
            standing: standing.unwrap_or(Standing::default()),
            entries: board.map_or(0, |board| board.len()),
            season: board.map_or(0, |board| board.season()),
        }
    }
}

fn is_about_score(verb: OperateVerb) -> bool {
    !matches!(
        verb,
        OperateVerb::ResetBoard | OperateVerb::LayTreasure | OperateVerb::LiftTreasure
    )
}

fn code(error: BoardError) -> Code {
    match error {
        BoardError::UnknownPlayer { .. } => Code::UnknownPlayer,
        BoardError::Full { .. } | BoardError::NoMemory { .. } => Code::BoardFull,
        BoardError::ScoreRange => Code::ScoreRange,
    }
}
