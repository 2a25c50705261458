//! Moves through an engine and back: what a host reads is what the oracle says, byte for byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironhoard::engine::{Engine, EngineOptions};
use ironhoard::host::{Host, Lane};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::handler::HuntHandler;
use ironhoard_hunt::map::{generate, GenerateOptions};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{Code, Reply, KIND_MOVE};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};
use ironhoard_hunt::world::{Hunt, HuntOptions};

const PLAYERS: u32 = 5;

/// Code and payload of the answer to one request.
fn ask(lane: &mut Lane, kind: u16, payload: &[u8]) -> (Option<Code>, Option<Reply>) {
    let mut answer = [0; 64];
    let reply = lane
        .call(kind, payload, &mut answer, Duration::from_secs(10))
        .unwrap();
    assert_eq!(reply.copied, reply.len);
    (
        Code::from_number(reply.status),
        Reply::decode(&answer[..reply.copied]),
    )
}

#[test]
fn an_engine_answers_what_the_oracle_says() {
    let map = Arc::new(generate(&GenerateOptions::city(500, 4), &mut |_, _| {}).unwrap());
    let options = GameOptions {
        players: PLAYERS,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: WorldSecret::from_seed(8),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hunt.sock");
    let engine = Engine::bind(EngineOptions::new(&path)).unwrap();
    let stop = engine.stop_handle();
    let hunt = Mutex::new(Hunt::new(map.clone(), &HuntOptions::new(options.clone())).ok());

    std::thread::scope(|scope| {
        let served = scope.spawn(move || {
            let only_shard = || hunt.lock().unwrap().take().expect("one shard");
            engine.run(|_| HuntHandler::new(only_shard())).unwrap()
        });
        let host = Host::attach(&path).unwrap();
        let mut lane = host.lane().unwrap();
        let mut oracle = Oracle::new(City::new(&map), &options);
        let walk = WalkOptions {
            rates: BadRates::each(40_000),
            ..WalkOptions::honest(0..PLAYERS, 6)
        };
        let walkers = Walkers::new(map.clone(), &options.secret, &walk).unwrap();
        for step in walkers.take(3_000) {
            let right = oracle.answer(&step.bytes);
            let answer = ask(&mut lane, KIND_MOVE, &step.bytes);
            assert_eq!(answer, (Some(right.code), right.reply), "{step:?}");
        }
        for (kind, payload) in [
            (KIND_MOVE, &[0_u8; 47][..]),
            (KIND_MOVE, &[0; 49]),
            (KIND_MOVE, &[]),
            (99, &[0; 48]),
        ] {
            assert_eq!(ask(&mut lane, kind, payload), (Some(Code::Malformed), None));
        }
        drop(lane);
        drop(host);
        stop.stop();
        assert_eq!(served.join().unwrap().requests, 3_004);
    });
}
