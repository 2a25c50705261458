//! Sessions: every player joins before the load begins, over the lanes that will carry its moves.
//!
//! ```text
//!  join, signed with the player's key ──▶ engine ──▶ number of the session ──▶ the session's key
//! ```
//!
//! A join has sequence 0; the moves go on from 1.

use ironhoard::host::{HostError, Lane};
use ironhoard_hunt::record::{Move, MOVE_BYTES};
use ironhoard_hunt::request::{PlayReply, PlayVerb, KIND_PLAY, LARGEST_REPLY_BYTES};
use ironhoard_hunt::tag::{PlayerKey, WorldSecret};

use crate::demo::DemoError;

/// Joins of a lane under way at a time.
const WINDOW: usize = 256;

/// Lets all players join, player p over lane p mod lanes; returns the keys of their sessions.
pub fn join_all(
    lanes: &mut [Lane],
    players: u32,
    secret: &WorldSecret,
) -> Result<Vec<PlayerKey>, DemoError> {
    // Each is replaced by the key of the session.
    let mut keys = vec![secret.player_key(0); players as usize];
    let count = lanes.len();
    for (index, lane) in lanes.iter_mut().enumerate() {
        let mut sent = (index as u32..players).step_by(count);
        let mut waiting = (index as u32..players).step_by(count);
        let mut open = 0;
        loop {
            while open < WINDOW {
                let Some(player) = sent.next() else { break };
                send(lane, &join(player, secret))?;
                open += 1;
            }
            if open == 0 {
                break;
            }
            open -= take(lane, &mut waiting, secret, &mut keys)?;
        }
    }
    Ok(keys)
}

fn join(player: u32, secret: &WorldSecret) -> [u8; MOVE_BYTES] {
    let mut bytes = Move {
        player: player.into(),
        sequence: 0,
        time_ms: 0,
        from: 0,
        to: 0,
        offset_dm: 0,
        kind: PlayVerb::Join as u8,
        flags: 0,
        treasure: 0,
        tag: [0; 16],
    }
    .encode();
    secret.player_key(player.into()).sign(&mut bytes);
    bytes
}

/// There is room: fewer are under way than a ring holds.
fn send(lane: &mut Lane, bytes: &[u8; MOVE_BYTES]) -> Result<(), HostError> {
    let mut claim = lane.claim(MOVE_BYTES)?;
    claim.write(bytes);
    claim.commit(KIND_PLAY);
    Ok(())
}

fn take(
    lane: &mut Lane,
    waiting: &mut impl Iterator<Item = u32>,
    secret: &WorldSecret,
    keys: &mut [PlayerKey],
) -> Result<usize, DemoError> {
    let mut taken = 0;
    let mut replies = lane.poll(WINDOW)?;
    while let Some(reply) = replies.next().map_err(HostError::from)? {
        let mut bytes = [0; LARGEST_REPLY_BYTES];
        let length = reply.payload().copy_to(&mut bytes);
        let note = PlayReply::decode(&bytes[..length]).and_then(|reply| reply.session);
        let (Some(player), Some(note), 0) = (waiting.next(), note, reply.kind()) else {
            return Err(DemoError::NotJoined {
                status: reply.kind(),
            });
        };
        keys[player as usize] = secret.player_key(player.into()).session_key(note.session);
        taken += 1;
    }
    Ok(taken)
}
