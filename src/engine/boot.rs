//! Boot: take the path, pin the shards, make the handlers. Then the calling thread becomes the control
//! thread.
//!
//! ```text
//!   Engine::bind ── path locked, cores checked
//!   Engine::run ─┬─ shard 0: pin, make the handler ─▶ serve
//!                ├─ shard 1: pin, make the handler ─▶ serve
//!                └─ all ready? ─▶ control thread
//! ```

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::Scope;

use rustix::process::{set_dumpable_behavior, DumpableBehavior, Pid};

use super::arena::Arena;
use super::control::Control;
use super::counters::{Counters, Counts};
use super::events::{EventBell, Events};
use super::handler::Handler;
use super::options::{EngineError, EngineOptions};
use super::park::{Bell, Parker};
use super::shard::{FromShard, Shard, ToShard};
use crate::attach::{EventRings, Ledger, Listener, Policy};
use crate::region::Mapping;
use crate::sys::affinity::{allowed_cores, check_core, pin_current};
use crate::sys::barrier;
use crate::sys::clock::monotonic_ns;

/// Stops an engine: from any thread, and from a signal handler (it is one `write`).
#[derive(Clone)]
pub struct StopHandle(Bell);

impl StopHandle {
    /// run → halt. The engine answers what hosts have committed, then leaves.
    pub fn stop(&self) {
        self.0.ring();
    }
}

/// An engine that holds its path and does not serve yet.
///
/// ```no_run
/// use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
///
/// /// Counts its requests.
/// struct Count(u64);
///
/// impl Handler for Count {
///     fn handle(&mut self, _: &Request<'_>, reply: &mut Reply<'_>) -> Status {
///         self.0 += 1;
///         reply.write(&self.0.to_le_bytes()).map_or_else(Status::from, |()| Status::OK)
///     }
/// }
///
/// let engine = Engine::bind(EngineOptions::new("/run/count.sock").cores([2, 3]))?;
/// let stop = engine.stop_handle(); // for another thread, or a signal handler
/// let counters = engine.counters(); // to be read while it runs
/// let counts = engine.run(|_shard| Count(0))?; // until `stop.stop()`
/// println!("{} requests, {} hosts", counts.requests, counts.attached);
/// # drop((stop, counters));
/// # Ok::<(), ironhoard::engine::EngineError>(())
/// ```
pub struct Engine {
    pub(super) options: EngineOptions,
    pub(super) listener: Listener,
    pub(super) ledger: Arc<Ledger>,
    allowed: Vec<usize>,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: Bell,
    pub(super) control: Bell,
    pub(super) event_bell: EventBell,
    event_rings: Arc<EventRings>,
    /// The only writable mappings of the event rings.
    event_regions: Vec<Arc<Mapping>>,
}

impl Engine {
    /// Takes the path: a stale one is taken over, a living engine's is refused. Hosts may connect
    /// from now on and wait until [`Engine::run`].
    ///
    /// # Errors
    /// [`EngineError`]; nothing is left behind.
    pub fn bind(options: EngineOptions) -> Result<Self, EngineError> {
        options.check()?;
        let allowed = allowed_cores(); // before any pin
        for &core in &options.cores {
            check_core(core, &allowed)?;
        }
        let ledger = Ledger::new();
        let counters = Counters {
            pages: ledger.pages().clone(),
            ..Counters::default()
        };
        let (shards, pages) = (options.event_shards(), options.policy.pages);
        let (event_rings, regions) = EventRings::create(&shards, options.event_capacity, pages)?;
        let control = Bell::new().map_err(EngineError::kernel("an event counter"))?;
        Ok(Self {
            event_bell: EventBell::new(control.clone()),
            event_rings: Arc::new(event_rings),
            event_regions: regions.into_iter().map(Arc::new).collect(),
            ledger,
            listener: Listener::bind(&options.path, options.mode)?,
            options,
            allowed,
            counters: Arc::new(counters),
            stop: Bell::new().map_err(EngineError::kernel("an event counter"))?,
            control,
        })
    }

    /// What stops this engine.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stop.clone())
    }

    /// The live counters.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Serves until stopped; the calling thread becomes the control thread. `make` makes each
    /// shard's handler, on that shard's pinned thread, so that its memory lies near by.
    ///
    /// # Errors
    /// [`EngineError`] where a shard can't start or was lost.
    pub fn run<H, F>(self, make: F) -> Result<Counts, EngineError>
    where
        H: Handler,
        F: Fn(usize) -> H + Sync,
    {
        // A host of the same uid could else read this process's memory through /proc.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        std::thread::scope(|scope| {
            let (outbox, news) = channel();
            let shards = self.boot(scope, &make, &outbox)?;
            let policy = self.policy(&shards);
            Control::new(&self, shards, policy, news).run(scope)
        })?;
        Ok(self.counters.read())
    }

    fn policy(&self, shards: &[ShardHandle]) -> Arc<Policy> {
        Arc::new(Policy {
            shards: shards.len() as u32,
            membarrier: self.options.membarrier && barrier::register(),
            resume: shards[0].resumable.clone(),
            event_rings: Some(self.event_rings.clone()),
            ..self.options.policy.clone()
        })
    }

    /// Starts and pins the shards; returns when each has its handler.
    fn boot<'s, H: Handler, F: Fn(usize) -> H + Sync>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        make: &'s F,
        outbox: &Sender<FromShard>,
    ) -> Result<Vec<ShardHandle>, EngineError> {
        let mut shards: Vec<ShardHandle> = Vec::new();
        let mut failure = None;
        for index in 0..self.options.shards() {
            match self.start_shard(scope, index, make, outbox.clone()) {
                Ok(shard) => shards.push(shard),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let Some(error) = failure else {
            return Ok(shards);
        };
        for shard in &shards {
            shard.post(ToShard::Halt { deadline: 0 });
        }
        Err(error)
    }

    fn start_shard<'s, H: Handler, F: Fn(usize) -> H + Sync>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        index: usize,
        make: &'s F,
        outbox: Sender<FromShard>,
    ) -> Result<ShardHandle, EngineError> {
        let bell = Bell::new().map_err(EngineError::kernel("an event counter"))?;
        let parker = Parker::new(bell.clone(), self.control.clone())
            .map_err(EngineError::kernel("an epoll instance"))?;
        let (mailbox, inbox) = channel();
        let has_mail = Arc::new(AtomicBool::new(false));
        let (ready, booted) = channel();
        let core = self.options.cores.get(index).copied();
        let mail = has_mail.clone();
        let body = move || {
            if let Some(Err(error)) = core.map(|core| pin_current(core, &self.allowed)) {
                let _ = ready.send(Err(error));
                return;
            }
            let made = catch_unwind(AssertUnwindSafe(|| {
                let handler = make(index);
                let facts = (handler.largest_reply(), handler.resumable());
                (handler, facts)
            }));
            let Ok((handler, facts)) = made else {
                return; // a scoped thread must not end in a panic: `run` would
            };
            let _ = ready.send(Ok((rustix::thread::gettid(), facts)));
            drop(ready);
            self.serve_shard(handler, inbox, mail, outbox, parker, index);
        };
        std::thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn_scoped(scope, body)
            .map_err(EngineError::kernel("a thread"))?;
        let (tid, (largest_reply, resumable)) = booted
            .recv()
            .map_err(|_| EngineError::ShardLost { shard: index })??;
        Ok(ShardHandle {
            mailbox,
            has_mail,
            bell,
            tid,
            core,
            largest_reply,
            resumable,
        })
    }

    /// The body of a shard's thread, once it is pinned and has its handler.
    fn serve_shard<H: Handler>(
        &self,
        handler: H,
        inbox: Receiver<ToShard>,
        has_mail: Arc<AtomicBool>,
        outbox: Sender<FromShard>,
        parker: Parker,
        index: usize,
    ) {
        let mine = index * self.options.event_rings..(index + 1) * self.options.event_rings;
        let regions = &self.event_regions[mine];
        let shard = Shard {
            handler,
            events: Events::new(regions, self.options.event_capacity),
            event_bell: self.event_bell.clone(),
            hosts: Vec::new(),
            inbox,
            has_mail,
            outbox: outbox.clone(),
            parker,
            wait: self.options.wait,
            budget: self.options.budget,
            arena: Arena::new(self.options.arena_bytes),
            counters: self.counters.clone(),
            now: monotonic_ns(),
            halt_at: None,
            one_lane: false,
        };
        let end = catch_unwind(AssertUnwindSafe(|| shard.run()));
        let lost = end.is_err().then_some(index);
        let _ = outbox.send(FromShard::Ended { lost });
        self.control.ring();
    }
}

/// What the control thread keeps of a shard.
pub(super) struct ShardHandle {
    mailbox: Sender<ToShard>,
    has_mail: Arc<AtomicBool>,
    bell: Bell,
    pub(super) tid: Pid,
    pub(super) core: Option<usize>,
    pub(super) largest_reply: Option<usize>,
    resumable: Result<(), String>,
}

impl ShardHandle {
    pub(super) fn post(&self, mail: ToShard) {
        let _ = self.mailbox.send(mail);
        self.has_mail.store(true, Ordering::Release); // `mail`, with the shard's swap
        self.bell.ring();
    }
}
