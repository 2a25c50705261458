//! Is what the engine sent what was agreed? The host's look at terms and regions before it believes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use super::error::AttachError;
use super::header::RegionHeader;
use super::{EventRingTerms, EventTerms, Terms, Wishes, ALL_EVENT_RINGS};
use crate::layout::*;
use crate::region::{check_fd, Expect, Mapping, PageMode, PageSize, RegionError, Seals};

/// Are these terms possible, and within what was wished for?
pub(super) fn check_terms(terms: &Terms, wishes: &Wishes, epoch: u64) -> Result<(), AttachError> {
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
            (wishes.lanes.min(1)..=wishes.lanes.min(MAX_LANES as u32)).contains(&terms.lanes),
            "more lanes than wished for, or none",
        ),
        (
            capacity_fits(terms.request_capacity, wishes.request_capacity)
                && capacity_fits(terms.reply_capacity, wishes.reply_capacity)
                || terms.lanes == 0 && terms.request_capacity == 0 && terms.reply_capacity == 0,
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
        (
            events_fit(terms, wishes),
            "event rings that were not wished for or cannot be",
        ),
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

/// Are the event rings possible, and those that were wished for?
fn events_fit(terms: &Terms, wishes: &Wishes) -> bool {
    let EventTerms {
        life,
        capacity,
        rings,
    } = &terms.events;
    if rings.is_empty() {
        return (*life, *capacity) == (0, 0)
            && matches!(wishes.event_rings, 0 | ALL_EVENT_RINGS)
            && terms.lanes > 0;
    }
    let ring_fits = |ring: &EventRingTerms| {
        ring.shard < terms.shards
            && ring.pages.round_up(event_region_bytes(*capacity)) == Some(ring.bytes)
    };
    (wishes.event_rings == ALL_EVENT_RINGS || wishes.event_rings as usize == rings.len())
        && *life != 0
        && capacity.is_power_of_two()
        && (MIN_CAPACITY..=MAX_CAPACITY).contains(capacity)
        && rings.iter().all(ring_fits)
}

/// After RESUME nothing may change but what the new engine brings.
pub(super) fn check_same(terms: &Terms, previous: &Terms) -> Result<(), AttachError> {
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

pub(super) fn check_request(
    fd: &OwnedFd,
    terms: &Terms,
    wishes: &Wishes,
) -> Result<(), AttachError> {
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
pub(super) fn open_reply(
    fd: &OwnedFd,
    terms: &Terms,
    wishes: &Wishes,
) -> Result<Mapping, AttachError> {
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

/// Checks the regions of the event rings and maps them.
pub(super) fn open_events(fds: &[OwnedFd], terms: &Terms) -> Result<Vec<Mapping>, AttachError> {
    let events = &terms.events;
    let open = |(index, (fd, ring)): (u64, (&OwnedFd, &EventRingTerms))| {
        let event = |source| region("event", source);
        let expect = Expect {
            bytes: ring.bytes,
            seals: Seals::Writes,
        };
        check_fd(fd.as_fd(), expect).map_err(event)?;
        check_access(
            fd,
            OFlags::RDONLY,
            "an event descriptor that can be written",
        )?;
        let mapping = Mapping::read_only(fd.as_fd(), ring.bytes).map_err(event)?;
        let expected = RegionHeader::new(ROLE_EVENT, events.life, index);
        match RegionHeader::read(&mapping) == Some(expected) {
            true => Ok(mapping),
            false => Err(impossible(
                "an event region with another header than the terms",
            )),
        }
    };
    (0..).zip(fds.iter().zip(&events.rings)).map(open).collect()
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
pub(super) fn check_sealed(request: BorrowedFd<'_>, terms: &Terms) -> Result<(), AttachError> {
    let expect = Expect {
        bytes: terms.request_bytes,
        seals: Seals::Writes,
    };
    match check_fd(request, expect) {
        Ok(_) => Ok(()),
        Err(source) => Err(region("request", source)),
    }
}

pub(super) fn region(which: &'static str, source: RegionError) -> AttachError {
    AttachError::Region { which, source }
}

pub(super) fn impossible(what: &str) -> AttachError {
    AttachError::Terms {
        what: what.to_owned(),
    }
}
