//! The whole hunt on paper: every request's reply byte for byte, its events, and what was counted.
//!
//! For small worlds: it knows all distances, looks at all players and sorts whole boards. Two of the
//! hunt's shortcuts it does not take, so keep away from them: a hunt looks at no more than sixteen
//! players of a neighbourhood, and refuses searches of thousands of nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::board::PaperBoard;
use super::paths::Paths;
use super::places::Places;
use super::{player_key, City, Known};
use crate::event::Event;
use crate::map::StreetMap;
use crate::near::treasures::Spot;
use crate::record::Code;
use crate::statistics::Statistics;
use crate::world::{HuntOptions, OPERATORS};

/// The most bytes of a reply.
const MOST_BYTES: usize = 1_024;

/// The right answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The reply's code.
    pub code: Code,
    /// The reply's payload. Of a request for statistics, times and memory are zero: see
    /// [`HuntOracle::without_times`].
    pub reply: Vec<u8>,
    /// What everybody is told besides.
    pub events: Vec<Event>,
}

/// Knows the right answer to each request of a hunt that sees the same requests in the same order.
///
/// ```
/// use std::sync::Arc;
/// use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
/// use ironhoard_hunt::map::{generate, GenerateOptions};
/// use ironhoard_hunt::oracle::HuntOracle;
/// use ironhoard_hunt::tag::WorldSecret;
/// use ironhoard_hunt::world::{Hunt, HuntOptions};
///
/// let map = Arc::new(generate(&GenerateOptions::city(30, 1), &mut |_, _| {}).unwrap());
/// let secret = WorldSecret::from_seed(1);
/// let game = GameOptions { players: 10, max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S, secret };
/// let options = HuntOptions { treasures: 5, scattered: 5, ..HuntOptions::new(game) };
/// let mut hunt = Hunt::new(map.clone(), &options).unwrap();
/// let mut oracle = HuntOracle::new(map, &options);
/// let area = [0_u8; 16];
/// let (code, answer) = hunt.answer(0, 6, &area, 512);
/// let mut bytes = vec![0; answer.bytes()];
/// answer.encode_into(&mut bytes);
/// let told = oracle.answer(0, 6, &area, 512);
/// assert_eq!((told.code, told.reply), (code, bytes));
/// ```
pub struct HuntOracle {
    pub(super) map: Arc<StreetMap>,
    pub(super) city: Arc<City>,
    pub(super) paths: Paths,
    pub(super) options: HuntOptions,
    pub(super) people: Vec<Person>,
    /// The player of each session.
    pub(super) sessions: Places<u32>,
    /// Where the search for somebody asleep goes on.
    pub(super) hand: u32,
    pub(super) treasures: Places<Treasure>,
    pub(super) laid: u64,
    pub(super) boards: Vec<PaperBoard>,
    /// The sequences that each operator has used.
    pub(super) operators: Vec<BTreeSet<u32>>,
    pub(super) events: Vec<Event>,
    pub(super) now_ns: u64,
    random: u64,
    pub(super) counts: Statistics,
}

/// A player.
pub(super) struct Person {
    pub known: Known,
    pub session: Option<u64>,
    /// Where the player is seen by others.
    pub spot: Option<Spot>,
    /// When it was last heard of, in units of sixteen seconds.
    pub seen: u64,
}

/// A treasure that lies about.
pub(super) struct Treasure {
    pub node: u32,
    pub value: i64,
    /// Which one it is, of all that were ever laid.
    pub laid: u64,
}

impl HuntOracle {
    /// An oracle for a hunt that was started with these options.
    pub fn new(map: Arc<StreetMap>, options: &HuntOptions) -> HuntOracle {
        let secret = options.game.secret.bytes();
        let person = |player: u32| Person {
            known: Known {
                key: player_key(secret, player.into()),
                ..Known::default()
            },
            session: None,
            spot: None,
            seen: 0,
        };
        let mut oracle = HuntOracle {
            city: City::new(&map),
            paths: Paths::new(&map),
            people: (0..options.game.players).map(person).collect(),
            sessions: Places::new(options.sessions),
            hand: 0,
            treasures: Places::new(options.treasures),
            laid: 0,
            boards: vec![PaperBoard::of(options.board_entries as usize); options.boards.into()],
            operators: vec![BTreeSet::new(); OPERATORS.into()],
            events: Vec::new(),
            now_ns: 0,
            random: options.seed,
            counts: Statistics::default(),
            options: options.clone(),
            map,
        };
        for _ in 0..options.scattered {
            oracle.scatter(options.treasure_value);
        }
        oracle
    }

    /// The right answer to the next request.
    pub fn answer(&mut self, now_ns: u64, kind: u16, payload: &[u8], limit: usize) -> Told {
        self.events.clear();
        self.counts.requests += 1;
        self.counts.clock_went_back += u64::from(now_ns < self.now_ns);
        self.now_ns = self.now_ns.max(now_ns);
        let limit = limit.min(MOST_BYTES);
        let (code, reply) = match (kind, payload.len()) {
            (1, 48) => self.bare_move(payload),
            (2, 48) => self.play(payload),
            (3, 24) => self.ask_board(payload, limit),
            (4, 48) => self.operate(payload),
            (5, 0) => (Code::Accepted, words(&self.statistics())),
            (6, 16) => self.ask_area(payload, limit),
            _ => (Code::Malformed, Vec::new()),
        };
        self.counts.codes[usize::from(code.number())] += 1;
        self.counts.events += self.events.len() as u64;
        Told {
            code,
            reply,
            events: self.events.clone(),
        }
    }

    /// What was counted so far; times and memory, which no paper knows, are zero.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            sessions: self.sessions.all().count() as u64,
            sessions_budget: self.sessions.budget().into(),
            treasures: self.treasures.all().count() as u64,
            treasures_budget: self.treasures.budget().into(),
            board_entries: self.boards[0].len() as u64,
            board_budget: self.options.board_entries.into(),
            ..self.counts
        }
    }

    /// A reply as it is when what no paper knows is taken out of it: of statistics, the times, the memory,
    /// and how many treasures the index had no room for.
    pub fn without_times(kind: u16, reply: Vec<u8>) -> Vec<u8> {
        match Statistics::decode(&reply).filter(|_| kind == 5) {
            None => reply,
            Some(statistics) => words(&Statistics {
                treasures_alone: 0,
                bytes: 0,
                samples: 0,
                stages: Default::default(),
                ..statistics
            }),
        }
    }

    /// A bare move, after which the player is seen where it is.
    fn bare_move(&mut self, payload: &[u8]) -> (Code, Vec<u8>) {
        let stranger = super::stranger(payload);
        let tick = self.tick();
        let Some(person) = self.people.get_mut(stranger.player as usize) else {
            return (Code::UnknownPlayer, stranger.encode().to_vec());
        };
        let max_speed = self.options.game.max_speed_cm_s;
        let outcome = person.known.answer(payload, &self.city, max_speed);
        let reply = outcome.reply.unwrap_or_default();
        if outcome.code == Code::Accepted && !reply.is_duplicate {
            (person.spot, person.seen) = (Some(spot(payload)), tick);
        }
        (outcome.code, reply.encode().to_vec())
    }

    /// The clock in units of sixteen seconds.
    pub(super) fn tick(&self) -> u64 {
        self.now_ns / 16_000_000_000
    }

    /// Lays a treasure; returns its number.
    pub(super) fn lay(&mut self, node: u32, value: i64) -> Option<u32> {
        self.laid += 1;
        let laid = self.laid;
        let (at, uses) = self.treasures.take(Treasure { node, value, laid })?;
        Some(number(at, uses))
    }

    /// The place of a treasure that is there.
    pub(super) fn find(&self, treasure: u32) -> Option<u32> {
        let mut all = self.treasures.all();
        all.find_map(|(at, uses, _)| (number(at, uses) == treasure).then_some(at))
    }

    /// All treasures: number and node.
    pub(super) fn lying(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let told = |(at, uses, treasure): (u32, u32, &Treasure)| (number(at, uses), treasure.node);
        self.treasures.all().map(told)
    }

    /// Lays a treasure at a node that is drawn, by SplitMix64 and a multiplication.
    pub(super) fn scatter(&mut self, value: i64) {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let nodes = u128::from(self.map.node_count());
        self.lay((u128::from(word) * nodes / (1 << 64)) as u32, value);
    }
}

/// The number of a treasure: its place in the lower 24 bits, how often that was used above.
fn number(at: u32, uses: u32) -> u32 {
    (uses % 256) * (1 << 24) + at
}

/// Where a move says that its player is.
pub(super) fn spot(payload: &[u8]) -> Spot {
    Spot {
        from: super::word(payload, 16),
        to: super::word(payload, 20),
        offset_dm: u16::from_le_bytes([payload[24], payload[25]]),
    }
}

fn words(statistics: &Statistics) -> Vec<u8> {
    let mut bytes = [0; crate::statistics::STATISTICS_BYTES];
    statistics.encode_into(&mut bytes);
    bytes.to_vec()
}
