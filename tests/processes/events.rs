//! Events across processes: a stopped reader, a killed reader, a killed engine.

use std::path::Path;
use std::time::{Duration, Instant};

use ironhoard::attach::Wishes;
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::host::{EventAnswer, EventReceiver, Host, HostOptions, Lane};
use ironhoard::wait::WaitStrategy;

use crate::processes::{end_with_input, role_path, role_word, say_ready, Role, Scratch};
use crate::roles::{options, DIE, PATIENCE};
use ironhoard::region::PageMode;
use rustix::process::{kill_process, Pid, Signal};

/// Publishes as many events as the request says.
struct Crier;

/// Word `index` of the payload of event `number`.
fn word(number: u64, index: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index
}

/// Words of the payload of event `number`: one line, or several.
fn words(number: u64) -> u64 {
    [1, 6, 20][number as usize % 3]
}

impl Handler for Crier {
    fn handle(&mut self, request: &Request<'_>, _: &mut Reply<'_>) -> Status {
        let count = request.payload().u64_at(0).unwrap_or(0);
        for index in 0..count {
            let next = request.event(0, 0).expect("room").number();
            let mut event = request.event(0, 8 * words(next) as usize).expect("room");
            for (at, chunk) in (0..).zip(event.payload().chunks_exact_mut(8)) {
                chunk.copy_from_slice(&word(next, at).to_le_bytes());
            }
            event.publish(next as u16);
            if request.kind() == DIE && index == count / 2 {
                let _half_written = request
                    .event(0, 100)
                    .map(|mut event| event.payload().fill(7));
                std::process::abort();
            }
        }
        Status::OK
    }

    fn resumable(&self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn role_crier() {
    let Some(path) = role_path() else { return };
    let options = EngineOptions::new(path)
        .event_rings(1, 1 << 16)
        .wait(WaitStrategy::Yield(Duration::from_millis(1)));
    let engine = Engine::bind(options).expect("bound");
    let stop = engine.stop_handle();
    end_with_input(move || stop.stop());
    say_ready();
    engine.run(|_| Crier).expect("ran");
}

/// What a reader has found so far.
#[derive(Default)]
struct Found {
    read: u64,
    lost: u64,
    lives: u64,
}

impl Found {
    /// Takes what is there, and holds it to its number.
    fn take(&mut self, events: &mut EventReceiver) {
        let mut payload = [0; 256];
        loop {
            let expected = events.next_number();
            match events.poll(&mut payload).expect("sound") {
                EventAnswer::Empty => return,
                EventAnswer::NewLife { .. } => self.lives += 1,
                EventAnswer::Overrun(lost) => {
                    assert_eq!(lost.first, expected);
                    self.lost += lost.count();
                }
                EventAnswer::Event(event) => {
                    assert_eq!((event.number, event.kind), (expected, expected as u16));
                    assert_eq!(event.len as u64, 8 * words(event.number));
                    for (at, chunk) in (0..).zip(payload[..event.copied].chunks_exact(8)) {
                        assert_eq!(chunk, word(event.number, at).to_le_bytes());
                    }
                    self.read += 1;
                }
            }
        }
    }
}

/// A host that reads events until it has seen so many of them come and go as its word says.
#[test]
fn role_listener() {
    let Some(path) = role_path() else { return };
    let until: u64 = role_word().parse().expect("a number");
    let options = HostOptions {
        wishes: Wishes::events_only(),
        spin: 10,
        ..HostOptions::default()
    };
    let host = Host::attach_with(path, options).expect("attached");
    let mut events = host.events(0).expect("a ring");
    let mut found = Found::default();
    say_ready();
    while events.next_number() <= until {
        events.wait(PATIENCE).expect("alive");
        found.take(&mut events);
    }
    println!("\nread {}", found.read);
    println!("lost {}", found.lost);
}

fn asking(path: &Path) -> (Host, Lane) {
    let mut options = options(1, 1 << 16, PageMode::Auto);
    options.wishes.event_rings = 1;
    let host = Host::attach_with(path, options).expect("attached");
    let lane = host.lane().expect("a lane");
    (host, lane)
}

fn cry(lane: &mut Lane, count: u64) {
    let reply = lane.call(0, &count.to_le_bytes(), &mut [], PATIENCE);
    assert_eq!(reply.expect("answered").status, 0);
}

fn signal(role: &Role, signal: Signal) {
    let pid = Pid::from_raw(role.pid() as i32).expect("a child");
    kill_process(pid, signal).expect("it is ours");
}

/// Stopped while it reads, for many laps; the others notice nothing, and it learns what it lost.
#[test]
fn a_stopped_reader_slows_nobody_and_learns_what_it_lost() {
    let scratch = Scratch::new("stopped-reader");
    let _engine = Role::start("events::role_crier", &scratch.socket(), "");
    let (host, mut lane) = asking(&scratch.socket());
    let mut events = host.events(0).expect("a ring");
    let mut stopped = Role::start("events::role_listener", &scratch.socket(), "100050");
    let mut found = Found::default();
    cry(&mut lane, 50);
    found.take(&mut events);
    signal(&stopped, Signal::STOP);
    for _ in 0..1000 {
        cry(&mut lane, 100);
        found.take(&mut events);
    }
    assert_eq!((found.read, found.lost), (100_050, 0), "this one keeps up");
    signal(&stopped, Signal::CONT);
    cry(&mut lane, 1);
    let lost = stopped.read_line_after("lost ");
    assert!(lost > 90_000 && lost < 100_050, "{lost} lost");
    stopped.wait();
}

/// A reader that dies asleep, and one that dies awake, leave nothing behind.
#[test]
fn killed_readers_harm_nobody() {
    let scratch = Scratch::new("killed-reader");
    let engine = Role::start("events::role_crier", &scratch.socket(), "");
    let (host, mut lane) = asking(&scratch.socket());
    let mut events = host.events(0).expect("a ring");
    let mut found = Found::default();
    for _ in 0..5 {
        let mut reader = Role::start("events::role_listener", &scratch.socket(), "999999999");
        cry(&mut lane, 100);
        reader.kill();
        cry(&mut lane, 100);
        found.take(&mut events);
    }
    assert_eq!(found.read, 1000);
    drop((events, lane, host));
    assert!(engine.finish(), "the engine ends in good order");
}

/// The engine dies with an event half written: what it published is whole and there, and then another
/// life begins.
#[test]
fn a_killed_engines_last_events_are_read() {
    let scratch = Scratch::new("killed-crier");
    let mut engine = Role::start("events::role_crier", &scratch.socket(), "");
    let (host, mut lane) = asking(&scratch.socket());
    let mut events = host.events(0).expect("a ring");
    let mut found = Found::default();
    cry(&mut lane, 10);
    let mut dying = options(1, 1 << 16, PageMode::Auto);
    dying.patience = None; // its request is not to kill the next engine as well
    let killer = Host::attach_with(scratch.socket(), dying).expect("attached");
    let mut last = killer.lane().expect("a lane");
    let mut claim = last.claim(8).expect("room");
    claim.put_u64(0, 41);
    claim.commit(DIE); // the engine dies behind its 21st event
    engine.wait();
    found.take(&mut events);
    assert_eq!((found.read, found.lost, found.lives), (31, 0, 0));
    let _next = Role::start("events::role_crier", &scratch.socket(), "");
    let until = Instant::now() + PATIENCE;
    while found.lives == 0 {
        assert!(Instant::now() < until && events.wait(PATIENCE).expect("alive"));
        found.take(&mut events);
    }
}
