//! Whole plays: the hunt and its oracle see the same requests, of all kinds, and must say the same, byte
//! for byte; a request that is refused must not leave a trace.
//!
//! Worlds are small, so that everything is met soon: few treasures for many players, sessions for only
//! some of them, boards that fill up, speeds at which nobody gets anywhere, sequences at their end.

#[path = "common/crew.rs"]
mod crew;
#[path = "common/town.rs"]
mod town;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crew::Crew;
use ironhoard_hunt::event::{Event, MOST_EVENTS};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::oracle::{HuntOracle, Told};
use ironhoard_hunt::record::Code;
use ironhoard_hunt::statistics::Statistics;
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::world::{Hunt, HuntOptions};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

static TOWNS: LazyLock<[Arc<StreetMap>; 2]> = LazyLock::new(|| {
    let two_way = generate(&GenerateOptions::city(25, 3), &mut |_, _| {}).unwrap();
    [Arc::new(two_way), Arc::new(town::one_way_city())]
});

/// The most players of whom the hunt is sure to look at each.
const PLAYERS: u32 = 14;

fn options() -> HuntOptions {
    let game = GameOptions {
        players: PLAYERS,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: WorldSecret::from_seed(5),
    };
    HuntOptions {
        sessions: 11,
        idle_seconds: 160,
        treasures: 14,
        scattered: 12,
        treasure_value: 70,
        boards: 3,
        board_entries: 12,
        arm_dm: 600,
        ..HuntOptions::new(game)
    }
}

/// Both readings of one world, and who plays in it.
struct Table {
    hunt: Hunt,
    oracle: HuntOracle,
    crew: Crew,
    now_ns: u64,
    latest_ns: u64,
    codes: BTreeMap<Code, u64>,
}

impl Table {
    fn new(map: &Arc<StreetMap>, options: &HuntOptions, first_sequence: u32) -> Table {
        Table {
            hunt: Hunt::new(map.clone(), options).unwrap(),
            oracle: HuntOracle::new(map.clone(), options),
            crew: Crew::new(map.clone(), options, first_sequence),
            now_ns: 0,
            latest_ns: 0,
            codes: BTreeMap::new(),
        }
    }

    /// One request, which the draw decides about.
    fn turn(&mut self, draw: u64) {
        let mut random = Pcg64::seed_from_u64(draw);
        match random.random_range(0..200) {
            0 => self.now_ns += 400_000_000_000,
            1 => self.now_ns = self.now_ns.saturating_sub(1_000_000_000),
            _ => self.now_ns += random.random_range(0..500_000_000),
        }
        let limit = match random.random_range(0..20) {
            0 => random.random_range(400..1_100),
            _ => 1_024,
        };
        // The clock is part of the state: where traces are looked for, it stands still.
        let is_looked_at = random.random_ratio(1, 6);
        if is_looked_at {
            self.now_ns = self.latest_ns;
        }
        self.latest_ns = self.latest_ns.max(self.now_ns);
        let before = is_looked_at.then(|| self.hunt.state_hash());
        let asked = self.crew.ask(&mut random);
        let (kind, payload) = (asked.0, &asked.1[..]);
        let told = self.oracle.answer(self.now_ns, kind, payload, limit);
        let found = answer(&mut self.hunt, self.now_ns, kind, payload, limit);
        assert_eq!(found, told, "kind {kind}, {payload:?}");
        if let Some(before) = before.filter(|_| leaves_no_trace(found.code)) {
            assert_eq!(self.hunt.state_hash(), before, "kind {kind}, {payload:?}");
        }
        self.crew.hear(&asked, found.code, &found.reply);
        *self.codes.entry(found.code).or_default() += 1;
    }

    /// What has been counted and what stands on the boards must be the same at the end.
    fn settle(&mut self) {
        let words = |statistics: Statistics| {
            let mut bytes = [0; ironhoard_hunt::statistics::STATISTICS_BYTES];
            statistics.encode_into(&mut bytes);
            HuntOracle::without_times(5, bytes.to_vec())
        };
        let statistics = self.hunt.statistics();
        assert_eq!(words(statistics), words(self.oracle.statistics()));
        assert_eq!(statistics.requests, statistics.codes.iter().sum::<u64>());
        assert_eq!(statistics.events_dropped, 0);
    }
}

/// The hunt's answer, in the oracle's words.
fn answer(hunt: &mut Hunt, now_ns: u64, kind: u16, payload: &[u8], limit: usize) -> Told {
    let (code, answer) = hunt.answer(now_ns, kind, payload, limit);
    let mut reply = vec![0xee; answer.bytes()];
    answer.encode_into(&mut reply);
    let events: Vec<Event> = hunt.events().all().to_vec();
    assert!(events.len() < MOST_EVENTS);
    Told {
        code,
        reply: HuntOracle::without_times(kind, reply),
        events,
    }
}

/// Whether nothing may have happened. What a player has signed and cannot be uses up its sequence.
fn leaves_no_trace(code: Code) -> bool {
    use Code::{Accepted, BadOffset, BadTime, NoTreasure, TooFar, TooFast, UnknownEdge};
    let traces = [
        Accepted,
        UnknownEdge,
        BadOffset,
        BadTime,
        TooFast,
        NoTreasure,
        TooFar,
    ];
    !traces.contains(&code)
}

fn worlds() -> impl Strategy<Value = HuntOptions> {
    (
        prop_oneof![
            Just(0),
            Just(700),
            Just(DEFAULT_MAX_SPEED_CM_S),
            Just(u32::MAX)
        ],
        prop_oneof![Just(1_u32), Just(5), Just(11), Just(PLAYERS)],
        prop_oneof![Just(0), Just(160), Just(u32::MAX)],
        (0..15_u32, 0..15_u32),
        prop_oneof![Just(70_i64), Just(-3), Just(i64::MAX), Just(i64::MIN)],
        (1..4_u16, prop_oneof![Just(0_u32), Just(5), Just(PLAYERS)]),
        (
            prop_oneof![Just(0_u32), Just(250), Just(1_000)],
            any::<u64>(),
        ),
        prop_oneof![Just(0_u32), Just(3_000), Just(4_096)],
    )
        .prop_map(
            |(speed, sessions, idle, treasures, value, boards, draw, sight)| {
                let world = options();
                HuntOptions {
                    game: GameOptions {
                        max_speed_cm_s: speed,
                        ..world.game
                    },
                    sessions,
                    idle_seconds: idle,
                    treasures: treasures.0.max(treasures.1),
                    scattered: treasures.1,
                    treasure_value: value,
                    boards: boards.0,
                    board_entries: boards.1,
                    arm_dm: draw.0,
                    seed: draw.1,
                    sight_cm: sight,
                    ..world
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_hunt_equals_the_one_on_paper(
        world in worlds(),
        town in 0..2_usize,
        first_sequence in prop_oneof![3 => Just(0), 1 => Just(u32::MAX - 40)],
        draws in prop::collection::vec(any::<u64>(), 1..500),
    ) {
        let mut table = Table::new(&TOWNS[town], &world, first_sequence);
        draws.into_iter().for_each(|draw| table.turn(draw));
        table.settle();
    }
}

/// A long play meets everything: each code but that of searches too large for so small a town.
#[test]
fn a_long_play_meets_every_code() {
    for town in &*TOWNS {
        let mut table = Table::new(town, &options(), 0);
        (0..50_000).for_each(|draw| table.turn(draw));
        table.settle();
        let missing: Vec<Code> = Code::ALL
            .into_iter()
            .filter(|code| !table.codes.contains_key(code))
            .collect();
        assert_eq!(missing, [Code::AreaTooLarge], "{:?}", table.codes);
        let statistics = table.hunt.statistics();
        let what = (statistics.claims, statistics.sessions_evicted);
        assert!(what.0 > 100 && what.1 > 10, "{statistics:?}");
    }
}
