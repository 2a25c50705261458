//! The host's end of the socket: connecting, saying, hearing, within one deadline.
//!
//! REFUSED may come in place of any message, also when the engine refused before it heard us out: then
//! saying fails, and the reason is still there to be heard.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::agreed::impossible;
use super::bytes::{fits_name, Head, MessageError};
use super::error::AttachError;
use super::message::*;
use super::peer::Peer;
use super::refusal::Refusal;
use super::socket::{self, Received, SocketError};
use super::welcome::{decode_step, encode_step, Welcome};
use super::{Terms, Wishes};

/// The longest path that fits a socket address.
const MOST_PATH: usize = 107;
/// Pause between two tries to connect to an engine whose queue is full.
const CONNECT_PAUSE: Duration = Duration::from_millis(1);

/// A conversation under way.
pub(super) struct Talk {
    pub(super) socket: OwnedFd,
    pub(super) peer: Peer,
    deadline: Instant,
    waited: Duration,
}

/// WELCOME, and what came with it.
pub(super) struct Welcomed<const REGIONS: usize> {
    pub(super) regions: [OwnedFd; REGIONS],
    pub(super) doorbells: Vec<OwnedFd>,
    pub(super) events: Vec<OwnedFd>,
    pub(super) terms: Terms,
}

impl Talk {
    pub(super) fn start(
        path: &Path,
        wishes: &Wishes,
        waited: Duration,
    ) -> Result<Talk, AttachError> {
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
    pub(super) fn tell(
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

    /// WELCOME with its descriptors: `REGIONS` of regions, a socket for each shard, and the regions of
    /// the event rings.
    pub(super) fn hear_welcome<const REGIONS: usize>(
        &mut self,
    ) -> Result<Welcomed<REGIONS>, AttachError> {
        let step = "WELCOME";
        let message = |source| AttachError::Message { step, source };
        let received = self.hear(step)?;
        let welcome = Welcome::decode(&received.bytes).map_err(message)?;
        let terms = welcome.terms;
        let sockets = REGIONS.saturating_add(terms.shards as usize);
        let expected = sockets.saturating_add(terms.events.rings.len());
        let found = received.descriptors.len();
        if found != expected || welcome.descriptors as usize != expected {
            let found = format!("{found} descriptors ({} stated)", welcome.descriptors);
            return Err(message(MessageError::Descriptors { found, expected }));
        }
        if welcome.features != 0 {
            return Err(impossible("features that were not asked for"));
        }
        let mut regions = received.descriptors;
        let events = regions.split_off(sockets);
        let doorbells = regions.split_off(REGIONS);
        if !doorbells.iter().all(is_socket) {
            return Err(impossible("a doorbell that is not a socket"));
        }
        let regions = regions
            .try_into()
            .map_err(|_| impossible("too few descriptors"))?;
        Ok(Welcomed {
            regions,
            doorbells,
            events,
            terms,
        })
    }

    /// MAPPED, then READY.
    pub(super) fn finish(&mut self) -> Result<(), AttachError> {
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
