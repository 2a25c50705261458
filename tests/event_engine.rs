//! Events from an engine to its hosts, all in one process: who gets them, who is woken, what is lost and
//! what another engine changes.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use ironhoard::attach::{AttachError, RefusalCode, Wishes, ALL_EVENT_RINGS};
use ironhoard::engine::{
    Engine, EngineError, EngineOptions, EventError, Handler, Reply, Request, Status,
};
use ironhoard::host::{EventAnswer, EventReceiver, Host, HostError, HostOptions, Lane};
use ironhoard::wait::WaitStrategy;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::Scratch;
#[path = "common/running.rs"]
mod running;
use running::Running;

/// Long enough for a loaded machine: these tests wait for events and never measure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes as many events as it is asked, each saying its number and the shard; then misbehaves.
struct Herald {
    shard: u64,
    stateless: bool,
}

const PUBLISH: u16 = 1;
const MISUSE: u16 = 2;
const PANIC: u16 = 3;
const HOLD: u16 = 4;

/// Where a handler that is asked to hold meets its test: before that, and when it may go on.
static HELD: Barrier = Barrier::new(2);

impl Handler for Herald {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let ring = request.payload().u64_at(0).unwrap_or(0) as usize;
        let count = request.payload().u64_at(8).unwrap_or(0);
        if request.kind() == HOLD {
            HELD.wait();
            HELD.wait();
        }
        for _ in 0..count {
            let mut event = request.event(ring, 24).expect("there is room");
            let number = event.number();
            let words = [number, self.shard, number * 3];
            for (chunk, word) in event.payload().chunks_exact_mut(8).zip(words) {
                chunk.copy_from_slice(&word.to_le_bytes());
            }
            assert_eq!(event.publish(number as u16), number);
        }
        match request.kind() {
            MISUSE => misuse(request),
            PANIC => {
                let _open = request.event(ring, 8);
                panic!("asked for, with a claim open");
            }
            _ => {}
        }
        let _ = reply.write(&self.shard.to_le_bytes());
        Status::OK
    }

    fn resumable(&self) -> Result<(), String> {
        match self.stateless {
            true => Ok(()),
            false => Err("the treasure is lost".into()),
        }
    }
}

/// Every mistake a handler can make has an answer.
fn misuse(request: &Request<'_>) {
    let no_ring = request.event(9, 8).err();
    assert_eq!(no_ring, Some(EventError::NoRing { ring: 9, rings: 2 }));
    let (payload, limit) = (1 << 20, 512);
    let too_large = request.event(0, payload).err();
    assert_eq!(too_large, Some(EventError::TooLarge { payload, limit }));
    let open = request.event(0, 8).expect("there is room");
    let second = request.event(0, 8).err();
    assert_eq!(second, Some(EventError::ClaimOpen { ring: 0 }));
    let other = request.event(1, 8).expect("another ring is another claim");
    drop((open, other)); // aborted: no number is used
}

fn start(options: EngineOptions, stateless: bool) -> Running {
    Running::start(options, move |shard| Herald {
        shard: shard as u64,
        stateless,
    })
}

/// One shard with two event rings of 4 KiB.
fn options(path: &Path) -> EngineOptions {
    EngineOptions::new(path)
        .wait(WaitStrategy::Yield(Duration::from_millis(1)))
        .event_rings(2, 4096)
}

fn host(path: &Path, event_rings: u32) -> Host {
    let options = HostOptions {
        wishes: Wishes {
            event_rings,
            request_capacity: 1 << 16,
            reply_capacity: 1 << 16,
            ..Wishes::default()
        },
        spin: 10,
        ..HostOptions::default()
    };
    Host::attach_with(path, options).expect("attached")
}

fn reader_host(path: &Path) -> Host {
    let options = HostOptions {
        wishes: Wishes::events_only(),
        spin: 10,
        ..HostOptions::default()
    };
    Host::attach_with(path, options).expect("attached")
}

/// Asks for `count` events in ring `ring`.
fn ask(lane: &mut Lane, kind: u16, ring: u64, count: u64) -> u16 {
    let request = [ring.to_le_bytes(), count.to_le_bytes()].concat();
    let reply = lane.call(kind, &request, &mut [0; 8], PATIENCE);
    reply.expect("answered").status
}

/// Reads until `next` is the number that comes next; returns what was read and what was lost.
fn read_to(events: &mut EventReceiver, next: u64) -> (u64, u64) {
    let (mut read, mut lost) = (0, 0);
    while events.next_number() < next {
        assert!(events.wait(PATIENCE).expect("alive"), "no event came");
        let mut payload = [0; 24];
        match events.poll(&mut payload).expect("sound") {
            EventAnswer::Event(event) => {
                let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
                assert_eq!((event.len, event.copied), (24, 24));
                assert_eq!(event.kind, event.number as u16);
                assert_eq!((word(0), word(16)), (event.number, event.number * 3));
                read += 1;
            }
            EventAnswer::Overrun(range) => lost += range.count(),
            EventAnswer::Empty => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(events.next_number(), next);
    (read, lost)
}

#[test]
fn all_hosts_see_all_events_in_order() {
    let scratch = Scratch::new("events-all");
    let engine = start(options(&scratch.socket()), true);
    let asking = host(&scratch.socket(), 2);
    let mut lane = asking.lane().expect("a lane");
    let readers = [host(&scratch.socket(), 2), reader_host(&scratch.socket())];
    let mut own = asking.events(0).expect("a ring");
    let mut others: Vec<_> = readers.iter().map(|host| host.events(0)).collect();
    assert_eq!(own.payload_limit(), 512);
    for round in 0..50 {
        assert_eq!(ask(&mut lane, PUBLISH, 0, 20), 0);
        let next = 20 * (round + 1) + 1;
        assert_eq!(read_to(&mut own, next), (20, 0));
        for events in others.iter_mut().flatten() {
            assert_eq!(read_to(events, next), (20, 0));
        }
    }
    assert_eq!(own.poll(&mut []).expect("sound"), EventAnswer::Empty);
    let mut second = asking.events(1).expect("another ring");
    assert_eq!(second.poll(&mut []).expect("sound"), EventAnswer::Empty);
    assert_eq!(ask(&mut lane, PUBLISH, 1, 3), 0);
    assert_eq!(read_to(&mut second, 4), (3, 0));
    assert_eq!(engine.stop().events, 1003);
}

#[test]
fn a_host_that_is_too_slow_learns_what_it_lost_and_goes_on() {
    let scratch = Scratch::new("events-slow");
    let engine = start(options(&scratch.socket()), true);
    let host = host(&scratch.socket(), 1);
    let mut lane = host.lane().expect("a lane");
    let mut events = host.events(0).expect("a ring");
    assert_eq!(ask(&mut lane, PUBLISH, 0, 10), 0);
    assert_eq!(read_to(&mut events, 6), (5, 0));
    assert_eq!(ask(&mut lane, PUBLISH, 0, 990), 0);
    let EventAnswer::Overrun(lost) = events.poll(&mut []).expect("sound") else {
        panic!("64 lines do not hold 995 events");
    };
    assert_eq!(lost.first, 6);
    assert!((936..970).contains(&lost.last), "{lost}");
    let (read, more) = read_to(&mut events, 1001);
    assert_eq!((read, more), (1000 - lost.last, 0));
    assert_eq!(host.counts().lost_events, lost.count());
    assert_eq!(ask(&mut lane, PUBLISH, 0, 30), 0);
    assert_eq!(events.skip_to_end().expect("sound"), 30);
    assert_eq!(engine.stop().events, 1030);
}

/// A receiver dropped and taken again, and a late host, begin with what is retained.
#[test]
fn who_comes_late_begins_with_what_is_retained() {
    let scratch = Scratch::new("events-late");
    let _engine = start(options(&scratch.socket()), true);
    let host = host(&scratch.socket(), ALL_EVENT_RINGS);
    assert_eq!(host.terms().events.rings.len(), 2);
    let mut lane = host.lane().expect("a lane");
    let events = host.events(0).expect("a ring");
    let taken = host.events(0).err().map(|error| error.to_string());
    assert!(taken.is_some_and(|text| text.contains("receiver already")));
    assert!(matches!(
        host.events(2),
        Err(HostError::NoEventRing { ring: 2, rings: 2 })
    ));
    assert_eq!(ask(&mut lane, PUBLISH, 0, 30), 0);
    drop(events);
    let mut again = host.events(0).expect("given back");
    assert_eq!(read_to(&mut again, 31), (30, 0));
    assert_eq!(ask(&mut lane, PUBLISH, 0, 1000), 0);
    let late = reader_host(&scratch.socket());
    let mut late = late.events(0).expect("a ring");
    assert!(late.next_number() > 900);
    assert_eq!(read_to(&mut late, 1031).1, 0);
}

#[test]
fn waiters_are_woken_for_each_event_and_never_too_late() {
    let scratch = Scratch::new("events-wake");
    for membarrier in [true, false] {
        let options = options(&scratch.socket()).membarrier(membarrier);
        let engine = start(options, true);
        let asking = host(&scratch.socket(), 0);
        let mut lane = asking.lane().expect("a lane");
        let waiting = |_| {
            let path = scratch.socket();
            std::thread::spawn(move || {
                let host = reader_host(&path);
                let mut events = host.events(0).expect("a ring");
                (1..=300).for_each(|number| assert_eq!(read_to(&mut events, number + 1).0, 1));
            })
        };
        let waiters: Vec<_> = (0..3).map(waiting).collect();
        let attached = || engine.counters.read().attached == 4;
        while !attached() {
            std::thread::yield_now();
        }
        for round in 0..300 {
            assert_eq!(ask(&mut lane, PUBLISH, 0, 1), 0);
            if round % 3 == 0 {
                std::thread::sleep(Duration::from_micros(200)); // all asleep, now and then
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        for waiter in waiters {
            waiter.join().expect("it saw all events");
        }
        let counts = engine.stop();
        assert_eq!(counts.events, 300);
        assert!(counts.event_rings > 0, "nobody slept");
    }
}

/// A host that falls asleep before the shard has heard of it: the shard is busy with a handler from before
/// the host comes until it has published, and nothing is published behind that.
#[test]
fn who_comes_while_a_handler_runs_is_woken_for_what_it_publishes() {
    let scratch = Scratch::new("events-early");
    let _engine = start(options(&scratch.socket()), true);
    let asking = host(&scratch.socket(), 0);
    let mut lane = asking.lane().expect("a lane");
    let asked = std::thread::spawn(move || ask(&mut lane, HOLD, 0, 1));
    HELD.wait();
    let host = reader_host(&scratch.socket());
    let mut events = host.events(0).expect("a ring");
    let (begun, begins) = std::sync::mpsc::channel();
    let (woke, wakes) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        begun.send(rustix::thread::gettid()).expect("awaited");
        let _ = woke.send(events.wait(10 * PATIENCE).expect("alive"));
    });
    let thread = begins.recv().expect("a thread");
    let stat = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
    while !std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") S ")) {
        std::thread::sleep(Duration::from_millis(1));
    }
    HELD.wait();
    assert_eq!(asked.join().expect("no panic"), 0);
    assert_eq!(wakes.recv_timeout(PATIENCE), Ok(true), "slept through");
}

#[test]
fn waiting_ends_with_the_deadline() {
    let scratch = Scratch::new("events-deadline");
    let _engine = start(options(&scratch.socket()), true);
    let host = reader_host(&scratch.socket());
    let mut events = host.events(1).expect("a ring");
    let begun = Instant::now();
    assert!(!events.wait(Duration::from_millis(30)).expect("alive"));
    assert!((30..5000).contains(&begun.elapsed().as_millis()));
}

/// How often this thread has gone to sleep.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("of this thread");
    let line = status.lines().find(|line| line.starts_with("voluntary"));
    let number = line.and_then(|line| line.split_whitespace().last());
    number.expect("a number").parse().expect("a number")
}

/// A shard that serves nothing of this host keeps its doorbell all the same: a hung-up one would wake
/// whoever sleeps on it again and again.
#[test]
fn a_shard_without_lanes_of_a_host_lets_it_sleep() {
    let scratch = Scratch::new("events-asleep");
    let _engine = start(options(&scratch.socket()).unpinned(2), true);
    let host = host(&scratch.socket(), 1); // one lane, one ring of shard 0
    let mut events = host.events(0).expect("a ring");
    let before = sleeps();
    assert!(!events.wait(Duration::from_millis(400)).expect("alive"));
    let naps = sleeps() - before;
    assert!(naps < 50, "woken {naps} times by nobody");
}

/// A thread that waits for events and one that waits for a reply share the doorbells of their host.
#[test]
fn events_and_replies_wake_threads_of_one_host() {
    let scratch = Scratch::new("events-both");
    let _engine = start(options(&scratch.socket()), true);
    let host = host(&scratch.socket(), 2);
    let mut lane = host.lane().expect("a lane");
    let mut events = host.events(0).expect("a ring");
    let reading = std::thread::spawn(move || read_to(&mut events, 2001));
    for _ in 0..2000 {
        assert_eq!(ask(&mut lane, PUBLISH, 0, 1), 0);
    }
    let (read, lost) = reading.join().expect("it saw all events");
    assert_eq!(read + lost, 2000);
}

#[test]
fn each_shard_has_rings_of_its_own() {
    let scratch = Scratch::new("events-shards");
    let engine = start(options(&scratch.socket()).unpinned(2), true);
    let options = HostOptions {
        wishes: Wishes {
            lanes: 2,
            event_rings: ALL_EVENT_RINGS,
            ..Wishes::default()
        },
        spin: 10,
        ..HostOptions::default()
    };
    let host = Host::attach_with(scratch.socket(), options).expect("attached");
    let shards: Vec<u32> = host
        .terms()
        .events
        .rings
        .iter()
        .map(|ring| ring.shard)
        .collect();
    assert_eq!(shards, [0, 0, 1, 1]);
    let reader = reader_host(&scratch.socket());
    for mut lane in [host.lane(), host.lane()].map(|lane| lane.expect("a lane")) {
        let request = [1u64.to_le_bytes(), 5u64.to_le_bytes()].concat();
        let mut shard = [0; 8];
        lane.call(PUBLISH, &request, &mut shard, PATIENCE)
            .expect("answered");
        let ring = u64::from_le_bytes(shard) as u32 * 2 + 1;
        let mut events = reader.events(ring).expect("a ring");
        assert_eq!(read_to(&mut events, 6), (5, 0));
    }
    assert_eq!(engine.stop().events, 10);
}

#[test]
fn a_handlers_mistakes_cost_nothing_but_themselves() {
    let scratch = Scratch::new("events-misuse");
    let engine = start(options(&scratch.socket()), true);
    let host = host(&scratch.socket(), 1);
    let mut lane = host.lane().expect("a lane");
    let mut events = host.events(0).expect("a ring");
    assert_eq!(ask(&mut lane, MISUSE, 0, 1), 0);
    assert_eq!(ask(&mut lane, PANIC, 0, 2), ironhoard::layout::STATUS_PANIC);
    assert_eq!(ask(&mut lane, MISUSE, 0, 1), 0);
    assert_eq!(read_to(&mut events, 5), (4, 0));
    assert_eq!(engine.stop().events, 4);
}

fn refusal(path: &Path, wishes: Wishes) -> (RefusalCode, u64, String) {
    let options = HostOptions {
        wishes,
        ..HostOptions::default()
    };
    match Host::attach_with(path, options).err() {
        Some(HostError::Attach(AttachError::Refused(refusal))) => {
            (refusal.code, refusal.limit, refusal.text)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn wishes_that_cannot_be_are_refused() {
    let scratch = Scratch::new("events-wishes");
    let engine = start(options(&scratch.socket()), true);
    let three = Wishes {
        event_rings: 3,
        ..Wishes::default()
    };
    let (code, limit, text) = refusal(&scratch.socket(), three);
    assert_eq!((code, limit), (RefusalCode::EventRings, 2));
    assert!(text.contains("ask for fewer"), "{text}");
    let capacity = Wishes {
        request_capacity: 4096,
        ..Wishes::events_only()
    };
    assert_eq!(
        refusal(&scratch.socket(), capacity).0,
        RefusalCode::Capacity
    );
    let nothing = Wishes {
        lanes: 0,
        ..Wishes::default()
    };
    assert_eq!(refusal(&scratch.socket(), nothing).0, RefusalCode::Lanes);
    engine.stop();

    let bare = EngineOptions::new(scratch.socket());
    let _engine = start(bare, true);
    let (code, limit, text) = refusal(&scratch.socket(), Wishes::events_only());
    assert_eq!((code, limit), (RefusalCode::EventRings, 0));
    assert!(text.contains("start the engine with event rings"), "{text}");
    let all = host(&scratch.socket(), ALL_EVENT_RINGS); // be it none
    assert!(matches!(
        all.events(0),
        Err(HostError::NoEventRing { rings: 0, .. })
    ));
    all.lane().expect("an ordinary host all the same");
}

#[test]
fn options_that_cannot_be_are_errors() {
    let scratch = Scratch::new("events-options");
    let bind = |options: EngineOptions| Engine::bind(options).err();
    let many = EngineOptions::new(scratch.socket())
        .unpinned(7)
        .event_rings(7, 4096);
    assert!(matches!(
        bind(many),
        Some(EngineError::EventRings {
            rings: 49,
            shards: 7
        })
    ));
    for capacity in [0, 2048, 5000, 1 << 31] {
        let odd = EngineOptions::new(scratch.socket()).event_rings(1, capacity);
        let error = bind(odd).expect("refused").to_string();
        assert!(error.contains("choose a power of two"), "{error}");
    }
}

/// Reads what comes until the answer is another life; returns its name and how many events came before.
fn until_new_life(events: &mut EventReceiver) -> (u64, u64) {
    let mut before = 0;
    loop {
        assert!(events.wait(PATIENCE).expect("alive"), "nothing came");
        match events.poll(&mut [0; 24]).expect("sound") {
            EventAnswer::Event(_) => before += 1,
            EventAnswer::NewLife { life } => return (life, before),
            EventAnswer::Empty => {}
            EventAnswer::Overrun(lost) => panic!("{lost}"),
        }
    }
}

#[test]
fn another_engine_is_another_life_and_the_last_events_of_the_old_one_come_first() {
    let scratch = Scratch::new("events-resume");
    let first = start(options(&scratch.socket()), true);
    let asking = host(&scratch.socket(), 1);
    let reading = reader_host(&scratch.socket());
    let mut lane = asking.lane().expect("a lane");
    let mut all = [
        asking.events(0).expect("a ring"),
        reading.events(0).expect("a ring"),
    ];
    assert_eq!(ask(&mut lane, PUBLISH, 0, 7), 0);
    let life = reading.terms().events.life;
    assert_eq!(life, asking.terms().events.life);
    first.stop();
    let _second = start(options(&scratch.socket()), true);
    assert_eq!(ask(&mut lane, PUBLISH, 0, 4), 0);
    for events in &mut all {
        let (next_life, before) = until_new_life(events);
        assert_eq!(before, 7, "the old ring is read to its end");
        assert_ne!(next_life, life);
        assert_eq!(read_to(events, 5), (4, 0));
    }
}

/// Who reads events only has nothing that dies with a handler's state; who has lanes learns that the
/// engine is gone, after its last events.
#[test]
fn a_handlers_state_that_died_ends_lanes_but_no_reader() {
    let scratch = Scratch::new("events-stateful");
    let first = start(options(&scratch.socket()), false);
    let asking = host(&scratch.socket(), 1);
    let reading = reader_host(&scratch.socket());
    let mut lane = asking.lane().expect("a lane");
    let mut own = asking.events(0).expect("a ring");
    let mut events = reading.events(0).expect("a ring");
    assert_eq!(ask(&mut lane, PUBLISH, 0, 3), 0);
    first.stop();
    let _second = start(options(&scratch.socket()), false);
    assert_eq!(until_new_life(&mut events).1, 3);
    assert_eq!(read_to(&mut own, 4), (3, 0));
    let gone = loop {
        match own.wait(PATIENCE) {
            Ok(news) => assert!(news && own.poll(&mut []).is_ok()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(gone.contains("the treasure is lost"), "{gone}");
    let asking = host(&scratch.socket(), 1);
    assert_eq!(ask(&mut asking.lane().expect("a lane"), PUBLISH, 0, 2), 0);
    assert_eq!(read_to(&mut events, 3), (2, 0));
}

/// A successor without that ring: said, and the receiver goes on saying it.
#[test]
fn a_successor_without_event_rings_is_an_error_of_the_receiver() {
    let scratch = Scratch::new("events-fewer");
    let first = start(options(&scratch.socket()), true);
    let host = host(&scratch.socket(), ALL_EVENT_RINGS);
    let mut lane = host.lane().expect("a lane");
    let mut events = host.events(1).expect("a ring");
    first.stop();
    let _second = start(EngineOptions::new(scratch.socket()), true);
    assert_eq!(ask(&mut lane, PUBLISH, 0, 0), 0);
    for _ in 0..2 {
        assert!(events.wait(PATIENCE).expect("alive"));
        let found = events.poll(&mut []);
        assert!(
            matches!(found, Err(HostError::NoEventRing { ring: 1, rings: 0 })),
            "{found:?}"
        );
    }
}
