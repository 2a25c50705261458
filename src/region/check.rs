//! Is this descriptor what the other side says it is?
//!
//! A descriptor that came through a socket may be anything: a file on a disk that its owner truncates
//! later (SIGBUS for us), memory without seals, memory of another size. [`check_fd`] looks before
//! anything is mapped, in an order in which each answer makes the next one final: the seals first,
//! because they freeze the size.
//!
//! | looked at | refused | because |
//! |---|---|---|
//! | seals | all but the exact set | a missing one lets the peer shrink, punch or write; a foreign one we cannot explain |
//! | file system | not tmpfs, not hugetlbfs of 2 MiB | only there do seals mean anything |
//! | size | all but the exact one | offsets beyond the end are SIGBUS |
//! | blocks | fewer than the size needs | a hole is allocated at first touch, which can fail with SIGBUS |
//!
//! The blocks are a necessary condition, not a sufficient one (blocks may lie behind the end). What
//! proves that no hole is left is that mapping it populates each page and reports failure, and that
//! `FUTURE_WRITE` forbids new holes.

use std::fmt;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, SealFlags};
use rustix::io::Errno;

use super::error::RegionError;
use super::pages::{PageSize, HUGE_PAGE, SMALL_PAGE};

const TMPFS_MAGIC: u64 = 0x0102_1994;
const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;

/// The two stages of sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seals {
    /// `SHRINK|GROW`: the size is final. Whoever has a writable descriptor can still write, map
    /// writable and punch holes.
    Size,
    /// `SHRINK|GROW|FUTURE_WRITE|SEAL`: besides, no new writable mapping, no write, no hole, no other
    /// seal. Writable mappings that exist go on.
    Writes,
}

impl Seals {
    pub(super) fn flags(self) -> SealFlags {
        let size = SealFlags::SHRINK | SealFlags::GROW;
        match self {
            Seals::Size => size,
            Seals::Writes => size | SealFlags::FUTURE_WRITE | SealFlags::SEAL,
        }
    }
}

/// What a descriptor must be.
///
/// ```
/// use ironhoard::region::{check_fd, Expect, PageMode, Region, Seals};
/// # fn main() -> Result<(), ironhoard::region::RegionError> {
/// let region = Region::create("example", 8192, PageMode::Small)?;
/// region.seal_size()?;
/// check_fd(region.fd(), Expect { bytes: 8192, seals: Seals::Size })?;
/// assert!(check_fd(region.fd(), Expect { bytes: 8192, seals: Seals::Writes }).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Exact size in bytes.
    pub bytes: u64,
    /// Exact seals.
    pub seals: Seals,
}

/// A set of seals, to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealNames(pub(super) u32);

impl fmt::Display for SealNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("not at all");
        }
        let mut separator = "";
        for (name, _) in SealFlags::from_bits_retain(self.0).iter_names() {
            write!(f, "{separator}{name}")?;
            separator = "|";
        }
        Ok(())
    }
}

/// Which memory a descriptor names, whoever holds it: two descriptors of one region are equal.
///
/// The kernel gives an inode number anew once the region is gone: compare only with regions that are
/// held open.
///
/// ```
/// use ironhoard::region::{PageMode, Region, RegionIdentity};
/// use std::os::fd::AsFd;
/// let region = Region::create("example", 4096, PageMode::Small)?;
/// let again = region.read_only_fd()?;
/// assert!(RegionIdentity::of(region.fd())? == RegionIdentity::of(again.as_fd())?);
/// # Ok::<(), ironhoard::region::RegionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionIdentity {
    device: u64,
    inode: u64,
}

impl RegionIdentity {
    /// Asks the kernel.
    ///
    /// # Errors
    /// [`RegionError::Inspect`] where the descriptor cannot be looked at.
    pub fn of(fd: BorrowedFd<'_>) -> Result<RegionIdentity, RegionError> {
        let stat = rustix::fs::fstat(fd).map_err(|source| RegionError::Inspect { source })?;
        Ok(RegionIdentity {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// Demands that `fd` is a memory file of exactly this size with exactly these seals and all its blocks.
///
/// Returns the pages its file system gives: [`PageSize::Huge2M`] for hugetlb, else
/// [`PageSize::Small4K`], because whether ordinary memory was collapsed shows in a mapping only (ask
/// [`Mapping::page_size`](super::Mapping::page_size)).
///
/// # Errors
/// [`RegionError::NotMemory`], [`RegionError::WrongSeals`], [`RegionError::WrongSize`],
/// [`RegionError::Hole`], or [`RegionError::Inspect`] where the kernel does not answer.
///
/// ```
/// use ironhoard::region::{check_fd, Expect, PageMode, Region, Seals};
/// let region = Region::create("example", 4096, PageMode::Small)?;
/// region.seal_size()?;
/// let expect = |seals| Expect { bytes: region.bytes(), seals };
/// assert!(check_fd(region.fd(), expect(Seals::Size)).is_ok());
/// assert!(check_fd(region.fd(), expect(Seals::Writes)).is_err());
/// # Ok::<(), ironhoard::region::RegionError>(())
/// ```
pub fn check_fd(fd: BorrowedFd<'_>, expect: Expect) -> Result<PageSize, RegionError> {
    check_seals(fd, expect.seals)?;
    let page_size = file_system_pages(fd)?;
    let allocated = check_size(fd, expect.bytes)?;
    if expect.bytes % page_size.bytes() != 0 {
        return Err(RegionError::BadSize {
            bytes: expect.bytes,
        });
    }
    if allocated < expect.bytes {
        return Err(RegionError::Hole {
            expected: expect.bytes,
            found: allocated,
        });
    }
    Ok(page_size)
}

fn check_seals(fd: BorrowedFd<'_>, seals: Seals) -> Result<(), RegionError> {
    let found = match rustix::fs::fcntl_get_seals(fd) {
        Ok(found) => found,
        Err(Errno::INVAL) => {
            return Err(RegionError::NotMemory {
                found: "it has no seals".to_owned(),
            })
        }
        Err(source) => return Err(RegionError::Inspect { source }),
    };
    // `EXEC` only says that the memory was never executable; kernels since 6.3 set it, older do not.
    let judged = found.difference(SealFlags::EXEC);
    if judged != seals.flags() {
        return Err(RegionError::WrongSeals {
            expected: SealNames(seals.flags().bits()),
            found: SealNames(judged.bits()),
        });
    }
    Ok(())
}

/// The pages that the file system behind `fd` hands out.
pub(super) fn file_system_pages(fd: BorrowedFd<'_>) -> Result<PageSize, RegionError> {
    let found = rustix::fs::fstatfs(fd).map_err(|source| RegionError::Inspect { source })?;
    match (found.f_type as u64 & 0xffff_ffff, found.f_bsize as u64) {
        (HUGETLBFS_MAGIC, HUGE_PAGE) => Ok(PageSize::Huge2M),
        (TMPFS_MAGIC, SMALL_PAGE) => Ok(PageSize::Small4K),
        (kind, page) => Err(RegionError::NotMemory {
            found: format!("file system {kind:#x} with pages of {page} bytes"),
        }),
    }
}

/// Demands a regular file of exactly `bytes` bytes; returns how many of them are allocated.
pub(super) fn check_size(fd: BorrowedFd<'_>, bytes: u64) -> Result<u64, RegionError> {
    let stat = rustix::fs::fstat(fd).map_err(|source| RegionError::Inspect { source })?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(RegionError::NotMemory {
            found: format!("file type {:?}", FileType::from_raw_mode(stat.st_mode)),
        });
    }
    let found = stat.st_size as u64;
    if found != bytes {
        return Err(RegionError::WrongSize {
            expected: bytes,
            found,
        });
    }
    Ok((stat.st_blocks as u64).saturating_mul(512))
}
