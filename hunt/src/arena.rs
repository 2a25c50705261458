//! Arenas: all memory of a kind, mapped at start, on the largest pages that the kernel gives.
//!
//! ```text
//!   new(n) ── map ── advise 2 MiB ──▶ [T; n], all zero; never grows, never moves
//!                         └─▶ a thread of its own populates it, 2 MiB at a time, and ends
//! ```
//!
//! The state of millions of players is read at random: on 4 KiB pages most reads miss the TLB as well
//! as the cache. So arenas are anonymous memory for which 2 MiB pages were asked; where the kernel has
//! none they are small pages, and all is as before but slower.
//!
//! Zeroing half a gigabyte takes longer than starting everything else, so large arenas are populated
//! beside the engine. Until that is done (a second, say), a request may be the first to touch a page,
//! and waits for it. A limit on memory that is too small shows in that time.

#![allow(unsafe_code)]

use std::io::Error;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use bytemuck::Zeroable;
use memmap2::{Advice, MmapMut, MmapRaw};

const SMALL_PAGE: usize = 4 << 10;
const HUGE_PAGE: usize = 2 << 20;

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
            let kept = map.clone();
            // Without a thread, pages come when they are touched.
            let _ = std::thread::Builder::new()
                .name("populate".to_owned())
                .spawn(move || populate(&kept));
        }
        Ok(Arena {
            map,
            len,
            what: PhantomData,
        })
    }
}

/// Makes the kernel give all pages. One arena at a time: two would only be in each other's way.
fn populate(map: &MmapRaw) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    for start in (0..map.len()).step_by(HUGE_PAGE) {
        if map
            .advise_range(Advice::PopulateWrite, start, HUGE_PAGE)
            .is_err()
        {
            return; // before Linux 5.14, or out of memory: pages come when they are touched
        }
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
}
