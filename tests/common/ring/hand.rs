//! A small ring held in the hand: both halves, and the memory beneath them to be tampered with.
#![allow(dead_code)] // each test binary uses its own part

use std::sync::Arc;

#[path = "heap.rs"]
mod heap;

use heap::{HeapPosition, HeapWords};
use ironhoard::ring::{
    Batch, Claim, ClaimError, Consumer, Cursor, Geometry, GeometryError, MemoryPosition,
    MemoryWords, Producer,
};

pub type Handles = Producer<HeapWords, HeapPosition>;
pub type HandConsumer = Consumer<HeapWords, HeapPosition>;
pub type HandBatch<'a> = Batch<'a, HeapWords, HeapPosition>;

/// The memory beneath a ring.
pub struct Memory {
    words: HeapWords,
    position: HeapPosition,
    geometry: Geometry,
}

impl Memory {
    pub fn words(&self) -> HeapWords {
        self.words.clone()
    }

    pub fn position(&self) -> HeapPosition {
        self.position.clone()
    }

    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Another position word, as a resume brings one.
    pub fn new_position(&self, position: u64) -> HeapPosition {
        HeapPosition::at(position)
    }

    /// The header of a one-line record with this number.
    pub fn forged_for(&self, number: u64) -> u64 {
        number << 32 | 64
    }
}

/// A fresh ring of so many lines whose records take up to half of it, four lines at most.
pub fn ring(lines: u64) -> (Handles, HandConsumer, Memory) {
    ring_at(lines, Cursor::START)
}

/// The same, as if all before `start` had been written and released.
pub fn ring_at(lines: u64, start: Cursor) -> (Handles, HandConsumer, Memory) {
    let geometry = Geometry {
        capacity: lines * 64,
        payload_limit: (lines as u32 / 2).min(4) * 64 - 16,
    };
    let words = HeapWords::lines(lines);
    let position = HeapPosition::at(start.position);
    let producer = Producer::new(words.clone(), position.clone(), geometry, start);
    let consumer = Consumer::new(words.clone(), position.clone(), geometry, start);
    let memory = Memory {
        words,
        position,
        geometry,
    };
    (
        producer.expect("a possible shape"),
        consumer.expect("a possible shape"),
        memory,
    )
}

/// Fills a claim with one word over and over.
pub fn fill(claim: &mut Claim<'_, HeapWords, HeapPosition>, word: u64) {
    for index in 0..claim.len().div_ceil(8) {
        claim.put_u64(index, word);
    }
}

/// Commits a record of `payload` bytes, each line of which looks like the next record.
pub fn send(producer: &mut Handles, payload: usize) -> Result<u64, ClaimError> {
    let mut claim = producer.claim(payload)?;
    let forged = claim.number().wrapping_add(1) << 32 | 64;
    fill(&mut claim, forged);
    Ok(claim.commit(1))
}

/// Takes and releases all there is: number and payload bytes of each.
pub fn take_all(consumer: &mut HandConsumer) -> Vec<(u64, usize)> {
    let mut polled = consumer.poll(usize::MAX);
    let mut taken = Vec::new();
    while let Some(record) = polled.next().expect("a sound ring") {
        taken.push((record.number(), record.payload().len()));
    }
    taken
}

/// What both halves say to a shape over `lines` lines.
pub fn shaped(lines: u64, geometry: Geometry) -> Result<(), GeometryError> {
    let words = HeapWords::lines(lines);
    let position = HeapPosition::at(0);
    let producer = Producer::new(words.clone(), position.clone(), geometry, Cursor::START);
    let consumer = Consumer::new(words, position, geometry, Cursor::START);
    assert_eq!(producer.as_ref().err(), consumer.as_ref().err());
    producer.map(drop)
}

/// Memory that starts nowhere or off its alignment: line, null, position word, null.
pub fn misaligned() -> [Option<GeometryError>; 4] {
    #[repr(align(64))]
    struct Lines([u8; 512]);
    let owner = Arc::new(Lines([0; 512]));
    let base = owner.0.as_ptr().cast_mut();
    let null = std::ptr::null_mut();
    // SAFETY: what is not refused is never used, and the owner keeps the bytes alive meanwhile.
    unsafe {
        [
            MemoryWords::new(base.add(8), 256, owner.clone()).err(),
            MemoryWords::new(null, 256, owner.clone()).err(),
            MemoryPosition::new(base.add(4), owner.clone()).err(),
            MemoryPosition::new(null, owner.clone()).err(),
        ]
    }
}
