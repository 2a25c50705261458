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
use std::time::{Duration, Instant};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::bytes::{fits_name, Head, MessageError};
use super::error::AttachError;
use super::header::RegionHeader;
use super::hello::{Hello, Resume};
use super::message::*;
use super::peer::Peer;
use super::refusal::Refusal;
use super::socket::{self, Received, SocketError};
use super::welcome::{decode_step, encode_step, Welcome};
use super::{LaneResume, Terms, Wishes};
use crate::layout::*;
use crate::region::{check_fd, Expect, Mapping, PageMode, PageSize, RegionError, Seals};

/// The longest path that fits a socket address.
const MOST_PATH: usize = 107;
/// Pause between two tries to connect to an engine whose queue is full.
const CONNECT_PAUSE: Duration = Duration::from_millis(1);

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
    let ([request_fd, reply_fd], doorbells, terms) = talk.hear_welcome()?;
    check_terms(&terms, wishes, 1)?;

    check_request(&request_fd, &terms, wishes)?;
    let reply = open_reply(&reply_fd, &terms, wishes)?;
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
    let ([reply_fd], doorbells, terms) = talk.hear_welcome()?;
    check_terms(&terms, &wishes, epoch)?;
    check_same(&terms, previous)?;
    let reply = open_reply(&reply_fd, &terms, &wishes)?;
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
    })
}

/// A conversation under way.
struct Talk {
    socket: OwnedFd,
    peer: Peer,
    deadline: Instant,
    waited: Duration,
}

impl Talk {
    fn start(path: &Path, wishes: &Wishes, waited: Duration) -> Result<Talk, AttachError> {
        for name in [&wishes.name, &wishes.service] {
            if !fits_name(name) {
                return Err(AttachError::BadName { name: name.clone() });
            }
        }
        let deadline = socket::deadline_in(waited);
        let socket = connected(path, deadline, waited)?;
        let peer = Peer::of(socket.as_fd()).map_err(|error| AttachError::Os {
            source: Errno::from_io_error(&error).unwrap_or(Errno::IO),
        })?;
        Ok(Talk {
            socket,
            peer,
            deadline,
            waited,
        })
    }

    /// Says `message`, to which `due` is the answer. An engine that refused before it heard us out has
    /// hung up, but left its reason.
    fn tell(
        &mut self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
        due: &'static str,
    ) -> Result<(), AttachError> {
        match socket::send(self.socket.as_fd(), message, descriptors, self.deadline) {
            Ok(()) => Ok(()),
            Err(SocketError::HungUp) => match self.hear(due) {
                Err(error) => Err(error),
                Ok(_) => Err(AttachError::HungUp { step: due }),
            },
            Err(error) => Err(self.broken(error, "room for the host's message")),
        }
    }

    /// The next message, unless it is REFUSED.
    fn hear(&mut self, step: &'static str) -> Result<Received, AttachError> {
        let received = socket::receive(self.socket.as_fd(), self.deadline)
            .map_err(|error| self.broken(error, step))?;
        let message = |source| AttachError::Message { step, source };
        if Head::of(&received.bytes).map_err(message)?.kind == KIND_REFUSED {
            let refusal = Refusal::decode(&received.bytes).map_err(message)?;
            return Err(AttachError::Refused(refusal));
        }
        Ok(received)
    }

    /// WELCOME with its descriptors: `REGIONS` of regions, then a socket for each shard.
    fn hear_welcome<const REGIONS: usize>(
        &mut self,
    ) -> Result<([OwnedFd; REGIONS], Vec<OwnedFd>, Terms), AttachError> {
        let step = "WELCOME";
        let message = |source| AttachError::Message { step, source };
        let received = self.hear(step)?;
        let welcome = Welcome::decode(&received.bytes).map_err(message)?;
        let expected = REGIONS.saturating_add(welcome.terms.shards as usize);
        let found = received.descriptors.len();
        if found != expected || welcome.descriptors as usize != expected {
            let found = format!("{found} descriptors ({} stated)", welcome.descriptors);
            return Err(message(MessageError::Descriptors { found, expected }));
        }
        if welcome.features != 0 || welcome.event_rings != 0 {
            return Err(impossible(
                "features or event rings that were not asked for",
            ));
        }
        let mut regions = received.descriptors;
        let doorbells = regions.split_off(REGIONS);
        if !doorbells.iter().all(is_socket) {
            return Err(impossible("a doorbell that is not a socket"));
        }
        let regions = regions
            .try_into()
            .map_err(|_| impossible("too few descriptors"))?;
        Ok((regions, doorbells, welcome.terms))
    }

    /// MAPPED, then READY.
    fn finish(&mut self) -> Result<(), AttachError> {
        let step = "READY";
        self.tell(&encode_step(KIND_MAPPED), &[], step)?;
        let received = self.hear(step)?;
        received
            .without_descriptors()
            .and_then(|bytes| decode_step(bytes, KIND_READY, step))
            .map_err(|source| AttachError::Message { step, source })
    }

    fn broken(&self, error: SocketError, step: &'static str) -> AttachError {
        match error {
            SocketError::Silence => AttachError::Silence {
                step,
                waited: self.waited,
            },
            SocketError::HungUp => AttachError::HungUp { step },
            SocketError::Message(source) => AttachError::Message { step, source },
            SocketError::Os(source) => AttachError::Os { source },
        }
    }
}

fn is_socket(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}

/// Connects without ever blocking: a full queue of a busy engine is tried again until `deadline`.
fn connected(path: &Path, deadline: Instant, waited: Duration) -> Result<OwnedFd, AttachError> {
    let length = path.as_os_str().len();
    if length > MOST_PATH {
        let path = path.to_owned();
        return Err(AttachError::PathTooLong { path, length });
    }
    let os = |source| AttachError::Os { source };
    let address = SocketAddrUnix::new(path).map_err(os)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(os)?;
    loop {
        match connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::AGAIN | Errno::INTR) if Instant::now() < deadline => {
                std::thread::sleep(CONNECT_PAUSE);
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                let step = "room in its queue";
                return Err(AttachError::Silence { step, waited });
            }
            Err(source) => return Err(not_connected(path, source)),
        }
    }
}

fn not_connected(path: &Path, source: Errno) -> AttachError {
    let path = path.to_owned();
    match source {
        Errno::NOENT | Errno::CONNREFUSED => AttachError::NoEngine { path, source },
        Errno::ACCESS | Errno::PERM => AttachError::NotAllowed { path, source },
        Errno::PROTOTYPE | Errno::NOTSOCK | Errno::NOTDIR => {
            AttachError::NotAnEngine { path, source }
        }
        source => AttachError::Os { source },
    }
}

/// Are these terms possible, and within what was wished for?
fn check_terms(terms: &Terms, wishes: &Wishes, epoch: u64) -> Result<(), AttachError> {
    let capacity_fits = |got: u64, wished: u64| {
        got.is_power_of_two() && (MIN_CAPACITY..=wished.min(MAX_CAPACITY)).contains(&got)
    };
    let size_fits = |bytes: u64, capacity: u64, pages: PageSize| {
        pages.round_up(region_bytes(terms.lanes, capacity)) == Some(bytes)
    };
    let service_fits = (wishes.service.is_empty() || wishes.service == terms.service)
        && (wishes.service_version == 0 || wishes.service_version == terms.service_version);
    let shard_exists = |&shard: &u16| u32::from(shard) < terms.shards;
    let checks = [
        (
            (1..=wishes.lanes.min(MAX_LANES as u32)).contains(&terms.lanes),
            "more lanes than wished for, or none",
        ),
        (
            capacity_fits(terms.request_capacity, wishes.request_capacity)
                && capacity_fits(terms.reply_capacity, wishes.reply_capacity),
            "a capacity that was not wished for",
        ),
        (
            (1..=MAX_SHARDS as u32).contains(&terms.shards)
                && terms.lane_shards.iter().all(shard_exists),
            "a lane on a shard that does not exist",
        ),
        (terms.epoch == epoch, "another epoch than begins now"),
        (
            wishes.membarrier || !terms.membarrier,
            "membarrier, which this host has not declared",
        ),
        (service_fits, "another service than wished for"),
    ];
    if let Some((_, what)) = checks.into_iter().find(|(fits, _)| !fits) {
        return Err(impossible(what));
    }
    // Of a region that is resumed the size comes from its descriptor, which this host holds.
    let new = epoch == 1;
    if new
        && !size_fits(
            terms.request_bytes,
            terms.request_capacity,
            terms.request_pages,
        )
        || !size_fits(terms.reply_bytes, terms.reply_capacity, terms.reply_pages)
    {
        return Err(impossible("a region of another size than its layout has"));
    }
    Ok(())
}

/// After RESUME nothing may change but what the new engine brings.
fn check_same(terms: &Terms, previous: &Terms) -> Result<(), AttachError> {
    let shape = |terms: &Terms| {
        (
            terms.host_id,
            terms.lanes,
            terms.request_capacity,
            terms.reply_capacity,
            terms.request_bytes,
        )
    };
    match shape(terms) == shape(previous) {
        true => Ok(()),
        false => Err(impossible("another shape than the host resumes with")),
    }
}

fn check_request(fd: &OwnedFd, terms: &Terms, wishes: &Wishes) -> Result<(), AttachError> {
    let expect = Expect {
        bytes: terms.request_bytes,
        seals: Seals::Size,
    };
    let found = check_fd(fd.as_fd(), expect).map_err(|source| region("request", source))?;
    check_pages(found, wishes)?;
    check_access(
        fd,
        OFlags::RDWR,
        "a request descriptor that cannot be written",
    )
}

/// Checks the reply region and maps it.
fn open_reply(fd: &OwnedFd, terms: &Terms, wishes: &Wishes) -> Result<Mapping, AttachError> {
    let reply = |source| region("reply", source);
    let expect = Expect {
        bytes: terms.reply_bytes,
        seals: Seals::Writes,
    };
    let found = check_fd(fd.as_fd(), expect).map_err(reply)?;
    check_pages(found, wishes)?;
    check_access(fd, OFlags::RDONLY, "a reply descriptor that can be written")?;
    let mapping = Mapping::read_only(fd.as_fd(), terms.reply_bytes).map_err(reply)?;
    let expected = RegionHeader::new(ROLE_REPLY, terms.host_id, terms.epoch);
    match RegionHeader::read(&mapping) == Some(expected) {
        true => Ok(mapping),
        false => Err(impossible(
            "a reply region with another header than the terms",
        )),
    }
}

/// Who demanded 2 MiB pages gets them from the pool, or nothing.
fn check_pages(found: PageSize, wishes: &Wishes) -> Result<(), AttachError> {
    match wishes.pages == PageMode::RequireHuge && found != PageSize::Huge2M {
        true => Err(impossible("small pages where 2 MiB pages were demanded")),
        false => Ok(()),
    }
}

fn check_access(fd: &OwnedFd, mode: OFlags, what: &str) -> Result<(), AttachError> {
    let flags = rustix::fs::fcntl_getfl(fd).map_err(|source| AttachError::Os { source })?;
    match flags & OFlags::RWMODE == mode {
        true => Ok(()),
        false => Err(impossible(what)),
    }
}

/// After READY nobody else can become a writer of the request region, the engine included.
fn check_sealed(request: BorrowedFd<'_>, terms: &Terms) -> Result<(), AttachError> {
    let expect = Expect {
        bytes: terms.request_bytes,
        seals: Seals::Writes,
    };
    match check_fd(request, expect) {
        Ok(_) => Ok(()),
        Err(source) => Err(region("request", source)),
    }
}

fn region(which: &'static str, source: RegionError) -> AttachError {
    AttachError::Region { which, source }
}

fn impossible(what: &str) -> AttachError {
    AttachError::Terms {
        what: what.to_owned(),
    }
}
