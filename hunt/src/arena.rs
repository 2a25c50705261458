//! Arenas: all memory of a kind, mapped at start, on the largest pages that the kernel gives.
//!
//! ```text
//!   new(n) ── map ── advise 2 MiB ──▶ [T; n], all zero; never grows, never moves
//!                         └─▶ populated, 2 MiB at a time, when the engine has booted
//! ```
//!
//! The state of millions of players is read at random: on 4 KiB pages most reads miss the TLB as well
//! as the cache. So arenas are anonymous memory for which 2 MiB pages were asked; where the kernel has
//! none they are small pages, and all is as before but slower.
//!
//! Pages come when they are touched. Zeroing half a gigabyte takes longer than starting everything else, so
//! a new arena touches none, and large ones are [populated](crate::settling) later, beside the engine.

#![allow(unsafe_code)]

use std::io::Error;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};

use bytemuck::Zeroable;
use memmap2::{Advice, MmapMut, MmapRaw};

use crate::huge_page::{one_by_one, HUGE_PAGE};

const SMALL_PAGE: usize = 4 << 10;

/// A fixed number of `T`s, zero at first.
pub(crate) struct Arena<T> {
    map: Arc<MmapRaw>,
    len: usize,
    what: PhantomData<T>,
}

impl<T: Zeroable + Copy> Arena<T> {
    /// Memory for `len` of them, all zero.
    pub fn new(len: usize) -> Result<Arena<T>, Error> {
        const { assert!(align_of::<T>() <= SMALL_PAGE) };
        let too_large = || Error::from(std::io::ErrorKind::OutOfMemory);
        let bytes = len
            .checked_mul(size_of::<T>())
            .ok_or_else(too_large)?
            .max(1);
        let page = if bytes < HUGE_PAGE {
            SMALL_PAGE
        } else {
            HUGE_PAGE
        };
        let whole = bytes.checked_next_multiple_of(page).ok_or_else(too_large)?;
        let map = Arc::new(MmapRaw::from(MmapMut::map_anon(whole)?));
        if page == HUGE_PAGE {
            // Refused where the kernel was built without such pages; then small ones must do.
            let _ = map.advise(Advice::HugePage);
        }
        Ok(Arena {
            map,
            len,
            what: PhantomData,
        })
    }
}

impl<T> Arena<T> {
    /// What can be populated of it: nothing of a small one.
    pub fn unpopulated(&self) -> Option<Unpopulated> {
        (self.map.len() >= HUGE_PAGE).then(|| Unpopulated(Arc::downgrade(&self.map)))
    }
}

/// An arena whose pages are still to come. It does not keep the arena.
pub(crate) struct Unpopulated(Weak<MmapRaw>);

impl Unpopulated {
    /// Bytes of its pages; 0 when the arena is gone.
    pub fn bytes(&self) -> usize {
        self.0.upgrade().map_or(0, |map| map.len())
    }

    /// Makes the kernel give all pages, as long as the arena lives.
    pub fn populate(&self) {
        // It ends early before Linux 5.14, and out of memory: then pages come when they are touched.
        let _ = one_by_one(self.bytes(), |page| {
            let map = self.0.upgrade().ok_or(std::io::ErrorKind::NotFound)?;
            map.advise_range(Advice::PopulateWrite, page.start, page.len())
        });
    }
}

/// Asks the cache for an element that will be read soon; nothing where there is none. What is read
/// meanwhile (a tag takes longer than a cache miss) hides the wait.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = slice.get(index) {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        // SAFETY: a prefetch is a hint: it reads nothing that a program could see and cannot fault; the
        // address is that of a live element besides. SSE, which it belongs to, is on every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast()) };
    }
}

impl<T> Deref for Arena<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds at least `len` Ts from its start, which is aligned to a page; `T` is
        // `Zeroable`, so the zeros that it began with are Ts, and it was written only as Ts since. It
        // lives as long as `self`, which the slice borrows. The thread that populates it reads and
        // writes no byte: it asks the kernel for pages, which changes no content.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Arena<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; and `self` is borrowed exclusively for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_is_zero_and_keeps_what_is_written() {
        for len in [0, 1, 1_000, 700_000] {
            let mut arena: Arena<u32> = Arena::new(len).unwrap();
            assert_eq!(arena.len(), len);
            assert!(arena.iter().all(|&word| word == 0));
            for (at, word) in arena.iter_mut().enumerate() {
                *word = at as u32;
            }
            assert!(arena
                .iter()
                .enumerate()
                .all(|(at, &word)| word == at as u32));
        }
        assert!(Arena::<u64>::new(usize::MAX).is_err());
        assert!(Arena::<u64>::new(usize::MAX / 8).is_err());
    }

    /// Bytes of the arena's pages that are present, by the kernel's list of a word for each small page.
    fn present<T>(arena: &Arena<T>) -> usize {
        use std::os::unix::fs::FileExt;
        let first = arena.map.as_ptr() as usize / SMALL_PAGE;
        let mut words = vec![0; arena.map.len() / SMALL_PAGE * 8];
        let list = std::fs::File::open("/proc/self/pagemap").unwrap();
        list.read_exact_at(&mut words, first as u64 * 8).unwrap();
        let is_present = |word: &&[u8]| word[7] & 0x80 != 0;
        words.chunks(8).filter(is_present).count() * SMALL_PAGE
    }

    #[test]
    fn pages_come_when_they_are_touched_or_populated_and_keep_their_content() {
        let mut arena: Arena<u64> = Arena::new(4 * HUGE_PAGE / 8).unwrap();
        let unpopulated = arena.unpopulated().unwrap();
        assert_eq!((present(&arena), unpopulated.bytes()), (0, 4 * HUGE_PAGE));
        arena[HUGE_PAGE / 8] = 7;
        assert!((SMALL_PAGE..=HUGE_PAGE).contains(&present(&arena)));
        unpopulated.populate();
        assert_eq!(present(&arena), 4 * HUGE_PAGE);
        assert_eq!(arena.iter().sum::<u64>(), 7);
        drop(arena);
        assert_eq!(unpopulated.bytes(), 0);
        unpopulated.populate();
        assert!(Arena::<u64>::new(1_000).unwrap().unpopulated().is_none());
    }
}
