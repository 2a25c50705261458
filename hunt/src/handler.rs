//! The game as an engine's handler: a request that carries a move becomes a reply with its code.
//!
//! The move is copied out of the ring once, then judged: the host may still write the memory it lies
//! in. The reply is written where it will be read.
//!
//! All state of a game dies with its engine, so resuming is declined. And all moves of a player must
//! meet the same state: serve a game from one shard, or give each shard players of its own.

use ironhoard::engine::{Handler, Reply, Request, Status};

use crate::game::Game;
use crate::record::{Code, KIND_MOVE, MOVE_BYTES, REPLY_BYTES};

/// A [`Game`] that an engine can be built around.
pub struct HuntHandler {
    game: Game,
}

impl HuntHandler {
    /// Serves this game.
    pub fn new(game: Game) -> HuntHandler {
        HuntHandler { game }
    }
}

impl Handler for HuntHandler {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let moved = request.payload().array::<MOVE_BYTES>();
        let Some(bytes) = moved.filter(|_| request.kind() == KIND_MOVE) else {
            return status(Code::Malformed);
        };
        let outcome = self.game.apply(&bytes);
        if let Some(answer) = outcome.reply {
            // Always there: the smallest ring carries 512 bytes. The code alone would be an answer too.
            let room = reply.payload(REPLY_BYTES).ok();
            if let Some(room) = room.and_then(|room| room.first_chunk_mut()) {
                answer.encode_into(room);
            }
        }
        status(outcome.code)
    }

    fn largest_reply(&self) -> Option<usize> {
        Some(REPLY_BYTES)
    }

    fn resumable(&self) -> Result<(), String> {
        Err("the players' places and sequences died with the engine: attach again".to_string())
    }
}

/// The code as a reply's status: zero is success in both.
fn status(code: Code) -> Status {
    Status::code(code.number())
}
