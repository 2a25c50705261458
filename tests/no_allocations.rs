//! After a warm-up neither the shard nor the host's thread takes memory, whichever way requests travel.
//!
//! The allocator of this test program counts what each thread asks of it. The host's thread reads its
//! own count; the handler, which runs on the shard's thread, answers with the shard's. The control
//! thread and the tender are not on the path of a message and may allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::host::{
    EventAnswer, EventReceiver, Host, HostError, HostOptions, Lane, ReplyReceiver, SharedSender,
};
use ironhoard::region::PageMode;
use ironhoard::wait::WaitStrategy;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::Scratch;

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting in a
// thread-local cell without a destructor neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REQUESTS: u64 = 100_000;
const GROUP: u64 = 16;
const PATIENCE: Duration = Duration::from_secs(20);

/// Turns a copy of the request round in the arena.
const REVERSE: u16 = 1;
/// As `REVERSE`, and the same to everybody as an event.
const ANNOUNCE: u16 = 3;
/// Answers with the allocations of the shard's thread.
const ALLOCATED: u16 = 2;

struct Mirror;

impl Handler for Mirror {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        if request.kind() == ALLOCATED {
            return reply
                .write(&allocations().to_le_bytes())
                .map_or_else(Status::from, |()| Status::OK);
        }
        let Some(bytes) = request.bytes() else {
            return Status::code(1);
        };
        let Some(scratch) = request.arena().take(bytes.len()) else {
            return Status::code(2);
        };
        scratch.copy_from_slice(bytes);
        scratch.reverse();
        if request.kind() == ANNOUNCE {
            match request.event(0, scratch.len()) {
                Ok(mut event) => {
                    event.payload().copy_from_slice(scratch);
                    event.publish(ANNOUNCE);
                }
                Err(_) => return Status::code(3),
            }
        }
        match reply.payload(scratch.len()) {
            Ok(place) => {
                place.copy_from_slice(scratch);
                Status::OK
            }
            Err(error) => error.into(),
        }
    }
}

/// A payload of 8 to 207 bytes that begins with `number`.
fn payload(number: u64, buffer: &mut [u8; 256]) -> &[u8] {
    let len = 8 + (number * 7 % 200) as usize;
    buffer[..8].copy_from_slice(&number.to_le_bytes());
    &buffer[..len]
}

/// One request at a time.
fn calls(lane: &mut Lane, requests: u64) {
    let (mut request, mut answer) = ([0x5a; 256], [0; 256]);
    for number in 0..requests {
        let payload = payload(number, &mut request);
        let reply = lane
            .call(REVERSE, payload, &mut answer, PATIENCE)
            .expect("a reply");
        assert_eq!((reply.status, reply.len), (0, payload.len()));
        assert!(answer[..reply.len].iter().eq(payload.iter().rev()));
    }
}

/// Takes the replies of one group of requests.
fn take_group(lane: &mut Lane) {
    let mut taken = 0;
    while taken < GROUP {
        assert!(lane.wait(PATIENCE).expect("alive"), "a reply is missing");
        let mut replies = lane.poll(64).expect("alive");
        while let Some(reply) = replies.next().expect("sound") {
            assert_eq!(reply.kind(), 0);
            taken += 1;
        }
    }
}

/// Sixteen claims, each committed by itself, then their replies.
fn single_commits(lane: &mut Lane, requests: u64) {
    for first in (0..requests).step_by(GROUP as usize) {
        for number in first..first + GROUP {
            let mut claim = lane.claim(48).expect("room");
            claim.put_u64(0, number);
            claim.commit(REVERSE);
        }
        take_group(lane);
    }
}

/// Sixteen requests that become visible in one step, then their replies.
fn batches(lane: &mut Lane, requests: u64) {
    for first in (0..requests).step_by(GROUP as usize) {
        let mut batch = lane.batch().expect("alive");
        for number in first..first + GROUP {
            let mut claim = batch.claim(48).expect("room");
            claim.put_u64(0, number);
            claim.commit(REVERSE);
        }
        batch.publish();
        take_group(lane);
    }
}

/// The shared sender: groups under its lock.
fn groups(sender: &SharedSender, receiver: &mut ReplyReceiver, requests: u64) {
    for first in (0..requests).step_by(GROUP as usize) {
        sender
            .group(|batch| -> Result<(), HostError> {
                for number in first..first + GROUP {
                    let mut claim = batch.claim(8)?;
                    claim.put_u64(0, number);
                    claim.commit(REVERSE);
                }
                Ok(())
            })
            .expect("alive");
        let mut taken = 0;
        while taken < GROUP {
            assert!(
                receiver.wait(PATIENCE).expect("alive"),
                "a reply is missing"
            );
            let mut replies = receiver.poll(64).expect("alive");
            while replies.next().expect("sound").is_some() {
                taken += 1;
            }
        }
    }
}

/// Calls that are announced, and their events; now and then this reader is overrun.
fn announced(lane: &mut Lane, events: &mut EventReceiver, calls: u64) {
    let mut answer = [0; 64];
    for number in 0..calls {
        let request = number.to_le_bytes();
        let reply = lane.call(ANNOUNCE, &request, &mut answer, PATIENCE);
        assert_eq!(reply.expect("a reply").status, 0);
        let behind = number % 4096 > 2048; // 4 KiB hold 64 of these
        if !behind {
            match events.poll(&mut answer).expect("sound") {
                EventAnswer::Event(event) => assert_eq!(event.len, 8),
                EventAnswer::Overrun(lost) => assert!(lost.count() > 1000),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Allocations of the shard's thread so far.
fn shard_allocations(lane: &mut Lane) -> u64 {
    let mut answer = [0; 8];
    lane.call(ALLOCATED, &[], &mut answer, PATIENCE)
        .expect("a reply");
    u64::from_le_bytes(answer)
}

/// Runs `work` for a warm-up and then in earnest; nothing may be allocated the second time.
fn nothing_allocated(what: &str, asked: &mut Lane, mut work: impl FnMut(u64)) {
    work(REQUESTS / 100);
    let before = (allocations(), shard_allocations(asked));
    work(REQUESTS);
    let after = (allocations(), shard_allocations(asked));
    assert_eq!(after, before, "{what}: allocations of (host, shard)");
}

#[test]
fn steady_traffic_allocates_nothing() {
    let scratch = Scratch::new("no-allocations");
    let options = EngineOptions::new(scratch.socket())
        .wait(WaitStrategy::Busy)
        .event_rings(1, 4096);
    let engine = Engine::bind(options).expect("bound");
    let stop = engine.stop_handle();
    let running = std::thread::spawn(|| engine.run(|_| Mirror).expect("ran"));
    let options = HostOptions {
        wishes: Wishes {
            lanes: 3,
            request_capacity: 1 << 16,
            reply_capacity: 1 << 16,
            pages: PageMode::Small,
            event_rings: 1,
            ..Wishes::default()
        },
        spin: u32::MAX, // never asleep: falling asleep is no steady state, and may allocate
        ..HostOptions::default()
    };
    let host = Host::attach_with(scratch.socket(), options).expect("attached");
    let mut asked = host.lane().expect("a lane");
    let mut lane = host.lane().expect("a lane");
    let (sender, mut receiver) = host.lane().expect("a lane").split();
    let sender = sender.shared();

    nothing_allocated("call", &mut asked, |requests| calls(&mut lane, requests));
    nothing_allocated("claim and commit", &mut asked, |requests| {
        single_commits(&mut lane, requests)
    });
    nothing_allocated("batch", &mut asked, |requests| batches(&mut lane, requests));
    let mut events = host.events(0).expect("a ring");
    nothing_allocated("event", &mut asked, |requests| {
        announced(&mut lane, &mut events, requests)
    });
    nothing_allocated("group", &mut asked, |requests| {
        groups(&sender, &mut receiver, requests)
    });
    assert!(
        allocations() > 0 && shard_allocations(&mut asked) > 0,
        "the counters count"
    );

    drop((asked, lane, events, sender, receiver, host));
    stop.stop();
    let counts = running.join().expect("no panic outside of a handler");
    assert!(counts.requests >= 4 * REQUESTS);
    assert_eq!(counts.parks, 0);
}
