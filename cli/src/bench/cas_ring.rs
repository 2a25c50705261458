//! A rival, for measurement only: a ring of our format whose producers claim with a compare-exchange.
//!
//! ```text
//!   end: line in the high half, number in the low half of ONE word
//!        ──▶ compare-exchange ──▶ write payload ──▶ header, last
//! ```
//!
//! Record format and numbering are the library's, so its consumer reads this ring. Everything that
//! makes the library's producer safe with records of any length is left out: records are one line
//! long, nothing is ever soiled, and a thread that stops between claim and commit stops the consumer.
//! What is left is the least that a shared claim without a lock can cost.

use std::sync::atomic::{AtomicU64, Ordering};

use ironhoard::layout::HEADER_BYTES;
use ironhoard::ring::{MemoryPosition, MemoryWords, PositionWord, Words};

/// Words of a line.
const LINE_WORDS: usize = 8;

/// The end, alone in its line: every producer changes it.
#[repr(align(64))]
struct End(AtomicU64);

/// The shared end of a rival ring.
pub struct CasProducer {
    words: MemoryWords,
    consumer_position: MemoryPosition,
    lines: u32,
    end: End,
}

/// One thread's use of it, with its own copy of the consumer's position.
pub struct CasHandle<'r> {
    ring: &'r CasProducer,
    /// First line that may not be written yet, as far as is known.
    limit: u32,
}

impl CasProducer {
    /// A producer of a ring in `words`, which are all zero.
    pub fn new(words: MemoryWords, consumer_position: MemoryPosition) -> CasProducer {
        CasProducer {
            lines: (words.count() / LINE_WORDS) as u32,
            words,
            consumer_position,
            end: End(AtomicU64::new(1)), // line 0, number 1
        }
    }

    /// A handle for one thread.
    pub fn handle(&self) -> CasHandle<'_> {
        let mut handle = CasHandle {
            ring: self,
            limit: 0,
        };
        handle.look_at_consumer();
        handle
    }
}

impl CasHandle<'_> {
    /// Commits a record of whole payload words, at most six; `false` where the ring is full.
    #[inline(always)]
    pub fn send<const WORDS: usize>(&mut self, kind: u16, payload: [u64; WORDS]) -> bool {
        const { assert!(WORDS <= LINE_WORDS - 2, "one line") };
        let Some((line, number)) = self.claim() else {
            return false;
        };
        let start = line as usize * LINE_WORDS;
        for (index, word) in payload.into_iter().enumerate() {
            self.ring.words.store(start + 2 + index, word);
        }
        self.ring.words.store(start + 1, u64::from(kind));
        let length = (HEADER_BYTES + 8 * WORDS) as u64;
        let header = u64::from(number) << 32 | length;
        self.ring.words.publish(start, header); // `commit`, with the consumer's observe
        true
    }

    #[inline(always)]
    fn claim(&mut self) -> Option<(u32, u32)> {
        // Relaxed: the compare-exchange below is what counts.
        let mut seen = self.ring.end.0.load(Ordering::Relaxed);
        loop {
            let (line, number) = ((seen >> 32) as u32, seen as u32);
            if self.limit.wrapping_sub(line) as i32 <= 0 {
                self.look_at_consumer();
                if self.limit.wrapping_sub(line) as i32 <= 0 {
                    return None;
                }
            }
            let next = u64::from(line.wrapping_add(1)) << 32 | u64::from(number.wrapping_add(1));
            // Relaxed: the claim publishes nothing; the header does.
            match self.ring.end.0.compare_exchange_weak(
                seen,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some((line % self.ring.lines, number)),
                Err(now) => seen = now,
            }
        }
    }

    fn look_at_consumer(&mut self) {
        // `release`, with the consumer's publish
        let position = self.ring.consumer_position.observe();
        self.limit = ((position / 64) as u32).wrapping_add(self.ring.lines);
    }
}
