//! Moves through an engine and back: what a host reads is what the oracle says, byte for byte.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::engine::{Counts, Engine, EngineOptions, StopHandle};
use ironhoard::host::{EventAnswer, Host, HostOptions, Lane};
use ironhoard_hunt::event::{Audience, Event, EventKind, EVENT_BYTES};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::handler::HuntHandler;
use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::record::{Code, Reply, KIND_MOVE};
use ironhoard_hunt::request::{Operate, OperateVerb, KIND_OPERATE};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};
use ironhoard_hunt::world::{Hunt, HuntOptions};

const PLAYERS: u32 = 5;

/// What an engine of these tests serves, and where.
struct World {
    map: Arc<StreetMap>,
    options: GameOptions,
    path: PathBuf,
}

/// Serves a hunt with so many event rings for as long as `play` plays; returns what the engine counted.
fn serve(event_rings: usize, play: impl FnOnce(&World)) -> Counts {
    let folder = tempfile::tempdir().unwrap();
    let world = World {
        map: Arc::new(generate(&GenerateOptions::city(500, 4), &mut |_, _| {}).unwrap()),
        options: GameOptions {
            players: PLAYERS,
            max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
            secret: WorldSecret::from_seed(8),
        },
        path: folder.path().join("hunt.sock"),
    };
    let options = EngineOptions::new(&world.path).event_rings(event_rings, 1 << 16);
    let engine = Engine::bind(options).unwrap();
    let hunt = Hunt::new(world.map.clone(), &HuntOptions::new(world.options.clone())).unwrap();
    let hunt = Mutex::new(Some(hunt));
    std::thread::scope(|scope| {
        let stop = StopAtLast(engine.stop_handle());
        let served = scope.spawn(move || {
            let only_shard = || hunt.lock().unwrap().take().expect("one shard");
            engine.run(|_| HuntHandler::new(only_shard())).unwrap()
        });
        play(&world);
        drop(stop);
        served.join().unwrap()
    })
}

/// Stops the engine also where the play fails, so that its thread can be joined.
struct StopAtLast(StopHandle);

impl Drop for StopAtLast {
    fn drop(&mut self) {
        self.0.stop();
    }
}

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
    let counts = serve(0, |World { map, options, path }| {
        let host = Host::attach(path).unwrap();
        let mut lane = host.lane().unwrap();
        let mut oracle = Oracle::new(City::new(map), options);
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
    });
    assert_eq!(counts.requests, 3_004);
}

#[test]
fn every_host_reads_what_the_hunt_has_to_tell() {
    serve(1, |World { map, options, path }| {
        let listener = || {
            let options = HostOptions {
                wishes: Wishes::events_only(),
                ..HostOptions::default()
            };
            let host = Host::attach_with(path, options).unwrap();
            let events = host.events(0).unwrap();
            (host, events)
        };
        let mut listeners = [listener(), listener()];
        let host = Host::attach(path).unwrap();
        let mut lane = host.lane().unwrap();
        let treasures: Vec<Operate> = (1..=40)
            .map(|sequence| Operate {
                operator: 3,
                verb: OperateVerb::LayTreasure,
                board: 0,
                sequence,
                treasure: 0,
                subject: u64::from(sequence),
                value: i64::from(sequence) * 10,
            })
            .collect();
        for operate in &treasures {
            let mut bytes = operate.encode();
            options
                .secret
                .operator_key(operate.operator)
                .sign(&mut bytes);
            assert_eq!(ask(&mut lane, KIND_OPERATE, &bytes).0, Some(Code::Accepted));
        }
        for (_, events) in &mut listeners {
            for operate in &treasures {
                let mut payload = [0; EVENT_BYTES];
                let answer = events.poll(&mut payload).unwrap();
                let EventAnswer::Event(told) = answer else {
                    panic!("{answer:?} instead of the drop at node {}", operate.subject);
                };
                let event = Event::decode(&payload[..told.copied]).expect("an event");
                assert_eq!(told.kind, EventKind::ClueDrop as u16);
                assert_eq!(event.audience, Audience::Area(operate.subject as u32));
                assert_eq!(event.value, operate.value);
                assert_eq!(event.place, map.point(operate.subject as u32));
            }
            let end = events.poll(&mut [0; EVENT_BYTES]).unwrap();
            assert_eq!(end, EventAnswer::Empty);
        }
    });
}
