//! The control thread: socket, attach, deaths, housekeeping. It never touches a ring.
//!
//! ```text
//!   boot ──▶ run ──▶ halt ──▶ gone
//!             │       └ no new hosts; hosts are told; shards answer what is committed and end
//!             └ stop handle (any thread, a signal handler)
//! ```

mod conversations;
mod ears;

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::{shutdown, Shutdown};

use self::ears::Ear;
use super::boot::{Engine, ShardHandle};
use super::counters::Counters;
use super::host_link::{HostLink, Serving, ShardHost};
use super::options::EngineError;
use super::shard::{FromShard, ToShard};
use crate::attach::{
    recv_notice, refuse, send_notice, EngineSide, Ledger, Notice, Policy, Refusal, RefusalCode,
};
use crate::lane::Regions;
use crate::sys::affinity::repin;
use crate::sys::clock::monotonic_ns;

/// Conversations at one time; further hosts wait in the socket's queue.
const MAX_CONVERSATIONS: usize = 32;
/// How often pins are checked.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A host as the control thread knows it.
struct Connected {
    socket: OwnedFd,
    pidfd: Option<OwnedFd>,
    name: String,
    pid: u32,
    /// Shards that still hold lanes of this host.
    parts: usize,
    leaving: bool,
    /// Its waiters on event rings.
    ears: Vec<Ear>,
    /// Its doorbells, kept as long as it stays: one that hangs up would keep the host awake.
    _doorbells: Vec<Arc<OwnedFd>>,
    /// Keeps the host's place in the ledger until its memory is gone.
    _reservation: crate::attach::Reservation,
}

/// The control thread's state.
pub(super) struct Control<'e> {
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
    pub(super) fn new(
        engine: &'e Engine,
        shards: Vec<ShardHandle>,
        policy: Arc<Policy>,
        news: Receiver<FromShard>,
    ) -> Self {
        let (conversations, attached) = channel();
        Self {
            ledger: engine.ledger.clone(),
            policy,
            serving: Serving {
                largest_reply: shards[0].largest_reply,
                poison_after: engine.options.poison_after,
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
            engine,
            shards,
            news,
            conversations,
            attached,
        }
    }

    /// Serves until every shard has ended.
    pub(super) fn run<'s>(&mut self, scope: &'s Scope<'s, '_>) -> Result<(), EngineError>
    where
        'e: 's,
    {
        let mut checked = Instant::now();
        while self.alive > 0 {
            for source in self.wait() {
                match source {
                    Source::Listener => self.accept(scope),
                    Source::Stop => self.halt(),
                    Source::News => {
                        self.engine.control.hear();
                        self.ring_ears();
                    }
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
        let doorbells: Vec<_> = side.doorbells.into_iter().map(Arc::new).collect();
        let parts = link.split(key, &doorbells);
        let host = Connected {
            socket: side.socket,
            pidfd: side.host_pidfd,
            name: side.host_name,
            pid: side.pid,
            parts: parts.len(),
            leaving: false,
            ears: Ear::all(&side.terms.events, &regions, &doorbells),
            _doorbells: doorbells,
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
                if self.halting {
                    // All was given back in good order: no request has killed this engine.
                    let _ = send_notice(host.socket.as_fd(), &Notice::Detach);
                }
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
        if self.halting {
            return;
        }
        self.take_attached(); // what they have committed since is answered too
        self.halting = true;
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
