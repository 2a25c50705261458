//! An engine: bound, run once, stopped from anywhere, freed.
//!
//! ```text
//!   bind ──▶ BOUND ──run──▶ RUNNING ──stopped, or failed──▶ OVER
//!              └────────────────free────────────────────────┘
//! ```

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use super::border::{border, silent_border, Outcome};
use super::engine_options::ih_engine_options;
use super::handle::{shared, Handle, Mark, Shelf};
use super::handler::CHandler;
use super::input::output;
use super::status::ih_status::{self, *};
use crate::engine::{Counters, Counts, Engine, EngineError, StopHandle};

/// An engine.
#[repr(C)] // begins with its mark
pub struct ih_engine {
    mark: Mark,
    /// BOUND, RUNNING or OVER.
    state: AtomicU32,
    /// Taken by the thread that runs it.
    engine: Mutex<Option<(Engine, CHandler)>>,
    stop: StopHandle,
    counters: Arc<Counters>,
}

const BOUND: u32 = 0;
const RUNNING: u32 = 1;
const OVER: u32 = 2;

impl Handle for ih_engine {
    const KIND: u32 = u32::from_le_bytes(*b"engn");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

static ENGINES: Shelf<ih_engine> = Shelf::new();

impl ih_engine {
    /// Moves the state, if it is `from`.
    fn step(&self, from: u32, to: u32) -> Outcome {
        let step = self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire); // `engine state`, with itself
        step.map(drop).map_err(|_| IH_ERROR_RUNNING.into())
    }
}

/// What an engine counts.
#[repr(C)]
pub struct ih_engine_counts {
    /// Requests answered, hosts attached.
    pub requests: u64,
    pub attached: u64,
    /// Hosts resumed after the death of another engine.
    pub resumed: u64,
    /// Hosts that left with a word, hosts that died or hung up without one.
    pub detached: u64,
    pub deaths: u64,
    /// Conversations that ended in a refusal.
    pub refused: u64,
    /// Lanes closed because the host wrote nonsense.
    pub corrupt_lanes: u64,
    /// Panics of the handler, each answered with IH_STATUS_PANIC; 0 where the handler is C's.
    pub panics: u64,
    /// Requests not tried again because they had seen too many engines die.
    pub poisoned: u64,
    /// Requests refused for a flag this engine does not know.
    pub unknown_flags: u64,
    /// Times a lane was passed over because its reply ring had no room for the largest reply.
    pub skipped: u64,
    /// Times a shard parked, doorbells rung for hosts that wait for replies.
    pub parks: u64,
    pub rings: u64,
    /// Times a shard had been moved from its core and was pinned again.
    pub repins: u64,
    /// Events published, and doorbells rung for hosts that wait for them.
    pub events: u64,
    pub event_rings: u64,
    pub reserved: [u64; 6],
}

impl ih_engine_counts {
    fn of(got: &Counts) -> Self {
        Self {
            requests: got.requests,
            attached: got.attached,
            resumed: got.resumed,
            detached: got.detached,
            deaths: got.deaths,
            refused: got.refused,
            corrupt_lanes: got.corrupt_lanes,
            panics: got.panics,
            poisoned: got.poisoned,
            unknown_flags: got.unknown_flags,
            skipped: got.skipped,
            parks: got.parks,
            rings: got.rings,
            repins: got.repins,
            events: got.events,
            event_rings: got.event_rings,
            reserved: [0; 6],
        }
    }
}

/// Notes the end of a run, however it ends.
struct Over<'a>(&'a ih_engine);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.state.store(OVER, Ordering::Release); // `engine state`, with `step`
    }
}

/// Takes the path: a stale one is taken over, a living engine's is refused. Hosts may connect from now on
/// and wait until ih_engine_run. Options and their strings may go afterwards.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_bind(
    options: *const ih_engine_options,
    engine: *mut *mut ih_engine,
) -> ih_status {
    border(|| {
        let place = output(engine)?;
        // SAFETY: what the header asks for.
        let options = match unsafe { options.as_ref() } {
            None => return Err(IH_ERROR_NULL.into()),
            Some(options) => options,
        };
        // SAFETY: what the header asks for.
        let (options, handler) = unsafe { (options.read()?, options.handler()?) };
        let engine = Engine::bind(options)?;
        let handle = ih_engine {
            mark: Mark::live::<ih_engine>(),
            state: AtomicU32::new(BOUND),
            stop: engine.stop_handle(),
            counters: engine.counters(),
            engine: Mutex::new(Some((engine, handler))),
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(ENGINES.put(handle)) };
        Ok(())
    })
}

/// Serves until stopped, once. The calling thread is busy with it; shards have threads of their own. The
/// process becomes undumpable, so that hosts of the same uid cannot read its memory.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_run(engine: *mut ih_engine) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let handle = unsafe { shared(engine)? };
        handle.step(BOUND, RUNNING)?;
        let over = Over(handle);
        let taken = handle
            .engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((engine, handler)) = taken {
            on_its_own_thread(move || engine.run(|shard| handler.shard(shard)))?;
        }
        drop(over);
        Ok(())
    })
}

/// Runs the engine on a thread that Rust has made, and waits for it. On a thread of C's the standard library
/// would leave a few bytes behind, which leak checkers report.
fn on_its_own_thread<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let name = "ironhoard-control".to_owned();
    let thread = Builder::new().name(name).spawn(run);
    let thread = thread.map_err(|source| EngineError::Kernel {
        what: "a thread",
        source,
    })?;
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Stops it, before or while it runs: what hosts have committed is answered first. Any thread, and a
/// signal handler: it is one write, leaves errno alone, and stores no error.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_stop(engine: *const ih_engine) -> ih_status {
    silent_border(|| {
        // SAFETY: what the header asks for.
        unsafe { shared(engine)? }.stop.stop();
        Ok(())
    })
}

/// What it has counted, live. Any thread.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_read_counts(
    engine: *const ih_engine,
    counts: *mut ih_engine_counts,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let got = unsafe { shared(engine)? }.counters.read();
        let place = output(counts)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(ih_engine_counts::of(&got)) };
        Ok(())
    })
}

/// Frees it and sets `*engine` to NULL; a NULL there is done already. IH_ERROR_RUNNING while it runs:
/// stop it and let ih_engine_run return first.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_free(engine: *mut *mut ih_engine) -> ih_status {
    border(|| {
        let may = |engine: &ih_engine| {
            engine
                .step(BOUND, OVER)
                .or_else(|_| engine.step(OVER, OVER))
        };
        // SAFETY: what the header asks for.
        unsafe { ENGINES.end(engine, may) }
    })
}
