//! Spoiled input of every kind: a sound value or an error with words, never a panic, and never more
//! memory than the input is worth.
//!
//! ```text
//!   good bytes ── spoil ──┬── checksum as it was ──▶ reader ──▶ error, or a value that can be used
//!                         └── checksum made again ─▶
//! ```
//!
//! The same cases each time, for some seconds; more of them for as long as `IRONHOARD_FUZZ` says
//! (`10m`). A case that fails names its number.

#[path = "common/crew.rs"]
mod crew;
#[path = "common/duration.rs"]
mod duration;
#[path = "common/meter.rs"]
mod meter;
#[path = "common/mutator.rs"]
mod mutator;
#[path = "common/pbf.rs"]
mod pbf;

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crew::Crew;
use ironhoard_hunt::event::Event;
use ironhoard_hunt::game::{Game, GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{
    generate, import_geojson, import_pbf, GenerateOptions, ImportOptions, MapError, MapMemory,
    StreetArc, StreetMap, Travel,
};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{Code, Move, Reply, NO_TREASURE};
use ironhoard_hunt::recording::{replay, Input, Recorder};
use ironhoard_hunt::request::{
    AreaReply, BoardReply, OperateReply, PlayReply, KIND_OPERATE, KIND_PLAY, LARGEST_REPLY_BYTES,
};
use ironhoard_hunt::statistics::Statistics;
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};
use ironhoard_hunt::world::{Hunt, HuntOptions};
use mutator::Mutator;
use rand::RngExt;
use sha2::{Digest, Sha256};

/// The most memory that a reader may take for an input of some kilobytes.
const MOST_BYTES: usize = 2 << 20;
/// The same for extracts. Their decoder believes a length, and makes room for ten million numbers at
/// most, before it has seen them.
const MOST_BYTES_OF_EXTRACT: usize = 100_000_000;
/// Cases of each kind at least.
const LEAST: u64 = 1_500;

/// Runs cases until their time is over; each must stay within the memory.
fn cases(most_bytes: usize, mut case: impl FnMut(&mut Mutator)) {
    let time = duration::from_environment("IRONHOARD_FUZZ", Duration::from_secs(1));
    let start = Instant::now();
    let mut count = 0;
    while count < LEAST || start.elapsed() < time {
        let number = Number(count);
        let taken = meter::peak_of(|| case(&mut Mutator::new(count)));
        assert!(taken < most_bytes, "{taken} bytes");
        std::mem::forget(number);
        count += 1;
    }
}

/// The number of the case under way; says so where the case panics.
struct Number(u64);

impl Drop for Number {
    fn drop(&mut self) {
        eprintln!("case {}", self.0);
    }
}

fn secret() -> WorldSecret {
    WorldSecret::from_seed(3)
}

fn town() -> StreetMap {
    generate(&GenerateOptions::city(40, 3), &mut |_, _| {}).unwrap()
}

fn options() -> HuntOptions {
    let game = GameOptions {
        players: 12,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: secret(),
    };
    HuntOptions {
        sessions: 9,
        treasures: 10,
        scattered: 8,
        boards: 3,
        ..HuntOptions::new(game)
    }
}

/// A map that was taken must be one: it can be walked by the rules, and hunted on.
fn walk(map: StreetMap, seed: u64) {
    let map = Arc::new(map);
    let walk = WalkOptions {
        rates: BadRates::each(50_000),
        ..WalkOptions::honest(0..3, seed)
    };
    let mut game = Game::new(map.clone(), &options().game).unwrap();
    let mut oracle = Oracle::new(City::new(&map), &options().game);
    let walkers = Walkers::new(map.clone(), &secret(), &walk).unwrap();
    for step in walkers.take(20) {
        assert_eq!(game.apply(&step.bytes), oracle.answer(&step.bytes));
    }
    let arcs = |from| map.arcs_from(from).iter().map(move |arc| (from, arc));
    for (number, (from, arc)) in (1..).zip((0..map.node_count()).flat_map(arcs)) {
        let bytes = along(number, from, arc);
        assert_eq!(game.apply(&bytes), oracle.answer(&bytes), "{from} {arc:?}");
    }
    Hunt::new(map, &options()).unwrap().state_hash();
}

/// A step of player 5 to the end of an arc.
fn along(number: u32, from: u32, arc: &StreetArc) -> [u8; 48] {
    let step = Move {
        player: 5,
        sequence: number,
        time_ms: number.saturating_mul(100_000),
        from,
        to: arc.to,
        offset_dm: arc.length_dm,
        kind: 0,
        flags: 0,
        treasure: NO_TREASURE,
        tag: [0; 16],
    };
    let mut bytes = step.encode();
    secret().player_key(5).sign(&mut bytes);
    bytes
}

/// An error says what is wrong and what to do.
fn assert_words(error: &MapError) {
    let words = error.to_string();
    assert!(words.len() > 30 && words.contains("; "), "{words}");
}

/// What became of spoilt maps.
#[derive(Default)]
struct Outcomes {
    maps: u32,
    errors: u32,
}

impl Outcomes {
    /// A map must be one that can be walked, an error must have words.
    fn note(&mut self, outcome: Result<StreetMap, MapError>, mutator: &mut Mutator) {
        match outcome {
            Ok(map) => {
                walk(map, mutator.random.random());
                self.maps += 1;
            }
            Err(error) => {
                assert_words(&error);
                self.errors += 1;
            }
        }
    }

    /// Both have been met more than now and then.
    fn assert_both(&self) {
        let Outcomes { maps, errors } = self;
        assert!(*maps > 20 && *errors > 20, "{maps} {errors}");
    }
}

#[test]
fn map_files_are_taken_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("town.ihmap");
    town().save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut outcomes = Outcomes::default();
    cases(MOST_BYTES, |mutator| {
        let mut bytes = match mutator.once_in(2) {
            true => mutator.spoil(&good, &good),
            false => mutator.nudge(&good),
        };
        let is_sealed = !mutator.once_in(3) && bytes.len() >= 64;
        if is_sealed {
            let sum = Sha256::new()
                .chain_update(&bytes[..32])
                .chain_update(&bytes[64..]);
            bytes[32..64].copy_from_slice(&sum.finalize());
        }
        std::fs::write(&path, &bytes).unwrap();
        match (load(&path, MapMemory::Huge), load(&path, MapMemory::File)) {
            (Ok(own), Ok(mapped)) => {
                assert!(own == mapped && (is_sealed || bytes == good));
                outcomes.note(Ok(own), mutator);
            }
            (Err(own), Err(mapped)) => {
                assert_eq!(own.to_string(), mapped.to_string());
                outcomes.note(Err(own), mutator);
            }
            (own, mapped) => panic!("{own:?} read, {mapped:?} mapped"),
        }
    });
    outcomes.assert_both();
}

fn load(path: &Path, memory: MapMemory) -> Result<StreetMap, MapError> {
    StreetMap::load_into(path, memory)
}

/// An extract, whose blobs go through `change` before they are framed and deflated.
fn extract(mut change: impl FnMut(&[u8]) -> Vec<u8>, is_deflated: bool) -> Vec<u8> {
    let (mut nodes, mut ways) = (pbf::Block::default(), pbf::Block::default());
    let places: Vec<_> = (0..30)
        .map(|id| {
            (
                id,
                24.0 + 0.001 * (id % 6) as f64,
                60.0 + 0.001 * (id / 6) as f64,
            )
        })
        .collect();
    nodes.dense(&places[..20]);
    for &(id, lon, lat) in &places[20..] {
        nodes.node(id, lon, lat);
    }
    for row in 0..5 {
        let line: Vec<i64> = (6 * row..6 * row + 6).collect();
        ways.way(
            row,
            &line,
            &[("highway", "residential"), ("maxspeed", "30")],
        );
        let tags = [("highway", "service"), ("oneway", "yes")];
        ways.way(10 + row, &[row, row + 6, row + 12], &tags);
    }
    ways.relation(100);
    let blobs = [
        pbf::header(&["OsmSchema-V0.6", "DenseNodes"]),
        nodes.blob(),
        ways.blob(),
    ];
    let blobs = blobs.map(|blob| {
        let blob = blob.changed(&mut change);
        match is_deflated {
            true => blob.compressed(),
            false => blob,
        }
    });
    pbf::File::new(&blobs).bytes()
}

#[test]
fn extracts_become_maps_or_errors() {
    std::panic::set_hook(Box::new(|panic| {
        // The decoder's own panics are caught; those of this test are what is wanted here.
        if panic
            .location()
            .is_some_and(|at| at.file().contains("hunt"))
        {
            eprintln!("{panic}");
        }
    }));
    let whole = [false, true].map(|is_deflated| extract(<[u8]>::to_vec, is_deflated));
    let mut outcomes = Outcomes::default();
    cases(MOST_BYTES_OF_EXTRACT, |mutator| {
        let is_deflated = mutator.once_in(2);
        let good = &whole[usize::from(is_deflated)];
        let bytes = match mutator.once_in(2) {
            true => mutator.spoil(good, good),
            false => extract(
                |content| match mutator.once_in(2) {
                    true => mutator.spoil(content, good),
                    false => content.to_vec(),
                },
                is_deflated,
            ),
        };
        let options = ImportOptions {
            travel: [Travel::Foot, Travel::Vehicle][usize::from(mutator.once_in(2))],
            ..ImportOptions::default()
        };
        let imported = import_pbf(Cursor::new(bytes), &options, &mut |_, _| {});
        outcomes.note(imported.map(|(map, _)| map), mutator);
    });
    outcomes.assert_both();
}

#[test]
fn geojson_becomes_a_map_or_an_error() {
    let good = r#"{"type":"FeatureCollection","name":"town","copyright":"nobody","features":[
        {"properties":{"highway":"residential","oneway":"yes","maxspeed":"30"},"geometry":
        {"type":"LineString","coordinates":[[11.97,57.70],[11.98,57.70],[11.98,57.71],[11.97,57.70]]}},
        {"properties":{"highway":"path"},"geometry":{"type":"MultiLineString","coordinates":
        [[[11.97,57.70],[11.975,57.705]],[[11.975,57.705],[11.98,57.71]]]}},
        {"properties":{"maxspeed":50,"foot":true},"geometry":{"type":"Point","coordinates":[1,2]}}]}"#;
    let other = r#"[[[[{{"a":[-1e309,1e-400,180,-180.0000001,null,true]}},"\ud800","\u0000é"#;
    let mut outcomes = Outcomes::default();
    cases(MOST_BYTES, |mutator| {
        let bytes = mutator.spoil(good.as_bytes(), other.as_bytes());
        let options = ImportOptions::default();
        let imported = import_geojson(&bytes[..], 0, &options, &mut |_, _| {});
        outcomes.note(imported.map(|(map, _)| map), mutator);
    });
    outcomes.assert_both();
}

/// A short game of the crew, recorded.
fn recorded(map: &Arc<StreetMap>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("game.ihrec");
    let mut hunt = Hunt::new(map.clone(), &options()).unwrap();
    let mut recorder = Recorder::create(&path, &options(), map).unwrap();
    let mut crew = Crew::new(map.clone(), &options(), 0);
    let mut mutator = Mutator::new(1);
    for now_ns in 0..200 {
        let asked = crew.ask(&mut mutator.random);
        let (kind, payload) = (asked.0, &asked.1[..]);
        let (code, answer) = hunt.answer(now_ns, kind, payload, LARGEST_REPLY_BYTES);
        let mut out = vec![0; answer.bytes()];
        answer.encode_into(&mut out);
        let input = Input {
            now_ns,
            kind,
            limit: LARGEST_REPLY_BYTES,
            payload,
        };
        recorder.add(&input, code, &out, hunt.events());
        crew.hear(&asked, code, &out);
    }
    recorder.finish(&hunt).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn recordings_are_replayed_or_refused() {
    let map = Arc::new(town());
    let good = recorded(&map);
    let whole = replay(Cursor::new(&good), map.clone(), secret(), 1 << 20).unwrap();
    assert_eq!((whole.requests, whole.same_state), (200, Some(true)));
    let (mut same, mut others, mut errors) = (0, 0, 0);
    cases(MOST_BYTES, |mutator| {
        let mut bytes = mutator.spoil(&good, &good);
        if mutator.once_in(2) && bytes.len() > 136 {
            // Past the head, which is checked by itself.
            bytes[..136].copy_from_slice(&good[..136]);
        }
        match replay(Cursor::new(&bytes), map.clone(), secret(), 1 << 20) {
            Ok(replayed) if replayed.same_state == Some(true) => {
                // What was changed lies behind the end, or changed nothing.
                assert_eq!(replayed.state_hash, whole.state_hash);
                same += 1;
            }
            Ok(_) => others += 1,
            Err(error) => {
                assert!(error.to_string().len() > 20, "{error}");
                errors += 1;
            }
        }
    });
    assert!(
        same > 5 && others > 20 && errors > 20,
        "{same} {others} {errors}"
    );
}

#[test]
fn requests_are_answered_and_those_refused_leave_no_trace() {
    let map = Arc::new(town());
    let mut hunt = Hunt::new(map.clone(), &options()).unwrap();
    let mut crew = Crew::new(map, &options(), 0);
    let (mut accepted, mut refused) = (0, 0);
    cases(MOST_BYTES, |mutator| {
        let asked = crew.ask(&mut mutator.random);
        let other: [u8; 48] = mutator.random.random();
        let mut payload = mutator.spoil(&asked.1, &other);
        if mutator.once_in(2) {
            sign(asked.0, &mut payload);
        }
        let before = hunt.state_hash();
        let (code, answer) = hunt.answer(0, asked.0, &payload, LARGEST_REPLY_BYTES);
        let mut reply = vec![0; answer.bytes()];
        answer.encode_into(&mut reply);
        assert!(is_sound(asked.0, &reply), "{asked:?} {payload:?} {reply:?}");
        if matches!(
            code,
            Code::BadTag | Code::Malformed | Code::UnknownPlayer | Code::TooOld
        ) {
            assert_eq!(hunt.state_hash(), before, "{asked:?} {payload:?}");
            refused += 1;
        }
        // And the sound one, so that the game goes on.
        let (code, answer) = hunt.answer(0, asked.0, &asked.1, LARGEST_REPLY_BYTES);
        let mut reply = vec![0; answer.bytes()];
        answer.encode_into(&mut reply);
        crew.hear(&asked, code, &reply);
        accepted += u32::from(code == Code::Accepted);
    });
    assert!(accepted > 100 && refused > 100, "{accepted} {refused}");
}

/// The right tag for what the payload says now, as its player's or its operator's own.
fn sign(kind: u16, payload: &mut [u8]) {
    let Ok(bytes) = <&mut [u8; 48]>::try_from(payload) else {
        return;
    };
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |n, &byte| n << 8 | u64::from(byte))
    };
    let key = match kind {
        KIND_OPERATE => secret().operator_key(number(&bytes[..2]) as u16),
        _ => secret().player_key(number(&bytes[..8])),
    };
    key.sign(bytes);
}

/// A reply without a payload, or one that can be read.
fn is_sound(kind: u16, reply: &[u8]) -> bool {
    reply.is_empty()
        || match kind {
            1 => Reply::decode(reply).is_some(),
            KIND_PLAY => PlayReply::decode(reply).is_some(),
            3 => BoardReply::decode(reply).is_some(),
            KIND_OPERATE => OperateReply::decode(reply).is_some(),
            5 => Statistics::decode(reply).is_some(),
            _ => AreaReply::decode(reply).is_some(),
        }
}

/// What hosts decode: an engine of another version, or memory that is no reply, harms no host.
#[test]
fn replies_and_events_are_read_or_are_none() {
    let map = Arc::new(town());
    let mut hunt = Hunt::new(map.clone(), &options()).unwrap();
    let mut crew = Crew::new(map, &options(), 0);
    let (mut read, mut none) = (0, 0);
    cases(MOST_BYTES, |mutator| {
        let asked = crew.ask(&mut mutator.random);
        let (code, answer) = hunt.answer(0, asked.0, &asked.1, LARGEST_REPLY_BYTES);
        let mut reply = vec![0; answer.bytes()];
        answer.encode_into(&mut reply);
        crew.hear(&asked, code, &reply);
        let spoiled = mutator.spoil(&reply, &asked.1);
        match spoiled.is_empty() || is_sound(asked.0, &spoiled) {
            true => read += 1,
            false => none += 1,
        }
        if let Some(play) = PlayReply::decode(&spoiled) {
            let mut again = vec![0; play.bytes()];
            play.encode_into(&mut again);
            assert_eq!(PlayReply::decode(&again), Some(play));
        }
        for event in hunt.events().all() {
            assert_eq!(Event::decode(&event.encode()), Some(*event));
            let spoiled = mutator.spoil(&event.encode(), &reply);
            if let Some(event) = Event::decode(&spoiled) {
                assert_eq!(Event::decode(&event.encode()), Some(event));
            }
        }
    });
    assert!(read > 100 && none > 100, "{read} {none}");
}
