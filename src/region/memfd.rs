//! The creator's side of a region: a memfd, the page ladder, the seals.
//!
//! ```text
//!  wanted ≥ 256 KiB, mode auto          refused because
//!  hugetlb memfd + fallocate ──────────▶ ENOSPC: pool empty, or a limit of the container
//!  memfd + fallocate + collapse ───────▶ old kernel, no contiguous memory, policy `deny`
//!  memfd + fallocate
//! ```
//!
//! `fallocate` comes before anything is mapped. Where it fails the descriptor is closed at once: until
//! then it would keep the pages that it got.
//!
//! Below 256 KiB, the smallest ring that streams well, mode `auto` takes 4 KiB pages at once: a 2 MiB
//! page for less would waste seven eighths of it, and with huge pages scarce that starves somebody who
//! needs them. Nothing was refused then, so there is no note.

use std::fmt;
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags};
use rustix::io::Errno;

use super::check::Seals;
use super::error::RegionError;
use super::mapping;
use super::pages::{PageMode, PageSize};
use super::report;

/// From this size on mode `auto` tries for 2 MiB pages.
const AUTO_HUGE_FROM: u64 = 256 << 10;
/// Nothing larger is even tried.
pub(super) const MOST_BYTES: u64 = 1 << 44;
/// The kernel allows 249 bytes for a memfd's name; a few are left for those who add to it.
const MOST_NAME: usize = 200;

/// A region, seen from the process that created it.
///
/// ```
/// use ironhoard::region::{Mapping, PageMode, Region};
/// # fn main() -> Result<(), ironhoard::region::RegionError> {
/// let region = Region::create("replies", 1 << 20, PageMode::Auto)?;
/// let mine = Mapping::read_write(region.fd(), region.bytes())?;
/// region.seal_writes()?; // from here on `mine` is the only writable mapping there can be
/// let for_the_host = region.read_only_fd()?;
/// # let _ = (mine, for_the_host);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Region {
    fd: OwnedFd,
    bytes: u64,
    page_size: PageSize,
    notes: Vec<LadderNote>,
}

/// One step of the page ladder that was refused.
///
/// ```
/// use ironhoard::region::{PageMode, Region};
/// let region = Region::create("example", 1 << 20, PageMode::Auto)?;
/// for note in region.notes() {
///     println!("{note}"); // such as: no 2 MiB (hugetlb) pages: …
/// }
/// # Ok::<(), ironhoard::region::RegionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderNote {
    /// The pages that were tried for.
    pub step: PageSize,
    /// Why they could not be had, and what to do about it.
    pub reason: String,
}

impl fmt::Display for LadderNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} pages: {}", self.step, self.reason)
    }
}

impl Region {
    /// Creates a region of at least `bytes` bytes, zeroed, rounded up to whole pages of what it got.
    ///
    /// `name` is for people: it shows in /proc/PID/maps and names nothing. The memory is allocated when
    /// this returns, on the NUMA node of the calling thread. Each step of the ladder that was refused
    /// is logged as a warning and kept in [`notes`](Self::notes).
    ///
    /// # Errors
    /// [`RegionError::BadName`], [`RegionError::BadSize`]; [`RegionError::NoHugePages`] in mode
    /// `require-huge`; [`RegionError::NoMemory`] or [`RegionError::Allocate`] where memory is short;
    /// [`RegionError::Create`] where the kernel gives no descriptor. Nothing is left behind.
    pub fn create(name: &str, bytes: u64, mode: PageMode) -> Result<Region, RegionError> {
        if name.is_empty() || name.len() > MOST_NAME || name.contains('\0') {
            return Err(RegionError::BadName {
                found: name.to_owned(),
            });
        }
        if bytes == 0 || bytes > MOST_BYTES {
            return Err(RegionError::BadSize { bytes });
        }
        let region = match mode {
            PageMode::RequireHuge => Self::on(PageSize::Huge2M, name, bytes),
            PageMode::Auto if bytes >= AUTO_HUGE_FROM => Self::down_the_ladder(name, bytes),
            PageMode::Auto | PageMode::Small => Self::on(PageSize::Small4K, name, bytes),
        }?;
        tracing::debug!(region = name, bytes = region.bytes, pages = %region.page_size, "created");
        Ok(region)
    }

    /// Bytes of the region: whole pages, at least what was asked for.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The pages that the region got.
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// The descriptor, open for reading and writing, close-on-exec.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The steps of the ladder that were refused, from the top; empty if what was wanted was got.
    pub fn notes(&self) -> &[LadderNote] {
        &self.notes
    }

    /// Makes the size final, for everybody and for ever.
    ///
    /// # Errors
    /// [`RegionError::Seal`] where the seals were closed before.
    pub fn seal_size(&self) -> Result<(), RegionError> {
        self.seal(Seals::Size)
    }

    /// Ends writing through anything but the writable mappings that exist now, and closes the seals.
    ///
    /// It includes [`seal_size`](Self::seal_size). Map first, seal then: afterwards not even the
    /// creator can map the region writable. A read-only mapping must be made *after* it: one that was
    /// made before from a writable descriptor could still be upgraded.
    ///
    /// # Errors
    /// [`RegionError::Seal`] before Linux 5.1, or where the seals were closed before.
    pub fn seal_writes(&self) -> Result<(), RegionError> {
        self.seal(Seals::Writes)
    }

    /// A descriptor of the same memory that is open for reading only, close-on-exec.
    ///
    /// # Errors
    /// [`RegionError::Reopen`] without /proc, or with no descriptor left.
    pub fn read_only_fd(&self) -> Result<OwnedFd, RegionError> {
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|source| RegionError::Reopen { source })
    }

    fn seal(&self, seals: Seals) -> Result<(), RegionError> {
        rustix::fs::fcntl_add_seals(&self.fd, seals.flags())
            .map_err(|source| RegionError::Seal { source })
    }

    fn down_the_ladder(name: &str, bytes: u64) -> Result<Region, RegionError> {
        let mut notes = Vec::new();
        for step in [PageSize::Huge2M, PageSize::Collapsed2M] {
            match Self::on(step, name, bytes) {
                Ok(region) => return Ok(Region { notes, ..region }),
                Err(refusal) => notes.push(refused(name, step, &refusal)),
            }
        }
        let region = Self::on(PageSize::Small4K, name, bytes)?;
        Ok(Region { notes, ..region })
    }

    fn on(page_size: PageSize, name: &str, bytes: u64) -> Result<Region, RegionError> {
        match page_size {
            PageSize::Huge2M => Self::on_hugetlb(name, bytes),
            PageSize::Collapsed2M => Self::on_collapsed(name, bytes),
            PageSize::Small4K => Self::on_shmem(name, bytes, page_size),
        }
    }

    fn on_hugetlb(name: &str, bytes: u64) -> Result<Region, RegionError> {
        let flags = MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
        let region = Self::unallocated(name, bytes, PageSize::Huge2M, flags)?;
        if let Err(source) = region.allocate() {
            let bytes = region.bytes;
            // Before the pool is looked at: the descriptor holds the pages that it did get.
            drop(region);
            return Err(match source {
                Errno::NOSPC | Errno::NOMEM => no_huge_pages(bytes, source),
                source => RegionError::Allocate { bytes, source },
            });
        }
        Ok(region)
    }

    fn on_collapsed(name: &str, bytes: u64) -> Result<Region, RegionError> {
        let region = Self::on_shmem(name, bytes, PageSize::Collapsed2M)?;
        mapping::collapse(region.fd(), region.bytes)?;
        Ok(region)
    }

    fn on_shmem(name: &str, bytes: u64, page_size: PageSize) -> Result<Region, RegionError> {
        let region = Self::unallocated(name, bytes, page_size, MemfdFlags::empty())?;
        let bytes = region.bytes;
        match report::memory_available() {
            Some(available) if available < bytes => {
                return Err(RegionError::NoMemory { bytes, available })
            }
            _ => {}
        }
        region
            .allocate()
            .map_err(|source| RegionError::Allocate { bytes, source })?;
        Ok(region)
    }

    /// The memfd with its size and mode, still without memory.
    fn unallocated(
        name: &str,
        bytes: u64,
        page_size: PageSize,
        flags: MemfdFlags,
    ) -> Result<Region, RegionError> {
        let failed = |source| RegionError::Create {
            page_size,
            advice: create_advice(source, page_size),
            source,
        };
        let bytes = page_size
            .round_up(bytes)
            .ok_or(RegionError::BadSize { bytes })?;
        let fd = memfd(name, flags).map_err(failed)?;
        // A memfd is born open to everybody who can reach it through /proc.
        rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        rustix::fs::ftruncate(&fd, bytes).map_err(failed)?;
        Ok(Region {
            fd,
            bytes,
            page_size,
            notes: Vec::new(),
        })
    }

    fn allocate(&self) -> Result<(), Errno> {
        rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&self.fd, FallocateFlags::empty(), 0, self.bytes)
        })
    }
}

/// Memory that can never be executed where the kernel knows that (Linux 6.3), else without that.
fn memfd(name: &str, flags: MemfdFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        answer => answer,
    }
}

fn refused(name: &str, step: PageSize, refusal: &RegionError) -> LadderNote {
    let note = LadderNote {
        step,
        reason: refusal.to_string(),
    };
    tracing::warn!(region = name, wanted = %step, reason = %note.reason, "smaller pages than wanted");
    note
}

fn create_advice(source: Errno, page_size: PageSize) -> &'static str {
    match (source, page_size) {
        (Errno::MFILE | Errno::NFILE, _) => "raise the limit on open files (`ulimit -n`)",
        (_, PageSize::Huge2M) => {
            "this kernel has no 2 MiB hugetlb pages to offer; use page mode `auto` or `small`"
        }
        (_, _) => "memfd_create must be allowed (seccomp profile, /proc/sys/vm/memfd_noexec)",
    }
}

fn no_huge_pages(bytes: u64, source: Errno) -> RegionError {
    let machine = report::reserve_report();
    let needed = bytes / PageSize::Huge2M.bytes();
    let free = machine.huge_available();
    let advice = if free >= needed {
        "the pool has them, so a limit stands before it: raise the container's hugepages-2Mi \
         resource (hugetlb.2MB.max), or use page mode `auto`"
            .to_owned()
    } else {
        let enough = machine.huge_total + needed - free;
        format!("reserve more with `sysctl -w vm.nr_hugepages={enough}`, or use page mode `auto`")
    };
    RegionError::NoHugePages {
        needed,
        free,
        total: machine.huge_total,
        advice,
        source,
    }
}
