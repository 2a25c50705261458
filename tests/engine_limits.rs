//! What nobody may do to an engine, and waits that must end: each of these once went wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ironhoard::attach::Wishes;
use ironhoard::engine::{
    Counts, Engine, EngineError, EngineOptions, Handler, Reply, Request, Status, StopHandle,
};
use ironhoard::host::{Host, HostError, HostOptions};
use ironhoard::layout::{lane_control_offset, ring_offset, LINE};
use ironhoard::wait::WaitStrategy;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::Scratch;

/// Long enough for a loaded machine: these tests wait for events and never measure.
const PATIENCE: Duration = Duration::from_secs(8);
/// Well above what a halt takes, well below what a silent peer is given.
const SOON: Duration = Duration::from_secs(3);

/// Answers everything with nothing. Kind 2 takes a while.
struct Answer;

impl Handler for Answer {
    fn handle(&mut self, request: &Request<'_>, _: &mut Reply<'_>) -> Status {
        if request.kind() == 2 {
            std::thread::sleep(Duration::from_micros(100));
        }
        Status::OK
    }

    fn resumable(&self) -> Result<(), String> {
        Ok(())
    }

    fn largest_reply(&self) -> Option<usize> {
        Some(48)
    }
}

struct Running {
    stop: StopHandle,
    thread: std::thread::JoinHandle<Result<Counts, EngineError>>,
}

fn start(options: EngineOptions) -> Running {
    let engine = Engine::bind(options).expect("bound");
    Running {
        stop: engine.stop_handle(),
        thread: std::thread::spawn(|| engine.run(|_| Answer)),
    }
}

impl Running {
    fn stop(self) -> Counts {
        self.stop.stop();
        let ended = self.thread.join().expect("no panic");
        ended.expect("an orderly end")
    }
}

fn small(lanes: u32) -> HostOptions {
    HostOptions {
        wishes: Wishes {
            lanes,
            request_capacity: 4096,
            reply_capacity: 4096,
            ..Wishes::default()
        },
        spin: 10,
        patience: None,
        ..HostOptions::default()
    }
}

/// A host that hangs up keeps its maps. It could go on committing for ever.
#[test]
fn a_host_that_left_can_not_keep_the_shard_busy() {
    let scratch = Scratch::new("captor");
    let engine = start(EngineOptions::new(scratch.socket()));
    let good = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = good.lane().expect("a lane");
    const CAPACITY: u64 = 1 << 16;
    let wishes = Wishes {
        request_capacity: CAPACITY,
        reply_capacity: CAPACITY,
        ..Wishes::default()
    };
    let side = ironhoard::attach::attach(&scratch.socket(), &wishes, PATIENCE).expect("attached");
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let (request, reply, over) = (side.request, side.reply, &over);
        let word = move |map: &ironhoard::region::Mapping, offset: u64| {
            // SAFETY: inside the region, aligned, mapped for the length of this scope.
            unsafe { &*map.as_ptr().add(offset as usize).cast::<AtomicU64>() }
        };
        threads.spawn(move || {
            word(&request, lane_control_offset(0) + 72).store(1, Ordering::Relaxed);
            let (ring, lines) = (ring_offset(1, 0, CAPACITY), CAPACITY / LINE as u64);
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                // Always many requests ahead, and always as far with the replies.
                let slot = ring + (number % lines) * LINE as u64;
                number += 1;
                word(&request, slot + 8).store(2, Ordering::Relaxed);
                word(&request, slot).store(number << 32 | 16, Ordering::Release);
                loop {
                    let last = number.saturating_sub(900);
                    let at = ring + (last.max(1) - 1) % lines * LINE as u64;
                    let answered = word(&reply, at).load(Ordering::Acquire) >> 32 >= last;
                    if last == 0 || answered || over.load(Ordering::Relaxed) {
                        let position = last * LINE as u64;
                        word(&request, lane_control_offset(0) + 8)
                            .store(position, Ordering::Release);
                        break;
                    }
                    std::hint::spin_loop();
                }
            }
        });
        std::thread::sleep(Duration::from_millis(100));
        drop(side.socket); // it is gone, as far as anybody can tell
        std::thread::sleep(Duration::from_millis(400)); // the shard reads its mail now and then
        let served = lane.call(1, b"and I?", &mut [], PATIENCE);
        over.store(true, Ordering::Relaxed);
        served.expect("the shard serves others");
    });
    engine.stop();
}

/// The reply ring is full of what nobody wants, the engine sleeps until there is room: dropping it is
/// news.
#[test]
fn dropping_unwanted_replies_wakes_an_engine_that_waits_for_room() {
    let scratch = Scratch::new("unwanted");
    let engine = start(EngineOptions::new(scratch.socket()).wait(WaitStrategy::Park));
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    loop {
        match lane.claim_wait(48, PATIENCE) {
            Ok(claim) => claim.commit(1),
            Err(HostError::RepliesWaiting) => break,
            Err(error) => panic!("{error}"),
        };
    }
    drop(lane);
    std::thread::sleep(Duration::from_millis(100)); // the engine falls asleep
    let mut again = host.lane().expect("the same one");
    again
        .call(1, &[1; 48], &mut [], PATIENCE)
        .expect("room, and a reply");
    engine.stop();
}

/// A batch that waits for room must let a sleeping engine know what it has made visible.
#[test]
fn a_full_batch_wakes_the_engine_that_can_make_room() {
    let scratch = Scratch::new("full-batch");
    let engine = start(EngineOptions::new(scratch.socket()).wait(WaitStrategy::Park));
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let (mut sender, mut receiver) = host.lane().expect("a lane").split();
    std::thread::sleep(Duration::from_millis(100)); // the engine falls asleep
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut replies = receiver.poll(64).expect("alive");
                while replies.next().expect("sound").is_some() {}
                drop(replies);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let end = Instant::now() + PATIENCE;
        let mut batch = sender.batch().expect("open");
        let mut committed = 0;
        while committed < 200 && Instant::now() < end {
            match batch.claim(48) {
                Ok(claim) => {
                    claim.commit(1);
                    committed += 1;
                }
                Err(HostError::Full) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        drop(batch);
        over.store(true, Ordering::Relaxed);
        assert_eq!(committed, 200);
    });
    engine.stop();
}

#[test]
fn a_handler_that_can_not_be_made_is_an_error_and_no_panic() {
    let scratch = Scratch::new("unmade");
    let engine = Engine::bind(EngineOptions::new(scratch.socket()).unpinned(2)).expect("bound");
    let ended = engine.run(|shard| match shard {
        0 => Answer,
        _ => panic!("no map"),
    });
    let error = ended.expect_err("half an engine is none");
    assert!(
        matches!(error, EngineError::ShardLost { shard: 1 }),
        "{error}"
    );
}

/// A connection that says nothing is given seconds for each step; a successor waits for the path.
#[test]
fn a_silent_connection_does_not_hold_up_the_halt() {
    let scratch = Scratch::new("silent");
    let engine = start(EngineOptions::new(scratch.socket()));
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let kind = rustix::net::SocketType::SEQPACKET;
    let family = rustix::net::AddressFamily::UNIX;
    let silent = rustix::net::socket_with(family, kind, flags, None).expect("a socket");
    let address = rustix::net::SocketAddrUnix::new(scratch.socket()).expect("a short path");
    rustix::net::connect(&silent, &address).expect("connected");
    std::thread::sleep(Duration::from_millis(100)); // its conversation begins
    let asked = Instant::now();
    engine.stop();
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

/// The control thread waits for its shards asleep, not turning round.
#[test]
fn a_long_halt_costs_no_processor() {
    /// Takes its time.
    struct Slow;
    impl Handler for Slow {
        fn handle(&mut self, _: &Request<'_>, _: &mut Reply<'_>) -> Status {
            std::thread::sleep(Duration::from_millis(600));
            Status::OK
        }
    }
    let scratch = Scratch::new("long-halt");
    let engine = Engine::bind(EngineOptions::new(scratch.socket())).expect("bound");
    let stop = engine.stop_handle();
    let thread = std::thread::spawn(move || {
        engine.run(|_| Slow).expect("ran");
        let clock = rustix::time::ClockId::ThreadCPUTime;
        rustix::time::clock_gettime(clock)
    });
    let host = Host::attach_with(scratch.socket(), small(1)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.claim(0).expect("room").commit(1);
    std::thread::sleep(Duration::from_millis(50));
    stop.stop();
    let used = thread.join().expect("no panic");
    assert!(
        used.tv_sec == 0 && used.tv_nsec < 200_000_000,
        "the control thread used {used:?}"
    );
}

#[test]
fn the_longest_durations_are_durations() {
    let scratch = Scratch::new("for-ever");
    let options = EngineOptions::new(scratch.socket()).drain_for(Duration::MAX);
    let engine = start(options);
    let options = HostOptions {
        patience: Some(Duration::MAX),
        attach_deadline: Duration::MAX,
        ..small(1)
    };
    let host = Host::attach_with(scratch.socket(), options).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.claim_wait(8, Duration::MAX).expect("room").commit(1);
    assert!(lane.wait(Duration::MAX).expect("alive"));
    assert!(lane
        .poll(1)
        .expect("alive")
        .next()
        .expect("sound")
        .is_some());
    lane.call(1, &[], &mut [], Duration::MAX).expect("a reply");
    engine.stop();
}
