//! The game: the state of all players, and moves applied to it.
//!
//! Each player is one cache line in an array that is taken at start and never grows: its key, its
//! window of sequences, its last accepted place and time, its strikes. A move touches that line, two
//! nodes and one row of arcs, computes one SHA-256 block and allocates nothing. The rules are in
//! [`crate::validate`]; here they meet the state. The result depends on the moves and nothing else.

use std::sync::Arc;

use bytemuck::Zeroable;

use crate::arena::{prefetch, Arena};
use crate::map::{Point, StreetMap};
use crate::record::{Code, Move, Reply, MOVE_BYTES, MOVE_KIND_STEP};
use crate::settling::Settling;
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

/// What the engine knows of one player: exactly one cache line. A player that was never heard of is
/// all zero.
#[derive(Clone, Copy, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Player {
    key: PlayerKey,
    pub(crate) window: SequenceWindow,
    place: [i32; 3],
    pub(crate) time_ms: u32,
    pub(crate) strikes: u16,
    is_placed: bool,
    /// Whose key `key` is. A player's own costs two SHA-256 blocks, so it is computed when it is first
    /// needed.
    signs_as: u8,
}

/// The key was not needed yet.
const UNKNOWN: u8 = 0;
/// The key is the player's own.
const ITSELF: u8 = 1;
/// The key is that of the player's session.
const SESSION: u8 = 2;

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
    players: Arena<Player>,
    max_speed_cm_s: u32,
    secret: WorldSecret,
}

impl Game {
    /// Starts a game. Takes all memory that the game will ever use; its pages come when they are touched.
    ///
    /// # Errors
    /// [`GameError::NoMemory`].
    pub fn new(map: Arc<StreetMap>, options: &GameOptions) -> Result<Game, GameError> {
        let players = Arena::new(options.players as usize).map_err(|_| GameError::NoMemory {
            players: options.players,
            bytes: Game::bytes(options.players),
        })?;
        Ok(Game {
            map,
            players,
            max_speed_cm_s: options.max_speed_cm_s,
            secret: options.secret.clone(),
        })
    }

    /// The map that the game is played on.
    pub fn map(&self) -> &Arc<StreetMap> {
        &self.map
    }

    /// How many players there can be.
    pub fn player_count(&self) -> u32 {
        self.players.len() as u32
    }

    /// Bytes of the state of so many players.
    pub(crate) fn bytes(players: u32) -> u64 {
        u64::from(players) * size_of::<Player>() as u64
    }

    /// Bytes that the players' state takes.
    pub fn state_bytes(&self) -> u64 {
        Game::bytes(self.player_count())
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.players);
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

    #[inline]
    pub(crate) fn apply_move(&mut self, bytes: &[u8; MOVE_BYTES]) -> Outcome {
        let step = Move::decode(bytes);
        let stranger = Reply {
            player: step.player,
            sequence: step.sequence,
            ..Reply::default()
        };
        let Some(index) = self.index(step.player) else {
            return Outcome {
                code: Code::UnknownPlayer,
                reply: Some(stranger),
            };
        };
        if !self.has_signed(index, bytes) {
            return Outcome {
                code: Code::BadTag,
                reply: Some(stranger),
            };
        }
        let player = &mut self.players[index as usize];
        let (code, is_duplicate) = player.judge(&step, &self.map, self.max_speed_cm_s);
        Outcome {
            code,
            reply: Some(player.reply(&step, is_duplicate)),
        }
    }

    /// The index of a player that there is.
    #[inline]
    pub(crate) fn index(&self, player: u64) -> Option<u32> {
        (player < self.players.len() as u64).then_some(player as u32)
    }

    /// Whether the key that the player signs with now has signed these bytes.
    #[inline]
    pub(crate) fn has_signed(&mut self, index: u32, bytes: &[u8; MOVE_BYTES]) -> bool {
        let player = &mut self.players[index as usize];
        if player.signs_as == UNKNOWN {
            player.key = self.secret.player_key(index.into());
            player.signs_as = ITSELF;
        }
        player.key.has_signed(bytes)
    }

    /// The player's own key, whatever it signs with now.
    pub(crate) fn own_key(&self, index: u32) -> PlayerKey {
        self.secret.player_key(index.into())
    }

    /// From now on the player signs with the key of a session; with its own where none is given.
    pub(crate) fn give_key(&mut self, index: u32, session_key: Option<PlayerKey>) {
        let player = &mut self.players[index as usize];
        player.signs_as = if session_key.is_some() {
            SESSION
        } else {
            UNKNOWN
        };
        player.key = session_key.unwrap_or(PlayerKey::zeroed());
    }

    /// A player that there is.
    #[inline]
    pub(crate) fn player(&mut self, index: u32) -> &mut Player {
        &mut self.players[index as usize]
    }

    /// Asks the cache for a player.
    #[inline]
    pub(crate) fn prefetch(&self, index: u32) {
        prefetch(&self.players, index as usize);
    }

    /// All players.
    pub(crate) fn players(&self) -> &[Player] {
        &self.players
    }

    /// Where a step leads, or why it cannot be; the player does not move yet.
    #[inline]
    pub(crate) fn arrive(&self, index: u32, step: &Move) -> Result<Point, Code> {
        self.players[index as usize].arrive(step, &self.map, self.max_speed_cm_s)
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
                self.stand(place, step.time_ms);
                Code::Accepted
            }
            Err(lie) => {
                self.strike();
                lie
            }
        };
        self.window.remember(step.sequence, code);
        (code, false)
    }

    /// The player is here now.
    #[inline]
    pub(crate) fn stand(&mut self, place: Point, time_ms: u32) {
        self.place = [place.x, place.y, place.z];
        (self.time_ms, self.is_placed) = (time_ms, true);
    }

    /// One lie more.
    pub(crate) fn strike(&mut self) {
        self.strikes = self.strikes.saturating_add(1);
    }

    /// Whether the player is in a session.
    #[inline]
    pub(crate) fn is_in_session(&self) -> bool {
        self.signs_as == SESSION
    }

    /// Where the player was last accepted.
    #[inline]
    pub(crate) fn place(&self) -> Option<Point> {
        let [x, y, z] = self.place;
        self.is_placed.then_some(Point { x, y, z })
    }

    /// What a host is told.
    #[inline]
    pub(crate) fn reply(&self, step: &Move, is_duplicate: bool) -> Reply {
        Reply {
            player: step.player,
            sequence: step.sequence,
            time_ms: self.time_ms,
            place: self.place(),
            strikes: self.strikes,
            is_duplicate,
        }
    }

    /// The place that the move leads to, or why it cannot be.
    #[inline]
    fn arrive(&self, step: &Move, map: &StreetMap, max_speed_cm_s: u32) -> Result<Point, Code> {
        let arc = map.arc(step.from, step.to).ok_or(Code::UnknownEdge)?;
        if step.offset_dm > arc.length_dm {
            return Err(Code::BadOffset);
        }
        let ends = map.point(step.from).zip(map.point(step.to));
        let (start, end) = ends.ok_or(Code::UnknownEdge)?;
        let place = place_on_arc(start, end, arc, step.offset_dm);
        if let Some(last) = self.place() {
            let elapsed = step.time_ms.checked_sub(self.time_ms);
            let elapsed_ms = elapsed.ok_or(Code::BadTime)?;
            if !is_reachable(&last, &place, elapsed_ms, max_speed_cm_s) {
                return Err(Code::TooFast);
            }
        }
        Ok(place)
    }
}

const _: () = assert!(size_of::<Player>() == 64);
