//! What the engine makes for a host: two regions and the doorbells, and the order in which they are
//! mapped, sealed and handed out.
//!
//! The order is the protection. The reply region is mapped by us, closed to other writers, and only
//! then leaves; the request region leaves open, is mapped by the host, closed, and only then believed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};

use super::events::grant;
use super::header::{store_request_position, RegionHeader};
use super::hello::Hello;
use super::ledger::Reservation;
use super::policy::{demanded, Policy};
use super::refusal::{Refusal, RefusalCode};
use super::resumed::{self, Kept};
use super::socket::refuse_descriptors;
use super::{EventTerms, LaneResume, Terms, Wishes};
use crate::layout::*;
use crate::region::{
    check_fd, Expect, Mapping, PageMode, PageSize, Region, RegionError, RegionIdentity, Seals,
};

/// What the engine has made for a host, before the host has seen it.
pub(super) struct Offer {
    pub(super) terms: Terms,
    pub(super) reply: Mapping,
    pub(super) reply_fd: OwnedFd,
    pub(super) doorbells: Vec<OwnedFd>,
    pub(super) resumed: Option<Vec<LaneResume>>,
}

/// The request region on its way to be served.
pub(super) enum Request {
    /// Made by us, sealed against other sizes, not yet mapped.
    New(Region),
    /// Brought by a host that resumes; checked and mapped.
    Kept(Mapping),
}

pub(super) fn prepare(
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
    reservation.count_pages(&region);
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
        events: events_for(wishes, policy)?,
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
        reply_fd,
        doorbells,
        resumed,
    };
    Ok((offer, request, ends))
}

/// The event rings that were wished for.
fn events_for(wishes: &Wishes, policy: &Policy) -> Result<EventTerms, Refusal> {
    let rings = grant(wishes.event_rings, policy.event_ring_count())?;
    let there = policy.event_rings.as_ref();
    Ok(there.map_or_else(EventTerms::default, |there| there.granted(rings)))
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
    reservation.count_pages(&region);
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
    let pair = |_| {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        refuse_descriptors(ours.as_fd()); // a shard hears it, and must not close what it got
        Ok((ours, theirs))
    };
    (0..shards)
        .map(pair)
        .collect::<Result<_, _>>()
        .map_err(|errno: rustix::io::Errno| {
            let text = format!(
                "the engine cannot make its doorbells ({errno}): raise its limit on open files"
            );
            Refusal::new(RefusalCode::Resources, text)
        })
}

impl Request {
    /// Closes a new region to all writers but the host's mapping, and only then believes in it.
    pub(super) fn open(self, terms: &Terms) -> Result<Mapping, Refusal> {
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

/// A name that no other living host has, this engine's predecessors included: 64 random bits.
fn new_host_id() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
