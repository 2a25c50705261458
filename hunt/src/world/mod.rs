//! The hunt: all state of a game world, and requests applied to it.
//!
//! ```text
//!              ┌ kind 1 ─▶ game ──────────────────────────────────────┐
//!   request ───┤ play ───▶ tag ▸ sequence ▸ street, speed             │
//!   + clock    │             ▸ crowd, treasures ▸ boards ▸ events     ├─▶ code and answer
//!              │ operate ▶ tag ▸ sequence ▸ boards, treasures, events │
//!              └ ask ────▶ boards, areas, statistics (change nothing) ┘
//! ```
//!
//! Everything is taken at start and nothing allocates afterwards. The clock is an input: the same
//! requests at the same times give the same answers, events and [`Hunt::state_hash`], on any machine.

mod ask;
mod hash;
mod operate;
mod options;
mod play;

use std::sync::Arc;

use crate::board::Board;
use crate::event::EventList;
use crate::game::Game;
use crate::map::StreetMap;
use crate::near::crowd::Crowd;
use crate::near::treasures::Treasures;
use crate::record::{Code, Move, Reply, KIND_MOVE, MOVE_BYTES};
use crate::request::{
    Found, KIND_AREA, KIND_BOARD, KIND_OPERATE, KIND_PLAY, KIND_STATISTICS, LARGEST_REPLY_BYTES,
};
use crate::session::{Sessions, TICK_SECONDS};
use crate::settling::Settling;
use crate::statistics::{Statistics, Stopwatch};
use crate::tag::PlayerKey;
use crate::validate::SequenceWindow;

pub use ask::Answer;
pub use options::{BudgetLine, HuntError, HuntOptions};

/// How many operators there are; they are numbered from 0.
pub const OPERATORS: u16 = 16;

/// A game world.
///
/// ```
/// use std::sync::Arc;
/// use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
/// use ironhoard_hunt::map::{generate, GenerateOptions};
/// use ironhoard_hunt::record::Code;
/// use ironhoard_hunt::request::{BoardQuery, BoardView, KIND_BOARD};
/// use ironhoard_hunt::tag::WorldSecret;
/// use ironhoard_hunt::world::{Hunt, HuntOptions};
///
/// let map = Arc::new(generate(&GenerateOptions::city(500, 1), &mut |_, _| {}).unwrap());
/// let secret = WorldSecret::from_seed(1);
/// let game = GameOptions { players: 10, max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S, secret };
/// let options = HuntOptions { treasures: 50, scattered: 50, ..HuntOptions::new(game) };
/// let mut hunt = Hunt::new(map, &options).unwrap();
/// let query = BoardQuery { board: 0, view: BoardView::Top, start: 0, player: 0, count: 10 };
/// let (code, answer) = hunt.answer(0, KIND_BOARD, &query.encode(), 1024);
/// assert_eq!((code, answer.bytes()), (Code::Accepted, 32));
/// ```
pub struct Hunt {
    map: Arc<StreetMap>,
    game: Game,
    sessions: Sessions,
    crowd: Crowd,
    treasures: Treasures,
    boards: Vec<Board>,
    operators: [Operator; OPERATORS as usize],
    events: EventList,
    named: Vec<Found>,
    rules: Rules,
    now_ns: u64,
    random: u64,
    watch: Stopwatch,
    counts: Statistics,
}

/// What the rules read of the options.
#[derive(Clone, Copy)]
struct Rules {
    arm_dm: u32,
    sight_cm: u32,
    idle_ticks: u16,
}

#[derive(Clone, Copy)]
struct Operator {
    key: PlayerKey,
    window: SequenceWindow,
}

impl Hunt {
    /// Starts a hunt: takes all memory that it will ever use, and lays the scattered treasures. Most of the
    /// memory's pages come later: see [`Hunt::settling`].
    ///
    /// # Errors
    /// [`HuntError`] where a number is not possible or the memory cannot be had.
    pub fn new(map: Arc<StreetMap>, options: &HuntOptions) -> Result<Hunt, HuntError> {
        options.check()?;
        let players = options.game.players;
        let no_memory = |what| move |source| HuntError::NoMemory { what, source };
        let board = |_| Board::new(options.board_entries, players);
        let operator = |number| Operator {
            key: options.game.secret.operator_key(number as u16),
            window: SequenceWindow::default(),
        };
        let mut hunt = Hunt {
            game: Game::new(map.clone(), &options.game)?,
            sessions: Sessions::new(options.sessions, players).map_err(no_memory("sessions"))?,
            crowd: Crowd::new(&map, players).map_err(no_memory("players' places"))?,
            treasures: Treasures::new(&map, options.treasures, options.reach_dm)
                .map_err(no_memory("treasures"))?,
            boards: (0..options.boards).map(board).collect::<Result<_, _>>()?,
            operators: std::array::from_fn(operator),
            events: EventList::default(),
            named: Vec::with_capacity(ask::MOST_ENTRIES),
            rules: Rules {
                arm_dm: options.arm_dm,
                sight_cm: options.sight_cm,
                idle_ticks: (u64::from(options.idle_seconds) / TICK_SECONDS).min(30_000) as u16,
            },
            now_ns: 0,
            random: options.seed,
            watch: Stopwatch::default(),
            counts: Statistics::default(),
            map,
        };
        for _ in 0..options.scattered {
            hunt.scatter(options.treasure_value);
        }
        hunt.counts.sessions_budget = options.sessions.into();
        hunt.counts.treasures_budget = options.treasures.into();
        hunt.counts.board_budget = options.board_entries.into();
        hunt.counts.bytes = options
            .budget(&hunt.map)
            .iter()
            .map(|line| line.bytes)
            .sum();
        Ok(hunt)
    }

    /// Answers a request: `kind` and payload as they came, the engine's clock in nanoseconds, and the
    /// most bytes that the reply can carry. What it brought about besides is in [`Hunt::events`].
    #[inline]
    pub fn answer(
        &mut self,
        now_ns: u64,
        kind: u16,
        payload: &[u8],
        limit: usize,
    ) -> (Code, Answer<'_>) {
        self.events.clear();
        self.counts.requests += 1;
        self.hear(now_ns);
        let limit = limit.min(LARGEST_REPLY_BYTES);
        let whole: Result<&[u8; MOVE_BYTES], _> = payload.try_into();
        let (code, answer) = match (kind, whole) {
            (KIND_PLAY, Ok(bytes)) => {
                let (code, reply) = self.play(bytes);
                (code, Answer::Play(reply))
            }
            (KIND_MOVE, Ok(bytes)) => {
                let (code, reply) = self.bare_move(bytes);
                (code, Answer::Move(reply))
            }
            (KIND_OPERATE, Ok(bytes)) => self.operate(bytes),
            (KIND_BOARD, _) => ask::board(&self.boards, &self.game, payload, limit),
            (KIND_AREA, _) => ask::area(
                &mut self.treasures,
                &mut self.named,
                &self.map,
                payload,
                limit,
            ),
            (KIND_STATISTICS, _) if payload.is_empty() => {
                (Code::Accepted, Answer::Statistics(self.statistics()))
            }
            _ => (Code::Malformed, Answer::Nothing),
        };
        self.counts.codes[code as usize] += 1;
        self.counts.events += self.events.all().len() as u64;
        (code, answer)
    }

    /// What the last request brought about.
    pub fn events(&self) -> &EventList {
        &self.events
    }

    /// What is left to do for its memory, to be [started](Settling::start_after) when hosts have had their
    /// first replies. In the order in which moves need it.
    pub fn settling(&self) -> Settling {
        let mut settling = Settling::of_map(Arc::downgrade(&self.map));
        self.game.enlist(&mut settling);
        self.crowd.enlist(&mut settling);
        self.sessions.enlist(&mut settling);
        for board in &self.boards {
            board.enlist(&mut settling);
        }
        self.treasures.enlist(&mut settling);
        settling
    }

    /// The map that the hunt is played on.
    pub fn map(&self) -> &Arc<StreetMap> {
        &self.map
    }

    /// What was counted so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            sessions: self.sessions.live().into(),
            sessions_evicted: self.sessions.evicted(),
            treasures: self.treasures.live().into(),
            treasures_alone: self.treasures.alone().into(),
            board_entries: self.boards[0].len().into(),
            events_dropped: self.events.dropped,
            samples: self.watch.samples,
            stages: self.watch.stages,
            ..self.counts
        }
    }

    /// A bare move: judged by the rules of the game, and the crowd follows.
    fn bare_move(&mut self, bytes: &[u8; MOVE_BYTES]) -> (Code, Reply) {
        let step = Move::decode(bytes);
        let outcome = self.game.apply_move(bytes);
        let reply = outcome.reply.unwrap_or_default();
        if let (Code::Accepted, false, Some(place)) =
            (outcome.code, reply.is_duplicate, reply.place)
        {
            let tick = self.tick();
            self.crowd
                .arrive(step.player as u32, place, play::spot(&step), tick);
        }
        (outcome.code, reply)
    }

    /// The clock of this request; one that went back stands still.
    fn hear(&mut self, now_ns: u64) {
        if now_ns < self.now_ns {
            self.counts.clock_went_back += 1;
        } else {
            self.now_ns = now_ns;
        }
    }

    /// The time in the units that sessions age by.
    fn tick(&self) -> u16 {
        (self.now_ns / (TICK_SECONDS * 1_000_000_000)) as u16
    }

    /// Lays a treasure somewhere.
    fn scatter(&mut self, value: i64) {
        let node = self.draw(self.map.node_count());
        // Full is impossible here: at start the budget was checked, and later one was just taken.
        let _ = self.treasures.lay(&self.map, node, value);
    }

    /// A number below `bound`, by SplitMix64.
    fn draw(&mut self, bound: u32) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        ((u128::from(word) * u128::from(bound)) >> 64) as u32
    }
}
