//! The engine's end of the conversation, from the first word to READY.
//!
//! ```text
//!  who is it? ─▶ HELLO ─▶ judge ─▶ reserve ─▶ allocate ─▶ WELCOME ─▶ MAPPED ─▶ seal, check, map ─▶ READY
//!      └──────────────┴────────┴─────────┴──────────┴───── REFUSED, with the reason ─┘
//! ```
//!
//! Every step has a deadline and every failure is a [`Refusal`]. What was taken on the way (a place in
//! the [`Ledger`], memory, descriptors) is given back by being dropped.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::bytes::{Head, MessageError};
use super::hello::Hello;
use super::judge::{assigned, check_uid, internal, judge, no_common_version};
use super::ledger::{Ledger, Reservation};
use super::message::*;
use super::notice::refuse;
use super::offer::{prepare, Offer, Request};
use super::peer::Peer;
use super::policy::Policy;
use super::refusal::{Refusal, RefusalCode};
use super::socket::{self, Received, SocketError};
use super::welcome::{decode_step, encode_step, Welcome};
use super::{LaneResume, Terms};
use crate::layout::LAYOUT_VERSION;
use crate::region::Mapping;

/// What the engine holds of an attached host.
#[derive(Debug)]
pub struct EngineSide {
    /// What was agreed.
    pub terms: Terms,
    /// The conversation's socket, for notices and as a sign of death. Non-blocking.
    pub socket: OwnedFd,
    /// The engine's end of each shard's doorbell. Non-blocking.
    pub doorbells: Vec<OwnedFd>,
    /// The request region, read-only.
    pub request: Mapping,
    /// The reply region, read-write; its header and the request positions are written.
    pub reply: Mapping,
    /// Readable when the host is dead; `None` where the kernel gives none, and hang-up is all.
    pub host_pidfd: Option<OwnedFd>,
    /// The host's uid, as the kernel says.
    pub uid: u32,
    /// The host's process id, as the kernel says; 0 where it has none in our namespace.
    pub pid: u32,
    /// What the host calls itself; for people.
    pub host_name: String,
    /// Where each lane goes on, if the host resumed.
    pub resumed: Option<Vec<LaneResume>>,
    /// The host's entry in the ledger; given back when dropped.
    pub reservation: Reservation,
}

/// Holds the engine's end of the conversation on `socket`, an accepted connection, until READY.
///
/// Blocks for at most `policy.silence` in each step, besides the time that memory takes: call it on a
/// thread of its own. `assign` says, for a number of lanes, which shard serves each.
///
/// # Errors
/// The [`Refusal`], which the host was told unless it had hung up ([`RefusalCode::Gone`]).
pub fn converse(
    socket: OwnedFd,
    policy: &Policy,
    ledger: &Arc<Ledger>,
    assign: &dyn Fn(u32) -> Vec<u16>,
) -> Result<EngineSide, Refusal> {
    match hold(socket.as_fd(), policy, ledger, assign) {
        Ok(open) => Ok(open.with(socket)),
        Err(refusal) => {
            if refusal.code != RefusalCode::Gone {
                refuse(socket.as_fd(), &refusal);
            }
            tracing::info!(code = ?refusal.code, reason = %refusal.text, "refused a host");
            Err(refusal)
        }
    }
}

/// An [`EngineSide`] before it owns its socket.
struct Open {
    offer: Offer,
    request: Mapping,
    peer: Peer,
    pidfd: Option<OwnedFd>,
    host_name: String,
    reservation: Reservation,
}

impl Open {
    fn with(self, socket: OwnedFd) -> EngineSide {
        EngineSide {
            terms: self.offer.terms,
            socket,
            doorbells: self.offer.doorbells,
            request: self.request,
            reply: self.offer.reply,
            host_pidfd: self.pidfd,
            uid: self.peer.uid,
            pid: self.peer.pid,
            host_name: self.host_name,
            resumed: self.offer.resumed,
            reservation: self.reservation,
        }
    }
}

fn hold(
    socket: BorrowedFd<'_>,
    policy: &Policy,
    ledger: &Arc<Ledger>,
    assign: &dyn Fn(u32) -> Vec<u16>,
) -> Result<Open, Refusal> {
    let peer = Peer::of(socket)
        .map_err(|error| internal(format!("the kernel does not say who connected ({error})")))?;
    let pidfd = peer.pidfd(socket);
    check_uid(peer.uid, policy)?;
    let mut reservation = ledger.enter(peer.uid, policy)?;

    let (hello, kept) = hear_hello(socket, policy)?;
    socket::refuse_descriptors(socket); // none is due any more
    judge(&hello, policy)?;
    let shards = assigned(assign(hello.wishes.lanes), &hello.wishes, policy)?;
    let (mut offer, request, ends) = prepare(&hello, kept, shards, policy, &mut reservation)?;
    offer.terms.engine_pid = std::process::id();
    welcome(socket, policy, &offer, &request, &ends)?;
    drop(ends); // they are the host's now

    let received = hear(socket, policy, "MAPPED")?;
    decode_step(received.without_descriptors()?, KIND_MAPPED, "MAPPED")?;
    let request = request.open(&offer.terms)?;
    tell(socket, policy, &encode_step(KIND_READY), &[])?;
    Ok(Open {
        offer,
        request,
        peer,
        pidfd,
        host_name: hello.wishes.name,
        reservation,
    })
}

/// The first message and, for RESUME, the one descriptor that comes with it.
fn hear_hello(
    socket: BorrowedFd<'_>,
    policy: &Policy,
) -> Result<(Hello, Option<OwnedFd>), Refusal> {
    let mut received = hear(socket, policy, "HELLO")?;
    let head = Head::of(&received.bytes)?;
    if head.version != LAYOUT_VERSION {
        return Err(no_common_version(head.version));
    }
    let hello = Hello::decode(&received.bytes)?;
    let expected = usize::from(hello.resume.is_some());
    let found = received.descriptors.len();
    if found != expected {
        let found = format!("{found} descriptors");
        return Err(MessageError::Descriptors { found, expected }.into());
    }
    Ok((hello, received.descriptors.pop()))
}

/// Sends WELCOME with everything the host needs.
fn welcome(
    socket: BorrowedFd<'_>,
    policy: &Policy,
    offer: &Offer,
    request: &Request,
    ends: &[OwnedFd],
) -> Result<(), Refusal> {
    let rings = offer.terms.events.rings.len();
    let mut descriptors = Vec::with_capacity(2 + ends.len() + rings);
    if let Request::New(region) = request {
        descriptors.push(region.fd());
    }
    descriptors.extend(
        std::iter::once(&offer.reply_fd)
            .chain(ends)
            .map(AsFd::as_fd),
    );
    let events = policy.event_rings.iter();
    descriptors.extend(events.flat_map(|events| events.fds(rings)));
    let welcome = Welcome {
        features: 0,
        descriptors: descriptors.len() as u32,
        terms: offer.terms.clone(),
    };
    tell(socket, policy, &welcome.encode(), &descriptors)
}

fn hear(socket: BorrowedFd<'_>, policy: &Policy, step: &'static str) -> Result<Received, Refusal> {
    let deadline = socket::deadline_in(policy.silence);
    socket::receive(socket, deadline).map_err(|error| broken(error, step, policy))
}

fn tell(
    socket: BorrowedFd<'_>,
    policy: &Policy,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Refusal> {
    let deadline = socket::deadline_in(policy.silence);
    socket::send(socket, message, descriptors, deadline)
        .map_err(|error| broken(error, "room for the engine's message", policy))
}

fn broken(error: SocketError, step: &str, policy: &Policy) -> Refusal {
    match error {
        SocketError::Silence => {
            let text = format!(
                "the host was silent for {:?} where {step} was due: answer each step in that time",
                policy.silence
            );
            Refusal::new(RefusalCode::Silence, text)
        }
        SocketError::HungUp => Refusal::new(
            RefusalCode::Gone,
            format!("the host hung up where {step} was due"),
        ),
        SocketError::Message(error) => error.into(),
        SocketError::Os(errno) => {
            let text = format!(
                "the engine's socket failed where {step} was due ({errno}): check its limit on open \
                 files"
            );
            Refusal::new(RefusalCode::Resources, text)
        }
    }
}
