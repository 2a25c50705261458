//! Rings over named segments: two processes, every byte compared, and the promises that are weaker.
#![cfg(feature = "named")]

use std::time::{Duration, Instant};

use ironhoard::engine::{Handler, Reply, Request, Status};
use ironhoard::host::HostError;
use ironhoard::layout::STATUS_PANIC;
use ironhoard::named::{NamedAttachError, NamedEngine, NamedHost, NamedLane, NamedShape};
use ironhoard::region::NamedError;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::{end_with_input, role_path, role_word, say_ready, Role};

const SHAPE: NamedShape = NamedShape {
    lanes: 2,
    request_capacity: 1 << 16,
    reply_capacity: 1 << 15,
};
const PATIENCE: Duration = Duration::from_secs(20);
const ECHO: u16 = 1;
const PANIC: u16 = 2;

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        assert_ne!(request.kind(), PANIC, "asked for");
        let Some(bytes) = request.bytes() else {
            return Status::code(1);
        };
        reply
            .write(bytes)
            .map_or_else(Status::from, |()| Status::OK)
    }
}

fn name(test: &str) -> String {
    format!("ironhoard-rings-{}-{test}", std::process::id())
}

fn create(name: &str) -> Result<NamedEngine, NamedAttachError> {
    // SAFETY: the names hold this process's number; only these tests open them, by the rules.
    unsafe { NamedEngine::create(name, SHAPE) }
}

fn open(name: &str) -> Result<NamedHost, NamedAttachError> {
    // SAFETY: as above.
    unsafe { NamedHost::open(name, SHAPE) }
}

/// Files in /dev/shm whose name begins with `name`.
fn left(name: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir("/dev/shm")
        .expect("a directory")
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(name))
        .collect()
}

/// An engine that serves until its input closes; the role's word is the segments' name.
#[test]
fn role_named_engine() {
    if role_path().is_none() {
        return;
    }
    let mut engine = create(&role_word()).expect("created");
    static ENDED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    end_with_input(|| ENDED.store(true, std::sync::atomic::Ordering::Relaxed));
    say_ready();
    while !ENDED.load(std::sync::atomic::Ordering::Relaxed) {
        if engine.serve_once(&mut Echo, 16).expect("a sound host") == 0 {
            std::thread::yield_now();
        }
    }
}

/// The payload of request `n`, of any size up to the reply ring's limit.
fn payload(n: u64) -> Vec<u8> {
    (0..n * 37 % 4000).map(|at| (at ^ n) as u8).collect()
}

/// Sends `requests` requests as fast as there is room, and compares every reply.
fn exercise(lane: &mut NamedLane, requests: u64) {
    let deadline = Instant::now() + PATIENCE;
    let (mut sent, mut received) = (0, 0);
    while received < requests {
        assert!(
            Instant::now() < deadline,
            "{sent} sent, {received} received"
        );
        while sent < requests {
            let bytes = payload(sent + 1);
            let mut claim = match lane.claim(bytes.len()) {
                Ok(claim) => claim,
                Err(HostError::Full) => break,
                Err(error) => panic!("{error}"),
            };
            claim.payload().copy_from_slice(&bytes);
            sent = claim.commit(ECHO);
        }
        let before = received;
        let mut replies = lane.poll(64).expect("a sound engine");
        while let Some(reply) = replies.next().expect("a sound engine") {
            received += 1;
            assert_eq!((reply.number(), reply.kind()), (received, 0));
            assert_eq!(reply.payload().to_vec(), payload(received));
        }
        if received == before {
            std::thread::yield_now();
        }
    }
}

#[test]
fn two_processes_exchange_every_byte_on_every_lane() {
    let name = name("two");
    let engine = Role::start("role_named_engine", "-".as_ref(), &name);
    let mut lanes = open(&name).expect("opened").into_lanes();
    assert_eq!(lanes.len(), 2);
    std::thread::scope(|threads| {
        for lane in &mut lanes {
            threads.spawn(|| exercise(lane, 10_000));
        }
    });
    assert!(engine.finish());
    assert!(left(&name).is_empty(), "an orderly end removes the names");
}

#[test]
fn a_killed_engine_leaves_its_segments_and_the_next_one_says_so() {
    let name = name("killed");
    let mut engine = Role::start("role_named_engine", "-".as_ref(), &name);
    let mut lanes = open(&name).expect("opened").into_lanes();
    exercise(&mut lanes[0], 10);
    engine.kill();
    assert!(lanes[0].poll(1).expect("nobody notices").next().is_ok());
    let error = create(&name).err().expect("the names are taken");
    let leftovers = left(&name);
    for path in &leftovers {
        std::fs::remove_file(path).expect("removed");
    }
    assert_eq!(leftovers.len(), 2);
    assert!(
        matches!(&error, NamedAttachError::Segment(NamedError::Exists { .. })),
        "{error}"
    );
    drop(create(&name).expect("free again"));
}

#[test]
fn a_second_host_and_another_shape_are_refused() {
    let name = name("refused");
    assert!(matches!(
        open(&name).err(),
        Some(NamedAttachError::Segment(NamedError::Open { .. }))
    ));
    let _engine = create(&name).expect("created");
    let other = NamedShape { lanes: 1, ..SHAPE };
    // SAFETY: as in `open`.
    let error = unsafe { NamedHost::open(&name, other) }.err();
    assert!(matches!(
        error,
        Some(NamedAttachError::Segment(NamedError::Open { .. }))
    ));
    let first = open(&name).expect("opened");
    drop(first);
    let error = open(&name).err().expect("once only");
    assert!(error.to_string().contains("serve one only"), "{error}");
}

#[test]
fn impossible_shapes_are_refused() {
    let name = name("shapes");
    for shape in [
        NamedShape { lanes: 0, ..SHAPE },
        NamedShape {
            lanes: 1025,
            ..SHAPE
        },
        NamedShape {
            request_capacity: 2048,
            ..SHAPE
        },
        NamedShape {
            reply_capacity: 100_000,
            ..SHAPE
        },
        NamedShape {
            reply_capacity: u64::MAX,
            ..SHAPE
        },
    ] {
        // SAFETY: as in `create`; nothing is created.
        assert!(unsafe { NamedEngine::create(&name, shape) }.is_err());
    }
    assert!(left(&name).is_empty());
}

#[test]
fn a_panic_is_answered_when_the_caller_goes_on() {
    let name = name("panic");
    let mut engine = create(&name).expect("created");
    let mut lanes = open(&name).expect("opened").into_lanes();
    let lane = &mut lanes[1];
    for kind in [PANIC, ECHO] {
        lane.claim(0).expect("room").commit(kind);
    }
    let visit = std::panic::AssertUnwindSafe(|| engine.serve_once(&mut Echo, 16));
    assert!(std::panic::catch_unwind(visit).is_err());
    assert_eq!(engine.serve_once(&mut Echo, 16), Ok(2));
    let mut replies = lane.poll(16).expect("sound");
    let mut kinds = Vec::new();
    while let Some(reply) = replies.next().expect("sound") {
        kinds.push((reply.number(), reply.kind()));
    }
    assert_eq!(kinds, [(1, STATUS_PANIC), (2, 0)]);
}

#[test]
fn a_host_that_takes_no_replies_is_passed_over_and_loses_nothing() {
    let name = name("choked");
    let mut engine = create(&name).expect("created");
    let mut lanes = open(&name).expect("opened").into_lanes();
    let lane = &mut lanes[0];
    let mut sent = 0;
    while let Ok(claim) = lane.claim(48) {
        sent = claim.commit(ECHO);
    }
    let mut answered = 0;
    while let Ok(more @ 1..) = engine.serve_once(&mut Echo, 16) {
        answered += more;
    }
    assert!(answered > 0 && answered < sent, "{answered} of {sent}");
    let mut received = 0;
    while received < sent {
        let mut replies = lane.poll(usize::MAX).expect("sound");
        while replies.next().expect("sound").is_some() {
            received += 1;
        }
        drop(replies);
        let _ = engine.serve_once(&mut Echo, usize::MAX).expect("sound");
    }
}
