//! The game: the state of all players, and moves applied to it.
//!
//! Each player is one cache line in an array that is filled at start and never grows: its key, its
//! window of sequences, its last accepted place and time, its strikes. A move touches that line, two
//! nodes and one row of arcs, computes one SHA-256 block and allocates nothing. The rules are in
//! [`crate::validate`]; here they meet the state. The result depends on the moves and nothing else.

use std::sync::Arc;

use crate::map::{Point, StreetMap};
use crate::record::{Code, Move, Reply, MOVE_BYTES, MOVE_KIND_STEP};
use crate::tag::{PlayerKey, WorldSecret};
use crate::validate::{is_reachable, place_on_arc, Seen, SequenceWindow};

/// Faster than any player on foot or on a tram: 200 km/h, in cm/s.
pub const DEFAULT_MAX_SPEED_CM_S: u32 = 5_556;

/// What a game is started with.
#[derive(Clone, Debug)]
pub struct GameOptions {
    /// How many players there can be; their ids are the numbers below.
    pub players: u32,
    /// The speed that no player can exceed, in cm/s.
    pub max_speed_cm_s: u32,
    /// Where the players' keys come from.
    pub secret: WorldSecret,
}

/// Why a game could not be started.
#[derive(Debug, thiserror::Error)]
pub enum GameError {
    /// The players do not fit in memory.
    #[error("no memory for {players} players ({bytes} bytes); start with a smaller player budget")]
    NoMemory {
        /// Players asked for.
        players: u32,
        /// Bytes they would take.
        bytes: u64,
    },
}

/// What came of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Accepted, or why not.
    pub code: Code,
    /// What is told to the host; nothing where the payload was no move at all.
    pub reply: Option<Reply>,
}

/// All that the engine knows of one player: exactly one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Player {
    key: PlayerKey,
    window: SequenceWindow,
    place: Point,
    time_ms: u32,
    strikes: u16,
    is_placed: bool,
}

/// A world with its players.
///
/// ```
/// use std::sync::Arc;
/// use ironhoard_hunt::game::{Game, GameOptions, DEFAULT_MAX_SPEED_CM_S};
/// use ironhoard_hunt::map::{generate, GenerateOptions};
/// use ironhoard_hunt::record::Code;
/// use ironhoard_hunt::tag::WorldSecret;
/// use ironhoard_hunt::walk::{Behaviour, WalkOptions, Walkers};
///
/// let map = Arc::new(generate(&GenerateOptions::city(500, 1), &mut |_, _| {}).unwrap());
/// let secret = WorldSecret::from_seed(1);
/// let mut walkers =
///     Walkers::new(map.clone(), &secret, &WalkOptions::honest(0..10, 7)).unwrap();
/// let options = GameOptions { players: 10, max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S, secret };
/// let mut game = Game::new(map, &options).unwrap();
/// let step = walkers.next_move();
/// assert_eq!(step.behaviour, Behaviour::Honest);
/// assert_eq!(game.apply(&step.bytes).code, Code::Accepted);
/// ```
pub struct Game {
    map: Arc<StreetMap>,
    players: Vec<Player>,
    max_speed_cm_s: u32,
}

impl Game {
    /// Starts a game. Takes all memory that the game will ever use, and touches it.
    ///
    /// # Errors
    /// [`GameError::NoMemory`].
    pub fn new(map: Arc<StreetMap>, options: &GameOptions) -> Result<Game, GameError> {
        let mut players = Vec::new();
        players
            .try_reserve_exact(options.players as usize)
            .map_err(|_| GameError::NoMemory {
                players: options.players,
                bytes: u64::from(options.players) * size_of::<Player>() as u64,
            })?;
        players.extend((0..u64::from(options.players)).map(|player| Player {
            key: options.secret.player_key(player),
            window: SequenceWindow::default(),
            place: Point { x: 0, y: 0, z: 0 },
            time_ms: 0,
            strikes: 0,
            is_placed: false,
        }));
        Ok(Game {
            map,
            players,
            max_speed_cm_s: options.max_speed_cm_s,
        })
    }

    /// The map that the game is played on.
    pub fn map(&self) -> &Arc<StreetMap> {
        &self.map
    }

    /// Bytes that the players' state takes.
    pub fn state_bytes(&self) -> u64 {
        size_of_val(self.players.as_slice()) as u64
    }

    /// Judges a payload, and moves the player if it is accepted. Every payload has an answer.
    pub fn apply(&mut self, payload: &[u8]) -> Outcome {
        match payload.try_into() {
            Ok(bytes) => self.apply_move(bytes),
            Err(_) => Outcome {
                code: Code::Malformed,
                reply: None,
            },
        }
    }

    fn apply_move(&mut self, bytes: &[u8; MOVE_BYTES]) -> Outcome {
        let step = Move::decode(bytes);
        let stranger = Reply {
            player: step.player,
            sequence: step.sequence,
            ..Reply::default()
        };
        let known = usize::try_from(step.player)
            .ok()
            .and_then(|index| self.players.get_mut(index));
        let Some(player) = known else {
            return Outcome {
                code: Code::UnknownPlayer,
                reply: Some(stranger),
            };
        };
        if !player.key.has_signed(bytes) {
            return Outcome {
                code: Code::BadTag,
                reply: Some(stranger),
            };
        }
        let (code, is_duplicate) = player.judge(&step, &self.map, self.max_speed_cm_s);
        let reply = Reply {
            time_ms: player.time_ms,
            place: player.is_placed.then_some(player.place),
            strikes: player.strikes,
            is_duplicate,
            ..stranger
        };
        Outcome {
            code,
            reply: Some(reply),
        }
    }
}

impl Player {
    /// The code of a signed move, and whether it was given before.
    fn judge(&mut self, step: &Move, map: &StreetMap, max_speed_cm_s: u32) -> (Code, bool) {
        if step.kind != MOVE_KIND_STEP || step.flags != 0 {
            return (Code::Malformed, false);
        }
        match self.window.look(step.sequence) {
            Seen::Before(first) => return (first, true),
            Seen::TooOld => return (Code::TooOld, false),
            Seen::New => {}
        }
        let code = match self.arrive(step, map, max_speed_cm_s) {
            Ok(place) => {
                (self.place, self.time_ms, self.is_placed) = (place, step.time_ms, true);
                Code::Accepted
            }
            Err(lie) => {
                self.strikes = self.strikes.saturating_add(1);
                lie
            }
        };
        self.window.remember(step.sequence, code);
        (code, false)
    }

    /// The place that the move leads to, or why it cannot be.
    fn arrive(&self, step: &Move, map: &StreetMap, max_speed_cm_s: u32) -> Result<Point, Code> {
        let arc = map.arc(step.from, step.to).ok_or(Code::UnknownEdge)?;
        if step.offset_dm > arc.length_dm {
            return Err(Code::BadOffset);
        }
        let ends = map.point(step.from).zip(map.point(step.to));
        let (start, end) = ends.ok_or(Code::UnknownEdge)?;
        let place = place_on_arc(start, end, arc, step.offset_dm);
        if self.is_placed {
            let elapsed_ms = step
                .time_ms
                .checked_sub(self.time_ms)
                .ok_or(Code::BadTime)?;
            if !is_reachable(&self.place, &place, elapsed_ms, max_speed_cm_s) {
                return Err(Code::TooFast);
            }
        }
        Ok(place)
    }
}

const _: () = assert!(size_of::<Player>() == 64);
