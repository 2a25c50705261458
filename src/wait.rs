//! Waiting without losing a wake-up.
//!
//! A side that finds nothing to do spins for a while and then sleeps. The other side must learn that
//! it sleeps, without paying for it while nobody does.
//!
//! ```text
//!   sleeper                               waker
//!   need_wakeup ← odd    (raise)          commit a record, or publish a position
//!   barrier              `doze`           barrier
//!   look at the rings again               look at need_wakeup
//!   sleep on the doorbell                 odd and not yet rung for: one byte on the doorbell
//!   need_wakeup ← even   (lower)
//! ```
//!
//! Without the barriers both could look before either's store is visible: the waker sees an even
//! word, the sleeper an empty ring, and the sleeper sleeps on a ring with a record in it. With them at
//! least one of the two sees the other. `need_wakeup` is a counter, so that the waker rings once for
//! each nap and not once for each record.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ring::Owner;

/// For how long a shard looks after the last request before it sleeps.
const USUAL_MICROS: u64 = 200;

/// How a shard spends the time in which no lane has a request.
///
/// ```
/// use ironhoard::wait::WaitStrategy;
/// assert_eq!("park".parse(), Ok(WaitStrategy::Park));
/// assert_eq!("spin".parse(), Ok(WaitStrategy::default()));
/// let patient = WaitStrategy::Spin(std::time::Duration::from_micros(600));
/// assert_eq!("spin:600".parse(), Ok(patient));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStrategy {
    /// Spin for ever, with the processor's pause. Never parks; takes a whole core.
    Busy,
    /// Spin for the duration, then park on the doorbells.
    Spin(Duration),
    /// Spin for a moment, yield the core until the duration is over, then park.
    Yield(Duration),
    /// Park after a moment: the cheapest while idle, the slowest to answer.
    Park,
}

impl Default for WaitStrategy {
    /// Spin for 200 µs, then park.
    fn default() -> Self {
        WaitStrategy::Spin(Duration::from_micros(USUAL_MICROS))
    }
}

impl std::str::FromStr for WaitStrategy {
    type Err = String;

    /// `busy`, `spin`, `yield` or `park`; the middle two for 200 µs, or for those behind a colon: `spin:600`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, micros) = match text.split_once(':') {
            Some((name @ ("spin" | "yield"), micros)) => (name, micros.parse()),
            Some(_) => ("", Ok(0)),
            None => (text, Ok(USUAL_MICROS)),
        };
        match (name, micros.map(Duration::from_micros)) {
            ("busy", _) => Ok(WaitStrategy::Busy),
            ("spin", Ok(patience)) => Ok(WaitStrategy::Spin(patience)),
            ("yield", Ok(patience)) => Ok(WaitStrategy::Yield(patience)),
            ("park", _) => Ok(WaitStrategy::Park),
            _ => Err(format!(
                "there is no wait strategy {text:?}: choose busy, spin, yield or park; spin and yield \
                 may say for how many microseconds (spin:600)"
            )),
        }
    }
}

/// A `need_wakeup` word. The sleeper stores, the waker loads.
pub trait FlagWord {
    /// Waker's look. Ordered by the barrier before it.
    fn load(&self) -> u64;
    /// Sleeper's raise or lower. Ordered by the barrier behind it.
    fn store(&self, value: u64);
}

/// The barriers of the protocol, one for each side (label `doze`). Either side stores one word and
/// then loads the other's; the two barriers make sure that one of them sees the other's store.
pub trait Doze {
    /// Between the waker's publish and its look at `need_wakeup`.
    fn waker(self);
    /// Between the sleeper's raise of `need_wakeup` and its last look at the ring.
    fn sleeper(self);
}

/// A `need_wakeup` word in a region.
#[derive(Clone)]
pub(crate) struct MemoryFlag {
    word: NonNull<AtomicU64>,
    _owner: Owner,
}

// SAFETY: every access is atomic, and the owner keeps the word mapped.
unsafe impl Send for MemoryFlag {}
// SAFETY: as above.
unsafe impl Sync for MemoryFlag {}

impl MemoryFlag {
    /// The flag at `word`.
    ///
    /// # Safety
    /// `word` is a multiple of 8 and points to 8 bytes that stay mapped while `owner` lives,
    /// writable where [`FlagWord::store`] is called.
    pub(crate) unsafe fn new(word: *mut u8, owner: Owner) -> Self {
        Self {
            word: NonNull::new(word.cast()).expect("a mapping does not start at null"),
            _owner: owner,
        }
    }
}

impl FlagWord for MemoryFlag {
    #[inline(always)]
    fn load(&self) -> u64 {
        // SAFETY: mapped and aligned by `new`'s contract.
        unsafe { self.word.as_ref() }.load(Ordering::Relaxed) // ordered by `doze`
    }

    #[inline(always)]
    fn store(&self, value: u64) {
        // SAFETY: as above, and writable.
        unsafe { self.word.as_ref() }.store(value, Ordering::Relaxed) // ordered by `doze`
    }
}

/// The side that may sleep: owns one `need_wakeup` word.
///
/// ```
/// use ironhoard::sys::barrier::Barrier;
/// use ironhoard::wait::{Doze, FlagWord, Sleeper, Waker};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// struct Flag<'a>(&'a AtomicU64);
/// impl FlagWord for Flag<'_> {
///     fn load(&self) -> u64 {
///         self.0.load(Ordering::Relaxed)
///     }
///     fn store(&self, value: u64) {
///         self.0.store(value, Ordering::Relaxed)
///     }
/// }
///
/// let word = AtomicU64::new(0);
/// let mut sleeper = Sleeper::new(Flag(&word));
/// let mut waker = Waker::new(Flag(&word));
/// sleeper.raise();
/// Barrier::Fence.sleeper(); // then look once more, then sleep
/// assert!(waker.must_ring(Barrier::Fence)); // after a publish: once
/// assert!(!waker.must_ring(Barrier::Fence)); // … for each nap
/// sleeper.lower();
/// ```
pub struct Sleeper<F> {
    flag: F,
    value: u64,
}

impl<F: FlagWord> Sleeper<F> {
    /// A sleeper that is awake. Continues from what the word holds, which is the sleeper's own.
    pub fn new(flag: F) -> Self {
        let value = flag.load().next_multiple_of(2);
        flag.store(value);
        Self { flag, value }
    }

    /// Says that this side is about to sleep. The caller then runs the barrier, looks at its rings
    /// once more, and sleeps only if they are empty still.
    pub fn raise(&mut self) {
        self.value = self.value.wrapping_add(1) | 1;
        self.flag.store(self.value);
    }

    /// Says that this side is awake.
    pub fn lower(&mut self) {
        self.value = self.value.wrapping_add(1) & !1;
        self.flag.store(self.value);
    }
}

/// The side that rings: looks at the other's `need_wakeup` word.
pub struct Waker<F> {
    flag: F,
    rung: u64,
}

impl<F: FlagWord> Waker<F> {
    /// A waker that has rung for nothing yet.
    pub fn new(flag: F) -> Self {
        Self { flag, rung: 0 }
    }

    /// After a publish: does the other side sleep? Only then can there be a reason to ring, which
    /// [`Waker::must_ring`] knows.
    #[inline(always)]
    pub(crate) fn sleeps(&self, barrier: impl Doze) -> bool {
        barrier.waker();
        self.flag.load() & 1 != 0
    }

    /// After a publish: must the doorbell be rung? Once for each value of the counter.
    #[inline(always)]
    pub fn must_ring(&mut self, barrier: impl Doze) -> bool {
        barrier.waker();
        let value = self.flag.load();
        if value & 1 == 0 || value == self.rung {
            return false;
        }
        self.rung = value;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::barrier::Barrier;
    use std::cell::Cell;
    use std::rc::Rc;

    impl FlagWord for Rc<Cell<u64>> {
        fn load(&self) -> u64 {
            self.get()
        }
        fn store(&self, value: u64) {
            self.set(value)
        }
    }

    #[test]
    fn the_doorbell_rings_once_for_each_nap() {
        let word = Rc::new(Cell::new(0));
        let mut sleeper = Sleeper::new(word.clone());
        let mut waker = Waker::new(word);
        assert!(!waker.must_ring(Barrier::Fence));
        for _ in 0..3 {
            sleeper.raise();
            assert!(waker.sleeps(Barrier::Fence));
            assert!(waker.must_ring(Barrier::Fence));
            assert!(!waker.must_ring(Barrier::Fence));
            assert!(waker.sleeps(Barrier::Fence), "rung, and not yet awake");
            sleeper.lower();
            assert!(!waker.sleeps(Barrier::Fence));
            assert!(!waker.must_ring(Barrier::Fence));
        }
    }

    #[test]
    fn a_sleeper_that_died_asleep_leaves_a_word_its_successor_can_use() {
        let word = Rc::new(Cell::new(7));
        let mut sleeper = Sleeper::new(word.clone());
        assert_eq!(word.get(), 8);
        sleeper.raise();
        assert_eq!(word.get(), 9);
    }

    #[test]
    fn strategies_have_names() {
        assert_eq!("busy".parse(), Ok(WaitStrategy::Busy));
        assert!("sleepy".parse::<WaitStrategy>().is_err());
    }

    #[test]
    fn a_strategy_may_say_for_how_long() {
        let micros = Duration::from_micros;
        for (text, right) in [
            ("busy", WaitStrategy::Busy),
            ("spin", WaitStrategy::Spin(micros(200))),
            ("spin:0", WaitStrategy::Spin(micros(0))),
            ("yield:1500", WaitStrategy::Yield(micros(1500))),
            ("park", WaitStrategy::Park),
        ] {
            assert_eq!(text.parse(), Ok(right), "{text}");
        }
        for text in [
            "", "spin:", "spin:-1", "spin:1ms", "park:5", "busy:1", ":5", "spin:1:2",
        ] {
            assert!(
                text.parse::<WaitStrategy>()
                    .unwrap_err()
                    .contains("spin:600"),
                "{text}"
            );
        }
    }
}
