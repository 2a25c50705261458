//! Address space of a map's own: reserved at a multiple of 2 MiB, then filled with what the map is to lie in.
//!
//! ```text
//!   reserve ─▶ [ nothing, untouchable ] ─┬─ file ───────▶ [ the file's pages, read-only │ rest ]
//!                                        └─ anonymous ──▶ [ zeros on 2 MiB pages ] ─ filled ─▶ read-only
//! ```
//!
//! Both kinds begin at a multiple of 2 MiB and are as long, so that the pages of one can take the place of
//! the other's whole, without being split. Maps of less than a page take small pages, anywhere.
//!
//! Nobody but this file asks the kernel for a map's memory.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io::Error;
use std::ptr;

use rustix::mm::{
    madvise, mmap, mmap_anonymous, mprotect, mremap_fixed, msync, munmap, Advice, MapFlags,
    MprotectFlags, MremapFlags, MsyncFlags, ProtFlags,
};

use crate::huge_page::HUGE_PAGE;

const SMALL_PAGE: usize = 4 << 10;

/// `bytes` bytes of address space from `start`, ours until this drops.
#[derive(Debug)]
pub(super) struct Span {
    start: *mut c_void,
    bytes: usize,
}

// SAFETY: a span is the right to a range of addresses, which is the same in every thread.
unsafe impl Send for Span {}
// SAFETY: through `&Span` bytes are read only, except by `replace`, whose caller answers for the readers.
unsafe impl Sync for Span {}

impl Span {
    /// Room for `length` bytes, at least one, that may not be touched yet.
    fn reserve(length: usize) -> Result<Span, Error> {
        let page = if length < HUGE_PAGE {
            SMALL_PAGE
        } else {
            HUGE_PAGE
        };
        let bytes = length.next_multiple_of(page);
        let wide = bytes + (page - SMALL_PAGE);
        // SAFETY: new addresses, wherever the kernel has some free: nobody else's are touched.
        let got = unsafe {
            mmap_anonymous(ptr::null_mut(), wide, ProtFlags::empty(), MapFlags::PRIVATE)
        }?;
        let before = (got as usize).next_multiple_of(page) - got as usize;
        let start = got.wrapping_byte_add(before);
        for (start, bytes) in [
            (got, before),
            (start.wrapping_byte_add(bytes), wide - before - bytes),
        ] {
            if bytes > 0 {
                // SAFETY: the range was just reserved, lies outside of what is kept, and nobody was shown
                // it. Where this fails it stays reserved, which harms nobody.
                let _ = unsafe { munmap(start, bytes) };
            }
        }
        Ok(Span { start, bytes })
    }

    /// Memory on 2 MiB pages where the kernel has them, with `length` bytes by `fill`, then read-only.
    pub fn filled<E: From<Error>>(
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Span, E> {
        let span = Span::reserve(length)?;
        let writable = MprotectFlags::READ | MprotectFlags::WRITE;
        span.protect(writable)?;
        // SAFETY: the range is ours, and the advice changes no content. It is refused where the kernel was
        // built without such pages; then small ones must do.
        let _ = unsafe { madvise(span.start, span.bytes, Advice::LinuxHugepage) };
        // SAFETY: the first `length` bytes of the range are readable and writable now, zeros, and nobody
        // else was shown them; `span` lives longer than the slice.
        fill(unsafe { std::slice::from_raw_parts_mut(span.start.cast(), length) })?;
        span.protect(MprotectFlags::READ)?;
        Ok(span)
    }

    fn protect(&self, flags: MprotectFlags) -> Result<(), Error> {
        // SAFETY: the range is ours, and no slice of it is there while `filled` calls this.
        Ok(unsafe { mprotect(self.start, self.bytes, flags) }?)
    }

    /// The first `length` bytes of the file, read-only. The file must have them.
    pub fn of_file(file: &File, length: usize) -> Result<Span, Error> {
        let span = Span::reserve(length)?;
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        // SAFETY: what is replaced is our own reservation, which nobody was shown.
        unsafe { mmap(span.start, length, ProtFlags::READ, flags, file, 0) }?;
        Ok(span)
    }

    /// Where it begins.
    pub fn start(&self) -> *const u8 {
        self.start.cast()
    }

    /// How long it is: `length` rounded up to whole pages.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Puts this span's pages where `place` is, whose own go; one step for whoever reads there: before it
    /// the old bytes, afterwards these. Where it fails, the old ones stay.
    ///
    /// # Safety
    /// Both are of the same length, and these bytes may be read wherever the old ones are.
    pub unsafe fn replace(self, place: &Span) -> Result<(), Error> {
        let bytes = place.bytes;
        // SAFETY: the range that goes is ours. That of `place` stays mapped for its readers: the kernel
        // unmaps and moves under one hold of the address space's write lock (mremap(2), MREMAP_FIXED:
        // what is there is unmapped; it is `mremap_to` in the kernel's mm/mremap.c). A thread that reads
        // there meanwhile either still has the old translation or faults; a fault needs that lock or the
        // one of the new range, which is held as long, so it waits and reads from the moved page. Nothing
        // is written, and what readers may find there the caller has promised.
        let moved = unsafe {
            mremap_fixed(
                self.start,
                self.bytes,
                bytes,
                MremapFlags::MAYMOVE,
                place.start,
            )
        };
        match moved {
            Ok(_) => {
                std::mem::forget(self); // its addresses are nobody's now
                Ok(())
            }
            Err(errno) => {
                if !place.is_mapped() {
                    // The old pages are gone and the new ones did not come: the kernel had no room for a
                    // few hundred bytes in between. Who reads there, or maps there, must not go on.
                    std::process::abort();
                }
                Err(errno.into())
            }
        }
    }

    fn is_mapped(&self) -> bool {
        // SAFETY: this asks the kernel to look the range up, and changes nothing: no page of it is dirty.
        unsafe { msync(self.start, self.bytes, MsyncFlags::ASYNC) }.is_ok()
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and every slice of it has borrowed `self` or answers for itself. A
        // failure would leave it mapped, which harms nobody.
        let _ = unsafe { munmap(self.start, self.bytes) };
    }
}
