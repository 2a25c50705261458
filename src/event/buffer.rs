//! An event ring in this process's own memory, for its threads.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use super::control::MemoryControl;
use super::reader::EventReader;
use super::writer::EventWriter;
use crate::layout::LINE;
use crate::ring::{Cursor, Geometry, GeometryError, MemoryWords, Owner, Words};

/// Lines before the ring: the header's, which nobody writes here, and the control words'.
const CONTROL_LINES: usize = 4;

/// A line of plain words, reached through the halves' pointers only.
#[repr(align(64))]
struct Line(#[allow(dead_code)] [AtomicU64; LINE / 8]);

/// Record memory that threads of one process share: written word by word, never as a slice of bytes,
/// because others may be reading it.
#[derive(Clone)]
pub struct SharedWords(MemoryWords);

impl Words for SharedWords {
    fn count(&self) -> usize {
        self.0.count()
    }

    #[inline(always)]
    fn observe(&self, word: usize) -> u64 {
        self.0.observe(word)
    }

    #[inline(always)]
    fn publish(&self, word: usize, value: u64) {
        self.0.publish(word, value)
    }

    #[inline(always)]
    fn load(&self, word: usize) -> u64 {
        self.0.load(word)
    }

    #[inline(always)]
    fn store(&self, word: usize, value: u64) {
        self.0.store(word, value)
    }
}

/// Both halves of an event ring in memory.
type Halves = (
    EventWriter<SharedWords, MemoryControl>,
    EventReader<SharedWords, MemoryControl>,
);

/// An event ring of `capacity` bytes in this process's own memory. The reader can be cloned: each clone
/// reads for itself.
///
/// # Errors
/// [`GeometryError::Capacity`] where it is no power of two between 256 bytes and 1 GiB.
///
/// ```
/// let (mut writer, reader) = ironhoard::event::in_memory(4096)?;
/// let mut readers = [reader.clone(), reader]; // all see all
/// let mut claim = writer.claim(8)?;
/// claim.put_u64(0, 42);
/// claim.publish(1);
/// for reader in &mut readers {
///     let mut payload = [0; 8];
///     reader.poll(&mut payload)?;
///     assert_eq!(u64::from_le_bytes(payload), 42);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn in_memory(capacity: u64) -> Result<Halves, GeometryError> {
    let geometry = Geometry::new(capacity)?;
    let lines = CONTROL_LINES + capacity as usize / LINE;
    let memory: Arc<[Line]> = (0..lines)
        .map(|_| Line([const { AtomicU64::new(0) }; LINE / 8]))
        .collect();
    let base = memory.as_ptr().cast_mut().cast::<u8>();
    let owner: Owner = Arc::new(memory);
    // SAFETY: 256 bytes from `base` on are the first four lines, which `owner` keeps alive; they are
    // atomic words.
    let control = unsafe { MemoryControl::new(base, owner.clone())? };
    // SAFETY: the lines behind them are `capacity` bytes of atomic words, aligned to lines, alive with
    // `owner`; one writer is made of them, and `SharedWords` lends no slice of them.
    let words = unsafe { MemoryWords::new(base.add(CONTROL_LINES * LINE), capacity, owner)? };
    let words = SharedWords(words);
    let writer = EventWriter::new(words.clone(), control.clone(), geometry, Cursor::START)?;
    Ok((writer, EventReader::new(words, control, geometry)?))
}
