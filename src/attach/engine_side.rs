//! The engine's end of the conversation, from the first word to READY.
//!
//! ```text
//!  who is it? ─▶ HELLO ─▶ judge ─▶ reserve ─▶ allocate ─▶ WELCOME ─▶ MAPPED ─▶ seal, check, map ─▶ READY
//!      └──────────────┴────────┴─────────┴──────────┴───── REFUSED, with the reason ─┘
//! ```
//!
//! Every step has a deadline and every failure is a [`Refusal`]. What was taken on the way (a place in
//! the [`Ledger`], memory, descriptors) is given back by being dropped.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};

use super::bytes::{fits_name, Head, MessageError};
use super::header::{store_request_position, RegionHeader};
use super::hello::Hello;
use super::ledger::{Ledger, Reservation};
use super::message::*;
use super::notice::refuse;
use super::peer::Peer;
use super::policy::{demanded, Policy};
use super::refusal::{Refusal, RefusalCode};
use super::resumed::{self, Kept};
use super::socket::{self, Received, SocketError};
use super::welcome::{decode_step, encode_step, Welcome};
use super::{LaneResume, Terms, Wishes};
use crate::layout::*;
use crate::region::{
    check_fd, Expect, Mapping, PageMode, PageSize, Region, RegionError, RegionIdentity, Seals,
};

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
    judge(&hello, policy)?;
    let shards = assigned(assign(hello.wishes.lanes), &hello.wishes, policy)?;
    let (mut offer, request, ends) = prepare(&hello, kept, shards, policy, &mut reservation)?;
    offer.terms.engine_pid = std::process::id();
    welcome(socket, policy, &offer, &request, ends)?;

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

/// Judges what the host wants, before anything is taken for it.
fn judge(hello: &Hello, policy: &Policy) -> Result<(), Refusal> {
    if hello.must_understand != 0 {
        let text = format!(
            "the host demands the features {:#x} and this engine has none: update the engine, or \
             do without them",
            hello.must_understand
        );
        return Err(Refusal::new(RefusalCode::Feature, text));
    }
    check_role(hello.role)?;
    if hello.event_rings != 0 {
        let text = "this engine has no event rings: ask for 0".to_owned();
        return Err(Refusal::new(RefusalCode::EventRings, text));
    }
    check_service(&hello.wishes, policy)?;
    check_sizes(&hello.wishes, policy)
}

fn check_uid(uid: u32, policy: &Policy) -> Result<(), Refusal> {
    match &policy.allowed_uids {
        Some(allowed) if !allowed.contains(&uid) => {
            let text = format!(
                "uid {uid} is not on this engine's allow-list: run the host as another user, or \
                 add the uid to the list"
            );
            Err(Refusal::new(RefusalCode::Uid, text))
        }
        _ => Ok(()),
    }
}

fn check_role(role: u32) -> Result<(), Refusal> {
    let name = match role {
        ROLE_HOST => return Ok(()),
        ROLE_OBSERVER => "observer".to_owned(),
        ROLE_EVENTS => "events only".to_owned(),
        other => format!("{other}"),
    };
    let text = format!("this engine attaches hosts only, not the role `{name}`: say role 1, host");
    Err(Refusal::new(RefusalCode::Role, text))
}

fn check_service(wishes: &Wishes, policy: &Policy) -> Result<(), Refusal> {
    let name_fits = wishes.service.is_empty() || wishes.service == policy.service;
    let version_fits =
        wishes.service_version == 0 || wishes.service_version == policy.service_version;
    if name_fits && version_fits {
        return Ok(());
    }
    let text = format!(
        "the host wants service `{}` version {} (0: any) and this engine serves `{}` version {}: \
         attach to another engine",
        wishes.service, wishes.service_version, policy.service, policy.service_version
    );
    Err(Refusal::new(RefusalCode::Service, text))
}

fn check_sizes(wishes: &Wishes, policy: &Policy) -> Result<(), Refusal> {
    let most = policy.max_lanes_per_host.min(MAX_LANES as u32);
    if wishes.lanes == 0 || wishes.lanes > most {
        let text = format!(
            "{} lanes are wanted and a host may have 1 to {most}: ask for fewer",
            wishes.lanes
        );
        return Err(Refusal::new(RefusalCode::Lanes, text).with_limit(most.into()));
    }
    let most = policy.max_capacity.min(MAX_CAPACITY);
    for (ring, capacity) in [
        ("request", wishes.request_capacity),
        ("reply", wishes.reply_capacity),
    ] {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=most).contains(&capacity) {
            let text = format!(
                "a {ring} ring of {capacity} bytes is not possible: ask for a power of two, \
                 {MIN_CAPACITY} to {most}"
            );
            return Err(Refusal::new(RefusalCode::Capacity, text).with_limit(most));
        }
    }
    Ok(())
}

/// The engine's own assignment of lanes, checked: a defect there must not reach a host.
fn assigned(shards: Vec<u16>, wishes: &Wishes, policy: &Policy) -> Result<Vec<u16>, Refusal> {
    let fits = shards.len() == wishes.lanes as usize
        && (1..=MAX_SHARDS as u32).contains(&policy.shards)
        && shards.iter().all(|&shard| u32::from(shard) < policy.shards)
        && fits_name(&policy.service);
    match fits {
        true => Ok(shards),
        false => Err(internal(
            "the engine's policy or assignment of lanes is wrong".to_owned(),
        )),
    }
}

/// What the engine has made for a host, before the host has seen it.
struct Offer {
    terms: Terms,
    reply: Mapping,
    reply_fd: Option<OwnedFd>,
    doorbells: Vec<OwnedFd>,
    resumed: Option<Vec<LaneResume>>,
}

/// The request region on its way to be served.
enum Request {
    /// Made by us, sealed against other sizes, not yet mapped.
    New(Region),
    /// Brought by a host that resumes; checked and mapped.
    Kept(Mapping),
}

fn prepare(
    hello: &Hello,
    kept: Option<OwnedFd>,
    lane_shards: Vec<u16>,
    policy: &Policy,
    reservation: &mut Reservation,
) -> Result<(Offer, Request, Vec<OwnedFd>), Refusal> {
    let wishes = &hello.wishes;
    let pages = demanded(wishes.pages, policy.pages);
    let reply_worst = at_most(region_bytes(wishes.lanes, wishes.reply_capacity), pages);
    let (request, request_bytes, request_pages) = match (&hello.resume, kept) {
        (Some(resume), Some(fd)) => {
            let Kept { mapping, pages } =
                resumed::take_over(fd, wishes, resume, policy, reply_worst, reservation)?;
            let bytes = mapping.bytes();
            (Request::Kept(mapping), bytes, pages)
        }
        _ => {
            let bytes = region_bytes(wishes.lanes, wishes.request_capacity);
            reservation.reserve(at_most(bytes, pages) + reply_worst, policy)?;
            let region = new_request_region(bytes, pages, reservation)?;
            let (bytes, pages) = (region.bytes(), region.page_size());
            (Request::New(region), bytes, pages)
        }
    };
    let region = Region::create(
        "ironhoard-reply",
        region_bytes(wishes.lanes, wishes.reply_capacity),
        pages,
    )
    .map_err(not_allocated)?;
    reservation.settle(request_bytes + region.bytes());
    let terms = Terms {
        host_id: hello
            .resume
            .as_ref()
            .map_or_else(new_host_id, |resume| resume.host_id),
        epoch: hello.resume.as_ref().map_or(1, |resume| resume.epoch),
        lanes: wishes.lanes,
        request_capacity: wishes.request_capacity,
        reply_capacity: wishes.reply_capacity,
        request_bytes,
        reply_bytes: region.bytes(),
        request_pages,
        reply_pages: region.page_size(),
        membarrier: wishes.membarrier && policy.membarrier,
        shards: policy.shards,
        lane_shards,
        service: policy.service.clone(),
        service_version: policy.service_version,
        engine_pid: 0,
    };
    let resumed = hello.resume.as_ref().map(|resume| resume.lanes.clone());
    let (reply, reply_fd) = open_reply_region(&region, &terms, resumed.as_deref())?;
    let (doorbells, ends) = new_doorbells(policy.shards)?;
    let offer = Offer {
        terms,
        reply,
        reply_fd: Some(reply_fd),
        doorbells,
        resumed,
    };
    Ok((offer, request, ends))
}

/// Bytes that a region can have at most, whatever pages it gets.
fn at_most(bytes: u64, pages: PageMode) -> u64 {
    let page = match pages {
        PageMode::Small => PageSize::Small4K,
        PageMode::Auto | PageMode::RequireHuge => PageSize::Huge2M,
    };
    page.round_up(bytes).unwrap_or(u64::MAX)
}

fn new_request_region(
    bytes: u64,
    pages: PageMode,
    reservation: &mut Reservation,
) -> Result<Region, Refusal> {
    let region = Region::create("ironhoard-request", bytes, pages).map_err(not_allocated)?;
    region.seal_size().map_err(not_allocated)?;
    reservation.serve(RegionIdentity::of(region.fd()).map_err(not_allocated)?);
    Ok(region)
}

/// Maps the reply region, writes what must stand there before the host looks, and closes it to all
/// other writers before its descriptor leaves.
fn open_reply_region(
    region: &Region,
    terms: &Terms,
    resumed: Option<&[LaneResume]>,
) -> Result<(Mapping, OwnedFd), Refusal> {
    let reply = Mapping::read_write(region.fd(), region.bytes()).map_err(not_allocated)?;
    region.seal_writes().map_err(not_allocated)?;
    for (lane, resume) in (0..).zip(resumed.unwrap_or_default()) {
        store_request_position(&reply, lane, resume.position);
    }
    RegionHeader::new(ROLE_REPLY, terms.host_id, terms.epoch).write(&reply);
    Ok((reply, region.read_only_fd().map_err(not_allocated)?))
}

/// One socket pair for each shard: our ends and the host's.
fn new_doorbells(shards: u32) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>), Refusal> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let pair = |_| socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    (0..shards)
        .map(pair)
        .collect::<Result<_, _>>()
        .map_err(|errno| {
            let text = format!(
                "the engine cannot make its doorbells ({errno}): raise its limit on open files"
            );
            Refusal::new(RefusalCode::Resources, text)
        })
}

/// Sends WELCOME with everything the host needs; the host's ends of the doorbells are ours no more.
fn welcome(
    socket: BorrowedFd<'_>,
    policy: &Policy,
    offer: &Offer,
    request: &Request,
    ends: Vec<OwnedFd>,
) -> Result<(), Refusal> {
    let mut descriptors = Vec::with_capacity(2 + ends.len());
    if let Request::New(region) = request {
        descriptors.push(region.fd());
    }
    descriptors.extend(offer.reply_fd.iter().chain(&ends).map(AsFd::as_fd));
    let welcome = Welcome {
        features: 0,
        event_rings: 0,
        descriptors: descriptors.len() as u32,
        terms: offer.terms.clone(),
    };
    tell(socket, policy, &welcome.encode(), &descriptors)
}

impl Request {
    /// Closes a new region to all writers but the host's mapping, and only then believes in it.
    fn open(self, terms: &Terms) -> Result<Mapping, Refusal> {
        let mapping = match self {
            Request::Kept(mapping) => mapping,
            Request::New(region) => {
                region.seal_writes().map_err(tampered)?;
                let expect = Expect {
                    bytes: terms.request_bytes,
                    seals: Seals::Writes,
                };
                check_fd(region.fd(), expect).map_err(tampered)?;
                Mapping::read_only(region.fd(), terms.request_bytes).map_err(tampered)?
            }
        };
        let expected = RegionHeader::new(ROLE_REQUEST, terms.host_id, terms.epoch);
        match RegionHeader::read(&mapping) {
            Some(found) if found == expected => Ok(mapping),
            found => {
                let text = format!(
                    "the header of the request region is {found:?} and must be {expected:?}: write \
                     it before MAPPED, its magic word last"
                );
                Err(Refusal::new(RefusalCode::Region, text))
            }
        }
    }
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

fn not_allocated(error: RegionError) -> Refusal {
    let code = match error {
        RegionError::NoHugePages { .. } => RefusalCode::Pages,
        _ => RefusalCode::Resources,
    };
    Refusal::new(code, error.to_string())
}

fn tampered(error: RegionError) -> Refusal {
    let text = format!("the request region is not as it was handed out: {error}; attach anew");
    Refusal::new(RefusalCode::Region, text)
}

fn no_common_version(lowest: u32) -> Refusal {
    let text = format!(
        "this engine speaks layout version {LAYOUT_VERSION} and the host speaks {lowest} at the \
         lowest: update the older of the two"
    );
    Refusal::new(RefusalCode::Version, text).with_limit(LAYOUT_VERSION.into())
}

fn internal(text: String) -> Refusal {
    Refusal::new(
        RefusalCode::Internal,
        text + ": this is a defect of the engine, report it",
    )
}

/// A name that no other living host has, this engine's predecessors included: 64 random bits.
fn new_host_id() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
