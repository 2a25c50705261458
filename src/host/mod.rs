//! A host: a process that sends requests and receives replies.
//!
//! ```no_run
//! use ironhoard::host::Host;
//! use std::time::Duration;
//!
//! let host = Host::attach("/run/echo.sock")?;
//! let mut lane = host.lane()?;
//!
//! // Send without waiting …
//! let mut claim = lane.claim(5)?;
//! claim.payload().copy_from_slice(b"hello");
//! let number = claim.commit(1);
//!
//! // … and receive when the reply is there.
//! if lane.wait(Duration::from_millis(10))? {
//!     let mut replies = lane.poll(16)?;
//!     while let Some(reply) = replies.next()? {
//!         assert_eq!(reply.number(), number);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! [`Host`] can be shared. A [`Lane`] belongs to one thread at a time; take one for each thread, or
//! [split](Lane::split) one and [share](RequestSender::shared) its sender. One thread of the library's
//! own, the tender, sleeps until the engine says something or dies.
//!
//! # What an engine's death means
//!
//! Calls under way take longer; they do not fail. The tender finds out how far the engine had come and
//! resumes with the next engine at the same path; requests without a reply are computed by that one. An
//! engine whose handler has state refuses that, and then calls end with [`HostError::Gone`] and the
//! reason. A call that ends by its deadline may have been executed.
//!
//! # Caveats
//!
//! * A forked child has no regions: each call answers [`HostError::Forked`]. Attach in the child. What
//!   was lent before the fork (a claim, a batch, [`Replies`]) must not be used there: its memory is gone.
//! * A lane that is never polled fills its reply ring; the engine then passes that lane over.

mod apart;
mod bell;
mod both;
mod claim;
mod error;
mod events;
mod lane;
mod link;
mod nap;
mod reader;
mod receiver;
mod sender;
mod shared;
mod tender;
mod walk;
mod watch;

use std::os::fd::OwnedFd;
use std::os::unix::thread::JoinHandleExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{eventfd, EventfdFlags};

pub(crate) use apart::Looked;
pub(crate) use both::{outstanding, Both};
pub use claim::{RequestBatch, RequestClaim};
pub use error::HostError;
pub use events::{EventAnswer, EventReceiver};
pub use lane::{CallReply, Lane};
pub use reader::Replies;
pub use receiver::ReplyReceiver;
pub use sender::{RequestSender, SharedSender};
pub(crate) use watch::Watch;

use crate::attach::{self, LaneResume, Terms, Wishes};
use crate::lane::Regions;
use crate::sys::barrier;
use link::Link;
use shared::HostShared;
use tender::Tender;

/// How to attach, and how to wait.
///
/// ```
/// use ironhoard::host::HostOptions;
/// use ironhoard::attach::Wishes;
/// let options = HostOptions {
///     wishes: Wishes { lanes: 4, ..Wishes::default() },
///     spin: 0, // sleep at once
///     ..HostOptions::default()
/// };
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Lanes, capacities, pages, names. `membarrier` is filled in by [`Host::attach_with`].
    pub wishes: Wishes,
    /// How long the whole conversation may take.
    pub attach_deadline: Duration,
    /// Rounds a waiting thread spins before it sleeps; a round takes 10 to 50 ns.
    pub spin: u32,
    /// How long to look for another engine when this one ends; `None`: not at all.
    pub patience: Option<Duration>,
}

impl Default for HostOptions {
    /// One lane of 1 MiB rings; 5 s to attach; 4096 rounds of spinning; 30 s of patience.
    fn default() -> Self {
        Self {
            wishes: Wishes::default(),
            attach_deadline: Duration::from_secs(5),
            spin: 4096,
            patience: Some(Duration::from_secs(30)),
        }
    }
}

/// An attached host: a pool of lanes to one engine, and to its successors.
///
/// ```no_run
/// # use ironhoard::host::Host;
/// # use std::time::Duration;
/// let host = Host::attach("/run/hunt.sock")?;
/// println!("{} lanes on {} pages", host.terms().lanes, host.terms().reply_pages);
/// let lane = host.lane()?; // for this thread; another thread takes another
/// println!("{} replies came too late", host.counts().late_replies);
/// # drop(lane);
/// # Ok::<(), ironhoard::host::HostError>(())
/// ```
pub struct Host {
    shared: Arc<HostShared>,
}

/// What a host counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCounts {
    /// Replies that came after their call had been given up, or for a lane given back.
    pub late_replies: u64,
    /// Times another engine took over.
    pub resumes: u64,
    /// Events that were published and never read by this host, because it was too slow.
    pub lost_events: u64,
}

impl Host {
    /// Attaches to the engine at `path` with the usual options.
    ///
    /// # Errors
    /// [`HostError::Attach`] says what was wrong and what to do; [`HostError::Kernel`].
    pub fn attach(path: impl AsRef<Path>) -> Result<Self, HostError> {
        Self::attach_with(path, HostOptions::default())
    }

    /// Attaches to the engine at `path`.
    ///
    /// # Errors
    /// As [`Host::attach`].
    pub fn attach_with(
        path: impl AsRef<Path>,
        mut options: HostOptions,
    ) -> Result<Self, HostError> {
        options.wishes.membarrier = barrier::register();
        let path = path.as_ref();
        let side = attach::attach(path, &options.wishes, options.attach_deadline)?;
        let lanes = side.terms.lanes;
        let link = Arc::new(Link {
            regions: Regions {
                request: Arc::new(side.request),
                reply: Arc::new(side.reply),
                lanes,
                request_capacity: side.terms.request_capacity,
                reply_capacity: side.terms.reply_capacity,
            },
            events: side.events.into_iter().map(Arc::new).collect(),
            terms: side.terms,
            socket: side.socket,
            doorbells: side.doorbells,
            engine_pidfd: side.engine_pidfd,
            first_replies: vec![1; lanes as usize],
        });
        let (bell, end) = EndBell::new().map_err(HostError::kernel("an event counter"))?;
        let shared = HostShared::new(path.into(), options, side.request_fd, link.clone(), bell)
            .map_err(HostError::kernel("memory that is wiped on fork"))?;
        let tender = Tender {
            host: Arc::downgrade(&shared),
            link,
            end,
            lanes: vec![LaneResume::default(); lanes as usize],
            leaving: false,
        };
        let tender = std::thread::Builder::new()
            .name("ironhoard-tender".into())
            .spawn(move || tender.run())
            .map_err(HostError::kernel("a thread"))?;
        let _ = shared.end.tender.set(tender); // set once: here
        Ok(Self { shared })
    }

    /// Takes a lane from the pool that was declared at attach.
    ///
    /// # Errors
    /// [`HostError::LanesExhausted`], [`HostError::Forked`], [`HostError::Gone`].
    pub fn lane(&self) -> Result<Lane, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        if self.shared.is_gone() {
            self.shared.check(0)?;
        }
        match self.shared.take_lane() {
            Some(parts) => Ok(Lane::new(self.shared.clone(), parts)),
            None => Err(HostError::LanesExhausted {
                lanes: self.terms().lanes,
            }),
        }
    }

    /// Takes the receiver of event ring `ring`, from 0; there is one at a time. It begins with the oldest
    /// events that are retained.
    ///
    /// # Errors
    /// [`HostError::NoEventRing`] where the host did not wish for it at attach,
    /// [`HostError::EventRingTaken`], [`HostError::Forked`], [`HostError::Gone`].
    pub fn events(&self, ring: u32) -> Result<EventReceiver, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        if self.shared.is_gone() {
            self.shared.check(u32::MAX)?;
        }
        match self.shared.take_event_ring(ring) {
            true => EventReceiver::new(self.shared.clone(), ring),
            false => Err(HostError::EventRingTaken { ring }),
        }
    }

    /// What was really got: lanes, capacities, pages, the engine's service and process.
    pub fn terms(&self) -> Terms {
        self.shared.newest_link().terms.clone()
    }

    /// What this host has counted.
    pub fn counts(&self) -> HostCounts {
        HostCounts {
            late_replies: self.shared.late.load(Ordering::Relaxed), // no partner: statistics
            resumes: self.shared.resumes.load(Ordering::Relaxed),   // no partner: statistics
            lost_events: self.shared.lost_events.load(Ordering::Relaxed), // no partner: statistics
        }
    }
}

/// How long the last drop of a host waits for its tender, which may be in the midst of an attach.
const TENDER_PATIENCE: Duration = Duration::from_millis(100);

/// Rings when it is dropped, and waits until the tender has left: afterwards nothing of the host runs or is
/// open. Only in the process that made it: a forked child has the same event counter, and its goodbye
/// must not end the parent's tender.
struct EndBell {
    bell: OwnedFd,
    made_by: u32,
    tender: OnceLock<JoinHandle<()>>,
}

impl EndBell {
    /// The bell and what hears it.
    fn new() -> std::io::Result<(Self, OwnedFd)> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let ear = rustix::io::fcntl_dupfd_cloexec(&bell, 0)?;
        let end = Self {
            bell,
            made_by: std::process::id(),
            tender: OnceLock::new(),
        };
        Ok((end, ear))
    }
}

impl Drop for EndBell {
    fn drop(&mut self) {
        if self.made_by != std::process::id() {
            return;
        }
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        if let Some(tender) = self.tender.take() {
            see_off(tender);
        }
    }
}

/// Waits for the tender's end, for a while, unless this is the tender: it may be the last to hold the host.
fn see_off(tender: JoinHandle<()>) {
    // Not `thread::current`: it allocates for a thread that is not Rust's own.
    // SAFETY: the call only says which thread this is.
    if tender.as_pthread_t() == unsafe { libc::pthread_self() } {
        return;
    }
    let until = Instant::now() + TENDER_PATIENCE;
    while !tender.is_finished() {
        if Instant::now() >= until {
            return;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    let _ = tender.join(); // its panic, if it had one, was reported when it happened
}
