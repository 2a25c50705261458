//! A crew that plays a hunt: all kinds of requests, most of them sensible, many of them lies.
//!
//! ```text
//!   draw ──▶ crew ──▶ kind, payload ──▶ hunt, or an engine ──▶ reply
//!             ▲                                                  │
//!             └── sessions, treasures, places ◀── hear ──────────┘
//! ```
//!
//! What it sends depends on the draws and on what it heard, and on nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use ironhoard_hunt::map::StreetMap;
use ironhoard_hunt::record::{Code, Move, KIND_MOVE};
use ironhoard_hunt::request::{
    AreaQuery, BoardQuery, BoardView, Operate, OperateVerb, KIND_AREA, KIND_BOARD, KIND_OPERATE,
    KIND_PLAY, KIND_STATISTICS,
};
use ironhoard_hunt::tag::PlayerKey;
use ironhoard_hunt::world::HuntOptions;
use rand::RngExt;
use rand_pcg::Pcg64;

/// How many requests are remembered, to be sent again.
const MEMORY: usize = 80;
/// How many treasures are remembered.
const MOST_TREASURES: usize = 12;

/// A request: its kind and its payload.
pub type Asked = (u16, Vec<u8>);

/// Players and operators, and what they know.
pub struct Crew {
    map: Arc<StreetMap>,
    options: HuntOptions,
    players: Vec<Player>,
    operator_sequences: [u32; 4],
    treasures: VecDeque<u32>,
    sent: VecDeque<Asked>,
    /// Milliseconds between two moves: enough to get anywhere on a small map.
    pace_ms: u32,
}

#[derive(Clone, Default)]
struct Player {
    session: Option<u64>,
    sequence: u32,
    time_ms: u32,
    node: u32,
    /// A treasure that was in reach.
    near: Option<u32>,
}

impl Crew {
    /// A crew for a hunt that is started with these options.
    pub fn new(map: Arc<StreetMap>, options: &HuntOptions, first_sequence: u32) -> Crew {
        let players = (0..options.game.players).map(|player| Player {
            sequence: first_sequence,
            node: player % map.node_count(),
            ..Player::default()
        });
        Crew {
            players: players.collect(),
            operator_sequences: [first_sequence; 4],
            treasures: VecDeque::new(),
            sent: VecDeque::new(),
            pace_ms: 60_000_000 / options.game.max_speed_cm_s.clamp(6_000, 60_000_000),
            options: options.clone(),
            map,
        }
    }

    /// The next request.
    pub fn ask(&mut self, random: &mut Pcg64) -> Asked {
        let asked = match random.random_range(0..100) {
            0..58 => self.play(random),
            58..64 => self.bare_move(random),
            64..74 => self.attend(random),
            74..82 => self.operate(random),
            82..88 => self.board(random),
            88..92 => self.area(random),
            92..93 => (KIND_STATISTICS, Vec::new()),
            93..97 => self.again(random),
            _ => nonsense(random),
        };
        if self.sent.len() == MEMORY {
            self.sent.pop_front();
        }
        self.sent.push_back(asked.clone());
        asked
    }

    /// Takes note of the answer to a request.
    pub fn hear(&mut self, (kind, payload): &Asked, code: Code, reply: &[u8]) {
        match *kind {
            KIND_PLAY if payload.len() == 48 && reply.len() >= 48 => {
                self.hear_play(payload, code, reply);
            }
            KIND_OPERATE if code == Code::Accepted && payload[2] == 6 => {
                self.learn(word(reply, 12));
            }
            KIND_AREA if reply.len() > 8 => self.learn(word(reply, 8)),
            _ => {}
        }
    }

    fn hear_play(&mut self, payload: &[u8], code: Code, reply: &[u8]) {
        let own_words = payload.try_into().is_ok_and(|bytes| {
            let number = u64::from(word(payload, 0));
            self.key(number, payload[26] != 16).has_signed(bytes)
        });
        let Some(player) = self.players.get_mut(word(payload, 0) as usize) else {
            return;
        };
        let mut lists = 48;
        if reply[30] & 16 != 0 {
            let session = u64::from(word(reply, 52)) << 32 | u64::from(word(reply, 48));
            player.session = (session != 0).then_some(session);
            lists = 64;
        } else if code == Code::BadTag && own_words {
            // Another took the place: the player's own key is the right one again.
            player.session = None;
        } else if code == Code::Accepted && reply[30] & 1 == 0 {
            player.node = word(payload, 20);
        }
        if reply[31] & 15 > 0 {
            player.near = Some(word(reply, lists));
            self.learn(word(reply, lists));
        }
    }

    fn learn(&mut self, treasure: u32) {
        if self.treasures.len() == MOST_TREASURES {
            self.treasures.pop_front();
        }
        self.treasures.push_back(treasure);
    }

    /// A step, and often a claim.
    fn play(&mut self, random: &mut Pcg64) -> Asked {
        let mut step = self.step(random);
        let near = self.players.get(step.player as usize);
        if let Some(near) = near.and_then(|player| player.near) {
            (step.kind, step.treasure) = match random.random_range(0..6) {
                0 => (step.kind, step.treasure),
                1 => (1, step.treasure),
                2..4 => (1, near),
                _ => (step.kind, near),
            };
        }
        let key = self.key(step.player, true);
        (KIND_PLAY, sign(step.encode(), key, random))
    }

    fn bare_move(&mut self, random: &mut Pcg64) -> Asked {
        let step = self.step(random);
        let key = self.key(step.player, true);
        (KIND_MOVE, sign(step.encode(), key, random))
    }

    /// A step that can be, or one with a single thing wrong.
    fn step(&mut self, random: &mut Pcg64) -> Move {
        let index = random.random_range(0..self.players.len());
        let treasure = self.treasure(random);
        let strangers = self.players.len() as u64;
        let player = &mut self.players[index];
        player.sequence = player.sequence.saturating_add(1);
        player.time_ms = player.time_ms.saturating_add(self.pace_ms);
        let arcs = self.map.arcs_from(player.node);
        let arc = arcs[random.random_range(0..arcs.len())];
        let mut step = Move {
            player: index as u64,
            sequence: player.sequence,
            time_ms: player.time_ms,
            from: player.node,
            to: arc.to,
            offset_dm: random.random_range(0..=arc.length_dm),
            kind: 0,
            flags: 0,
            treasure,
            tag: [0; 16],
        };
        match random.random_range(0..60) {
            0 => step.player = random.random(),
            1 => step.player = strangers,
            2 => step.to = random.random_range(0..self.map.node_count() + 1),
            3 => step.from = random.random(),
            4 => step.offset_dm = arc.length_dm.saturating_add(1),
            5 => step.time_ms = step.time_ms.saturating_sub(random.random_range(0..500_000)),
            10 => step.time_ms = step.time_ms.saturating_sub(self.pace_ms),
            6 => step.sequence = step.sequence.saturating_sub(random.random_range(1..130)),
            7 => step.kind = random.random(),
            8 => step.flags = 1 << random.random_range(0..8),
            9 => {
                let ahead = random.random_range(1..130);
                player.sequence = player.sequence.saturating_add(ahead);
                step.sequence = player.sequence;
            }
            _ => {}
        }
        step
    }

    /// A treasure that was heard of; now and then one that there is not.
    fn treasure(&self, random: &mut Pcg64) -> u32 {
        let heard = self.treasures.len();
        match heard > 0 && random.random_ratio(19, 20) {
            true => self.treasures[random.random_range(0..heard)],
            false => random.random(),
        }
    }

    /// A join; or a leave or resume of the session that there is, or of another.
    fn attend(&mut self, random: &mut Pcg64) -> Asked {
        let index = random.random_range(0..self.players.len());
        let verb = [16, 16, 16, 16, 17, 17, 17, 18][random.random_range(0..8)];
        let player = &mut self.players[index];
        player.sequence = player.sequence.saturating_add(1);
        let mut session = player.session.unwrap_or(1 << 32);
        if random.random_ratio(1, 10) {
            session = session.wrapping_add(1 << 32);
        }
        let step = Move {
            player: index as u64,
            sequence: player.sequence,
            time_ms: 0,
            from: session as u32,
            to: (session >> 32) as u32,
            offset_dm: 0,
            kind: verb,
            flags: 0,
            treasure: 0,
            tag: [0; 16],
        };
        let key = self.key(index as u64, verb != 16);
        (KIND_PLAY, sign(step.encode(), key, random))
    }

    fn key(&self, player: u64, in_session: bool) -> PlayerKey {
        let own = self.options.game.secret.player_key(player);
        let known = self.players.get(player as usize);
        match known.and_then(|player| player.session) {
            Some(session) if in_session => own.session_key(session),
            _ => own,
        }
    }

    fn operate(&mut self, random: &mut Pcg64) -> Asked {
        use OperateVerb::{
            BestScore, DecrementScore, IncrementScore, LayTreasure, LiftTreasure, RemoveScore,
            ResetBoard, SetScore,
        };
        let verbs = [
            SetScore,
            SetScore,
            BestScore,
            BestScore,
            IncrementScore,
            IncrementScore,
            IncrementScore,
            DecrementScore,
            DecrementScore,
            RemoveScore,
            ResetBoard,
            LayTreasure,
            LayTreasure,
            LayTreasure,
            LayTreasure,
            LiftTreasure,
        ];
        let operator = random.random_range(0..4_usize);
        let sequence = &mut self.operator_sequences[operator];
        *sequence = sequence.saturating_add(1);
        let verb = verbs[random.random_range(0..verbs.len())];
        let subjects = match verb {
            LayTreasure => self.map.node_count(),
            _ => self.options.game.players,
        };
        let mut request = Operate {
            operator: operator as u16,
            verb,
            board: random.random_range(0..self.options.boards),
            sequence: *sequence,
            treasure: self.treasure(random),
            subject: random.random_range(0..subjects).into(),
            value: random.random_range(-20..200),
        };
        match random.random_range(0..30) {
            0 => request.subject = random.random(),
            1 => request.subject = subjects.into(),
            2 => request.board = self.options.boards,
            3 => request.operator = 16,
            4 => request.sequence = request.sequence.saturating_sub(random.random_range(1..100)),
            5 => request.value = i64::MAX,
            6 => request.value = i64::MIN,
            _ => {}
        }
        let key = self.options.game.secret.operator_key(request.operator);
        let mut bytes = request.encode();
        if random.random_ratio(1, 40) {
            bytes[random.random_range(2..8)] = random.random();
        }
        (KIND_OPERATE, sign(bytes, key, random))
    }

    fn board(&self, random: &mut Pcg64) -> Asked {
        let views = [
            BoardView::Info,
            BoardView::Top,
            BoardView::Page,
            BoardView::Before,
            BoardView::Around,
            BoardView::Rank,
        ];
        let boards = self.options.boards + u16::from(random.random_ratio(1, 9));
        let query = BoardQuery {
            board: random.random_range(0..boards),
            view: views[random.random_range(0..views.len())],
            start: match random.random_ratio(1, 9) {
                true => random.random(),
                false => random.random_range(0..self.options.game.players + 3),
            },
            player: random.random_range(0..u64::from(self.options.game.players) + 1),
            count: match random.random_ratio(1, 5) {
                true => random.random(),
                false => random.random_range(0..9),
            },
        };
        (KIND_BOARD, query.encode().to_vec())
    }

    fn area(&self, random: &mut Pcg64) -> Asked {
        let query = AreaQuery {
            node: random.random_range(0..self.map.node_count() + 1),
            reach_dm: match random.random_ratio(1, 9) {
                true => random.random(),
                false => random.random_range(0..6_000),
            },
            count: random.random_range(0..200),
        };
        (KIND_AREA, query.encode().to_vec())
    }

    /// A request that was sent before, as it was or with a byte changed, or cut.
    fn again(&self, random: &mut Pcg64) -> Asked {
        if self.sent.is_empty() {
            return nonsense(random);
        }
        let (kind, mut payload) = self.sent[random.random_range(0..self.sent.len())].clone();
        match random.random_range(0..6) {
            0 if !payload.is_empty() => {
                let at = random.random_range(0..payload.len());
                payload[at] ^= 1 << random.random_range(0..8);
            }
            1 if !payload.is_empty() => payload.truncate(random.random_range(0..payload.len())),
            _ => {}
        }
        (kind, payload)
    }
}

/// The signed bytes; one in forty is signed wrongly.
fn sign(mut bytes: [u8; 48], key: PlayerKey, random: &mut Pcg64) -> Vec<u8> {
    key.sign(&mut bytes);
    if random.random_ratio(1, 40) {
        bytes[random.random_range(32..48)] ^= 1;
    }
    bytes.to_vec()
}

/// Any bytes of any kind.
fn nonsense(random: &mut Pcg64) -> Asked {
    let length = match random.random_ratio(1, 2) {
        true => [0, 16, 24, 48][random.random_range(0..4)],
        false => random.random_range(0..=48),
    };
    let payload = (0..length).map(|_| random.random()).collect();
    (random.random_range(0..9), payload)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
