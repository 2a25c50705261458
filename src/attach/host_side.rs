//! The host's end of the conversation: [`attach`] and [`resume`].
//!
//! ```text
//!  connect ─▶ HELLO ─▶ WELCOME ─▶ believe nothing ─▶ map, header ─▶ MAPPED ─▶ READY ─▶ sealed?
//! ```
//!
//! One deadline covers all of it. What an engine could do to a careless host is looked at before it
//! can hurt: a region that shrinks under a mapping (seals), a size that reaches beyond the memory, a
//! reply descriptor that we could write by mistake, a shard that does not exist, descriptors that
//! nobody asked for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use super::agreed::*;
use super::error::AttachError;
use super::header::RegionHeader;
use super::hello::{Hello, Resume};
use super::talk::{Talk, Welcomed};
use super::{LaneResume, Terms, Wishes};
use crate::layout::ROLE_REQUEST;
use crate::region::Mapping;

/// What a host holds after [`attach`].
#[derive(Debug)]
pub struct HostSide {
    /// What was agreed.
    pub terms: Terms,
    /// The conversation's socket, for notices and as a sign of death. Non-blocking.
    pub socket: OwnedFd,
    /// The host's end of each shard's doorbell. Non-blocking.
    pub doorbells: Vec<OwnedFd>,
    /// The request region, read-write; its header is written.
    pub request: Mapping,
    /// The reply region, read-only.
    pub reply: Mapping,
    /// The event rings' regions, read-only.
    pub events: Vec<Mapping>,
    /// The request region's descriptor, kept for [`resume`].
    pub request_fd: OwnedFd,
    /// Readable when the engine is dead; `None` where the kernel gives none, and hang-up is all.
    pub engine_pidfd: Option<OwnedFd>,
}

/// What a host holds after [`resume`]: all that is new. Its request region goes on.
#[derive(Debug)]
pub struct ResumedSide {
    /// What was agreed; the epoch is one more than before.
    pub terms: Terms,
    /// The new conversation's socket.
    pub socket: OwnedFd,
    /// The host's end of each shard's doorbell.
    pub doorbells: Vec<OwnedFd>,
    /// The new reply region, read-only.
    pub reply: Mapping,
    /// The new engine's event rings' regions, read-only.
    pub events: Vec<Mapping>,
    /// Readable when the new engine is dead.
    pub engine_pidfd: Option<OwnedFd>,
}

/// Attaches to the engine that listens at `path`, within `deadline`.
///
/// # Errors
/// [`AttachError`]; nothing is left behind then.
///
/// ```
/// use ironhoard::attach::{attach, converse, Ledger, Listener, Policy, Wishes};
/// use std::time::Duration;
/// # let path = std::env::temp_dir().join(format!("ih-doc-{}", std::process::id()));
/// let listener = Listener::bind(&path, 0o600)?;
/// let engine = std::thread::spawn(move || loop {
///     if let Some(socket) = listener.accept().unwrap() {
///         let all_on_shard_0 = |lanes| vec![0; lanes as usize];
///         return converse(socket, &Policy::default(), &Ledger::new(), &all_on_shard_0);
///     }
///     std::thread::yield_now();
/// });
/// let host = attach(&path, &Wishes::default(), Duration::from_secs(5))?;
/// let engine = engine.join().unwrap()?;
/// assert_eq!(host.terms, engine.terms);
/// assert!(host.request.writable() && !host.reply.writable());
/// assert!(!engine.request.writable() && engine.reply.writable());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn attach(path: &Path, wishes: &Wishes, deadline: Duration) -> Result<HostSide, AttachError> {
    let mut talk = Talk::start(path, wishes, deadline)?;
    talk.tell(&Hello::new(wishes.clone(), None).encode(), &[], "WELCOME")?;
    let Welcomed {
        regions: [request_fd, reply_fd],
        doorbells,
        events,
        terms,
    } = talk.hear_welcome()?;
    check_terms(&terms, wishes, 1)?;

    check_request(&request_fd, &terms, wishes)?;
    let reply = open_reply(&reply_fd, &terms, wishes)?;
    let events = open_events(&events, &terms)?;
    let request = Mapping::read_write(request_fd.as_fd(), terms.request_bytes)
        .map_err(|source| region("request", source))?;
    RegionHeader::new(ROLE_REQUEST, terms.host_id, terms.epoch).write(&request);

    talk.finish()?;
    check_sealed(request_fd.as_fd(), &terms)?;
    Ok(HostSide {
        terms: Terms {
            engine_pid: talk.peer.pid,
            ..terms
        },
        engine_pidfd: talk.peer.pidfd(talk.socket.as_fd()),
        socket: talk.socket,
        doorbells,
        request,
        reply,
        events,
        request_fd,
    })
}

/// Goes on with the request region of `previous` at the engine that listens at `path` now.
///
/// Before it the host has walked each old reply ring to its end (`lanes`, one for each lane of
/// `previous`), zeroed its reply position for the new epoch, and written the header of its request
/// region with that epoch, `previous.epoch + 1` ([`RegionHeader::write`]).
///
/// # Errors
/// [`AttachError`]; the request region is as it was and can be resumed again, at the same epoch.
///
/// ```no_run
/// use ironhoard::attach::{attach, resume, LaneResume, RegionHeader, Wishes};
/// use ironhoard::layout::ROLE_REQUEST;
/// use std::{os::fd::AsFd, path::Path, time::Duration};
/// let (path, second) = (Path::new("/run/hunt.sock"), Duration::from_secs(1));
/// let host = attach(path, &Wishes::default(), second)?;
/// // … the engine dies; nothing had been sent …
/// let header = RegionHeader::new(ROLE_REQUEST, host.terms.host_id, host.terms.epoch + 1);
/// header.write(&host.request);
/// let lanes = [LaneResume { last_reply: 0, position: 0, deaths: 0 }];
/// let fd = host.request_fd.as_fd();
/// let next = resume(path, &Wishes::default(), &host.terms, fd, &lanes, second)?;
/// assert_eq!(next.terms.epoch, host.terms.epoch + 1);
/// # Ok::<(), ironhoard::attach::AttachError>(())
/// ```
pub fn resume(
    path: &Path,
    wishes: &Wishes,
    previous: &Terms,
    request_fd: BorrowedFd<'_>,
    lanes: &[LaneResume],
    deadline: Duration,
) -> Result<ResumedSide, AttachError> {
    if lanes.len() != previous.lanes as usize {
        return Err(AttachError::LaneCount {
            found: lanes.len(),
            expected: previous.lanes,
        });
    }
    let wishes = Wishes {
        lanes: previous.lanes,
        request_capacity: previous.request_capacity,
        reply_capacity: previous.reply_capacity,
        ..wishes.clone()
    };
    let epoch = previous.epoch.wrapping_add(1);
    let said = Resume {
        host_id: previous.host_id,
        epoch,
        lanes: lanes.to_vec(),
    };
    let mut talk = Talk::start(path, &wishes, deadline)?;
    let hello = Hello::new(wishes.clone(), Some(said));
    talk.tell(&hello.encode(), &[request_fd], "WELCOME")?;
    let Welcomed {
        regions: [reply_fd],
        doorbells,
        events,
        terms,
    } = talk.hear_welcome()?;
    check_terms(&terms, &wishes, epoch)?;
    check_same(&terms, previous)?;
    let reply = open_reply(&reply_fd, &terms, &wishes)?;
    let events = open_events(&events, &terms)?;
    talk.finish()?;
    Ok(ResumedSide {
        terms: Terms {
            engine_pid: talk.peer.pid,
            ..terms
        },
        engine_pidfd: talk.peer.pidfd(talk.socket.as_fd()),
        socket: talk.socket,
        doorbells,
        reply,
        events,
    })
}
