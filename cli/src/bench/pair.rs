//! A pair of processes that measure floors and do nothing else.
//!
//! ```text
//!  parent, host core: create memory ─ start child ─ wait ready ─ command n ─ drive ─ command n+1 …
//!  child, engine core:                map, pin, ready ── wait for command n ─ respond ─ wait …
//! ```

use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::child::{Child, ChildError};
use crate::cores::{pin, CoreError, CorePair};

use super::floor::{respond, wait, Assignment, FloorError, Lines};
use super::memory::{FloorMemory, MemoryError};

/// How long a child may take to be ready or to end.
const CHILD_PATIENCE: Duration = Duration::from_secs(5);
/// How often readiness is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A command that is no assignment.
const END: [u64; 4] = [0; 4];

/// Why a pair could not measure.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The shared memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The cores.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The child.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The measurement.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// The child runs but is not ready.
    #[error("the floor process was not ready within {} s; the machine is overloaded, run again when it is quieter", CHILD_PATIENCE.as_secs())]
    NotReady,
}

/// The parent's half of a pair.
pub struct FloorPair {
    memory: FloorMemory,
    child: Child,
    commands: Cell<u64>,
}

impl FloorPair {
    /// Starts the child on `cores.engine` and pins the calling thread to `cores.host`.
    pub fn start(cores: CorePair) -> Result<FloorPair, PairError> {
        let memory = FloorMemory::create()?;
        let arguments = [
            "__engine".to_owned(),
            "floor".to_owned(),
            format!("--memory-fd={}", memory.fd().as_raw_fd()),
            format!("--core={}", cores.engine),
        ];
        let arguments = arguments.map(Into::into);
        let child = Child::spawn("floor", arguments, &[memory.fd()])?;
        let mut pair = FloorPair {
            memory,
            child,
            commands: Cell::new(0),
        };
        pin(cores.host)?;
        pair.wait_ready()?;
        Ok(pair)
    }

    /// The shared lines.
    pub fn lines(&self) -> &Lines {
        self.memory.lines()
    }

    /// Bytes of the pages under the shared lines.
    pub fn page_bytes(&self) -> u64 {
        self.memory.page_bytes()
    }

    /// Hands an assignment to the child.
    pub fn tell(&self, assignment: &Assignment) {
        self.send(assignment.encode());
    }

    /// Ends the child, and gives `outcome` or, if that is an error, the child's own reason.
    pub fn finish<T>(mut self, outcome: Result<T, PairError>) -> Result<T, PairError> {
        match outcome {
            Ok(value) => {
                self.send(END);
                self.child.finish(CHILD_PATIENCE)?;
                Ok(value)
            }
            Err(ours) => Err(self.child.failure().map_or(ours, PairError::Child)),
        }
    }

    fn send(&self, words: [u64; 4]) {
        self.commands.set(self.commands.get() + 1);
        let command = &self.lines().command.0;
        for (place, word) in command[1..].iter().zip(words) {
            // Relaxed: made visible by the release store of the number.
            place.store(word, Ordering::Relaxed);
        }
        // Release: partner of the acquire load in `wait`, called by `serve`.
        command[0].store(self.commands.get(), Ordering::Release);
    }

    fn wait_ready(&mut self) -> Result<(), PairError> {
        // Acquire: partner of the release store in `serve`.
        let ready = &self.memory.lines().ready.0[0];
        let times = (LOOK_AGAIN, CHILD_PATIENCE);
        self.child.wait_until(times, PairError::NotReady, |_| {
            Ok(ready.load(Ordering::Acquire) != 0)
        })
    }
}

/// The child's life: respond to each assignment until something else is commanded.
pub fn serve(memory: OwnedFd, core: usize) -> Result<(), PairError> {
    pin(core)?;
    let memory = FloorMemory::open(memory)?;
    let lines = memory.lines();
    // Release: the memory is mapped and present; partner of the acquire load in `wait_ready`.
    lines.ready.0[0].store(1, Ordering::Release);
    for number in 1.. {
        let command = &lines.command.0;
        wait::<1>(&command[0], number)?;
        // Relaxed: ordered by the acquire load in `wait`.
        let words = [1, 2, 3, 4].map(|place| command[place].load(Ordering::Relaxed));
        match Assignment::decode(words) {
            Some(assignment) => respond(lines, &assignment)?,
            None => break,
        }
    }
    Ok(())
}
