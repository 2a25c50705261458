//! Am I the process that attached, or a forked child of it?
//!
//! Regions are not inherited across a fork: a child that touched one would be killed. Asking for the
//! process id is a system call; instead one word in a page that the kernel wipes in children says it
//! for the price of a load.

use std::ptr::NonNull;
use std::sync::Arc;

use rustix::mm::{madvise, mmap_anonymous, munmap, Advice, MapFlags, ProtFlags};

const PAGE: usize = 4096;

/// A word that is 1 here and 0 in every forked child. Clones look at the same word, each without a way
/// round by whoever made it.
#[derive(Clone)]
pub(crate) struct ForkMark {
    word: NonNull<u64>,
    _page: Arc<Page>,
}

// SAFETY: one word in a page that this value keeps mapped, and that nobody writes after `new`.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

/// The page that the word lies in.
struct Page(NonNull<u64>);

// SAFETY: an address that only `drop` uses, once.
unsafe impl Send for Page {}
// SAFETY: as above; nothing is reached through a shared reference.
unsafe impl Sync for Page {}

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
        let word = NonNull::new(page.cast::<u64>()).expect("mmap never returns null");
        // SAFETY: mapped, aligned to a page, writable.
        unsafe { word.write(1) };
        let _page = Arc::new(Page(word));
        Ok(Self { word, _page })
    }

    /// Is this a forked child?
    #[inline(always)]
    pub(crate) fn is_child(&self) -> bool {
        // SAFETY: mapped while `_page` lives, here and (wiped) in children. Nobody writes it after `new`: a
        // child's copy is wiped before the child runs. So an atomic load is not needed, which the compiler
        // would not compare in place.
        unsafe { self.word.read() == 0 }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; the last mark that looked at it is gone. A child inherits its own copy
        // of the page.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), PAGE) };
    }
}
