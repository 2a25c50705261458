//! The control thread: socket, attach, deaths, housekeeping. It never touches a ring.
//!
//! ```text
//!   boot ──▶ run ──▶ halt ──▶ gone
//!    │        │       └ no new hosts; hosts are told; shards answer what is committed and end
//!    │        └ stop handle (any thread, a signal handler)
//!    └ path locked, shards pinned, handlers made
//! ```

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::{shutdown, Shutdown};
use rustix::process::{set_dumpable_behavior, DumpableBehavior, Pid};

use super::arena::Arena;
use super::counters::{Counters, Counts};
use super::handler::Handler;
use super::host_link::{HostLink, Serving, ShardHost};
use super::options::{EngineError, EngineOptions};
use super::park::{Bell, Parker};
use super::shard::{FromShard, Shard, ToShard};
use crate::attach::{
    converse, recv_notice, refuse, send_notice, EngineSide, Ledger, Listener, Notice, Policy,
    Refusal, RefusalCode,
};
use crate::lane::Regions;
use crate::sys::affinity::{allowed_cores, check_core, pin_current, repin};
use crate::sys::barrier;
use crate::sys::clock::monotonic_ns;

/// Conversations at one time; further hosts wait in the socket's queue.
const MAX_CONVERSATIONS: usize = 32;
/// Pause after a failed accept (no descriptors left): it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// How often pins are checked.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

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
    options: EngineOptions,
    listener: Listener,
    ledger: Arc<Ledger>,
    allowed: Vec<usize>,
    counters: Arc<Counters>,
    stop: Bell,
    control: Bell,
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
        Ok(Self {
            ledger,
            listener: Listener::bind(&options.path, options.mode)?,
            options,
            allowed,
            counters: Arc::new(counters),
            stop: Bell::new().map_err(EngineError::kernel("an event counter"))?,
            control: Bell::new().map_err(EngineError::kernel("an event counter"))?,
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
            let (conversations, attached) = channel();
            let mut control = Control {
                ledger: self.ledger.clone(),
                policy: self.policy(&shards),
                serving: Serving {
                    largest_reply: shards[0].largest_reply,
                    poison_after: self.options.poison_after,
                },
                next_lane: AtomicUsize::new(0).into(),
                hosts: HashMap::new(),
                next_key: 0,
                talking: 0,
                talks: HashMap::new(),
                next_talk: 0,
                alive: shards.len(),
                lost: None,
                halting: false,
                engine: &self,
                shards,
                news,
                conversations,
                attached,
            };
            control.run(scope)
        })?;
        Ok(self.counters.read())
    }

    fn policy(&self, shards: &[ShardHandle]) -> Arc<Policy> {
        Arc::new(Policy {
            shards: shards.len() as u32,
            membarrier: self.options.membarrier && barrier::register(),
            resume: shards[0].resumable.clone(),
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
        let shard = Shard {
            handler,
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
        };
        let end = catch_unwind(AssertUnwindSafe(|| shard.run()));
        let lost = end.is_err().then_some(index);
        let _ = outbox.send(FromShard::Ended { lost });
        self.control.ring();
    }
}

/// What the control thread keeps of a shard.
struct ShardHandle {
    mailbox: Sender<ToShard>,
    has_mail: Arc<AtomicBool>,
    bell: Bell,
    tid: Pid,
    core: Option<usize>,
    largest_reply: Option<usize>,
    resumable: Result<(), String>,
}

impl ShardHandle {
    fn post(&self, mail: ToShard) {
        let _ = self.mailbox.send(mail);
        self.has_mail.store(true, Ordering::Release); // `mail`, with the shard's swap
        self.bell.ring();
    }
}

/// A host as the control thread knows it.
struct Connected {
    socket: OwnedFd,
    pidfd: Option<OwnedFd>,
    name: String,
    pid: u32,
    /// Shards that still hold lanes of this host.
    parts: usize,
    leaving: bool,
    /// Keeps the host's place in the ledger until its memory is gone.
    _reservation: crate::attach::Reservation,
}

struct Control<'e> {
    engine: &'e Engine,
    shards: Vec<ShardHandle>,
    policy: Arc<Policy>,
    ledger: Arc<Ledger>,
    serving: Serving,
    next_lane: Arc<AtomicUsize>,
    hosts: HashMap<u64, Connected>,
    next_key: u64,
    talking: usize,
    /// A second descriptor of each conversation's socket, by which a halt ends it.
    talks: HashMap<u64, OwnedFd>,
    next_talk: u64,
    alive: usize,
    lost: Option<usize>,
    halting: bool,
    news: Receiver<FromShard>,
    conversations: Sender<(u64, Talked)>,
    attached: Receiver<(u64, Talked)>,
}

/// How a conversation ended.
type Talked = Result<Box<EngineSide>, Refusal>;

/// What a descriptor in the poll set stands for.
#[derive(Clone, Copy)]
enum Source {
    Listener,
    Stop,
    News,
    Socket(u64),
    Death(u64),
}

impl<'e> Control<'e> {
    fn run<'s>(&mut self, scope: &'s Scope<'s, '_>) -> Result<(), EngineError>
    where
        'e: 's,
    {
        let mut checked = Instant::now();
        while self.alive > 0 {
            for source in self.wait() {
                match source {
                    Source::Listener => self.accept(scope),
                    Source::Stop => self.halt(),
                    Source::News => self.engine.control.hear(),
                    Source::Socket(key) => self.read_notice(key),
                    Source::Death(key) => self.leave(key, Leaving::Died),
                }
            }
            self.take_news();
            self.take_attached();
            if checked.elapsed() >= HOUSEKEEPING {
                checked = Instant::now();
                self.check_pins();
            }
        }
        match self.lost {
            None => Ok(()),
            Some(shard) => Err(EngineError::ShardLost { shard }),
        }
    }

    /// Sleeps until something happens, a second at most; says what did.
    fn wait(&self) -> Vec<Source> {
        let mut sources = vec![Source::News];
        let mut fds = vec![PollFd::new(self.engine.control.fd(), PollFlags::IN)];
        if !self.halting {
            // Rung for good: once heard it is not listened to.
            sources.push(Source::Stop);
            fds.push(PollFd::new(self.engine.stop.fd(), PollFlags::IN));
        }
        if !self.halting && self.talking < MAX_CONVERSATIONS {
            sources.push(Source::Listener);
            fds.push(PollFd::from_borrowed_fd(
                self.engine.listener.as_fd(),
                PollFlags::IN,
            ));
        }
        for (&key, host) in self.hosts.iter().filter(|(_, host)| !host.leaving) {
            sources.push(Source::Socket(key));
            fds.push(PollFd::new(&host.socket, PollFlags::IN));
            if let Some(pidfd) = &host.pidfd {
                sources.push(Source::Death(key));
                fds.push(PollFd::new(pidfd, PollFlags::IN));
            }
        }
        let second = Timespec {
            tv_sec: HOUSEKEEPING.as_secs() as i64,
            tv_nsec: 0,
        };
        match poll(&mut fds, Some(&second)) {
            Ok(0) | Err(_) => Vec::new(),
            Ok(_) => sources
                .into_iter()
                .zip(&fds)
                .filter(|(_, fd)| !fd.revents().is_empty())
                .map(|(source, _)| source)
                .collect(),
        }
    }

    /// Gives each new connection a thread of its own for the conversation.
    fn accept<'s>(&mut self, scope: &'s Scope<'s, '_>) {
        while self.talking < MAX_CONVERSATIONS {
            let socket = match self.engine.listener.accept() {
                Ok(Some(socket)) => socket,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "no host can connect");
                    std::thread::sleep(ACCEPT_PAUSE);
                    return;
                }
            };
            let talk_key = self.next_talk;
            self.next_talk += 1;
            if let Ok(second) = socket.try_clone() {
                self.talks.insert(talk_key, second);
            }
            let policy = self.policy.clone();
            let ledger = self.ledger.clone();
            let next_lane = self.next_lane.clone();
            let results = self.conversations.clone();
            let control = self.engine.control.clone();
            let talk = move || {
                let assign = |lanes: u32| spread(&next_lane, lanes, policy.shards);
                let talk = || converse(socket, &policy, &ledger, &assign).map(Box::new);
                let result = catch_unwind(AssertUnwindSafe(talk)).unwrap_or_else(|_| {
                    let text = "the engine's thread of the conversation panicked";
                    Err(Refusal::new(RefusalCode::Internal, text))
                });
                let _ = results.send((talk_key, result));
                control.ring();
            };
            let thread = std::thread::Builder::new().name("attach".into());
            match thread.spawn_scoped(scope, talk) {
                Ok(_) => self.talking += 1,
                Err(error) => {
                    self.talks.remove(&talk_key);
                    tracing::error!(%error, "no thread for a conversation");
                }
            }
        }
    }

    fn take_attached(&mut self) {
        while let Ok((talk, result)) = self.attached.try_recv() {
            self.talking -= 1;
            self.talks.remove(&talk);
            match result {
                Ok(side) => self.welcome(*side),
                Err(refusal) => {
                    Counters::add(&self.engine.counters.refused, 1);
                    tracing::warn!(%refusal, "a host was not attached");
                }
            }
        }
    }

    /// Hands a host's lanes to the shards.
    fn welcome(&mut self, side: EngineSide) {
        let counters = &self.engine.counters;
        let resumed = side.resumed.is_some();
        Counters::add(
            match resumed {
                true => &counters.resumed,
                false => &counters.attached,
            },
            1,
        );
        tracing::info!(
            host = side.host_name, pid = side.pid, uid = side.uid, lanes = side.terms.lanes,
            request_pages = %side.terms.request_pages, reply_pages = %side.terms.reply_pages,
            epoch = side.terms.epoch, resumed, "host attached"
        );
        let key = self.next_key;
        self.next_key += 1;
        let regions = Regions {
            request: Arc::new(side.request),
            reply: Arc::new(side.reply),
            lanes: side.terms.lanes,
            request_capacity: side.terms.request_capacity,
            reply_capacity: side.terms.reply_capacity,
        };
        let link = HostLink {
            terms: &side.terms,
            regions: &regions,
            resumed: side.resumed.as_deref(),
            serving: self.serving,
        };
        let parts = link.split(key, side.doorbells);
        let host = Connected {
            socket: side.socket,
            pidfd: side.host_pidfd,
            name: side.host_name,
            pid: side.pid,
            parts: parts.len(),
            leaving: false,
            _reservation: side.reservation,
        };
        if self.halting {
            let _ = send_notice(host.socket.as_fd(), &Notice::Draining);
            return;
        }
        self.hosts.insert(key, host);
        for (shard, part) in parts {
            self.shards[shard].post(ToShard::Serve(part));
        }
    }

    fn read_notice(&mut self, key: u64) {
        let Some(host) = self.hosts.get(&key) else {
            return;
        };
        match recv_notice(host.socket.as_fd()) {
            Ok(None) => {}
            Ok(Some(Notice::Detach)) => self.leave(key, Leaving::Detached),
            Ok(Some(notice)) => {
                tracing::warn!(
                    host = host.name,
                    ?notice,
                    "a notice that no host should send"
                );
                self.leave(key, Leaving::Died);
            }
            Err(_) => self.leave(key, Leaving::Died),
        }
    }

    fn leave(&mut self, key: u64, how: Leaving) {
        let Some(host) = self.hosts.get_mut(&key).filter(|host| !host.leaving) else {
            return;
        };
        host.leaving = true;
        let counters = &self.engine.counters;
        match how {
            Leaving::Detached => Counters::add(&counters.detached, 1),
            Leaving::Died => Counters::add(&counters.deaths, 1),
        }
        tracing::info!(host = host.name, pid = host.pid, ?how, "host left");
        for shard in &self.shards {
            shard.post(ToShard::Leave(key));
        }
    }

    fn take_news(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                FromShard::Returned(part) => self.take_back(part),
                FromShard::Fault { host, lane, fault } => {
                    self.report_fault(host, lane, &fault.to_string())
                }
                FromShard::Panic { host, lane, number } => {
                    tracing::error!(host, lane, number, "the handler panicked on this request");
                }
                FromShard::Ended { lost } => self.shard_ended(lost),
            }
        }
    }

    /// The last part of a host that comes back frees its memory and its place.
    fn take_back(&mut self, part: ShardHost) {
        let key = part.key;
        drop(part);
        if let Some(host) = self.hosts.get_mut(&key) {
            host.parts -= 1;
            if host.parts == 0 {
                self.hosts.remove(&key);
            }
        }
    }

    fn report_fault(&self, key: u64, lane: u32, fault: &str) {
        let Some(host) = self.hosts.get(&key) else {
            return;
        };
        tracing::warn!(
            host = host.name,
            pid = host.pid,
            lane,
            fault,
            "lane closed: the host wrote nonsense"
        );
        let mut reason = Refusal::new(RefusalCode::LaneClosed, fault);
        reason.limit = lane.into();
        let _ = send_notice(host.socket.as_fd(), &Notice::Refused { reason });
    }

    fn shard_ended(&mut self, lost: Option<usize>) {
        self.alive -= 1;
        if lost.is_some() {
            self.lost = self.lost.or(lost);
            self.halt();
        }
    }

    /// run → halt: once.
    fn halt(&mut self) {
        if std::mem::replace(&mut self.halting, true) {
            return;
        }
        tracing::info!(
            hosts = self.hosts.len(),
            "halting: answering what is committed"
        );
        for host in self.hosts.values() {
            let _ = send_notice(host.socket.as_fd(), &Notice::Draining);
        }
        // Nor does a silent conversation keep the path from a successor.
        for (_, socket) in self.talks.drain() {
            let leaving = "this engine is leaving: resume, or attach, at its successor";
            refuse(
                socket.as_fd(),
                &Refusal::new(RefusalCode::Draining, leaving),
            );
            let _ = shutdown(&socket, Shutdown::Both);
        }
        let drain_for = u64::try_from(self.engine.options.drain_for.as_nanos());
        let deadline = monotonic_ns().saturating_add(drain_for.unwrap_or(u64::MAX));
        for shard in &self.shards {
            shard.post(ToShard::Halt { deadline });
        }
    }

    /// A container manager may have moved a pinned shard.
    fn check_pins(&self) {
        for (index, shard) in self.shards.iter().enumerate() {
            let Some(core) = shard.core else { continue };
            if let Some(back) = repin(shard.tid, core) {
                Counters::add(&self.engine.counters.repins, 1);
                tracing::warn!(shard = index, core, back, "shard was moved from its core");
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Leaving {
    Detached,
    Died,
}

/// Lanes go round the shards, so that each shard gets its share.
fn spread(next: &AtomicUsize, lanes: u32, shards: u32) -> Vec<u16> {
    let first = next.fetch_add(lanes as usize, Ordering::Relaxed); // no partner: a ticket
    (0..lanes as usize)
        .map(|lane| ((first + lane) % shards as usize) as u16)
        .collect()
}
