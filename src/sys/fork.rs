//! Am I the process that attached, or a forked child of it?
//!
//! Regions are not inherited across a fork: a child that touched one would be killed. Asking for the
//! process id is a system call; instead one word in a page that the kernel wipes in children says it
//! for the price of a load.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{madvise, mmap_anonymous, munmap, Advice, MapFlags, ProtFlags};

const PAGE: usize = 4096;

/// A word that is 1 here and 0 in every forked child.
pub(crate) struct ForkMark {
    word: NonNull<AtomicU64>,
}

// SAFETY: one atomic word in memory this value owns until it is dropped.
unsafe impl Send for ForkMark {}
// SAFETY: as above; it is only read after `new`.
unsafe impl Sync for ForkMark {}

impl ForkMark {
    /// A mark for this process.
    pub(crate) fn new() -> std::io::Result<Self> {
        // SAFETY: a fresh private mapping at an address of the kernel's choice.
        let page = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                PAGE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        // SAFETY: the page is ours; the advice only concerns children.
        unsafe { madvise(page, PAGE, Advice::LinuxWipeOnFork)? };
        let word = NonNull::new(page.cast::<AtomicU64>()).expect("mmap never returns null");
        // SAFETY: mapped, aligned to a page, writable.
        unsafe { word.as_ref() }.store(1, Ordering::Relaxed); // no partner: same process
        Ok(Self { word })
    }

    /// Is this a forked child?
    #[inline(always)]
    pub(crate) fn is_child(&self) -> bool {
        // SAFETY: mapped until drop, here and (wiped) in children.
        unsafe { self.word.as_ref() }.load(Ordering::Relaxed) == 0 // no partner: same process
    }
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, used by nobody else. A child inherits its own copy of the page.
        let _ = unsafe { munmap(self.word.as_ptr().cast(), PAGE) };
    }
}
