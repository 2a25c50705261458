//! An engine with a different answer for each kind of request: hosts in every language are tested on it.
//!
//! ```text
//! cargo run --release --example conformance_engine -- /tmp/engine.sock [name=value …]
//!
//!  kind  payload      answer
//!  1     any          the same payload
//!  2     code u16, …  the rest of the payload, with that code as its status
//!  3     any          none: the handler panics
//!  4     any          none: the handler asks for more than a reply can carry
//!  5     any          empty
//!  6     count u32    that many bytes, the i-th being (request's number + i) mod 256
//!  7     count u32    empty, after so many microseconds
//!  8     any          none: the process ends, as by `kill -9`
//!  9     any          the sum of all bytes, u64
//!  10    count u32,   the number of the last of so many events of so many bytes, u64, published in
//!        size u32     ring 0; the i-th byte of event n is (n + i) mod 256, its kind n mod 65536
//! ```
//!
//! Options: `shards`, `wait` (busy, spin, yield, park), `pages` (auto, huge, small), `largest` (bytes of a
//! reply), `service` (name:version), `uid` (the only one allowed), `lanes`, `capacity`, `hosts` (the most),
//! `silence_ms`, `membarrier=no`, `state=yes` (hosts may not resume), `events` (rings a
//! shard:capacity). A byte on the standard input, or its end, halts it in good order.

use std::io::Read;
use std::time::Duration;

use ironhoard::attach::Policy;
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::region::PageMode;

type Failure = Box<dyn std::error::Error>;

#[derive(Clone)]
struct Answers {
    largest: Option<usize>,
    state: bool,
}

impl Handler for Answers {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        match request.kind() {
            1 => echo(request, reply, 0),
            2 => match number(request, 2) {
                Some(code) if code < 0xff00 => {
                    echo(request, reply, 2);
                    Status::code(code as u16)
                }
                _ => Status::code(1),
            },
            3 => panic!("asked to"),
            4 => match reply.payload(reply.limit() + 1) {
                Ok(_) => Status::OK,
                Err(error) => error.into(),
            },
            5 => Status::OK,
            6 => pattern(request, reply),
            7 => {
                std::thread::sleep(Duration::from_micros(number(request, 4).unwrap_or(0)));
                Status::OK
            }
            8 => std::process::abort(),
            9 => sum(request, reply),
            10 => publish(request, reply),
            _ => Status::code(1),
        }
    }

    fn largest_reply(&self) -> Option<usize> {
        self.largest
    }

    fn resumable(&self) -> Result<(), String> {
        match self.state {
            true => Err("its answers were asked for to be a state".to_owned()),
            false => Ok(()),
        }
    }
}

/// Answers with the payload from byte `from` on.
fn echo(request: &Request<'_>, reply: &mut Reply<'_>, from: usize) -> Status {
    let payload = request.payload();
    let rest = payload.len().saturating_sub(from);
    match reply.payload(rest) {
        Ok(bytes) => {
            bytes.copy_from_slice(&request.payload().to_vec()[payload.len() - rest..]);
            Status::OK
        }
        Err(error) => error.into(),
    }
}

/// The little-endian number in the first `bytes` bytes of the payload; `None` where it is shorter.
fn number(request: &Request<'_>, bytes: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..bytes].copy_from_slice(request.payload().to_vec().get(..bytes)?);
    Some(u64::from_le_bytes(word))
}

fn pattern(request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
    let Some(count) = number(request, 4) else {
        return Status::code(1);
    };
    match reply.payload(count as usize) {
        Ok(bytes) => {
            for (i, byte) in (0u64..).zip(bytes) {
                *byte = request.number().wrapping_add(i) as u8;
            }
            Status::OK
        }
        Err(error) => error.into(),
    }
}

fn sum(request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
    let sum: u64 = request.payload().to_vec().into_iter().map(u64::from).sum();
    match reply.write(&sum.to_le_bytes()) {
        Ok(()) => Status::OK,
        Err(error) => error.into(),
    }
}

/// Publishes `count` events of `size` bytes.
fn publish(request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
    let Some(both) = number(request, 8) else {
        return Status::code(1);
    };
    let (count, size) = (both as u32, (both >> 32) as usize);
    let mut last = 0;
    for _ in 0..count {
        let Ok(mut event) = request.event(0, size) else {
            return Status::code(2);
        };
        let first = event.number();
        for (i, byte) in (0u64..).zip(event.payload()) {
            *byte = first.wrapping_add(i) as u8;
        }
        last = event.publish(first as u16);
    }
    match reply.write(&last.to_le_bytes()) {
        Ok(()) => Status::OK,
        Err(error) => error.into(),
    }
}

/// What the command line asked for.
struct Asked {
    options: EngineOptions,
    policy: Policy,
    answers: Answers,
}

impl Asked {
    fn take(mut self, name: &str, value: &str) -> Result<Self, Failure> {
        let Asked {
            options,
            policy,
            answers,
        } = &mut self;
        match name {
            "shards" => *options = options.clone().unpinned(value.parse()?),
            "wait" => *options = options.clone().wait(value.parse()?),
            "membarrier" => *options = options.clone().membarrier(value != "no"),
            "pages" => policy.pages = pages(value)?,
            "service" => {
                let (name, version) = value.split_once(':').ok_or("say service=name:version")?;
                policy.service = name.to_owned();
                policy.service_version = version.parse()?;
            }
            "events" => {
                let (rings, capacity) = value.split_once(':').ok_or("say events=rings:capacity")?;
                *options = options
                    .clone()
                    .event_rings(rings.parse()?, capacity.parse()?);
            }
            "uid" => policy.allowed_uids = Some(vec![value.parse()?]),
            "lanes" => policy.max_lanes_per_host = value.parse()?,
            "capacity" => policy.max_capacity = value.parse()?,
            "hosts" => policy.max_hosts = value.parse()?,
            "silence_ms" => policy.silence = Duration::from_millis(value.parse()?),
            "largest" => answers.largest = Some(value.parse()?),
            "state" => answers.state = value == "yes",
            _ => return Err(format!("there is no option `{name}`").into()),
        }
        Ok(self)
    }
}

fn pages(name: &str) -> Result<PageMode, Failure> {
    match name {
        "auto" => Ok(PageMode::Auto),
        "huge" => Ok(PageMode::RequireHuge),
        "small" => Ok(PageMode::Small),
        _ => Err(format!("there are no pages `{name}`").into()),
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the path of a socket is needed")?;
    let mut asked = Asked {
        options: EngineOptions::new(&path),
        policy: Policy {
            max_bytes_per_uid: 8 << 30,
            ..Policy::default()
        },
        answers: Answers {
            largest: None,
            state: false,
        },
    };
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or("say name=value")?;
        asked = asked.take(name, value)?;
    }
    let engine = Engine::bind(asked.options.policy(asked.policy))?;
    let stop = engine.stop_handle();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        stop.stop();
    });
    println!("listening at {path}");
    let answers = asked.answers;
    let counts = engine.run(|_shard| answers.clone())?;
    println!("{} requests answered", counts.requests);
    Ok(())
}
