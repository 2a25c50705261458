//! A producer's private state, for tests that enumerate states: to look at, and to go on from twice.

use super::producer::{Cursor, Producer};
use super::words::{PositionWord, Words};

impl<W: Words, P: PositionWord> Producer<W, P> {
    /// A producer in the same private state over other words, for tests that enumerate states.
    #[doc(hidden)]
    pub fn fork(&self, words: W, consumer_position: P) -> Self {
        Self {
            words,
            consumer_position,
            capacity: self.capacity,
            payload_limit: self.payload_limit,
            one_line: self.one_line,
            end: self.end,
            limit: self.limit,
            soiled: self.soiled.clone(),
            last_bytes: self.last_bytes,
            batch_open: self.batch_open,
        }
    }

    /// The private state, for tests that enumerate states.
    #[doc(hidden)]
    pub fn state(&self) -> (Cursor, u64, Vec<u64>) {
        (self.end, self.limit, self.soiled.bits().to_vec())
    }
}
