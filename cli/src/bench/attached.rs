//! A host attached to a benchmark engine: two processes, the whole stack between them.
//!
//! ```text
//!  this process, host core: create memory ─ start engine ─ attach ─ pin ─ work, floors ─ END
//!  engine process, engine core:             bind, pin, ready ── serve ──────────────── leave
//! ```
//!
//! Floors are requests like any other: the assignment travels in a record, the engine's handler
//! responds to it, and an empty reply says that it is done.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ironhoard::attach::Terms;
use ironhoard::host::{Host, HostError, HostOptions, Lane};

use rustix::io::Errno;

use crate::child::{Child, ChildError};
use crate::cores::{pin, CoreError, CorePair};

use super::c_host::CHostError;
use super::clock::Clock;
use super::engine::{END, FLOOR};
use super::floor::{Assignment, FloorError, Kind};
use super::memory::{FloorMemory, MemoryError};
use super::meter::{BothSpins, Held, Meter};
use super::slices::Reading;
use super::steps::StepsError;
use super::stream::StreamError;
use super::turns::Moment;

/// How long a child may take to be ready or to end, and a reply to come.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How often readiness is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Why an attached pair could not measure.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The shared memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The cores.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The engine process.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The floor.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// The host in C.
    #[error(transparent)]
    CHost(#[from] CHostError),
    /// Counting instructions.
    #[error(transparent)]
    Steps(#[from] StepsError),
    /// A stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The lane.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A place for the socket.
    #[error("cannot make a directory for this run's files at {}: {cause}; point TMPDIR to one that can be written", path.display())]
    Directory {
        /// Where it should be.
        path: PathBuf,
        /// The reason.
        cause: std::io::Error,
    },
    /// The kernel refused something.
    #[error("the kernel refused {what}: {cause}; check the limits on descriptors and memory")]
    Kernel {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        cause: Errno,
    },
    /// What a process uses of its cores is not told.
    #[error("cannot read {}/*/schedstat: {cause}; a kernel with CONFIG_SCHED_INFO and /proc are needed", path.display())]
    Schedstat {
        /// The directory of its threads.
        path: PathBuf,
        /// The reason.
        cause: std::io::Error,
    },
    /// A stamp of one core is before an earlier one of another.
    #[error("the clocks of the two cores disagree: a wake-up ended before it began; this machine's counter is not synchronised and wake-ups cannot be measured on it")]
    Clocks,
    /// The engine runs but is not ready.
    #[error("the engine process was not ready within {} s; the machine is overloaded, run again when it is quieter", PATIENCE.as_secs())]
    NotReady,
    /// The engine's handler refused.
    #[error("the benchmark engine answered with status {status}; both processes must be the same program")]
    Status {
        /// What it answered.
        status: u16,
    },
    /// What came back is not what was sent.
    #[error("{what}: expected {expected}, found {found}; the figures are worthless")]
    Wrong {
        /// What went wrong.
        what: &'static str,
        /// What it must be.
        expected: u64,
        /// What it was.
        found: u64,
    },
}

impl BenchError {
    /// The kernel's refusal of `what`.
    pub fn kernel(what: &'static str) -> impl Fn(Errno) -> BenchError {
        move |cause| BenchError::Kernel { what, cause }
    }
}

/// How to start the pair.
#[derive(Debug)]
pub struct Setup<'r> {
    /// The cores of both.
    pub cores: CorePair,
    /// The engine's wait strategy, by its name on the command line.
    pub wait: &'static str,
    /// Memory of a ring that goes along with the lanes, if there is one.
    pub ring: Option<BorrowedFd<'r>>,
    /// The sleeping end of a bare doorbell; the handler then stamps each request.
    pub bell: Option<OwnedFd>,
}

/// The engine process, and how to reach it.
pub struct Started {
    /// Memory shared with the engine.
    pub memory: FloorMemory,
    child: Child,
    directory: OwnDirectory,
}

/// The host's half, attached.
pub struct Attached<'m> {
    host: Host,
    /// The one lane.
    pub lane: Lane,
    /// Takes the floors.
    pub meter: Meter<'m>,
    /// The clock of all figures.
    pub clock: Clock,
}

impl Started {
    /// Starts the engine on its core and waits until it serves. Call it before any pin.
    pub fn new(setup: Setup<'_>) -> Result<Started, BenchError> {
        let memory = FloorMemory::create()?;
        let directory = OwnDirectory::create("")?;
        let mut socket = std::ffi::OsString::from("--socket=");
        socket.push(directory.socket());
        let mut arguments: Vec<std::ffi::OsString> = vec![
            "__engine".into(),
            "bench".into(),
            format!("--memory-fd={}", memory.fd().as_raw_fd()).into(),
            format!("--core={}", setup.cores.engine).into(),
            format!("--wait={}", setup.wait).into(),
            socket,
        ];
        let mut fds = vec![memory.fd()];
        if let Some(ring) = setup.ring {
            arguments.push(format!("--ring-fd={}", ring.as_raw_fd()).into());
            fds.push(ring);
        }
        if let Some(bell) = &setup.bell {
            arguments.push(format!("--bell-fd={}", bell.as_raw_fd()).into());
            fds.push(bell.as_fd());
        }
        let child = Child::spawn("engine", arguments, &fds)?;
        let mut started = Started {
            memory,
            child,
            directory,
        };
        started.wait_ready()?;
        Ok(started)
    }

    /// Attaches, and pins this thread to `core`.
    pub fn attach(&self, core: usize, options: HostOptions) -> Result<Attached<'_>, BenchError> {
        let attached = self.attach_unpinned(options)?;
        pin(core)?; // after the library has started its thread, which is not to be pinned here
        Ok(attached)
    }

    /// Attaches, and leaves this thread, and the processes it starts, where the scheduler wants them.
    pub fn attach_unpinned(&self, options: HostOptions) -> Result<Attached<'_>, BenchError> {
        let clock = Clock::calibrate();
        let host = Host::attach_with(self.directory.socket(), options)?;
        let lane = host.lane()?;
        Ok(Attached {
            host,
            lane,
            meter: Meter::new(self.memory.lines(), clock),
            clock,
        })
    }

    /// Where the engine listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.socket()
    }

    /// The engine's process id.
    pub fn engine_pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the engine's end, and gives `outcome` or, if that is an error, the engine's own
    /// reason.
    pub fn finish<T>(mut self, outcome: Result<T, BenchError>) -> Result<T, BenchError> {
        match outcome {
            Ok(value) => {
                self.child.finish(PATIENCE)?;
                Ok(value)
            }
            Err(ours) => Err(self.child.failure().map_or(ours, BenchError::Child)),
        }
    }

    fn wait_ready(&mut self) -> Result<(), BenchError> {
        // Acquire: partner of the release store in `engine::serve`.
        let ready = &self.memory.lines().ready.0[0];
        let times = (LOOK_AGAIN, PATIENCE);
        self.child.wait_until(times, BenchError::NotReady, |_| {
            Ok(ready.load(Ordering::Acquire) != 0)
        })
    }
}

impl Attached<'_> {
    /// What the engine gave.
    pub fn terms(&self) -> Terms {
        self.host.terms()
    }

    /// The walking floor with both ways to spin.
    pub fn walking(&mut self) -> Result<BothSpins, BenchError> {
        Ok(BothSpins {
            pause: self.floor(Kind::Walking, true)?,
            no_pause: self.floor(Kind::Walking, false)?,
        })
    }

    /// One floor, by the same two threads that do the work.
    pub fn floor(&mut self, kind: Kind, pause: bool) -> Result<Reading, BenchError> {
        let lane = &mut self.lane;
        let reading = self
            .meter
            .measure(kind, pause, &mut |assignment: &Assignment| {
                send(lane, FLOOR, &assignment.encode())
            })?;
        self.take_reply()?;
        Ok(reading)
    }

    /// Keeps the engine's shard busy with this host's lane, until [`Attached::let_go`]: it looks at no
    /// other request.
    pub fn hold(&mut self) -> Result<Held, BenchError> {
        let lane = &mut self.lane;
        self.meter
            .hold(&mut |assignment| send(lane, FLOOR, &assignment.encode()))
    }

    /// Lets the shard go on.
    pub fn let_go(&mut self, held: Held) -> Result<(), BenchError> {
        self.meter.let_go(held)?;
        self.take_reply()
    }

    /// The floors beside a stream: the walking one says how far apart the cores are.
    pub fn stream_moment(&mut self) -> Result<Moment, BenchError> {
        let walking = self.floor(Kind::Walking, true)?;
        let pause = self.floor(Kind::Stream, true)?;
        let no_pause = self.floor(Kind::Stream, false)?;
        Ok(Moment {
            distance_ns: walking.p50_ns,
            floor_ns: pause.lower(no_pause).p50_ns,
        })
    }

    /// Takes the empty reply to the one request under way.
    pub fn take_reply(&mut self) -> Result<(), BenchError> {
        self.reply().map(|_| ())
    }

    /// Takes the reply to the one request under way: one word.
    pub fn take_word(&mut self) -> Result<u64, BenchError> {
        self.reply()?.ok_or(BenchError::Status { status: 0 })
    }

    /// The first word of the reply to the one request under way, if it has one.
    fn reply(&mut self) -> Result<Option<u64>, BenchError> {
        if !self.lane.wait(PATIENCE)? {
            let number = self.lane.outstanding();
            return Err(HostError::Deadline { number }.into());
        }
        let mut replies = self.lane.poll(1)?;
        match replies.next().map_err(HostError::from)? {
            Some(reply) if reply.kind() == 0 => Ok(reply.payload().u64_at(0)),
            Some(reply) => Err(BenchError::Status {
                status: reply.kind(),
            }),
            None => Ok(None),
        }
    }

    /// Tells the engine to halt.
    pub fn end(mut self) -> Result<(), BenchError> {
        send(&mut self.lane, END, &[])?;
        self.take_reply()
    }
}

/// Sends a request of these words.
pub fn send(lane: &mut Lane, kind: u16, words: &[u64]) -> Result<(), BenchError> {
    let mut claim = lane.claim(8 * words.len())?;
    for (index, word) in words.iter().enumerate() {
        claim.put_u64(index, *word);
    }
    claim.commit(kind);
    Ok(())
}

/// A directory of this process's own; removed with all that is in it.
pub struct OwnDirectory(PathBuf);

impl OwnDirectory {
    /// A new one; `purpose` tells those of one process apart.
    pub fn create(purpose: &str) -> Result<OwnDirectory, BenchError> {
        let name = format!("ironhoard-bench-{}{purpose}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(OwnDirectory(path)),
            Err(cause) => Err(BenchError::Directory { path, cause }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn socket(&self) -> PathBuf {
        Path::join(&self.0, "engine.sock")
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        // Fails only if somebody else has removed it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
