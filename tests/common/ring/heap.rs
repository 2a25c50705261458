//! Record memory on the heap of the test: the least that a ring can be made of.
#![allow(dead_code)] // each test binary uses its own part

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ironhoard::ring::{Cursor, PositionWord, Words};

/// Plain words on the heap.
#[derive(Clone)]
pub struct HeapWords(Arc<[AtomicU64]>);

impl HeapWords {
    /// So many zeroed lines.
    pub fn lines(lines: u64) -> Self {
        Self((0..lines * 8).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Words for HeapWords {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn observe(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Acquire)
    }

    fn publish(&self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Release);
    }

    fn load(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    fn store(&self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }
}

/// A position word on the heap.
#[derive(Clone)]
pub struct HeapPosition(Arc<AtomicU64>);

impl HeapPosition {
    /// A consumer that stands at `position`.
    pub fn at(position: u64) -> Self {
        Self(Arc::new(AtomicU64::new(position)))
    }

    /// Whatever a hostile consumer writes there.
    pub fn forge(&self, position: u64) {
        self.0.store(position, Ordering::Release);
    }
}

impl PositionWord for HeapPosition {
    fn observe(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn publish(&self, next: Cursor) {
        self.0.store(next.position, Ordering::Release);
    }
}
