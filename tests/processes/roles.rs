//! What the child processes do. Each role is a test that does nothing in an ordinary run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use ironhoard::attach::{Policy, Wishes};
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::host::{Host, HostOptions};
use ironhoard::region::PageMode;
use ironhoard::wait::WaitStrategy;

use crate::processes::{end_with_input, role_path, role_word, say_ready};

pub const ECHO: u16 = 1;
/// Ends the engine's process at once.
pub const DIE: u16 = 2;
pub const PATIENCE: Duration = Duration::from_secs(8);

struct Echo {
    stateless: bool,
}

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        if request.kind() == DIE {
            std::process::abort();
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
        match self.stateless {
            true => Ok(()),
            false => Err("the treasure is lost".into()),
        }
    }
}

/// An engine that echoes; the word is `mode[,stateful]`.
#[test]
fn role_engine() {
    let Some(path) = role_path() else { return };
    let word = role_word();
    let (mode, kind) = word.split_once(',').unwrap_or((&word, ""));
    let policy = Policy {
        pages: mode.parse().expect("a page mode"),
        ..Policy::default()
    };
    let options = EngineOptions::new(path)
        .event_rings(1, 4096)
        .policy(policy)
        .membarrier(kind != "fence")
        .wait(WaitStrategy::Yield(Duration::from_millis(1)));
    let engine = Engine::bind(options).expect("bound");
    let stop = engine.stop_handle();
    end_with_input(move || stop.stop());
    say_ready();
    let stateless = kind != "stateful";
    engine.run(|_| Echo { stateless }).expect("ran");
}

pub fn options(lanes: u32, capacity: u64, pages: PageMode) -> HostOptions {
    HostOptions {
        wishes: Wishes {
            lanes,
            request_capacity: capacity,
            reply_capacity: capacity,
            pages,
            ..Wishes::default()
        },
        spin: 200,
        ..HostOptions::default()
    }
}

/// A host that keeps its lane full until it is killed.
#[test]
fn role_flooding_host() {
    let Some(path) = role_path() else { return };
    let host = Host::attach_with(path, options(1, 1 << 16, PageMode::Auto)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    end_with_input(move || end.store(true, Ordering::Relaxed));
    say_ready();
    while !ended.load(Ordering::Relaxed) {
        while let Ok(mut claim) = lane.claim(200) {
            claim.payload().fill(0x5a);
            claim.commit(ECHO);
        }
        let mut replies = lane.poll(64).expect("alive");
        while replies.next().expect("sound").is_some() {}
    }
}
