//! Hosts that listen to an engine's events: processes of their own, asleep between two events.
//!
//! ```text
//!   engine: stamp ▸ publish ─ one store ─▶ every host          bell ─▶ control thread ─▶ the sleepers
//!   host:   asleep ─ doorbell ─▶ poll ▸ give it to each of its players ▸ stamp
//! ```
//!
//! A host takes its sample when its last player has the event, so that waking, copying and handing
//! out are all in it. Samples stay in memory that the parent made; a host that loses an event fails.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ironhoard::attach::Wishes;
use ironhoard::host::{EventAnswer, Host, HostOptions};
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::process::{kill_process, Pid, Signal};

use crate::child::Child;

use super::attached::{BenchError, PATIENCE};
use super::clock::Clock;

/// Kind of an event whose first word is the stamp of its publishing.
pub const STAMPED: u16 = 1;
/// Kind of the event that ends a listener.
pub const LAST: u16 = 2;

/// How often a listener is looked at that is not ready yet.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// Options of a listening host process.
#[derive(Debug, Args)]
pub struct ListenerArguments {
    /// Where the engine listens.
    #[arg(long)]
    pub socket: PathBuf,
    /// Inherited descriptor of the memory for the samples.
    #[arg(long)]
    pub samples_fd: i32,
    /// Players that each event is given to.
    #[arg(long)]
    pub players: usize,
}

/// A listening process's life: take events until the last.
///
/// # Errors
/// Where the engine is gone, an event was lost or none came for a while.
pub fn listen(arguments: &ListenerArguments, samples: OwnedFd) -> Result<(), BenchError> {
    let samples = Samples(samples.into());
    let clock = Clock::calibrate();
    let options = HostOptions {
        wishes: Wishes::events_only(),
        spin: 0, // asleep at once
        ..HostOptions::default()
    };
    let host = Host::attach_with(&arguments.socket, options)?;
    let mut events = host.events(0)?;
    events.skip_to_end()?;
    let mut inboxes = vec![0u64; arguments.players];
    let mut ticks: Vec<u64> = Vec::with_capacity(1 << 16);
    samples.put(0, 1)?; // ready
    let mut payload = [0; 48];
    loop {
        if !events.wait(PATIENCE)? {
            return Err(BenchError::NotReady);
        }
        match events.poll(&mut payload)? {
            EventAnswer::Empty => {}
            EventAnswer::Event(event) if event.kind == LAST => break,
            EventAnswer::Event(event) => {
                inboxes.fill(event.number);
                std::hint::black_box(&inboxes);
                let stamp = u64::from_le_bytes(payload[..8].try_into().expect("eight bytes"));
                ticks.push(clock.ticks().wrapping_sub(stamp));
            }
            EventAnswer::Overrun(lost) => return Err(wrong("events lost", 0, lost.count())),
            EventAnswer::NewLife { .. } => return Err(wrong("lives of the engine", 1, 2)),
        }
    }
    for (index, ticks) in ticks.iter().enumerate() {
        samples.put(2 + index as u64, *ticks)?;
    }
    samples.put(1, ticks.len() as u64)
}

fn wrong(what: &'static str, expected: u64, found: u64) -> BenchError {
    BenchError::Wrong {
        what,
        expected,
        found,
    }
}

/// Words in a memory file: whether the listener is ready, how many samples there are, the samples.
struct Samples(File);

impl Samples {
    fn create() -> Result<Samples, BenchError> {
        let fd = memfd_create("ironhoard-samples", MemfdFlags::CLOEXEC)
            .map_err(BenchError::kernel("memory for samples"))?;
        Ok(Samples(fd.into()))
    }

    fn put(&self, word: u64, value: u64) -> Result<(), BenchError> {
        let written = self.0.write_all_at(&value.to_le_bytes(), 8 * word);
        written.map_err(|cause| kernel("writing a sample", &cause))
    }

    /// The word, 0 where nothing was written yet.
    fn get(&self, word: u64) -> Result<u64, BenchError> {
        let mut bytes = [0; 8];
        match self.0.read_exact_at(&mut bytes, 8 * word) {
            Ok(()) => Ok(u64::from_le_bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(cause) => Err(kernel("reading a sample", &cause)),
        }
    }
}

fn kernel(what: &'static str, cause: &io::Error) -> BenchError {
    let errno = rustix::io::Errno::from_io_error(cause);
    BenchError::kernel(what)(errno.unwrap_or(rustix::io::Errno::IO))
}

/// A listening process, seen from the parent. Killed when dropped.
pub struct Listener {
    child: Child,
    samples: Samples,
}

impl Listener {
    /// Starts a listener with so many players.
    pub fn start(socket: &Path, players: usize) -> Result<Listener, BenchError> {
        let samples = Samples::create()?;
        let mut path = std::ffi::OsString::from("--socket=");
        path.push(socket);
        let arguments = [
            "__listener".into(),
            path,
            format!("--samples-fd={}", samples.0.as_raw_fd()).into(),
            format!("--players={players}").into(),
        ];
        let child = Child::spawn("listener", arguments, &[samples.0.as_fd()])?;
        Ok(Listener { child, samples })
    }

    /// Waits until it is attached and asleep.
    pub fn wait_asleep(&mut self) -> Result<(), BenchError> {
        let samples = &self.samples;
        let times = (LOOK_AGAIN, PATIENCE);
        self.child.wait_until(times, BenchError::NotReady, |child| {
            Ok(samples.get(0)? != 0 && sleeps(child.id()))
        })
    }

    /// Stops it where it stands.
    pub fn stop(&self) -> Result<(), BenchError> {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id is not 0");
        kill_process(pid, Signal::STOP).map_err(BenchError::kernel("stopping a listener"))
    }

    /// Waits for its end and gives its samples, in ticks, one an event.
    pub fn finish(self) -> Result<Vec<u64>, BenchError> {
        self.child.finish(PATIENCE)?;
        let count = self.samples.get(1)?;
        (0..count)
            .map(|index| self.samples.get(2 + index))
            .collect()
    }
}

/// Does the main thread of this process sleep in the kernel?
fn sleeps(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state == Some('S')
}
