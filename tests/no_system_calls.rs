//! While both sides are awake, a message costs no system call on either of them, nor does an event that is
//! published with each.
//!
//! Two real processes exchange calls for as long as the test wants. Meanwhile `strace` watches two
//! threads and no others: the engine's shard and the host's caller. Whatever it writes down is a
//! system call on the path of a message. Nothing here depends on time: a busy shard never parks, a
//! caller that spins long enough never sleeps, and the number of calls watched is counted.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
use ironhoard::host::{EventAnswer, Host, HostOptions};
use ironhoard::region::PageMode;
use ironhoard::wait::WaitStrategy;

#[path = "common/processes.rs"]
#[allow(dead_code)]
mod processes;
use processes::{end_with_input, role_path, role_word, say_ready, Role, Scratch};

const PATIENCE: Duration = Duration::from_secs(20);
const CALLS_WATCHED: u64 = 100_000;
/// Answers with the number of the thread that handles it.
const THREAD: u16 = 2;

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let mut event = request.event(0, 8).expect("there is always room");
        event.write(&request.number().to_le_bytes());
        event.publish(1);
        let written = match request.kind() {
            THREAD => reply.write(&this_thread().to_le_bytes()),
            _ => reply
                .payload(request.payload().len())
                .map(|bytes| _ = request.payload().copy_to(bytes)),
        };
        written.map_or_else(Status::from, |()| Status::OK)
    }
}

fn this_thread() -> u64 {
    rustix::thread::gettid().as_raw_nonzero().get() as u64
}

/// An engine that is always awake.
#[test]
fn role_engine() {
    let Some(path) = role_path() else { return };
    let options = EngineOptions::new(path)
        .wait(WaitStrategy::Busy)
        .event_rings(1, 1 << 16);
    let engine = Engine::bind(options).expect("bound");
    let stop = engine.stop_handle();
    end_with_input(move || stop.stop());
    say_ready();
    engine.run(|_| Echo).expect("ran");
}

/// A host that calls without a pause until its input closes. Another of its threads keeps a file up to
/// date, named by the role's word: the numbers of the two threads, and that of the calls so far.
#[test]
fn role_host() {
    let Some(path) = role_path() else { return };
    let options = HostOptions {
        wishes: Wishes {
            pages: PageMode::Small,
            event_rings: 1,
            ..Wishes::default()
        },
        spin: u32::MAX, // always awake
        ..HostOptions::default()
    };
    let host = Host::attach_with(path, options).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let mut events = host.events(0).expect("a ring");
    let mut answer = [0; 256];
    lane.call(THREAD, &[], &mut answer, PATIENCE)
        .expect("a reply");
    let shard = u64::from_le_bytes(answer[..8].try_into().expect("eight bytes"));

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static ENDED: AtomicBool = AtomicBool::new(false);
    end_with_input(|| ENDED.store(true, Ordering::Relaxed));
    let progress = role_word();
    let caller = this_thread();
    std::thread::spawn(move || loop {
        let text = format!("{shard} {caller} {}", CALLS.load(Ordering::Relaxed));
        let next = format!("{progress}.next");
        std::fs::write(&next, text).expect("written");
        std::fs::rename(&next, &progress).expect("renamed");
        std::thread::sleep(Duration::from_millis(5));
    });
    say_ready();
    let request = [0x5a; 200];
    while !ENDED.load(Ordering::Relaxed) {
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let len = (number * 13 % 200) as usize;
        let reply = lane
            .call(1, &request[..len], &mut answer, PATIENCE)
            .expect("a reply");
        assert_eq!((reply.status, reply.len), (0, len));
        let event = events.poll(&mut answer).expect("sound");
        assert!(matches!(event, EventAnswer::Event(event) if event.number == number + 1));
    }
}

/// What the host says of itself: the shard's thread, the caller's thread, and its calls so far.
fn progress(path: &Path) -> (u64, u64, u64) {
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut numbers = text.split(' ').map_while(|word| word.parse().ok());
        if let (Some(shard), Some(caller), Some(calls)) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            return (shard, caller, calls);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns when the host has done `calls` more calls.
fn after_calls(path: &Path, calls: u64) {
    let until = progress(path).2 + calls;
    while progress(path).2 < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running `strace` on some threads; it lets them go when dropped.
struct Strace(Child);

impl Strace {
    /// Watches `threads` and writes their system calls to `output`. `Err` says why it cannot.
    fn watch(threads: &[u64], output: &Path) -> Result<Strace, String> {
        let mut command = Command::new("strace");
        command.arg("-o").arg(output);
        for thread in threads {
            command.arg("-p").arg(thread.to_string());
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("strace cannot be started ({error}); install it"))?;
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let strace = Strace(child);
        let mut attached = 0;
        while attached < threads.len() {
            let mut line = String::new();
            match said.read_line(&mut line) {
                Ok(1..) if line.ends_with("attached\n") => attached += 1,
                _ => return Err(format!("strace cannot watch: {}; run as root", line.trim())),
            }
        }
        // Whatever it says from now on nobody reads; a full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(strace)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.0.wait();
    }
}

/// Says aloud that a test was skipped: not with `eprintln!`, which the test harness would swallow.
fn skipped(reason: &str) {
    let line = format!("SKIPPED no_system_calls: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The system calls of `threads` while the host does `calls` more calls.
fn system_calls(threads: &[u64], said: &Path, calls: u64) -> Result<String, String> {
    let seen = said.with_extension("strace");
    let strace = Strace::watch(threads, &seen)?;
    after_calls(said, calls);
    drop(strace);
    Ok(std::fs::read_to_string(&seen).expect("strace's output"))
}

/// The threads of a process but for one.
fn threads_without(pid: u32, but: u64) -> Vec<u64> {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .expect("its threads")
        .filter_map(|task| task.expect("a thread").file_name().to_str()?.parse().ok())
        .filter(|&thread| thread != but)
        .collect()
}

#[test]
fn a_message_costs_no_system_call() {
    let scratch = Scratch::new("no-system-calls");
    let said = scratch.path().join("progress");
    let engine = Role::start("role_engine", &scratch.socket(), "");
    let word = said.to_str().expect("a plain path");
    let host = Role::start("role_host", &scratch.socket(), word);
    let (shard, caller, _) = progress(&said);
    after_calls(&said, CALLS_WATCHED / 10);

    // First that the watch can see at all: one of the host's other threads writes files.
    match system_calls(&threads_without(host.pid(), caller), &said, 1000) {
        Err(reason) => skipped(&reason),
        Ok(others) => {
            assert!(others.contains("rename"), "{others}");
            let calls = system_calls(&[shard, caller], &said, CALLS_WATCHED);
            assert_eq!(
                calls.as_deref(),
                Ok(""),
                "of shard {shard} or caller {caller}"
            );
        }
    }
    assert!(host.finish() && engine.finish());
}
