//! Game and oracle are two readings of the same rules: on every stream of moves they must agree.
//!
//! The streams are made to sit on the edges of the rules: sequences around the ends of the window and
//! of 32 bits, places and times around the speed limit, and every kind of lie that a walker tells.

use std::collections::HashMap;
use std::sync::Arc;

use ironhoard_hunt::game::{Game, GameOptions, Outcome, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, import_geojson, GenerateOptions, ImportOptions, StreetMap};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{Code, Move, NO_TREASURE};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, Behaviour, WalkOptions, Walkers};
use proptest::prelude::*;

const PLAYERS: u32 = 3;

fn city() -> Arc<StreetMap> {
    Arc::new(generate(&GenerateOptions::city(40, 11), &mut |_, _| {}).unwrap())
}

fn options(max_speed_cm_s: u32) -> GameOptions {
    GameOptions {
        players: PLAYERS,
        max_speed_cm_s,
        secret: WorldSecret::from_seed(5),
    }
}

/// Both readings of one world.
struct Pair {
    game: Game,
    oracle: Oracle,
}

impl Pair {
    fn new(map: &Arc<StreetMap>, options: &GameOptions) -> Pair {
        Pair {
            game: Game::new(map.clone(), options).unwrap(),
            oracle: Oracle::new(City::new(map), options),
        }
    }

    /// The answer of both, which must be the same.
    fn judge(&mut self, payload: &[u8]) -> Outcome {
        let outcome = self.game.apply(payload);
        assert_eq!(outcome, self.oracle.answer(payload), "{payload:?}");
        outcome
    }
}

/// A move that is drawn: where it deviates from a sane one is up to the draw.
#[derive(Clone, Debug)]
struct Drawn {
    player: u64,
    sequence: u32,
    time_ms: u32,
    /// Which arc of the map; or, when `stray`, any two nodes.
    arc: u32,
    stray: bool,
    offset: u32,
    kind: u8,
    flags: u8,
    bad_tag: bool,
}

fn drawn(base: u32) -> impl Strategy<Value = Drawn> {
    let rarely = |what: u8| prop_oneof![9 => Just(0), 1 => Just(what)];
    (
        prop_oneof![15 => 0..u64::from(PLAYERS), 1 => any::<u64>(), 1 => Just(u64::from(PLAYERS))],
        (0..140_u32).prop_map(move |ahead| base.saturating_add(ahead)),
        prop_oneof![8 => 0..20_000_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)],
        any::<u32>(),
        prop::bool::weighted(0.1),
        0..1_200_u32,
        (rarely(1), rarely(128)),
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(player, sequence, time_ms, arc, stray, offset, (kind, flags), bad_tag)| Drawn {
                player,
                sequence,
                time_ms,
                arc,
                stray,
                offset,
                kind,
                flags,
                bad_tag,
            },
        )
}

impl Drawn {
    fn bytes(&self, map: &StreetMap, secret: &WorldSecret) -> [u8; 48] {
        let from = self.arc % map.node_count();
        let arcs = map.arcs_from(from);
        let choice = arcs[(self.arc / 64) as usize % arcs.len()].to;
        let step = Move {
            player: self.player,
            sequence: self.sequence,
            time_ms: self.time_ms,
            from,
            to: if self.stray {
                self.arc / 7 % (map.node_count() + 2)
            } else {
                choice
            },
            offset_dm: self.offset as u16,
            kind: self.kind,
            flags: self.flags,
            treasure: NO_TREASURE,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        secret.player_key(self.player).sign(&mut bytes);
        bytes[40] ^= u8::from(self.bad_tag);
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn game_and_oracle_agree_on_drawn_moves(
        moves in prop_oneof![Just(0), Just(1_000), Just(u32::MAX - 130)]
            .prop_flat_map(|base| prop::collection::vec(drawn(base), 1..250)),
        max_speed_cm_s in prop_oneof![Just(0), Just(700), Just(DEFAULT_MAX_SPEED_CM_S), Just(u32::MAX)],
    ) {
        let (map, options) = (city(), options(max_speed_cm_s));
        let mut pair = Pair::new(&map, &options);
        for step in &moves {
            pair.judge(&step.bytes(&map, &options.secret));
        }
    }

    #[test]
    fn any_bytes_of_any_length_have_an_answer(payload in prop::collection::vec(any::<u8>(), 0..100)) {
        Pair::new(&city(), &options(100)).judge(&payload);
    }
}

#[test]
fn walkers_do_what_they_say_and_both_readings_agree() {
    let map = Arc::new(generate(&GenerateOptions::city(2_000, 2), &mut |_, _| {}).unwrap());
    let options = options(DEFAULT_MAX_SPEED_CM_S);
    let walk = WalkOptions {
        rates: BadRates::each(30_000),
        ..WalkOptions::honest(0..PLAYERS, 77)
    };
    let walkers = Walkers::new(map.clone(), &options.secret, &walk).unwrap();
    let mut pair = Pair::new(&map, &options);
    let mut told: HashMap<Behaviour, u32> = HashMap::new();

    for step in walkers.take(60_000) {
        let outcome = pair.judge(&step.bytes);
        *told.entry(step.behaviour).or_default() += 1;
        let is_duplicate = outcome.reply.is_some_and(|reply| reply.is_duplicate);
        let expected = match step.behaviour {
            Behaviour::Duplicate => outcome.code,
            Behaviour::Honest => Code::Accepted,
            Behaviour::BadTag => Code::BadTag,
            Behaviour::Teleport => Code::TooFast,
            Behaviour::UnknownEdge => Code::UnknownEdge,
            Behaviour::BadOffset => Code::BadOffset,
            Behaviour::BadTime => Code::BadTime,
            Behaviour::TooOld => Code::TooOld,
            Behaviour::UnknownPlayer => Code::UnknownPlayer,
            Behaviour::Malformed => Code::Malformed,
        };
        assert_eq!(outcome.code, expected, "{step:?}");
        assert_eq!(is_duplicate, step.behaviour == Behaviour::Duplicate);
    }
    for lie in Behaviour::LIES {
        let share = f64::from(told[&lie]) / 60_000.0;
        assert!((0.026..0.034).contains(&share), "{} {share}", lie.name());
    }
}

#[test]
fn a_player_walks_the_same_way_in_any_company() {
    let map = city();
    let secret = WorldSecret::from_seed(1);
    let walk = |players| {
        let options = WalkOptions {
            rates: BadRates::DEMO,
            ..WalkOptions::honest(players, 3)
        };
        Walkers::new(map.clone(), &secret, &options).unwrap()
    };
    let alone: Vec<_> = walk(2..3).take(500).collect();
    let among_others: Vec<_> = walk(0..4).skip(2).step_by(4).take(500).collect();
    assert_eq!(alone, among_others);
    assert!(Walkers::new(map.clone(), &secret, &WalkOptions::honest(4..4, 3)).is_err());
}

/// A street of 100 m along the equator, for judging speeds by hand.
#[test]
fn the_speed_limit_holds_to_the_millisecond() {
    let text = r#"{"type":"FeatureCollection","features":[{"geometry":
        {"type":"LineString","coordinates":[[0,0],[0.0008993,0]]}}]}"#;
    let (map, _) = import_geojson(
        text.as_bytes(),
        0,
        &ImportOptions::default(),
        &mut |_, _| {},
    )
    .unwrap();
    let map = Arc::new(map);
    assert_eq!(map.arc(0, 1).unwrap().length_dm, 1_000);
    let distance = (map
        .point(0)
        .unwrap()
        .distance_squared(&map.point(1).unwrap()) as f64)
        .sqrt();
    let (speed_cm_s, just_enough_ms) = (1_000, distance.ceil() as u32);

    let options = options(speed_cm_s);
    let mut pair = Pair::new(&map, &options);
    let mut send = |player, sequence, time_ms, offset_dm| {
        let step = Move {
            player,
            sequence,
            time_ms,
            from: 0,
            to: 1,
            offset_dm,
            kind: 0,
            flags: 0,
            treasure: NO_TREASURE,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        options.secret.player_key(player).sign(&mut bytes);
        let outcome = pair.judge(&bytes);
        (outcome.code, outcome.reply.unwrap().strikes)
    };
    assert_eq!(send(0, 1, 500, 0), (Code::Accepted, 0));
    assert_eq!(
        send(0, 2, 500 + just_enough_ms - 1, 1_000),
        (Code::TooFast, 1)
    );
    assert_eq!(
        send(0, 3, 500 + just_enough_ms, 1_001),
        (Code::BadOffset, 2)
    );
    assert_eq!(send(0, 4, 500 + just_enough_ms, 1_000), (Code::Accepted, 2));
    assert_eq!(send(0, 5, 500 + just_enough_ms, 1_000), (Code::Accepted, 2));
    assert_eq!(send(0, 6, 499 + just_enough_ms, 1_000), (Code::BadTime, 3));
    assert_eq!(send(0, 6, 0, 0), (Code::BadTime, 3));
    assert_eq!(send(1, 1, 0, 1_000), (Code::Accepted, 0));
}

#[test]
fn who_cannot_sign_learns_nothing() {
    let (map, options) = (city(), options(DEFAULT_MAX_SPEED_CM_S));
    let mut pair = Pair::new(&map, &options);
    let walk = WalkOptions::honest(0..1, 1);
    let mut walkers = Walkers::new(map.clone(), &options.secret, &walk).unwrap();
    assert!(pair
        .judge(&walkers.next_move().bytes)
        .reply
        .unwrap()
        .place
        .is_some());
    let mut forged = walkers.next_move().bytes;
    forged[47] ^= 1;
    let outcome = pair.judge(&forged);
    let reply = outcome.reply.unwrap();
    assert_eq!(
        (outcome.code, reply.place, reply.time_ms),
        (Code::BadTag, None, 0)
    );
}
