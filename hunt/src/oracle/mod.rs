//! The oracle: the rules a second time, slowly and plainly.
//!
//! ```text
//!   Oracle       bare moves: the table of crate::validate
//!   HuntOracle   all requests: replies byte for byte, events, statistics
//!     ├─ play, ask          what players do, what operators do and what is asked
//!     ├─ Paths              all distances along the streets, by relaxing until nothing changes
//!     ├─ PaperBoard         a vector that is sorted after each change
//!     └─ places             free places as a stack of numbers
//! ```
//!
//! Written from the tables and rulers and from nothing else: it shares the words ([`Code`], [`Reply`],
//! [`Point`], events) and the construction of the keys on paper, but no code that judges, searches, ranks
//! or encodes. Maps, vectors and wide integers instead of bit planes, indexes and trees. Where game and
//! oracle disagree, one of them is wrong, and a host that runs one knows at once.

mod ask;
mod board;
mod hunt;
mod paths;
mod places;
mod play;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::game::{GameOptions, Outcome};
use crate::map::{Point, StreetMap};
use crate::record::{Code, Reply};

pub use board::PaperBoard;
pub use hunt::{HuntOracle, Told};
pub use paths::Paths;

/// How many results a player's book may hold before those that are too old to matter are torn out.
const MOST_RESULTS: usize = 1_000;

/// Knows the right answer to each move of the players it is asked about.
pub struct Oracle {
    city: Arc<City>,
    players: u32,
    max_speed_cm_s: u32,
    secret: [u8; 32],
    known: HashMap<u64, Known>,
}

/// The streets, as a set of pairs. One can serve many oracles.
pub struct City {
    points: Vec<Point>,
    length_dm: HashMap<(u32, u32), u16>,
}

#[derive(Default)]
struct Known {
    key: Vec<u8>,
    results: BTreeMap<u32, Code>,
    last: Option<(Point, u32)>,
    strikes: u32,
}

impl City {
    /// Reads the streets out of a map.
    pub fn new(map: &StreetMap) -> Arc<City> {
        let mut city = City {
            points: Vec::new(),
            length_dm: HashMap::new(),
        };
        for from in 0..map.node_count() {
            city.points.extend(map.point(from));
            for arc in map.arcs_from(from) {
                city.length_dm.insert((from, arc.to), arc.length_dm);
            }
        }
        Arc::new(city)
    }
}

impl Oracle {
    /// An oracle for a game that was started with these options.
    pub fn new(city: Arc<City>, options: &GameOptions) -> Oracle {
        Oracle {
            city,
            players: options.players,
            max_speed_cm_s: options.max_speed_cm_s,
            secret: *options.secret.bytes(),
            known: HashMap::new(),
        }
    }

    /// The right answer to the next move of a stream. The players of different oracles must differ,
    /// and each oracle must see its players' moves in the order in which the game sees them.
    pub fn answer(&mut self, payload: &[u8]) -> Outcome {
        if payload.len() != 48 {
            return Outcome {
                code: Code::Malformed,
                reply: None,
            };
        }
        let player = u64::from_le_bytes(payload[0..8].try_into().unwrap_or_default());
        if player >= u64::from(self.players) {
            return Outcome {
                code: Code::UnknownPlayer,
                reply: Some(stranger(payload)),
            };
        }
        let key = || player_key(&self.secret, player);
        let known = self.known.entry(player).or_insert_with(|| Known {
            key: key(),
            ..Known::default()
        });
        known.answer(payload, &self.city, self.max_speed_cm_s)
    }
}

impl Known {
    /// The right answer to a bare move of this player, which has 48 bytes.
    fn answer(&mut self, payload: &[u8], city: &City, max_speed_cm_s: u32) -> Outcome {
        let stranger = stranger(payload);
        if !is_signed(payload, &self.key) {
            return Outcome {
                code: Code::BadTag,
                reply: Some(stranger),
            };
        }
        let is_duplicate = is_step(payload) && self.is_known(stranger.sequence);
        let code = self.code(payload, stranger.sequence, city, max_speed_cm_s);
        Outcome {
            code,
            reply: Some(Reply {
                is_duplicate,
                ..self.state(stranger)
            }),
        }
    }

    /// A reply to this player, with all that it may know of itself.
    fn state(&self, stranger: Reply) -> Reply {
        Reply {
            time_ms: self.last.map_or(0, |(_, time)| time),
            place: self.last.map(|(place, _)| place),
            strikes: self.strikes.min(65_535) as u16,
            ..stranger
        }
    }

    fn highest(&self) -> u32 {
        self.results.keys().next_back().copied().unwrap_or(0)
    }

    fn is_too_old(&self, sequence: u32) -> bool {
        i64::from(self.highest()) - i64::from(sequence) > 63
    }

    fn is_known(&self, sequence: u32) -> bool {
        !self.is_too_old(sequence) && self.results.contains_key(&sequence)
    }

    fn remember(&mut self, sequence: u32, code: Code) {
        self.results.insert(sequence, code);
        if self.results.len() > MOST_RESULTS {
            let oldest = self.highest().saturating_sub(63);
            self.results = self.results.split_off(&oldest);
        }
    }
    fn code(&mut self, payload: &[u8], sequence: u32, city: &City, max_speed_cm_s: u32) -> Code {
        if !is_step(payload) {
            return Code::Malformed;
        }
        if self.is_too_old(sequence) {
            return Code::TooOld;
        }
        if let Some(first) = self.results.get(&sequence) {
            return *first;
        }
        let code = self.walk(payload, city, max_speed_cm_s);
        self.strikes += u32::from(code != Code::Accepted);
        self.remember(sequence, code);
        code
    }

    fn walk(&mut self, payload: &[u8], city: &City, max_speed_cm_s: u32) -> Code {
        let (time, from, to) = (word(payload, 12), word(payload, 16), word(payload, 20));
        let offset = u16::from_le_bytes([payload[24], payload[25]]);
        let Some(&length) = city.length_dm.get(&(from, to)) else {
            return Code::UnknownEdge;
        };
        if offset > length {
            return Code::BadOffset;
        }
        let place = place(
            city.points[from as usize],
            city.points[to as usize],
            offset,
            length,
        );
        if let Some((last_place, last_time)) = self.last {
            if time < last_time {
                return Code::BadTime;
            }
            // 1000 d is the root of a whole number; rounded up, it compares like the root itself.
            let reach = u128::from(max_speed_cm_s) * u128::from(time - last_time);
            if root_rounded_up(distance_squared(last_place, place) * 1_000_000) > reach {
                return Code::TooFast;
            }
        }
        self.last = Some((place, time));
        Code::Accepted
    }
}

/// The reply to somebody who has not proved to be a player.
fn stranger(payload: &[u8]) -> Reply {
    Reply {
        player: u64::from_le_bytes(payload[0..8].try_into().unwrap_or_default()),
        sequence: word(payload, 8),
        ..Reply::default()
    }
}

fn is_signed(payload: &[u8], key: &[u8]) -> bool {
    Sha256::digest([key, &payload[..32]].concat())[..16] == payload[32..]
}

fn player_key(secret: &[u8; 32], player: u64) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update("ironhoard player key");
    hash.update(secret);
    hash.update(player.to_le_bytes());
    hash.finalize()[..16].to_vec()
}

fn is_step(payload: &[u8]) -> bool {
    payload[26] == 0 && payload[27] == 0
}

fn word(payload: &[u8], at: usize) -> u32 {
    payload[at..at + 4]
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u32::from(byte))
}

fn place(start: Point, end: Point, offset: u16, length: u16) -> Point {
    let along = |start: i32, end: i32| {
        let (way, offset, length) = (
            i128::from(end) - i128::from(start),
            i128::from(offset),
            i128::from(length),
        );
        let whole = (way.abs() * offset).div_euclid(length);
        (i128::from(start) + way.signum() * whole) as i32
    };
    Point {
        x: along(start.x, end.x),
        y: along(start.y, end.y),
        z: along(start.z, end.z),
    }
}

fn distance_squared(a: Point, b: Point) -> u128 {
    let sides = [(a.x, b.x), (a.y, b.y), (a.z, b.z)];
    sides
        .iter()
        .map(|&(a, b)| u128::from(a.abs_diff(b)).pow(2))
        .sum()
}

fn root_rounded_up(square: u128) -> u128 {
    let root = square.isqrt();
    if root * root == square {
        root
    } else {
        root + 1
    }
}
