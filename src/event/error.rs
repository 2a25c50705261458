//! What can be wrong with an event ring. Empty and overrun are ordinary answers.

use thiserror::Error;

use crate::ring::CorruptKind;

/// The writer wrote something that is no event ring.
///
/// ```
/// use ironhoard::event::{EventCorrupt, EventFault};
/// use ironhoard::ring::CorruptKind;
/// let what = EventFault::Record(CorruptKind::TooShort);
/// let corrupt = EventCorrupt { position: 64, number: 2, what };
/// assert!(corrupt.to_string().contains("length below the header's own"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("corrupt event ring at position {position}: {what} (event {number} expected): it can't be read any more; attach anew")]
pub struct EventCorrupt {
    /// Where the reader stood, as a free-running position in bytes.
    pub position: u64,
    /// The number of the event that it expected.
    pub number: u64,
    /// What is wrong.
    pub what: EventFault,
}

/// The ways an event ring can be impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EventFault {
    /// The header is none.
    #[error(transparent)]
    Record(#[from] CorruptKind),
    /// The place to go on after an overrun is none.
    #[error("the place to go on, event {number} at position {position}, is impossible")]
    Rejoin {
        /// The position found.
        position: u64,
        /// The number found.
        number: u64,
    },
}
