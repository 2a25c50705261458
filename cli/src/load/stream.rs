//! What is sent: moves with the moments at which they are due and their right answers, lane by lane.
//!
//! ```text
//!  walkers ─▶ move ─▶ held back? ── yes ─▶ sent behind the player's next move
//!                         └ no ──▶ lane (player mod lanes) ─▶ oracle: the right answer
//! ```
//!
//! A player keeps its lane, so its moves reach the engine in the order in which the oracle judged them,
//! whatever the other lanes do. Everything is computed before the clock starts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ironhoard_hunt::game::{GameOptions, Outcome, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{Point, StreetMap};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{Code, KIND_MOVE, MOVE_BYTES, MOVE_TAG};
use ironhoard_hunt::request::KIND_PLAY;
use ironhoard_hunt::tag::{PlayerKey, WorldSecret};
use ironhoard_hunt::walk::{BadRates, Behaviour, HotSpotOptions, Step, WalkOptions, Walkers};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use crate::demo::load::{words, Answer, MOVE_WORDS};
use crate::demo::DemoError;

use super::args::Traffic;

/// Name under which moves that were overtaken are counted.
const REORDERED: &str = "reordered";

/// All that goes through one lane.
#[derive(Default)]
pub struct LanePlan {
    /// The moves, as they lie in a record.
    pub moves: Vec<[u64; MOVE_WORDS]>,
    /// When each is due, in nanoseconds from the start.
    pub due_ns: Vec<u64>,
    /// What must come back.
    pub answers: Vec<Answer>,
    /// The player's score after each move, if the reply must hold one; empty for bare moves.
    pub scores: Vec<Option<i64>>,
}

/// All that is sent.
pub struct Plan {
    /// By lane.
    pub lanes: Vec<LanePlan>,
    /// Moves by what their walkers meant by them.
    pub behaviours: BTreeMap<String, u64>,
    /// Kind of all requests.
    pub kind: u16,
}

impl Plan {
    /// Plans a move for each due time; `progress` is told how many are planned.
    pub fn new(
        map: &Arc<StreetMap>,
        traffic: &Traffic,
        keys: Option<&[PlayerKey]>,
        due_ns: &[u64],
        progress: &mut dyn FnMut(u64) -> Result<(), DemoError>,
    ) -> Result<Plan, DemoError> {
        let secret = WorldSecret::from_seed(traffic.seed);
        let mut players = Players::new(map, traffic, &secret)?;
        let game = GameOptions {
            players: traffic.players,
            max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
            secret,
        };
        let mut oracle = Oracle::new(City::new(map), &game);
        let mut plan = Plan {
            lanes: (0..traffic.lanes).map(|_| LanePlan::default()).collect(),
            behaviours: BTreeMap::new(),
            kind: if keys.is_some() { KIND_PLAY } else { KIND_MOVE },
        };
        let mut scores = Scores::default();
        for (index, &due_ns) in due_ns.iter().enumerate() {
            let (mut bytes, what) = players.next();
            *plan.behaviours.entry(what.to_owned()).or_default() += 1;
            let right = oracle.answer(&bytes);
            let player = player(&bytes);
            let lane = &mut plan.lanes[(player % u64::from(traffic.lanes)) as usize];
            if let Some(key) = keys.and_then(|keys| keys.get(player as usize)) {
                sign_for_session(&mut bytes, key, right.code == Code::BadTag);
                lane.scores.push(scores.after(player, &right));
            }
            lane.moves.push(words(&bytes));
            lane.due_ns.push(due_ns);
            lane.answers.push(Answer {
                status: right.code.number(),
                is_repeat: right.reply.is_some_and(|reply| reply.is_duplicate),
                words: right.reply.map(|reply| words(&reply.encode())),
            });
            if index % (1 << 15) == 0 {
                progress(index as u64)?;
            }
        }
        Ok(plan)
    }

    /// How many moves there are.
    pub fn moves(&self) -> usize {
        self.lanes.iter().map(|lane| lane.moves.len()).sum()
    }
}

/// Signs a move for its session: rightly, or as wrongly as it was signed for its player.
fn sign_for_session(bytes: &mut [u8; MOVE_BYTES], key: &PlayerKey, is_forged: bool) {
    key.sign(bytes);
    bytes[MOVE_TAG.start] ^= u8::from(is_forged);
}

/// What players have earned: a point for each whole decimetre of the straight way of each step.
#[derive(Default)]
struct Scores {
    known: HashMap<u64, (Point, i64)>,
}

impl Scores {
    /// The score that the reply to a move must hold. A stranger is told none.
    fn after(&mut self, player: u64, right: &Outcome) -> Option<i64> {
        let place = right.reply.and_then(|reply| reply.place);
        let is_step =
            right.code == Code::Accepted && right.reply.is_some_and(|reply| !reply.is_duplicate);
        if let (true, Some(place)) = (is_step, place) {
            let (last, score) = self.known.get(&player).copied().unwrap_or((place, 0));
            let way_cm = u128::from(last.distance_squared(&place)).isqrt();
            self.known
                .insert(player, (place, score + way_cm as i64 / 10));
        }
        let score = self.known.get(&player).map(|known| known.1);
        score.filter(|_| right.code != Code::BadTag)
    }
}

/// The players, with those moves that wait to be overtaken.
struct Players {
    walkers: Walkers,
    /// Held back until the same player's next move is out.
    held: HashMap<u64, [u8; MOVE_BYTES]>,
    /// Overtaken: goes next.
    overtaken: Option<[u8; MOVE_BYTES]>,
    random: Pcg32,
    reordered_in_a_million: u32,
}

impl Players {
    fn new(
        map: &Arc<StreetMap>,
        traffic: &Traffic,
        secret: &WorldSecret,
    ) -> Result<Players, DemoError> {
        let in_a_million = |percent: f64| (percent * 1e4).round() as u32;
        let walk = WalkOptions {
            rates: BadRates {
                duplicate: in_a_million(traffic.retries),
                bad_tag: in_a_million(traffic.bad_tags),
                teleport: in_a_million(traffic.teleports),
                ..BadRates::NONE
            },
            hot_spots: (traffic.hot_spots > 0).then_some(HotSpotOptions {
                count: traffic.hot_spots,
                exponent_thousandths: (traffic.zipf * 1e3).round() as u32,
            }),
            ..WalkOptions::honest(0..traffic.players, traffic.seed)
        };
        Ok(Players {
            walkers: Walkers::new(map.clone(), secret, &walk)?,
            held: HashMap::new(),
            overtaken: None,
            random: Pcg32::seed_from_u64(traffic.seed),
            reordered_in_a_million: in_a_million(traffic.reordered),
        })
    }

    /// The next move in the order of sending, and what it is.
    fn next(&mut self) -> ([u8; MOVE_BYTES], &'static str) {
        if let Some(bytes) = self.overtaken.take() {
            return (bytes, REORDERED);
        }
        loop {
            let Step { bytes, behaviour } = self.walkers.next_move();
            self.overtaken = self.held.remove(&player(&bytes));
            let is_held = behaviour == Behaviour::Honest
                && self.overtaken.is_none()
                && self.random.random_range(0..1_000_000) < self.reordered_in_a_million;
            if !is_held {
                return (bytes, behaviour.name());
            }
            self.held.insert(player(&bytes), bytes);
        }
    }
}

fn player(bytes: &[u8; MOVE_BYTES]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironhoard::region::PageMode;
    use ironhoard_hunt::map::{generate, GenerateOptions};

    fn traffic() -> Traffic {
        Traffic {
            players: 40,
            bare: true,
            lanes: 3,
            retries: 5.0,
            reordered: 10.0,
            bad_tags: 2.0,
            teleports: 3.0,
            hot_spots: 10,
            zipf: 1.0,
            seed: 7,
            pages: PageMode::Auto,
        }
    }

    fn plan(traffic: &Traffic, moves: u64) -> Plan {
        let map = generate(&GenerateOptions::city(2_000, 1), &mut |_, _| {}).unwrap();
        let due: Vec<u64> = (0..moves).collect();
        Plan::new(&Arc::new(map), traffic, None, &due, &mut |_| Ok(())).unwrap()
    }

    #[test]
    fn players_keep_their_lanes_and_every_move_is_due_in_order() {
        let plan = plan(&traffic(), 20_000);
        assert_eq!(plan.moves(), 20_000);
        for (index, lane) in plan.lanes.iter().enumerate() {
            assert!(lane.due_ns.is_sorted());
            assert!(lane.moves.iter().all(|words| words[0] % 3 == index as u64));
            assert_eq!(lane.answers.len(), lane.moves.len());
        }
    }

    #[test]
    fn misbehaviour_is_as_frequent_as_asked() {
        let plan = plan(&traffic(), 40_000);
        let percent = |name: &str| plan.behaviours[name] as f64 / 400.0;
        assert!(
            (4.5..5.5).contains(&percent("duplicate")),
            "{}",
            percent("duplicate")
        );
        assert!(
            (1.6..2.4).contains(&percent("bad_tag")),
            "{}",
            percent("bad_tag")
        );
        assert!(
            (2.4..3.6).contains(&percent("teleport")),
            "{}",
            percent("teleport")
        );
        assert!(
            (6.5..10.0).contains(&percent(REORDERED)),
            "{}",
            percent(REORDERED)
        );
    }

    #[test]
    fn an_overtaken_move_comes_behind_a_later_one_of_its_player() {
        let plan = plan(&traffic(), 20_000);
        let mut highest = HashMap::new();
        let mut overtaken = 0;
        for words in plan.lanes.iter().flat_map(|lane| &lane.moves) {
            let (player, sequence) = (words[0], words[1] as u32);
            let highest = highest.entry(player).or_insert(0);
            overtaken += u64::from(sequence < *highest);
            *highest = sequence.max(*highest);
        }
        // What overtakes may also be a retry of the same move, and then the move itself is the repeat.
        let reordered = plan.behaviours[REORDERED];
        assert!(
            overtaken * 10 >= reordered * 9,
            "{overtaken} of {reordered}"
        );
    }

    #[test]
    fn an_honest_stream_is_accepted_whole() {
        let honest = Traffic {
            retries: 0.0,
            reordered: 0.0,
            bad_tags: 0.0,
            teleports: 0.0,
            ..traffic()
        };
        let plan = plan(&honest, 5_000);
        let accepted = Code::Accepted.number();
        let mut answers = plan.lanes.iter().flat_map(|lane| &lane.answers);
        assert!(answers.all(|answer| answer.status == accepted));
    }
}
