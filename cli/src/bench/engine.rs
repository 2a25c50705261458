//! The engine process of the benchmarks: the library's own engine with a handler that answers what
//! is measured and, on the same thread, plays the other half of the floors.
//!
//! ```text
//!   shard thread, pinned:  lane ─▶ handler ─┬─ ECHO   the payload, copied into the reply
//!                                           ├─ PUBLISH an event with a stamp, then an empty reply
//!                                           ├─ FLOOR  respond to an assignment, then an empty reply
//!                                           ├─ STREAM take a stream from a ring, reply its sum
//!                                           └─ END    the engine halts
//! ```
//!
//! Because the floor runs inside the handler, floor and work use the same two threads on the same
//! two cores, and nothing else is in between.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use ironhoard::engine::{
    Engine, EngineError, EngineOptions, EventClaim, EventError, Handler, Reply, Request, Status,
    StopHandle,
};
use ironhoard::ring::{ClaimError, MemoryConsumer, MemoryWords, Payload};
use ironhoard::wait::WaitStrategy;

use super::clock::Clock;
use super::fanout::{LAST, STAMPED};
use super::floor::{respond, Assignment, Lines};
use super::memory::{FloorMemory, MemoryError};
use super::stream;
use super::wake::{BareBell, Stamping};

/// Kind: answer with the request's payload.
pub const ECHO: u16 = 1;
/// Kind: respond to the [`Assignment`] in the payload.
pub const FLOOR: u16 = 2;
/// Kind: take so many records of so many words from the ring beside the lane; replies their sum.
pub const STREAM: u16 = 3;
/// Kind: halt.
pub const END: u16 = 5;
/// Kind: publish an event with a stamp.
pub const PUBLISH: u16 = 8;
/// Kind: publish the event that ends all listeners.
pub const FINISH: u16 = 9;

/// Status: the payload is not what its kind promises.
pub const MISFORMED: Status = Status::code(1);
/// Status: the host made no progress.
pub const STALLED: Status = Status::code(2);

/// The largest payload that is echoed, in bytes; a small bound lets the reply ring be used to its
/// end.
pub const LARGEST_ECHO: usize = 4096;

/// Bytes of the event ring.
pub const EVENT_CAPACITY: u64 = 1 << 20;
/// Bytes of each event: one line.
const EVENT_BYTES: usize = 48;

/// Why the engine process could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The memory it shares with the host.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The bare doorbell.
    #[error("cannot sleep on the inherited doorbell: {0}; this subcommand is for `ironhoard bench` alone")]
    Bell(#[from] rustix::io::Errno),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What an engine process is started with.
pub struct Inherited {
    /// Memory of the floors.
    pub memory: OwnedFd,
    /// Memory of a ring beside the lanes.
    pub ring: Option<OwnedFd>,
    /// The sleeping end of a bare doorbell.
    pub bell: Option<OwnedFd>,
}

/// The engine process's life: serve at `path` on `core` until a host says END.
pub fn serve(
    inherited: Inherited,
    path: &Path,
    core: usize,
    wait: WaitStrategy,
) -> Result<(), ServeError> {
    let memory = FloorMemory::open(inherited.memory)?;
    let lines = memory.lines();
    let ring = inherited
        .ring
        .map(FloorMemory::open)
        .transpose()?
        .map(Arc::new);
    let clock = Clock::calibrate();
    let options = EngineOptions::new(path).cores([core]).wait(wait);
    let engine = Engine::bind(options.event_rings(1, EVENT_CAPACITY))?;
    let stop = engine.stop_handle();
    let bench = || {
        // Release: the path is bound, hosts may attach; partner of the acquire load in
        // `attached::wait_ready`.
        lines.ready.0[0].store(1, Ordering::Release);
        Bench {
            lines,
            ring: ring.as_ref().map(stream::consumer),
            stop: stop.clone(),
            clock,
        }
    };
    let Some(bell) = inherited.bell else {
        engine.run(|_shard| bench())?;
        return Ok(());
    };
    let bell = BareBell::new(bell)?;
    engine.run(|_shard| Stamping {
        bench: bench(),
        bell: &bell,
        clock,
    })?;
    Ok(())
}

/// The handler.
pub struct Bench<'m> {
    /// Memory of the floors.
    pub lines: &'m Lines,
    ring: Option<MemoryConsumer>,
    stop: StopHandle,
    clock: Clock,
}

impl Handler for Bench<'_> {
    /// Stands in the shard's loop, as a short handler does. What is not short gets values, not the
    /// request and the reply: those need not be in memory then.
    #[inline(always)]
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        match request.kind() {
            ECHO => echo(request, reply),
            FLOOR => self.floor(request.payload()),
            STREAM => match self.stream(request.payload()) {
                Ok(sum) => replied(reply.write(&sum.to_le_bytes())),
                Err(status) => status,
            },
            PUBLISH => self.publish(request.event(0, EVENT_BYTES), STAMPED),
            FINISH => self.publish(request.event(0, EVENT_BYTES), LAST),
            END => {
                self.stop.stop();
                Status::OK
            }
            _ => MISFORMED,
        }
    }

    fn largest_reply(&self) -> Option<usize> {
        Some(LARGEST_ECHO)
    }
}

#[inline(always)]
fn echo(request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
    let payload = request.payload();
    let echoed = reply.payload(payload.len());
    replied(echoed.map(|bytes| {
        payload.copy_to(bytes);
    }))
}

#[inline(always)]
fn replied(written: Result<(), ClaimError>) -> Status {
    match written {
        Ok(()) => Status::OK,
        Err(error) => error.into(),
    }
}

impl Bench<'_> {
    #[cold]
    fn floor(&self, assignment: Payload<'_, MemoryWords>) -> Status {
        let words = [0, 8, 16, 24].map(|offset| assignment.u64_at(offset));
        let [Some(kind), Some(pause), Some(first), Some(rounds)] = words else {
            return MISFORMED;
        };
        let Some(assignment) = Assignment::decode([kind, pause, first, rounds]) else {
            return MISFORMED;
        };
        match respond(self.lines, &assignment) {
            Ok(()) => Status::OK,
            Err(_) => STALLED,
        }
    }

    /// An event of one line: the stamp, and five words.
    #[inline]
    fn publish(&self, event: Result<EventClaim<'_>, EventError>, kind: u16) -> Status {
        let Ok(mut event) = event else {
            return MISFORMED;
        };
        let payload = event.payload();
        payload[8..].fill(0x5a);
        payload[..8].copy_from_slice(&self.clock.ticks().to_le_bytes());
        event.publish(kind);
        Status::OK
    }

    #[cold]
    fn stream(&mut self, assignment: Payload<'_, MemoryWords>) -> Result<u64, Status> {
        let words = [0, 8].map(|offset| assignment.u64_at(offset));
        let (Some(ring), [Some(words), Some(count)]) = (&mut self.ring, words) else {
            return Err(MISFORMED);
        };
        stream::consume(ring, words as usize, count).map_err(|_| STALLED)
    }
}
