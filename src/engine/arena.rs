//! The scratch arena: memory for one batch, given back all at once.
//!
//! A handler that wants a request's payload as a slice gets a copy here. Nothing is allocated after
//! the shard has started; resetting is one store.

use std::cell::{Cell, UnsafeCell};

/// Scratch memory of a shard.
pub struct Arena {
    buffer: Box<[UnsafeCell<u8>]>,
    used: Cell<usize>,
}

impl Arena {
    /// An arena of `bytes` bytes.
    ///
    /// ```
    /// let arena = ironhoard::engine::Arena::new(64);
    /// let scratch = arena.take(16).expect("there is room");
    /// scratch.fill(7);
    /// assert!(arena.take(64).is_none());
    /// ```
    pub fn new(bytes: usize) -> Self {
        Self {
            buffer: (0..bytes).map(|_| UnsafeCell::new(0)).collect(),
            used: Cell::new(0),
        }
    }

    /// `bytes` bytes that hold whatever was there before; `None` where the arena has no room left
    /// in this batch.
    #[allow(clippy::mut_from_ref)] // each call lends another range
    pub fn take(&self, bytes: usize) -> Option<&mut [u8]> {
        let start = self.used.get();
        let end = start
            .checked_add(bytes)
            .filter(|&end| end <= self.buffer.len())?;
        self.used.set(end);
        let base = UnsafeCell::raw_get(self.buffer.as_ptr());
        // SAFETY: `start..end` lies in the buffer, is lent once (`used` only grows until `reset`,
        // which takes the arena exclusively), and bytes have no invalid value.
        Some(unsafe { std::slice::from_raw_parts_mut(base.add(start), bytes) })
    }

    /// Is more than half of it taken? Then the batch should end.
    pub(crate) fn is_half_full(&self) -> bool {
        self.used.get() > self.buffer.len() / 2
    }

    /// Takes everything back.
    pub(crate) fn reset(&mut self) {
        self.used.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_never_overlap_and_a_reset_gives_all_back() {
        let mut arena = Arena::new(10);
        let first = arena.take(4).expect("room");
        let second = arena.take(6).expect("room");
        first.fill(1);
        second.fill(2);
        assert_eq!((first[3], second[0]), (1, 2));
        assert!(arena.take(1).is_none());
        assert!(arena.take(usize::MAX).is_none());
        arena.reset();
        assert!(arena.take(10).is_some());
    }
}
