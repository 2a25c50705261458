//! Handles: what C holds. Each begins its life with a mark, and keeps readable memory after its end.
//!
//! ```text
//!   put ──▶ live (mark: its kind) ──end──▶ ended (mark: 0), on the shelf ──64 ends later──▶ put …
//! ```
//!
//! Who uses a handle after its end, ends it twice, or passes one of another kind finds a wrong mark and
//! is refused, instead of reading freed memory. That holds until the memory becomes a handle of
//! the same kind again, for which it waits behind at least 64 others. So a process keeps as many shells
//! of a kind as it ever had at once, and 64.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::border::{Answer, Outcome};
use super::status::ih_status::*;

/// Shells that wait before one is used again.
const WAITING: usize = 64;

/// What a live handle begins with.
pub(super) struct Mark(AtomicU32);

impl Mark {
    /// The mark of a live handle.
    pub(super) const fn live<H: Handle>() -> Self {
        Mark(AtomicU32::new(H::KIND))
    }

    /// The mark of a handle that is not live yet.
    pub(super) const fn ended() -> Self {
        Mark(AtomicU32::new(0))
    }

    /// From now on it is live.
    pub(super) fn begin<H: Handle>(&self) {
        self.0.store(H::KIND, Ordering::Relaxed); // no partner: handing it over is the caller's affair
    }

    /// From now on it is not; says whether it was.
    pub(super) fn end<H: Handle>(&self) -> bool {
        let ended = self
            .0
            .compare_exchange(H::KIND, 0, Ordering::Relaxed, Ordering::Relaxed); // no partner: as above
        ended.is_ok()
    }

    #[inline(always)]
    pub(super) fn is_live<H: Handle>(&self) -> bool {
        self.0.load(Ordering::Relaxed) == H::KIND // no partner: as above
    }
}

/// Something that C holds a pointer to.
pub(super) trait Handle: Sized {
    /// A number that no other kind has: four letters, which an instruction can carry.
    const KIND: u32;
    /// Where the mark lies: at the beginning, so that it is found in a handle of another kind too.
    const MARK_AT: usize;

    fn mark(&self) -> &Mark;
}

/// A handle that any thread may use.
///
/// # Safety
/// `handle` is NULL or points to memory that is or was a handle of this library.
#[inline(always)]
pub(super) unsafe fn shared<'a, H: Handle>(handle: *const H) -> Outcome<&'a H> {
    // SAFETY: by this function's contract.
    unsafe { check(handle)? };
    // SAFETY: it is a live handle of this kind.
    Ok(unsafe { &*handle })
}

/// Is it a live handle of its kind?
///
/// # Safety
/// As [`shared`].
#[inline(always)]
unsafe fn check<H: Handle>(handle: *const H) -> Outcome {
    const { assert!(H::MARK_AT == 0) };
    // SAFETY: by the contract the memory of an ended handle is still there; every kind of handle begins
    // with its mark, and nothing else is looked at before that was found to be right.
    match unsafe { handle.cast::<Mark>().as_ref() } {
        None => Err(Answer::Bare(IH_ERROR_NULL)),
        Some(mark) if mark.is_live::<H>() => Ok(()),
        Some(_) => Err(Answer::Bare(IH_ERROR_HANDLE)),
    }
}

/// A handle that one thread at a time may use.
///
/// # Safety
/// As [`shared`], and nobody else uses it meanwhile.
#[inline(always)]
pub(super) unsafe fn exclusive<'a, H: Handle>(handle: *mut H) -> Outcome<&'a mut H> {
    // SAFETY: by this function's contract.
    unsafe { check(handle.cast_const())? };
    // SAFETY: it is a live handle of this kind; that nobody else uses it is the header's rule on threads.
    Ok(unsafe { &mut *handle })
}

/// The memory of handles of one kind.
pub(super) struct Shelf<H> {
    ended: Mutex<VecDeque<Shell<H>>>,
}

/// Memory of an ended handle.
struct Shell<H>(Box<MaybeUninit<H>>);

// SAFETY: memory without a value; only the mark in it may still be read, which is atomic.
unsafe impl<H> Send for Shell<H> {}

impl<H: Handle> Shelf<H> {
    pub(super) const fn new() -> Self {
        Shelf {
            ended: Mutex::new(VecDeque::new()),
        }
    }

    /// Gives `handle` a place that C can point to.
    pub(super) fn put(&self, handle: H) -> *mut H {
        let shell = self.lock().and_then(|mut ended| {
            let enough = ended.len() > WAITING;
            enough.then(|| ended.pop_front()).flatten()
        });
        let mut shell = shell.map_or_else(|| Box::new(MaybeUninit::uninit()), |shell| shell.0);
        shell.write(handle);
        Box::into_raw(shell).cast()
    }

    /// Ends `*handle`, if `may` allows it, and sets it to NULL. A NULL there is done already.
    ///
    /// # Safety
    /// `handle` is NULL or points to NULL or to what [`shared`] accepts, and nobody else uses that.
    pub(super) unsafe fn end(
        &self,
        handle: *mut *mut H,
        may: impl FnOnce(&H) -> Outcome,
    ) -> Outcome {
        if handle.is_null() {
            return Err(Answer::Bare(IH_ERROR_NULL));
        }
        // SAFETY: not null, and a pointer by the contract.
        let place = unsafe { *handle };
        if place.is_null() {
            return Ok(());
        }
        // SAFETY: by the contract.
        let live = unsafe { shared(place)? };
        may(live)?;
        if !live.mark().end::<H>() {
            return Err(Answer::Bare(IH_ERROR_HANDLE)); // another thread was first
        }
        // SAFETY: the mark was live and is not any more, so this thread alone drops the value; its
        // memory came from `put`.
        let shell = unsafe {
            place.drop_in_place();
            Box::from_raw(place.cast::<MaybeUninit<H>>())
        };
        match self.lock() {
            Some(mut ended) => ended.push_back(Shell(shell)),
            None => std::mem::forget(shell),
        }
        // SAFETY: as above.
        unsafe { *handle = std::ptr::null_mut() };
        Ok(())
    }

    /// The lock, which is held for moments only. Not at all where a fork has copied it locked.
    fn lock(&self) -> Option<MutexGuard<'_, VecDeque<Shell<H>>>> {
        const TRIES: u32 = 10_000;
        for _ in 0..TRIES {
            match self.ended.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[repr(C)]
    struct Thing {
        mark: Mark,
        held: Arc<()>,
    }

    impl Handle for Thing {
        const KIND: u32 = u32::from_le_bytes(*b"thng");
        const MARK_AT: usize = std::mem::offset_of!(Self, mark);
        fn mark(&self) -> &Mark {
            &self.mark
        }
    }

    #[repr(C)]
    struct Other(Mark);

    impl Handle for Other {
        const KIND: u32 = u32::from_le_bytes(*b"othr");
        const MARK_AT: usize = std::mem::offset_of!(Self, 0);
        fn mark(&self) -> &Mark {
            &self.0
        }
    }

    fn is_live(thing: *const Thing) -> bool {
        // SAFETY: `thing` is or was a handle.
        unsafe { shared(thing) }.is_ok()
    }

    #[test]
    fn an_ended_handle_is_refused_until_its_memory_is_needed() {
        let shelf = Shelf::new();
        let held = Arc::new(());
        let make = || {
            shelf.put(Thing {
                mark: Mark::live::<Thing>(),
                held: held.clone(),
            })
        };
        let mut thing = make();
        let stale = thing;
        assert!(is_live(stale));
        for round in 0..=WAITING {
            // SAFETY: live, or ended and refused.
            let end = unsafe { shelf.end(&mut thing, |_| Ok(())) };
            assert!(end.is_ok() && thing.is_null());
            assert_eq!(Arc::strong_count(&held), 1, "dropped once");
            assert!(!is_live(stale), "after {round} others");
            let mut again = stale;
            // SAFETY: as above.
            assert!(unsafe { shelf.end(&mut again, |_| Ok(())) }.is_err());
            thing = make();
            assert_eq!(Arc::strong_count(&thing_of(thing).held), 2);
        }
        assert_eq!(thing, stale, "the first shell is used again in the end");
    }

    fn thing_of<'a>(thing: *const Thing) -> &'a Thing {
        // SAFETY: a live handle.
        match unsafe { shared(thing) } {
            Ok(thing) => thing,
            Err(_) => panic!("live"),
        }
    }

    #[test]
    fn another_kind_and_null_are_refused() {
        let other = Other(Mark::live::<Other>());
        // SAFETY: memory that is a handle of another kind, and NULL.
        unsafe {
            assert!(shared(std::ptr::from_ref(&other)).is_ok());
            assert!(shared(std::ptr::from_ref(&other).cast::<Shrunk>()).is_err());
            assert!(shared(std::ptr::null::<Other>()).is_err());
        }
    }

    /// As small as `Other`, so that reading it as one is in bounds.
    #[repr(C)]
    struct Shrunk(Mark);

    impl Handle for Shrunk {
        const KIND: u32 = u32::from_le_bytes(*b"shrk");
        const MARK_AT: usize = std::mem::offset_of!(Self, 0);
        fn mark(&self) -> &Mark {
            &self.0
        }
    }
}
