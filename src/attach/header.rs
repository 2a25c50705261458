//! The first words of a region: who wrote it, for whom, in which epoch. And the one word that an
//! engine must write into a lane before the lane is open.
//!
//! The magic word is written last, with a release; who finds it with an acquire finds the rest
//! (label `region`).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::*;
use crate::region::Mapping;

/// What stands in a region's header behind the magic word.
///
/// ```
/// use ironhoard::attach::RegionHeader;
/// use ironhoard::layout::ROLE_REPLY;
/// use ironhoard::region::{Mapping, PageMode, Region};
/// let region = Region::create("example", 4096, PageMode::Small)?;
/// let mapping = Mapping::read_write(region.fd(), region.bytes())?;
/// assert_eq!(RegionHeader::read(&mapping), None); // no magic yet
/// let header = RegionHeader::new(ROLE_REPLY, 7, 1);
/// header.write(&mapping);
/// assert_eq!(RegionHeader::read(&mapping), Some(header));
/// # Ok::<(), ironhoard::region::RegionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionHeader {
    /// Version of the byte layout.
    pub version: u32,
    /// [`ROLE_REQUEST`] or [`ROLE_REPLY`].
    pub role: u32,
    /// The host that the region belongs to.
    pub host_id: u64,
    /// 1 after the first attach, one more after each resume.
    pub epoch: u64,
}

impl RegionHeader {
    /// The header of a region that this version writes.
    pub fn new(role: u32, host_id: u64, epoch: u64) -> Self {
        Self {
            version: LAYOUT_VERSION,
            role,
            host_id,
            epoch,
        }
    }

    /// Writes the header, its magic word last. A host that resumes calls this for its request region,
    /// with the new epoch, before [`resume`](super::resume).
    ///
    /// # Panics
    /// If the mapping is read-only.
    pub fn write(self, mapping: &Mapping) {
        assert!(
            mapping.writable(),
            "a region's header is written by its writer"
        );
        let words = [
            (
                REGION_VERSION_OFFSET,
                self.version as u64 | (self.role as u64) << 32,
            ),
            (REGION_HOST_ID_OFFSET, self.host_id),
            (REGION_EPOCH_OFFSET, self.epoch),
        ];
        for (offset, value) in words {
            // Relaxed: published by the magic word below.
            word(mapping, offset as u64).store(value.to_le(), Ordering::Relaxed);
        }
        let magic = word(mapping, REGION_MAGIC_OFFSET as u64);
        magic.store(REGION_MAGIC.to_le(), Ordering::Release); // `region`, with read below
    }

    /// Reads the header, each word once; `None` where the magic word is another.
    pub fn read(mapping: &Mapping) -> Option<Self> {
        let magic = word(mapping, REGION_MAGIC_OFFSET as u64);
        // `region`, with write above
        if u64::from_le(magic.load(Ordering::Acquire)) != REGION_MAGIC {
            return None;
        }
        let load = |offset: usize| {
            // Relaxed: settled by the magic word above.
            u64::from_le(word(mapping, offset as u64).load(Ordering::Relaxed))
        };
        let version_and_role = load(REGION_VERSION_OFFSET);
        Some(Self {
            version: version_and_role as u32,
            role: (version_and_role >> 32) as u32,
            host_id: load(REGION_HOST_ID_OFFSET),
            epoch: load(REGION_EPOCH_OFFSET),
        })
    }
}

/// Stores the engine's position in the request ring of `lane`, in the reply region.
pub(super) fn store_request_position(reply: &Mapping, lane: u32, position: u64) {
    assert!(reply.writable(), "the engine writes its positions");
    let offset = lane_control_offset(lane) + LANE_REQUEST_POSITION as u64;
    // Release: label `release`, with the producer's look at the consumer's position in the host.
    word(reply, offset).store(position.to_le(), Ordering::Release);
}

/// The word at `offset`. The offset is ours, computed from a checked layout, never a peer's.
fn word(mapping: &Mapping, offset: u64) -> &AtomicU64 {
    assert!(offset % 8 == 0 && offset + 8 <= mapping.bytes());
    // SAFETY: inside the mapping and aligned, by the line above (a mapping starts at a page); mapped
    // as long as it is borrowed; u64 has no invalid value; and all access is atomic, here and in the
    // ring. Who stores has asserted that the mapping is writable.
    unsafe { &*mapping.as_ptr().add(offset as usize).cast::<AtomicU64>() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{PageMode, Region};

    #[test]
    fn what_is_written_is_read_and_an_empty_region_has_no_header() {
        let region = Region::create("test", 8192, PageMode::Small).unwrap();
        let mapping = Mapping::read_write(region.fd(), region.bytes()).unwrap();
        assert_eq!(RegionHeader::read(&mapping), None);
        let header = RegionHeader::new(ROLE_REPLY, u64::MAX, 7);
        header.write(&mapping);
        assert_eq!(RegionHeader::read(&mapping), Some(header));
    }
}
