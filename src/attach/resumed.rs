//! RESUME, seen by the engine: may this descriptor be served as the request region it claims to be?
//!
//! There is no token: who holds the region owns it. So everything else is demanded: the exact seals,
//! the size that the layout gives, all blocks, an inode that nobody serves yet, and on each lane, at
//! the position where request `R + 1` should be, that request, a padding before it, or nothing. The
//! seals come first: behind them the size and the blocks cannot change any more.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use super::header::RegionHeader;
use super::hello::Resume;
use super::ledger::Reservation;
use super::refusal::{Refusal, RefusalCode};
use super::{LaneResume, Policy, Wishes};
use crate::layout::*;
use crate::region::{check_fd, Expect, Mapping, PageSize, RegionError, RegionIdentity, Seals};
use crate::ring::{Consumer, Cursor, Geometry, GeometryError, MemoryPosition, MemoryWords};

/// A request region that passed.
pub(super) struct Kept {
    pub(super) mapping: Mapping,
    pub(super) pages: PageSize,
}

/// Checks the region behind `fd` and maps it; enters it in the ledger, with `reply_bytes` for the
/// reply region that is to come.
pub(super) fn take_over(
    fd: OwnedFd,
    wishes: &Wishes,
    resume: &Resume,
    policy: &Policy,
    reply_bytes: u64,
    reservation: &mut Reservation,
) -> Result<Kept, Refusal> {
    if let (Err(reason), 1..) = (&policy.resume, wishes.lanes) {
        let text =
            format!("this engine cannot take up what the last one left: {reason}; attach anew");
        return Err(Refusal::new(RefusalCode::ResumeDeclined, text));
    }
    if resume.epoch < 2 {
        let text = format!(
            "epoch {} cannot begin with RESUME: say the last one plus 1",
            resume.epoch
        );
        return Err(Refusal::new(RefusalCode::Malformed, text));
    }
    let bytes = agreed_size(&fd, wishes)?;
    let expect = Expect {
        bytes,
        seals: Seals::Writes,
    };
    check_fd(fd.as_fd(), expect).map_err(wrong_region)?;
    if !reservation.serve(RegionIdentity::of(fd.as_fd()).map_err(wrong_region)?) {
        let text =
            "this request region is being served already: attach anew, or end the host that \
                    holds it";
        return Err(Refusal::new(RefusalCode::ResumeServed, text));
    }
    reservation.reserve(bytes + reply_bytes, policy)?;
    let mapping = Mapping::read_only(fd.as_fd(), bytes).map_err(wrong_region)?;
    check_owner(&mapping, resume)?;
    for (lane, claim) in (0..).zip(&resume.lanes) {
        check_lane(&mapping, wishes, lane, claim)?;
    }
    Ok(Kept {
        pages: mapping.page_size(),
        mapping,
    })
}

/// The size of `fd`, if it is the layout's, rounded up to whole pages of either size: the engine
/// that made the region may have had other pages.
fn agreed_size(fd: &OwnedFd, wishes: &Wishes) -> Result<u64, Refusal> {
    let needed = region_bytes(wishes.lanes, wishes.request_capacity);
    let stat =
        rustix::fs::fstat(fd).map_err(|source| wrong_region(RegionError::Inspect { source }))?;
    let found = stat.st_size as u64;
    let sizes = [PageSize::Small4K, PageSize::Huge2M].map(|page| page.round_up(needed));
    match sizes.contains(&Some(found)) {
        true => Ok(found),
        false => Err(wrong_region(RegionError::WrongSize {
            expected: PageSize::Small4K.round_up(needed).unwrap_or(needed),
            found,
        })),
    }
}

fn check_owner(mapping: &Mapping, resume: &Resume) -> Result<(), Refusal> {
    let expected = RegionHeader::new(ROLE_REQUEST, resume.host_id, resume.epoch);
    match RegionHeader::read(mapping) {
        Some(found) if found == expected => Ok(()),
        found => {
            let text = format!(
                "the header of the request region is {found:?} and must be {expected:?}: write the \
                 new epoch before RESUME"
            );
            Err(Refusal::new(RefusalCode::ResumeRegion, text))
        }
    }
}

/// Can request `R + 1` begin where the host says, or be still to come there?
fn check_lane(
    mapping: &Mapping,
    wishes: &Wishes,
    lane: u32,
    claim: &LaneResume,
) -> Result<(), Refusal> {
    let number = claim.last_reply.wrapping_add(1);
    let refused = |why: String| {
        let text = format!(
            "lane {lane}: request {number} cannot stand at position {}: {why}; attach anew",
            claim.position
        );
        Err(Refusal::new(RefusalCode::ResumeRecord, text))
    };
    if claim.position % LINE as u64 != 0 {
        return refused("it is not a multiple of 64".to_owned());
    }
    let start = Cursor {
        position: claim.position,
        number,
    };
    let own_position = AtomicU64::new(0);
    match ring_at(mapping, wishes, lane, &own_position, start) {
        Err(error) => refused(error.to_string()),
        Ok(mut ring) => match ring.peek() {
            Ok(_) => Ok(()),
            Err(corrupt) => refused(corrupt.to_string()),
        },
    }
}

/// A consumer of the request ring of `lane`, to look and nothing else. It must not outlive `mapping`
/// and `own_position`, and does not: [`check_lane`] drops it.
fn ring_at(
    mapping: &Mapping,
    wishes: &Wishes,
    lane: u32,
    own_position: &AtomicU64,
    start: Cursor,
) -> Result<Consumer<MemoryWords, MemoryPosition>, GeometryError> {
    let capacity = wishes.request_capacity;
    let offset = ring_offset(wishes.lanes, lane, capacity) as usize;
    let owner = Arc::new(());
    // SAFETY: the mapping has `region_bytes` bytes at least (checked by its size), so the ring of a lane
    // below `lanes` lies inside; it stays mapped while the consumer lives (see above). It is read only,
    // atomically, and no Rust reference into it exists but such words.
    let words = unsafe { MemoryWords::new(mapping.as_ptr().add(offset), capacity, owner.clone())? };
    // SAFETY: the caller's atomic word is aligned, and outlives the consumer (see above).
    let position = unsafe { MemoryPosition::new(own_position.as_ptr().cast(), owner)? };
    Consumer::new(words, position, Geometry::new(capacity)?, start)
}

fn wrong_region(error: RegionError) -> Refusal {
    let text = format!("the descriptor is not the request region of this host: {error}");
    Refusal::new(RefusalCode::ResumeRegion, text)
}
