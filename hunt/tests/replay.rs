//! A recorded input replays to the same answers, events and state; and a changed one does not.

use std::io::Cursor;
use std::sync::Arc;

use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::record::{Move, NO_TREASURE};
use ironhoard_hunt::recording::{replay, Input, Recorder, ReplayError};
use ironhoard_hunt::request::{
    Operate, OperateVerb, PlayReply, PlayVerb, KIND_OPERATE, KIND_PLAY, KIND_STATISTICS,
};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::world::{Hunt, HuntOptions};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const PLAYERS: u32 = 30;
/// What a replay may take.
const MOST_BYTES: u64 = 1 << 26;

fn city() -> Arc<StreetMap> {
    Arc::new(generate(&GenerateOptions::city(300, 4), &mut |_, _| {}).unwrap())
}

/// A game of some thousand requests, recorded; its file and the hash of its last state.
fn recorded(map: &Arc<StreetMap>, secret: &WorldSecret, ends: bool) -> (Vec<u8>, [u8; 32]) {
    let game = GameOptions {
        players: PLAYERS,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: secret.clone(),
    };
    let options = HuntOptions {
        sessions: 20,
        treasures: 60,
        scattered: 50,
        idle_seconds: 0,
        arm_dm: 1_000,
        ..HuntOptions::new(game)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("game.ihrec");
    let mut hunt = Hunt::new(map.clone(), &options).unwrap();
    let mut recorder = Recorder::create(&path, &options, map).unwrap();
    let mut random = Pcg64::seed_from_u64(8);
    let mut keys: Vec<_> = (0..PLAYERS)
        .map(|id| secret.player_key(id.into()))
        .collect();
    let mut seen = NO_TREASURE;
    for at in 0..5_000_u32 {
        let now_ns = u64::from(at) * 100_000_000;
        let player = random.random_range(0..PLAYERS);
        let from = random.random_range(0..map.node_count());
        let verb = match at % 10 {
            0 | 1 => PlayVerb::Join,
            2..5 => PlayVerb::Claim,
            _ => PlayVerb::Step,
        };
        let step = Move {
            player: player.into(),
            sequence: at + 1,
            time_ms: at * 10_000,
            from,
            to: map.arcs_from(from)[0].to,
            offset_dm: 0,
            kind: verb as u8,
            flags: 0,
            treasure: seen,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        let own = secret.player_key(player.into());
        let key = if verb == PlayVerb::Join {
            own
        } else {
            keys[player as usize]
        };
        key.sign(&mut bytes);
        let mut kind = KIND_PLAY;
        if at % 50 == 7 {
            let add = Operate {
                operator: 0,
                verb: OperateVerb::IncrementScore,
                board: 0,
                sequence: at,
                treasure: 0,
                subject: player.into(),
                value: 7,
            };
            (kind, bytes) = (KIND_OPERATE, add.encode());
            secret.operator_key(0).sign(&mut bytes);
        }
        let payload = if at % 50 == 9 { &[][..] } else { &bytes[..] };
        kind = if payload.is_empty() {
            KIND_STATISTICS
        } else {
            kind
        };
        let (code, answer) = hunt.answer(now_ns, kind, payload, 512);
        let mut out = vec![0; answer.bytes()];
        answer.encode_into(&mut out);
        let input = Input {
            now_ns,
            kind,
            limit: 512,
            payload,
        };
        recorder.add(&input, code, &out, hunt.events());
        if let (KIND_PLAY, Some(reply)) = (kind, PlayReply::decode(&out)) {
            seen = reply
                .treasures
                .entries()
                .first()
                .map_or(seen, |found| found.id);
            if let (PlayVerb::Join, Some(note)) = (verb, reply.session) {
                keys[player as usize] = own.session_key(note.session);
            }
        }
    }
    let statistics = hunt.statistics();
    assert!(
        statistics.claims > 10 && statistics.sessions_evicted > 5,
        "{statistics:?}"
    );
    let hash = hunt.state_hash();
    if ends {
        assert_eq!(recorder.finish(&hunt).unwrap(), 5_000);
    } else {
        drop(recorder);
    }
    (std::fs::read(&path).unwrap(), hash)
}

#[test]
fn a_replay_comes_to_the_same_answers_and_the_same_state() {
    let (map, secret) = (city(), WorldSecret::from_seed(3));
    let (file, hash) = recorded(&map, &secret, true);
    let replayed = replay(Cursor::new(&file), map.clone(), secret.clone(), MOST_BYTES).unwrap();
    assert_eq!((replayed.requests, replayed.state_hash), (5_000, hash));
    assert_eq!(
        (replayed.same_answers, replayed.same_state),
        (Some(true), Some(true))
    );

    // One bit of one signed request: its answer is another, and so is the state.
    let mut changed = file.clone();
    changed[136 + 16 + 40] ^= 1;
    let replayed = replay(
        Cursor::new(&changed),
        map.clone(),
        secret.clone(),
        MOST_BYTES,
    )
    .unwrap();
    assert_eq!(
        (replayed.same_answers, replayed.same_state),
        (Some(false), Some(false))
    );

    // The file ends in the middle of a request, at any byte.
    for length in (136..file.len()).step_by(9_973) {
        let replayed = replay(
            Cursor::new(&file[..length]),
            map.clone(),
            secret.clone(),
            MOST_BYTES,
        )
        .unwrap();
        assert_eq!((replayed.same_answers, replayed.same_state), (None, None));
        assert!(replayed.requests < 5_000);
    }
}

#[test]
fn a_recording_that_was_never_ended_says_so() {
    let (map, secret) = (city(), WorldSecret::from_seed(3));
    let (file, hash) = recorded(&map, &secret, false);
    let replayed = replay(Cursor::new(&file), map, secret, MOST_BYTES).unwrap();
    assert_eq!((replayed.requests, replayed.same_state), (5_000, None));
    assert_eq!(replayed.state_hash, hash);
}

#[test]
fn what_is_no_recording_of_this_world_is_refused() {
    let (map, secret) = (city(), WorldSecret::from_seed(3));
    let (file, _) = recorded(&map, &secret, true);
    let other = Arc::new(generate(&GenerateOptions::city(301, 4), &mut |_, _| {}).unwrap());
    let refusals = [
        replay(Cursor::new(&file), other, secret.clone(), MOST_BYTES).unwrap_err(),
        replay(
            Cursor::new(&file),
            map.clone(),
            WorldSecret::from_seed(4),
            MOST_BYTES,
        )
        .unwrap_err(),
        replay(
            Cursor::new(&file[1..]),
            map.clone(),
            secret.clone(),
            MOST_BYTES,
        )
        .unwrap_err(),
        replay(
            Cursor::new(&[0; 10]),
            map.clone(),
            secret.clone(),
            MOST_BYTES,
        )
        .unwrap_err(),
    ];
    let said: Vec<String> = refusals.iter().map(ReplayError::to_string).collect();
    assert!(
        said[0].contains("another map") && said[1].contains("another secret"),
        "{said:?}"
    );
    assert!(
        said[2].contains("no recording") && said[3].contains("no recording"),
        "{said:?}"
    );
    let mut long = file.clone();
    long[136 + 10] = 65;
    assert!(replay(Cursor::new(&long), map, secret, MOST_BYTES).is_err());
}

/// A head is only numbers, and any of them can be wrong: none may cost more memory than was allowed.
#[test]
fn a_head_that_asks_for_too_much_is_refused_before_memory_is_taken() {
    let (map, secret) = (city(), WorldSecret::from_seed(3));
    let (file, _) = recorded(&map, &secret, true);
    for (word, count) in [
        (0, u32::MAX - 3),
        (2, u32::MAX - 1),
        (4, 1 << 23),
        (8, 1_024),
        (9, u32::MAX),
    ] {
        let mut large = file.clone();
        if word == 8 {
            large[8 + 8 * 9..][..4].copy_from_slice(&u32::to_le_bytes(1 << 20));
        }
        large[8 + 8 * word..][..4].copy_from_slice(&u32::to_le_bytes(count));
        let refused = replay(Cursor::new(&large), map.clone(), secret.clone(), MOST_BYTES);
        assert!(
            matches!(refused, Err(ReplayError::Memory { bytes, most: MOST_BYTES }) if bytes > MOST_BYTES),
            "word {word}: {refused:?}"
        );
    }
}
