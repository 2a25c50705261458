//! `kill -9` of engines and hosts: nothing lost, nothing doubled, nothing left.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ironhoard::host::{Host, HostError, Lane};
use ironhoard::layout::STATUS_POISON;
use ironhoard::region::PageMode;

use crate::processes::{Role, Scratch};
use crate::roles::{options, DIE, ECHO, PATIENCE};

const ENGINE: &str = "roles::role_engine";

#[test]
fn calls_go_on_with_the_next_engine() {
    let scratch = Scratch::new("restart");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(3, 1 << 14, PageMode::Auto)).expect("attached");
    let done = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for caller in 0..3u64 {
            let mut lane = host.lane().expect("a lane");
            let (done, calls) = (&done, &calls);
            threads.spawn(move || {
                let mut n = 0;
                while !done.load(Ordering::Relaxed) {
                    let payload = [caller, n].map(u64::to_le_bytes).concat();
                    let mut answer = [0; 16];
                    let reply = lane
                        .call(ECHO, &payload, &mut answer, PATIENCE)
                        .expect("a reply");
                    assert_eq!((reply.status, &answer[..]), (0, &payload[..]));
                    n += 1;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..6 {
            let before = calls.load(Ordering::Relaxed);
            while calls.load(Ordering::Relaxed) < before + 500 {
                std::thread::sleep(Duration::from_millis(1));
            }
            engine.kill();
            engine = Role::start(ENGINE, &path, "small");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(host.counts().resumes, 6);
    assert_eq!(host.counts().late_replies, 0);
    assert!(engine.finish());
}

/// Claims until the ring is full; each payload begins with how many were sent before.
fn fill(lane: &mut Lane, sent: &mut u64) {
    loop {
        let payload = 8 + (*sent % 200) as usize * 8;
        match lane.claim(payload) {
            Ok(mut claim) => {
                claim.put_u64(0, *sent);
                *sent += 1;
                assert_eq!(claim.commit(ECHO), *sent);
                continue;
            }
            Err(HostError::Full) => {}
            Err(error) => panic!("{error}"),
        }
        if lane.outstanding() > 0 {
            return;
        }
        // All is answered; the engine is about to publish how far it is.
        lane.claim_wait(payload, PATIENCE).expect("room").abort();
    }
}

/// A window of requests is under way all the time, so replies are left in the rings of the dead.
#[test]
fn every_request_gets_exactly_one_reply_in_order_across_deaths() {
    let scratch = Scratch::new("window");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(1, 1 << 14, PageMode::Auto)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let (mut sent, mut received) = (0u64, 0u64);
    for round in 0..8 {
        let target = received + 3000;
        while received < target {
            fill(&mut lane, &mut sent);
            assert!(
                lane.wait(PATIENCE).expect("alive"),
                "after {received} of {sent}"
            );
            let mut replies = lane.poll(7).expect("alive");
            while let Some(reply) = replies.next().expect("sound") {
                assert_eq!(reply.payload().u64_at(0), Some(received));
                received += 1;
                assert_eq!((reply.number(), reply.kind()), (received, 0));
            }
        }
        if round % 2 == 0 {
            engine.kill();
        } else {
            engine.halt(); // drains, says so, leaves
        }
        engine = Role::start(ENGINE, &path, "small");
    }
    while received < sent {
        assert!(lane.wait(PATIENCE).expect("alive"));
        let mut replies = lane.poll(64).expect("alive");
        while let Some(reply) = replies.next().expect("sound") {
            assert_eq!(reply.payload().u64_at(0), Some(received));
            received += 1;
        }
    }
    assert_eq!(lane.outstanding(), 0);
}

#[test]
fn a_lane_that_slept_through_two_deaths_reads_all_its_replies() {
    let scratch = Scratch::new("sleeper");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(2, 1 << 14, PageMode::Auto)).expect("attached");
    let mut idle = host.lane().expect("a lane");
    let mut busy = host.lane().expect("a lane");
    for n in 0..20u64 {
        let mut claim = idle.claim(8).expect("room");
        claim.put_u64(0, n);
        claim.commit(ECHO);
    }
    for _ in 0..3 {
        busy.call(ECHO, b"news?", &mut [], PATIENCE)
            .expect("a reply");
        engine.kill();
        engine = Role::start(ENGINE, &path, "small");
        busy.call(ECHO, b"again", &mut [], PATIENCE)
            .expect("a reply");
    }
    for expected in 0..20u64 {
        assert!(idle.wait(PATIENCE).expect("alive"));
        let mut replies = idle.poll(1).expect("alive");
        let reply = replies.next().expect("sound").expect("there");
        assert_eq!(reply.payload().u64_at(0), Some(expected));
    }
    idle.call(ECHO, b"awake", &mut [], PATIENCE)
        .expect("a reply");
}

#[test]
fn a_handler_with_state_is_not_resumed_silently() {
    let scratch = Scratch::new("stateful");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small,stateful");
    let host = Host::attach_with(&path, options(1, 1 << 14, PageMode::Auto)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.call(ECHO, b"alive", &mut [], PATIENCE)
        .expect("a reply");
    engine.kill();
    let engine = Role::start(ENGINE, &path, "small,stateful");
    let error = lane
        .call(ECHO, b"alive?", &mut [], PATIENCE)
        .expect_err("state is gone");
    assert!(matches!(error, HostError::Gone { .. }), "{error}");
    assert!(
        error.to_string().contains("the treasure is lost"),
        "{error}"
    );
    drop(lane);
    drop(host);
    let again = Host::attach_with(&path, options(1, 1 << 14, PageMode::Auto)).expect("attached");
    let mut lane = again.lane().expect("a lane");
    lane.call(ECHO, b"anew", &mut [], PATIENCE)
        .expect("a reply");
    assert!(engine.finish());
}

#[test]
fn a_request_that_kills_engines_is_answered_with_an_error_in_the_end() {
    let scratch = Scratch::new("poison");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(1, 1 << 14, PageMode::Auto)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.call(ECHO, b"before", &mut [], PATIENCE)
        .expect("a reply");
    let killer = std::thread::spawn(move || {
        let reply = lane
            .call(DIE, b"", &mut [], PATIENCE)
            .expect("a reply, in the end");
        assert_eq!(reply.status, STATUS_POISON);
        lane.call(ECHO, b"after", &mut [], PATIENCE)
            .expect("a reply");
    });
    for _ in 0..2 {
        engine.wait(); // it dies by the request
        engine = Role::start(ENGINE, &path, "small");
    }
    killer.join().expect("answered");
    assert!(engine.finish());
}

#[test]
fn an_engine_outlives_hosts_killed_in_the_middle_of_anything() {
    let scratch = Scratch::new("killed-hosts");
    let path = scratch.socket();
    let engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(1, 1 << 14, PageMode::Auto)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{}/fd", engine.pid()))
            .expect("fds")
            .count()
    };
    lane.call(ECHO, b"hello", &mut [], PATIENCE)
        .expect("a reply");
    let before = descriptors();
    for _ in 0..5 {
        let mut flood = Role::start("roles::role_flooding_host", &path, "");
        for n in 0..200u64 {
            let mut answer = [0; 8];
            lane.call(ECHO, &n.to_le_bytes(), &mut answer, PATIENCE)
                .expect("a reply");
            assert_eq!(u64::from_le_bytes(answer), n);
        }
        flood.kill();
    }
    for _ in 0..2000 {
        if descriptors() == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(descriptors(), before, "nothing of the dead is kept");
    assert!(engine.finish());
}

#[test]
fn nothing_is_left_but_the_path_and_its_lock_and_the_next_engine_starts_at_once() {
    let scratch = Scratch::new("residue");
    let path = scratch.socket();
    let shm = || {
        std::fs::read_dir("/dev/shm")
            .map(|entries| entries.count())
            .unwrap_or(0)
    };
    let before = shm();
    for _ in 0..3 {
        let mut engine = Role::start(ENGINE, &path, "auto");
        let mut host = Role::start("roles::role_flooding_host", &path, "");
        engine.kill();
        host.kill();
        let mut left: Vec<_> = std::fs::read_dir(scratch.path())
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["engine.sock", "engine.sock.lock"]);
    }
    assert_eq!(shm(), before);
    let engine = Role::start(ENGINE, &path, "auto");
    assert!(engine.finish());
}

/// A sender that only ever opens batches learns of the next engine's position as well.
#[test]
fn batches_find_room_at_the_next_engine() {
    let scratch = Scratch::new("batches");
    let path = scratch.socket();
    let mut engine = Role::start(ENGINE, &path, "small");
    let host = Host::attach_with(&path, options(1, 1 << 12, PageMode::Auto)).expect("attached");
    let (sender, mut receiver) = host.lane().expect("a lane").split();
    let sender = sender.shared();
    for round in 0..2 {
        let mut sent = 0;
        let end = std::time::Instant::now() + PATIENCE;
        while sent < 300 {
            let grouped = sender.group(|batch| {
                batch.claim(48)?.commit(ECHO);
                Ok(())
            });
            match grouped {
                Ok(()) => sent += 1,
                Err(HostError::Full) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(
                std::time::Instant::now() < end,
                "round {round}: {sent} sent"
            );
            let mut replies = receiver.poll(64).expect("alive");
            while replies.next().expect("sound").is_some() {}
        }
        engine.kill();
        engine = Role::start(ENGINE, &path, "small");
    }
}
