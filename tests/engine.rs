//! Engine and host in one process: every answer a host can get, and what an engine survives.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironhoard::attach::{Policy, Wishes};
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::host::{Host, HostError, HostOptions};
use ironhoard::layout::{REGION_MAGIC, STATUS_PANIC, STATUS_TOO_LARGE, STATUS_UNKNOWN_FLAG};
use ironhoard::wait::WaitStrategy;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::Scratch;
#[path = "common/running.rs"]
mod running;
use running::Running;

const SECOND: Duration = Duration::from_secs(1);
/// Long enough for a loaded machine: these tests wait for events and never measure.
const PATIENCE: Duration = Duration::from_secs(20);

const ECHO: u16 = 1;
const PANIC: u16 = 2;
const SLEEP_MS: u16 = 3;
const TOO_LARGE: u16 = 4;
const SCRATCH: u16 = 5;
/// A panic that says nothing, for who wants many.
const QUIET_PANIC: u16 = 6;

/// Echoes; and misbehaves on request.
struct Moody;

impl Handler for Moody {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        match request.kind() {
            PANIC => panic!("asked for"),
            QUIET_PANIC => std::panic::resume_unwind(Box::new(())),
            SLEEP_MS => {
                let ms = request.payload().u64_at(0).unwrap_or(0);
                std::thread::sleep(Duration::from_millis(ms));
            }
            TOO_LARGE => {
                return match reply.payload(reply.limit() + 1) {
                    Ok(_) => Status::OK,
                    Err(error) => error.into(),
                }
            }
            SCRATCH => {
                let Some(bytes) = request.bytes() else {
                    return Status::code(9);
                };
                return reply
                    .write(bytes)
                    .map_or_else(Status::from, |()| Status::OK);
            }
            _ => {}
        }
        let payload = request.payload();
        match reply.payload(payload.len()) {
            Ok(bytes) => {
                payload.copy_to(bytes);
                Status::OK
            }
            Err(error) => error.into(),
        }
    }

    fn resumable(&self) -> Result<(), String> {
        Ok(())
    }
}

fn start(options: EngineOptions) -> Running {
    Running::start(options, |_| Moody)
}

fn start_at(path: &Path) -> Running {
    start(EngineOptions::new(path).wait(WaitStrategy::Yield(SECOND / 1000)))
}

fn small(lanes: u32) -> HostOptions {
    HostOptions {
        wishes: Wishes {
            lanes,
            request_capacity: 4096,
            reply_capacity: 4096,
            ..Wishes::default()
        },
        spin: 100,
        patience: None,
        ..HostOptions::default()
    }
}

/// Waits for a condition that another thread brings about.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn payloads_of_every_size_come_back() {
    let scratch = Scratch::new("sizes");
    let engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let limit = lane.payload_limit() as usize;
    assert_eq!(limit, 512);
    let mut answer = vec![0; limit];
    for len in 0..=limit {
        let payload: Vec<u8> = (0..len).map(|byte| (byte * 7 + len) as u8).collect();
        for kind in [ECHO, SCRATCH] {
            let reply = lane
                .call(kind, &payload, &mut answer, PATIENCE)
                .expect("a reply");
            assert_eq!((reply.status, reply.len), (0, len));
            assert_eq!(&answer[..len], payload, "{len} bytes");
        }
    }
    let pages = engine.counters.pages().counts();
    assert_eq!(
        (pages.small, pages.fallbacks, pages.bytes > 0),
        (2, 0, true)
    );
    let counts = engine.stop();
    assert_eq!(counts.requests, 2 * (limit as u64 + 1));
}

#[test]
fn a_payload_too_large_names_the_limit_and_loses_nothing() {
    let scratch = Scratch::new("large");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let refused = lane.claim(513).err().expect("too large");
    assert!(matches!(
        refused,
        HostError::TooLarge {
            payload: 513,
            limit: 512
        }
    ));
    assert!(refused.to_string().contains("512 bytes"), "{refused}");
    let reply = lane
        .call(TOO_LARGE, &[], &mut [], PATIENCE)
        .expect("a reply");
    assert_eq!(reply.status, STATUS_TOO_LARGE);
    let reply = lane
        .call(ECHO, b"still here", &mut [], PATIENCE)
        .expect("a reply");
    assert_eq!((reply.status, reply.len), (0, 10));
}

#[test]
fn a_panic_in_the_handler_is_an_error_reply_and_a_counter() {
    let scratch = Scratch::new("panic");
    let engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    for round in 0..3u64 {
        let reply = lane.call(PANIC, &[], &mut [], PATIENCE).expect("a reply");
        assert_eq!(reply.status, STATUS_PANIC);
        let mut answer = [0; 8];
        let reply = lane
            .call(ECHO, &round.to_le_bytes(), &mut answer, PATIENCE)
            .expect("a reply");
        assert_eq!((reply.status, u64::from_le_bytes(answer)), (0, round));
    }
    let counts = engine.stop();
    assert_eq!((counts.panics, counts.requests), (3, 6));
}

#[test]
fn a_panic_within_a_batch_costs_only_its_own_request() {
    let scratch = Scratch::new("panic-batch");
    let engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let mut batch = lane.batch().expect("open");
    for n in 0..8u64 {
        let mut claim = batch.claim(8).expect("room");
        claim.put_u64(0, n);
        claim.commit(if n % 3 == 1 { PANIC } else { ECHO });
    }
    batch.publish();
    let mut seen = Vec::new();
    while seen.len() < 8 && lane.wait(PATIENCE).expect("alive") {
        let mut replies = lane.poll(8).expect("alive");
        while let Some(reply) = replies.next().expect("sound") {
            seen.push((reply.number(), reply.kind(), reply.payload().u64_at(0)));
        }
    }
    for (index, &(number, status, echoed)) in seen.iter().enumerate() {
        assert_eq!(
            number,
            index as u64 + 1,
            "every request one reply, in order"
        );
        match index % 3 {
            1 => assert_eq!((status, echoed), (STATUS_PANIC, None)),
            _ => assert_eq!((status, echoed), (0, Some(index as u64))),
        }
    }
    assert_eq!(engine.stop().panics, 3);
}

/// A panic ends the shard's round. Where each round ends so, there must be housekeeping all the same, and
/// the lanes behind must have their turn.
#[test]
fn requests_that_all_panic_keep_nobody_waiting() {
    let scratch = Scratch::new("panics");
    let engine = start_at(&scratch.socket());
    let over = AtomicU64::new(0);
    /// Also where the test fails.
    struct Ends<'a>(&'a AtomicU64);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(1, Ordering::Relaxed);
        }
    }
    std::thread::scope(|threads| {
        let _ends = Ends(&over);
        threads.spawn(|| {
            let host = Host::attach(scratch.socket()).expect("attached");
            let mut lane = host.lane().expect("a lane");
            while over.load(Ordering::Relaxed) == 0 {
                while let Ok(claim) = lane.claim(0) {
                    claim.commit(QUIET_PANIC);
                }
                let Ok(mut replies) = lane.poll(1000) else {
                    return; // the engine is gone
                };
                while let Ok(Some(_)) = replies.next() {}
            }
        });
        eventually("panics", || engine.counters.read().panics > 1000);
        let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
        let mut lane = host.lane().expect("a lane");
        let reply = lane.call(ECHO, b"good", &mut [0; 4], PATIENCE);
        assert_eq!(reply.expect("answered").copied, 4);
        assert!(engine.stop().panics > 1000);
    });
}

#[test]
fn a_deadline_says_that_it_may_have_been_executed_and_the_late_reply_is_dropped() {
    let scratch = Scratch::new("deadline");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let slow = 300u64.to_le_bytes();
    let late = lane.call(SLEEP_MS, &slow, &mut [], Duration::from_millis(5));
    let error = late.expect_err("too late");
    assert!(
        matches!(error, HostError::Deadline { number: 1 }),
        "{error}"
    );
    assert!(error.to_string().contains("may have been executed"));
    let mut answer = [0; 2];
    let reply = lane
        .call(ECHO, b"ok", &mut answer, PATIENCE)
        .expect("a reply");
    assert_eq!(
        (reply.status, &answer),
        (0, b"ok"),
        "the late reply is not taken for this one"
    );
    assert_eq!(host.counts().late_replies, 1);
}

#[test]
fn a_poll_never_gives_the_reply_of_a_call_that_was_given_up() {
    let scratch = Scratch::new("given-up");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let slow = 20u64.to_le_bytes();
    for round in 1..=5 {
        let late = lane.call(SLEEP_MS, &slow, &mut [], Duration::from_millis(1));
        assert!(matches!(late, Err(HostError::Deadline { .. })));
        eventually("the late reply is dropped", || {
            let mut replies = lane.poll(8).expect("alive");
            assert!(
                replies.next().expect("sound").is_none(),
                "nobody waits for it"
            );
            drop(replies);
            host.counts().late_replies == round
        });
    }
}

#[test]
fn a_lane_given_back_is_taken_again_without_its_predecessors_replies() {
    let scratch = Scratch::new("pool");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(2)).expect("attached");
    let mut first = host.lane().expect("a lane");
    let second = host.lane().expect("a lane");
    let none = host.lane().err().expect("both are taken");
    assert!(matches!(none, HostError::LanesExhausted { lanes: 2 }));
    let mut claim = first.claim(8).expect("room");
    claim.put_u64(0, 50);
    claim.commit(SLEEP_MS);
    drop(first);
    let mut again = host.lane().expect("the first one");
    assert_eq!(again.index(), 0);
    let reply = again
        .call(ECHO, b"mine", &mut [], PATIENCE)
        .expect("a reply");
    assert_eq!(reply.len, 4);
    assert_eq!(host.counts().late_replies, 1);
    let (sender, receiver) = second.split();
    drop(sender);
    assert!(host.lane().is_err(), "half a lane is no lane");
    drop(receiver);
    assert_eq!(host.lane().expect("whole again").index(), 1);
}

#[test]
fn full_is_an_answer_and_waiting_for_room_needs_its_own_replies_taken() {
    let scratch = Scratch::new("full");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let mut committed = 0;
    let stuck = loop {
        match lane.claim_wait(48, PATIENCE) {
            Ok(claim) => {
                claim.commit(ECHO);
                committed += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(stuck, HostError::RepliesWaiting), "{stuck}");
    let mut taken = 0;
    while taken < committed {
        assert!(lane.wait(PATIENCE).expect("alive"));
        let mut replies = lane.poll(usize::MAX).expect("alive");
        while let Some(reply) = replies.next().expect("sound") {
            taken += 1;
            assert_eq!(reply.number(), taken);
        }
    }
    assert!(committed > 64, "both rings were used: {committed}");
    assert!(lane.claim_wait(48, PATIENCE).is_ok(), "there is room again");
}

#[test]
fn a_call_does_not_steal_replies_that_are_still_to_be_polled() {
    let scratch = Scratch::new("outstanding");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.claim(0).expect("room").commit(ECHO);
    let refused = lane
        .call(ECHO, &[], &mut [], PATIENCE)
        .expect_err("one is outstanding");
    assert!(matches!(refused, HostError::Outstanding { outstanding: 1 }));
}

#[test]
fn nothing_is_lost_when_both_sides_sleep_all_the_time() {
    let scratch = Scratch::new("sleepers");
    let options = EngineOptions::new(scratch.socket()).wait(WaitStrategy::Park);
    let engine = start(options);
    let options = HostOptions {
        spin: 0,
        ..small(4)
    };
    let host = Host::attach_with(scratch.socket(), options).expect("attached");
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let mut lane = host.lane().expect("a lane");
            threads.spawn(move || {
                for n in 0..2000u64 {
                    let mut answer = [0; 8];
                    let reply = lane.call(ECHO, &n.to_le_bytes(), &mut answer, PATIENCE);
                    assert_eq!(reply.expect("a reply").status, 0);
                    assert_eq!(u64::from_le_bytes(answer), n);
                    if n % 64 == 0 {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
    });
    let counts = engine.stop();
    assert_eq!(counts.requests, 8000);
    assert!(counts.parks > 0 && counts.rings > 0, "{counts:?}");
}

#[test]
fn many_threads_share_one_sender_and_nothing_is_lost_or_torn() {
    const THREADS: u64 = 8;
    const EACH: u64 = 4000;
    let scratch = Scratch::new("shared");
    let _engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let (sender, mut receiver) = host.lane().expect("a lane").split();
    let sender = sender.shared();
    let sent = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (sender, sent) = (sender.clone(), &sent);
            threads.spawn(move || {
                let mut n = 0;
                while n < EACH {
                    let grouped = sender.group(|batch| {
                        for _ in 0..16.min(EACH - n) {
                            let mut claim = batch.claim(24)?;
                            claim.put_u64(0, thread);
                            claim.put_u64(1, n);
                            claim.put_u64(2, thread ^ n.wrapping_mul(0x9e37));
                            claim.commit(ECHO);
                            n += 1;
                        }
                        Ok(())
                    });
                    match grouped {
                        Ok(()) | Err(HostError::Full) => std::thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
                sent.fetch_add(n, Ordering::Relaxed);
            });
        }
        let mut next = [0; THREADS as usize];
        let mut received = 0;
        while received < THREADS * EACH {
            assert!(receiver.wait(PATIENCE).expect("alive"), "after {received}");
            let mut replies = receiver.poll(64).expect("alive");
            while let Some(reply) = replies.next().expect("sound") {
                received += 1;
                assert_eq!(reply.number(), received);
                let words = reply.payload().array::<24>().expect("24 bytes");
                let word = |at: usize| u64::from_le_bytes(words[at..at + 8].try_into().unwrap());
                let (thread, n) = (word(0), word(8));
                assert_eq!(word(16), thread ^ n.wrapping_mul(0x9e37), "torn");
                assert_eq!(n, next[thread as usize], "order of a thread");
                next[thread as usize] += 1;
            }
        }
    });
    assert_eq!(sent.into_inner(), THREADS * EACH);
}

#[test]
fn stopping_answers_what_was_committed() {
    let scratch = Scratch::new("drain");
    let engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.call(ECHO, &[], &mut [], PATIENCE).expect("awake");
    let mut claim = lane.claim(8).expect("room");
    claim.put_u64(0, 50);
    claim.commit(SLEEP_MS);
    for _ in 0..20 {
        lane.claim(0).expect("room").commit(ECHO);
    }
    assert_eq!(engine.stop().requests, 22);
    let mut taken = 0;
    let gone = loop {
        match lane.wait(PATIENCE) {
            Ok(true) => {
                let mut replies = lane.poll(64).expect("replies are left");
                while replies.next().expect("sound").is_some() {
                    taken += 1;
                }
            }
            Ok(false) => std::thread::yield_now(), // its death is about to be noticed
            Err(error) => break error,
        }
    };
    assert_eq!(taken, 21);
    assert!(matches!(gone, HostError::Gone { .. }), "{gone}");
    assert!(!scratch.socket().exists(), "the path is free");
}

#[test]
fn a_vanished_hosts_place_is_free_again() {
    let scratch = Scratch::new("places");
    let policy = Policy {
        max_hosts: 1,
        ..Policy::default()
    };
    let engine = start(EngineOptions::new(scratch.socket()).policy(policy));
    for round in 1..=5 {
        let host = loop {
            match Host::attach_with(scratch.socket(), small(1)) {
                Ok(host) => break host,
                Err(error) => assert!(error.to_string().contains("hosts"), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let second = Host::attach_with(scratch.socket(), small(1));
        assert!(second.is_err(), "there is one place");
        drop(host);
        eventually("detach", || engine.counters.read().detached == round);
    }
    assert_eq!(engine.stop().attached, 5);
}

/// More than there is room for replies, and nobody who takes them any more.
#[test]
fn what_a_vanished_host_had_committed_is_answered_to_the_end() {
    let scratch = Scratch::new("leave");
    let engine = start_at(&scratch.socket());
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let committed = (0..)
        .take_while(|_| match lane.claim(0) {
            Ok(claim) => claim.commit(ECHO) != 0,
            Err(_) => {
                let waits = engine.counters.read().skipped;
                eventually("room is short", || engine.counters.read().skipped > waits);
                lane.claim(0).map(|claim| claim.commit(ECHO)).is_ok()
            }
        })
        .count() as u64;
    drop((lane, host));
    eventually("detach", || engine.counters.read().detached == 1);
    assert_eq!(engine.stop().requests, committed);
}

/// A host that knows the layout and breaks it.
#[test]
fn nonsense_costs_its_author_the_lane_and_nobody_else_anything() {
    let scratch = Scratch::new("nonsense");
    let engine = start_at(&scratch.socket());
    let good = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = good.lane().expect("a lane");
    let wishes = small(2).wishes;
    let hostile =
        ironhoard::attach::attach(&scratch.socket(), &wishes, PATIENCE).expect("attached");
    let region = hostile.request.as_ptr();
    let put = |offset: u64, value: u64| {
        // SAFETY: inside the region, which is mapped writable for the length of this test.
        unsafe {
            region
                .add(offset as usize)
                .cast::<u64>()
                .write_volatile(value)
        }
    };
    let ring = |lane| ironhoard::layout::ring_offset(2, lane, 4096);
    let in_use = |lane| ironhoard::layout::lane_control_offset(lane) + 72;
    put(ring(0), 1 << 32 | 3); // record 1 with an impossible length
    put(in_use(0), 1);
    // A hostile host does not ring: calls of the good one keep the engine awake.
    let mut awake = || lane.call(ECHO, b"", &mut [], PATIENCE).expect("a reply");
    eventually("one lane closed", || {
        awake();
        engine.counters.read().corrupt_lanes == 1
    });
    // The other lane of the same host still works: a record with a flag that nobody knows.
    put(ring(1) + 8, 1 << 16 | ECHO as u64);
    put(ring(1), 1 << 32 | 16);
    put(in_use(1), 1);
    eventually("one refusal", || {
        awake();
        engine.counters.read().unknown_flags == 1
    });
    let reply = ironhoard::layout::ring_offset(2, 1, 4096) as usize;
    // SAFETY: inside the reply region, mapped readable for the length of this test.
    let second = unsafe {
        hostile
            .reply
            .as_ptr()
            .add(reply + 8)
            .cast::<u64>()
            .read_volatile()
    };
    assert_eq!(second as u16, STATUS_UNKNOWN_FLAG);
    // And a position ahead of what was written: the reply ring's fault, found when room is needed.
    put(ironhoard::layout::lane_control_offset(1), u64::MAX - 63);
    let answer = lane
        .call(ECHO, b"unharmed", &mut [], PATIENCE)
        .expect("a reply");
    assert_eq!(answer.len, 8);
    // SAFETY: the first word of the region.
    let magic = unsafe { region.cast::<u64>().read_volatile() };
    assert_eq!(magic, REGION_MAGIC);
}

#[test]
fn impossible_engines_are_refused_with_advice() {
    let scratch = Scratch::new("advice");
    let path = scratch.socket();
    let message = |options: EngineOptions| match Engine::bind(options) {
        Ok(_) => panic!("bound"),
        Err(error) => error.to_string(),
    };
    let cores = message(EngineOptions::new(&path).cores([4000]));
    assert!(
        cores.contains("core 4000") && cores.contains("choose"),
        "{cores}"
    );
    let none = message(EngineOptions::new(&path).unpinned(0));
    assert!(none.contains("choose 1 to 48"), "{none}");
    let long = scratch.path().join("x".repeat(120));
    assert!(message(EngineOptions::new(long)).contains("107"));
    let nowhere = message(EngineOptions::new("/nonexistent-directory/engine.sock"));
    assert!(nowhere.contains("/nonexistent-directory"), "{nowhere}");
    let living = Engine::bind(EngineOptions::new(&path)).expect("bound");
    let second = message(EngineOptions::new(&path));
    assert!(second.contains(&std::process::id().to_string()), "{second}");
    drop(living);
    assert!(Engine::bind(EngineOptions::new(&path)).is_ok());
}

#[test]
fn a_host_without_an_engine_is_told_where_it_looked() {
    let scratch = Scratch::new("alone");
    let error = Host::attach(scratch.socket()).err().expect("nobody there");
    assert!(error.to_string().contains("engine.sock"), "{error}");
}

#[test]
fn several_shards_serve_the_lanes_of_one_host() {
    let scratch = Scratch::new("shards");
    let engine = start(
        EngineOptions::new(scratch.socket())
            .unpinned(3)
            .wait(WaitStrategy::Park),
    );
    let host = Host::attach_with(scratch.socket(), small(6)).expect("attached");
    let shards: std::collections::BTreeSet<u16> = host.terms().lane_shards.into_iter().collect();
    assert_eq!(shards.len(), 3);
    let mut lanes: Vec<_> = (0..6).map(|_| host.lane().expect("a lane")).collect();
    for n in 0..600 {
        let reply = lanes[n % 6]
            .call(ECHO, &[n as u8], &mut [], PATIENCE)
            .expect("a reply");
        assert_eq!(reply.len, 1);
    }
    assert_eq!(engine.stop().requests, 600);
}
