//! The event ring: one writer, any number of readers, and all see all.
//!
//! ```text
//!              overwritten      rejoin here                     committed end
//!   given up       │                │                                │
//!   ───────────────┼────────────────┼────────────────────────────────┼──────────
//!   lost           │ retained: every reader finds its own way here   │ free, or given up
//!   ───────────────┴────────────────┴────────────────────────────────┴──────────
//! ```
//!
//! Nobody waits for a reader. Before the writer takes back the lines of old records it says so in one
//! word, `overwritten`; a reader that stands before it is *overrun*, and learns exactly which numbers
//! it lost and where to go on.
//!
//! What it costs the writer: the stores of the record, as in any ring, and each eighth of the ring
//! four more. Nothing depends on how many readers there are or what they do. What it costs a reader:
//! a copy of each payload (what was read counts only once `overwritten` has been looked at behind it)
//! and one load of a word that changes each eighth of the ring. What it holds: after a record is given
//! up at least three quarters of the ring, where records are small.
//!
//! How it works: [`control`] (the words besides the ring), `marks` (what can be given up), [`writer`],
//! [`reader`]. Records, numbers, padding and soiled lines are those of [`ring`](crate::ring). This
//! module knows nothing of files, pages or processes.

mod buffer;
pub mod control;
mod error;
mod marks;
pub mod reader;
pub mod writer;

pub use buffer::{in_memory, SharedWords};
pub use control::{ControlWord, ControlWords, MemoryControl};
pub use error::{EventCorrupt, EventFault};
pub use reader::{Event, EventPoll, EventReader, Lost};
pub use writer::{EventClaim, EventWriter};

use crate::ring::MemoryWords;

/// The writer of an event ring in a region.
pub type MemoryEventWriter = EventWriter<MemoryWords, MemoryControl>;
/// A reader of an event ring in a region.
pub type MemoryEventReader = EventReader<MemoryWords, MemoryControl>;
