//! A lane's words: where its two rings, positions and flags lie in the two mappings.
//!
//! ```text
//!   request region (host writes)              reply region (engine writes)
//!   ├ reply position of the lane              ├ need_wakeup of each shard
//!   ├ need_wakeup, in use                     ├ request position of the lane
//!   └ request ring                            └ reply ring
//! ```
//!
//! Host and engine both build their halves from here, each from its own mappings; which of them are
//! writable is the maps' business. Every address is checked against its mapping once, here, from
//! the terms of the conversation. Nothing in shared memory says where anything lies.

use std::sync::Arc;

use crate::event::MemoryControl;
use crate::layout;
use crate::region::Mapping;
use crate::ring::{Geometry, MemoryPosition, MemoryWords};
use crate::wait::MemoryFlag;

/// Memory that rings can lie in, mapped as long as it lives.
pub(crate) trait Segment: Send + Sync + 'static {
    /// The first byte, at the start of a page.
    fn as_ptr(&self) -> *mut u8;
    /// How many there are.
    fn bytes(&self) -> u64;
}

impl Segment for Mapping {
    fn as_ptr(&self) -> *mut u8 {
        Mapping::as_ptr(self)
    }

    fn bytes(&self) -> u64 {
        Mapping::bytes(self)
    }
}

/// The two mappings of one host, and their shape.
#[derive(Clone)]
pub(crate) struct Regions {
    pub(crate) request: Arc<Mapping>,
    pub(crate) reply: Arc<Mapping>,
    pub(crate) lanes: u32,
    pub(crate) request_capacity: u64,
    pub(crate) reply_capacity: u64,
}

impl Regions {
    pub(crate) fn request_geometry(&self) -> Geometry {
        Geometry::new(self.request_capacity).expect("checked at attach")
    }

    pub(crate) fn reply_geometry(&self) -> Geometry {
        Geometry::new(self.reply_capacity).expect("checked at attach")
    }

    pub(crate) fn request_words(&self, lane: u32) -> MemoryWords {
        ring_words(&self.request, self.lanes, lane, self.request_capacity)
    }

    pub(crate) fn reply_words(&self, lane: u32) -> MemoryWords {
        ring_words(&self.reply, self.lanes, lane, self.reply_capacity)
    }

    /// The engine's position in the request ring; the engine writes it.
    pub(crate) fn request_position(&self, lane: u32) -> MemoryPosition {
        let offset = layout::lane_control_offset(lane) + layout::LANE_REQUEST_POSITION as u64;
        position(&self.reply, offset)
    }

    /// The host's position in the reply ring of `epoch`; the host writes it.
    pub(crate) fn reply_position(&self, lane: u32, epoch: u64) -> MemoryPosition {
        position(&self.request, layout::reply_position_offset(lane, epoch))
    }

    /// Raised while the host's waiter on `lane` sleeps; the host writes it.
    pub(crate) fn host_flag(&self, lane: u32) -> MemoryFlag {
        let offset = layout::lane_control_offset(lane) + layout::LANE_NEED_WAKEUP as u64;
        flag(&self.request, offset)
    }

    /// 1 while the host uses `lane`; the host writes it.
    pub(crate) fn in_use(&self, lane: u32) -> MemoryFlag {
        let offset = layout::lane_control_offset(lane) + layout::LANE_IN_USE as u64;
        flag(&self.request, offset)
    }

    /// Raised while the host's waiter on event ring `ring` sleeps; the host writes it.
    pub(crate) fn event_flag(&self, ring: u32) -> MemoryFlag {
        let offset = event_line(ring) + layout::EVENT_NEED_WAKEUP as u64;
        flag(&self.request, offset)
    }

    /// The number of the event that the host expects next; the host writes it.
    pub(crate) fn event_next(&self, ring: u32) -> MemoryFlag {
        let offset = event_line(ring) + layout::EVENT_NEXT_NUMBER as u64;
        flag(&self.request, offset)
    }

    /// Raised while `shard` sleeps; the engine writes it.
    pub(crate) fn shard_flag(&self, shard: u32) -> MemoryFlag {
        assert!((shard as usize) < layout::MAX_SHARDS);
        let offset = layout::SHARD_LINES_OFFSET + shard as usize * layout::LINE;
        flag(&self.reply, offset as u64)
    }
}

/// The address `offset` bytes into `mapping`, with `bytes` bytes behind it.
///
/// # Panics
/// Where they do not lie inside the mapping.
pub(crate) fn address(mapping: &Arc<impl Segment>, offset: u64, bytes: u64) -> *mut u8 {
    assert!(offset + bytes <= mapping.bytes(), "outside of the region");
    // SAFETY: the assertion keeps the result inside the mapping, which is one allocation.
    unsafe { mapping.as_ptr().add(offset as usize) }
}

/// The words of the ring of `lane`.
pub(crate) fn ring_words(
    mapping: &Arc<impl Segment>,
    lanes: u32,
    lane: u32,
    capacity: u64,
) -> MemoryWords {
    assert!(lane < lanes, "no such lane");
    let base = address(
        mapping,
        layout::ring_offset(lanes, lane, capacity),
        capacity,
    );
    // SAFETY: `capacity` bytes from `base` on are mapped while the owner (the mapping) lives; shared
    // memory holds plain integers, and no reference into it exists outside of the ring.
    unsafe { MemoryWords::new(base, capacity, mapping.clone()) }.expect("aligned by the layout")
}

/// The position word at `offset`.
pub(crate) fn position(mapping: &Arc<impl Segment>, offset: u64) -> MemoryPosition {
    let word = address(mapping, offset, 8);
    // SAFETY: 8 mapped bytes while the mapping lives; only the side whose mapping is writable
    // publishes, by the roles of host and engine above.
    unsafe { MemoryPosition::new(word, mapping.clone()) }.expect("aligned by the layout")
}

/// The event line of `ring`, in the request region.
fn event_line(ring: u32) -> u64 {
    assert!((ring as usize) < layout::MAX_EVENT_RINGS);
    layout::event_line_offset(ring)
}

/// Words and control words of the event ring that lies in `region`.
pub(crate) fn event_words(region: &Arc<Mapping>, capacity: u64) -> (MemoryWords, MemoryControl) {
    let base = address(region, layout::EVENT_RING_OFFSET as u64, capacity);
    // SAFETY: `capacity` bytes from `base` on are mapped while the owner (the mapping) lives; shared
    // memory holds plain integers. The engine makes one writer of them, which no other mapping of this
    // process overlaps; hosts make readers.
    let words = unsafe { MemoryWords::new(base, capacity, region.clone()) };
    // SAFETY: the first page of the mapping; all access to it is atomic.
    let control = unsafe { MemoryControl::new(region.as_ptr(), region.clone()) };
    (
        words.expect("aligned by the layout"),
        control.expect("aligned by the layout"),
    )
}

fn flag(mapping: &Arc<Mapping>, offset: u64) -> MemoryFlag {
    let word = address(mapping, offset, 8);
    // SAFETY: as for a position; offsets of flags are multiples of 8.
    unsafe { MemoryFlag::new(word, mapping.clone()) }
}
