//! A region in this process's address space: placed, kept from children, present, verified.
//!
//! ```text
//!  reserve bytes + 2 MiB  ─▶  first multiple of 2 MiB in it  ─▶  give back  ─▶  map exactly there
//!      somewhere                     address                                  (or fail, and again)
//! ```
//!
//! Without an address that is a multiple of 2 MiB the kernel can neither collapse memory nor map a
//! collapsed page with one entry. `MAP_FIXED_NOREPLACE` makes the last step safe: somebody else's thread
//! may take the address in between, and then we lose a try and it loses nothing. Our own threads queue
//! up, because the kernel offers all of them the same address. (Mapping over the reservation instead
//! would need no second try, but kernels before 6.12 remove it also when they then refuse the mapping,
//! and cleaning up after that could hit whoever got the address next.)
//!
//! Then, in this order:
//!
//! 1. `MADV_DONTFORK`: a child must not write into rings that it does not own;
//! 2. populate: all pages present in *this* process's tables, so that no first lap pays for faults. It
//!    reports failure, which `MAP_POPULATE` would hide and a touch would turn into SIGBUS;
//! 3. `mlock` where the limit allows it; hugetlb pages are never swapped and need none;
//! 4. look into smaps for the pages that we got.

use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::check;
use super::error::RegionError;
use super::pages::{PageSize, HUGE_PAGE, SMALL_PAGE};
use super::smaps;

/// Held from looking for an address to mapping there.
static PLACEMENT: Mutex<()> = Mutex::new(());
/// How often others may snatch the address before we give up.
const PLACEMENT_TRIES: usize = 16;
/// How often a collapse is tried: it fails for a moment while a page is on its way elsewhere.
const COLLAPSE_TRIES: usize = 3;

/// A shared mapping of a whole region, unmapped when dropped.
///
/// A forked child does not have it: there a touch ends in SIGSEGV, and dropping does nothing.
///
/// It hands out an address and no slices: another process may write the memory at any time, so what
/// may be done with it is up to who knows the protocol. The address stays valid and all pages present
/// as long as the mapping lives, provided that the region's seals were checked
/// ([`check_fd`](super::check_fd)).
///
/// ```
/// use ironhoard::region::{Mapping, PageMode, Region};
/// # fn main() -> Result<(), ironhoard::region::RegionError> {
/// let region = Region::create("example", 4096, PageMode::Small)?;
/// let mapping = Mapping::read_write(region.fd(), region.bytes())?;
/// assert_eq!(mapping.as_ptr() as u64 % (2 << 20), 0);
/// assert!(mapping.writable());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mapping {
    pages: Pages,
    writable: bool,
    locked: bool,
    page_size: PageSize,
}

impl Mapping {
    /// Maps the whole region for reading and writing and makes each page present.
    ///
    /// # Errors
    /// [`RegionError::WrongSize`] if `bytes` is not the region's size; [`RegionError::Map`] if it was
    /// sealed against writers, the descriptor is read-only or the address space is full;
    /// [`RegionError::Prefault`] if memory is short; [`RegionError::NotMemory`] and
    /// [`RegionError::Inspect`] for a descriptor that is no region.
    pub fn read_write(fd: BorrowedFd<'_>, bytes: u64) -> Result<Mapping, RegionError> {
        Self::new(fd, bytes, true)
    }

    /// Maps the whole region for reading and makes each page present.
    ///
    /// Made from a read-only descriptor, or after
    /// [`seal_writes`](super::Region::seal_writes), it can never be upgraded to a writable one.
    ///
    /// # Errors
    /// As [`read_write`](Self::read_write), except for the seals.
    pub fn read_only(fd: BorrowedFd<'_>, bytes: u64) -> Result<Mapping, RegionError> {
        Self::new(fd, bytes, false)
    }

    /// The first byte. Writing through it is allowed only if [`writable`](Self::writable); otherwise
    /// it ends the process with SIGSEGV.
    pub fn as_ptr(&self) -> *mut u8 {
        self.pages.start.as_ptr()
    }

    /// Bytes of the mapping: the whole region.
    pub fn bytes(&self) -> u64 {
        self.pages.bytes as u64
    }

    /// Whether this process may write here.
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Whether the kernel promised to keep the pages in memory.
    pub fn locked(&self) -> bool {
        self.locked
    }

    /// The pages that this mapping really has, as the kernel showed when it was made. What the kernel
    /// does not show counts as [`PageSize::Small4K`].
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    fn new(fd: BorrowedFd<'_>, bytes: u64, writable: bool) -> Result<Mapping, RegionError> {
        let hugetlb = check::file_system_pages(fd)? == PageSize::Huge2M;
        check::check_size(fd, bytes)?;
        let pages = Pages::place(fd, bytes, writable)?;
        pages.populate(writable)?;
        let locked = hugetlb || pages.lock();
        Ok(Mapping {
            page_size: pages.page_size(),
            pages,
            writable,
            locked,
        })
    }
}

/// Collapses the memory behind `fd` into 2 MiB pages and makes sure of it.
///
/// The mapping is temporary: the pages belong to the file, and later mappings get them whole.
pub(super) fn collapse(fd: BorrowedFd<'_>, bytes: u64) -> Result<(), RegionError> {
    let pages = Pages::place(fd, bytes, true)?;
    pages.populate(true)?;
    pages.collapse().map_err(|errno| RegionError::Collapse {
        reason: errno.to_string(),
    })?;
    match pages.page_size() {
        PageSize::Collapsed2M => Ok(()),
        other => Err(RegionError::Collapse {
            reason: format!("the kernel agreed, and smaps shows {other}"),
        }),
    }
}

/// Address space that we own: `bytes` bytes from `start`, mapped from when this exists until it drops.
/// A forked child has a copy of the value and no mapping.
#[derive(Debug)]
struct Pages {
    start: NonNull<u8>,
    bytes: usize,
    mapped_by: u32,
}

// SAFETY: `Pages` is the right to unmap a range of addresses, which any thread may do. It lends no
// reference to the memory; who reads or writes through the address answers for that.
unsafe impl Send for Pages {}
// SAFETY: no method changes anything through `&self` but page tables, which the kernel locks.
unsafe impl Sync for Pages {}

impl Pages {
    fn place(fd: BorrowedFd<'_>, bytes: u64, writable: bool) -> Result<Pages, RegionError> {
        let failed = |source| map_error(bytes, writable, source);
        let length = usize::try_from(bytes).map_err(|_| failed(Errno::NOMEM))?;
        let _turn = PLACEMENT.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..PLACEMENT_TRIES {
            let address = free_address(length).map_err(failed)?;
            if let Some(pages) = Self::at(address, fd, length, writable).map_err(failed)? {
                return Ok(pages);
            }
        }
        Err(failed(Errno::EXIST))
    }

    /// Maps at `address` and keeps the mapping from children, or answers `None` if that is taken.
    fn at(
        address: usize,
        fd: BorrowedFd<'_>,
        bytes: usize,
        writable: bool,
    ) -> Result<Option<Pages>, Errno> {
        let protection = match writable {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::READ,
        };
        let flags = MapFlags::SHARED | MapFlags::FIXED_NOREPLACE;
        let wanted = ptr::without_provenance_mut(address);
        // SAFETY: NOREPLACE never takes addresses from anybody: they are free or the call fails. A
        // kernel before 4.17 takes the address as a hint and never replaces anything either.
        let got = match unsafe { rustix::mm::mmap(wanted, bytes, protection, flags, fd, 0) } {
            Ok(got) => got,
            Err(Errno::EXIST) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let start = NonNull::new(got.cast::<u8>()).ok_or(Errno::NOMEM)?;
        let pages = Pages {
            start,
            bytes,
            mapped_by: std::process::id(),
        };
        pages.advise(Advice::LinuxDontFork)?;
        Ok((start.as_ptr() as usize == address).then_some(pages))
    }

    fn populate(&self, writable: bool) -> Result<(), RegionError> {
        let advice = match writable {
            true => Advice::LinuxPopulateWrite,
            false => Advice::LinuxPopulateRead,
        };
        match rustix::io::retry_on_intr(|| self.advise(advice)) {
            Err(Errno::INVAL) => {
                self.touch();
                Ok(())
            }
            answer => answer.map_err(|source| RegionError::Prefault {
                bytes: self.bytes as u64,
                source,
            }),
        }
    }

    /// Prefaults on kernels before 5.14, which cannot populate. A read is enough: it maps a page of a
    /// writable shared mapping writable. A hole for which memory is short would be SIGBUS here; the
    /// creator has none, and [`check_fd`](super::check_fd) has looked at a peer's blocks.
    fn touch(&self) {
        for offset in (0..self.bytes).step_by(SMALL_PAGE as usize) {
            // SAFETY: `offset < bytes`, and all of the range is mapped readable until `self` drops. The
            // read is volatile because another process may write the byte; its value is not used.
            unsafe { self.start.as_ptr().add(offset).read_volatile() };
        }
    }

    fn lock(&self) -> bool {
        // SAFETY: the range is mapped until `self` drops; locking changes no contents.
        unsafe { rustix::mm::mlock(self.start.as_ptr().cast(), self.bytes) }.is_ok()
    }

    fn collapse(&self) -> Result<(), Errno> {
        let mut answer = Ok(());
        for _ in 0..COLLAPSE_TRIES {
            // SAFETY: the range is mapped until `self` drops; collapsing keeps contents.
            let code = unsafe {
                libc::madvise(self.start.as_ptr().cast(), self.bytes, libc::MADV_COLLAPSE)
            };
            if code == 0 {
                return Ok(());
            }
            answer =
                Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
            if answer != Err(Errno::AGAIN) {
                return answer;
            }
        }
        answer
    }

    fn advise(&self, advice: Advice) -> Result<(), Errno> {
        // SAFETY: the range is mapped until `self` drops, and the advices used in this file (don't
        // fork, populate) neither unmap it nor change its contents.
        unsafe { rustix::mm::madvise(self.start.as_ptr().cast(), self.bytes, advice) }
    }

    fn page_size(&self) -> PageSize {
        let start = self.start.as_ptr() as u64;
        match smaps::page_size_of(start..start + self.bytes as u64) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot verify the page size; taking it for 4 KiB");
                PageSize::Small4K
            }
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.mapped_by != std::process::id() {
            return; // In a child the addresses may belong to something else by now.
        }
        // SAFETY: the range was mapped by `at`, is unmapped here only, and whoever got the address from
        // `as_ptr` knows that it ends with the mapping. The only error is a range that is no mapping.
        let answer = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert_eq!(answer, Ok(()));
    }
}

/// An address that is a multiple of 2 MiB and had `bytes` free bytes a moment ago.
fn free_address(bytes: usize) -> Result<usize, Errno> {
    let room = bytes.checked_add(HUGE_PAGE as usize).ok_or(Errno::NOMEM)?;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let found =
        unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), room, ProtFlags::empty(), flags) }?;
    // SAFETY: it was mapped two lines above, and nobody else has its address.
    unsafe { rustix::mm::munmap(found, room) }?;
    Ok((found as usize).next_multiple_of(HUGE_PAGE as usize))
}

fn map_error(bytes: u64, writable: bool, source: Errno) -> RegionError {
    let advice = match source {
        Errno::PERM => "the region is sealed against new writers; map it before sealing",
        Errno::EXIST => "other threads took each address that was free; try again",
        Errno::ACCESS => "the descriptor does not allow it; ask for the right one",
        _ => "the address space or its limits are exhausted (`ulimit -v`, vm.max_map_count)",
    };
    RegionError::Map {
        bytes,
        access: if writable { "read-write" } else { "read-only" },
        advice,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{PageMode, Region};

    const BYTES: u64 = 256 << 10;

    fn present(pages: &Pages) -> Option<u64> {
        let start = pages.start.as_ptr() as u64;
        smaps::present_bytes(start..start + pages.bytes as u64)
    }

    #[test]
    fn populate_and_touch_make_all_pages_present() {
        let region = Region::create("present", BYTES, PageMode::Small).unwrap();
        for writable in [true, false] {
            let touched = Pages::place(region.fd(), BYTES, writable).unwrap();
            assert_eq!(present(&touched), Some(0));
            touched.touch();
            assert_eq!(present(&touched), Some(BYTES));
            let populated = Pages::place(region.fd(), BYTES, writable).unwrap();
            populated.populate(writable).unwrap();
            assert_eq!(present(&populated), Some(BYTES));
        }
    }
}
