//! What can go wrong with a region, grouped by the moment: asking, creating, sealing, checking
//! somebody else's, mapping. Each message says what was wrong and what to do.

use rustix::io::Errno;

use super::check::SealNames;
use super::pages::PageSize;

/// Why a region could not be created, sealed, trusted or mapped.
///
/// ```
/// use ironhoard::region::{PageMode, Region, RegionError};
/// let nothing = Region::create("example", 0, PageMode::Auto);
/// assert!(matches!(nothing, Err(RegionError::BadSize { bytes: 0 })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    // Asking.
    /// A page mode nobody knows.
    #[error("unknown page mode {found:?}: say `auto`, `require-huge` or `small`")]
    UnknownPageMode {
        /// The text that was given.
        found: String,
    },
    /// A region name the kernel would refuse.
    #[error("region name {found:?} cannot be used: give 1 to 200 bytes without NUL")]
    BadName {
        /// The name that was given.
        found: String,
    },
    /// A size that is zero or beyond any machine.
    #[error("a region of {bytes} bytes cannot be made: ask for 1 byte to 16 TiB")]
    BadSize {
        /// The size that was asked for, in bytes.
        bytes: u64,
    },

    // Creating.
    /// The kernel would not make an anonymous memory file.
    #[error("cannot create anonymous memory of {page_size} pages ({source}): {advice}")]
    Create {
        /// The pages that were tried.
        page_size: PageSize,
        /// What to do about it.
        advice: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// The hugetlb pool has not enough pages, or a limit stands before it.
    #[error(
        "{needed} huge pages of 2 MiB are needed and cannot be had ({free} of {total} are free; \
         {source}): {advice}"
    )]
    NoHugePages {
        /// Pages needed.
        needed: u64,
        /// Pages free and not promised to anybody.
        free: u64,
        /// Pages in the pool.
        total: u64,
        /// What to do about it.
        advice: String,
        /// The kernel's answer.
        source: Errno,
    },
    /// More was asked for than the machine has to give.
    #[error(
        "a region of {bytes} bytes does not fit into the {available} bytes of memory available: \
         ask for fewer lanes or smaller rings, or free memory"
    )]
    NoMemory {
        /// Bytes needed.
        bytes: u64,
        /// Bytes available, as `MemAvailable` of /proc/meminfo says.
        available: u64,
    },
    /// The kernel would not set memory aside.
    #[error(
        "the kernel would not set {bytes} bytes aside ({source}): ask for fewer lanes or smaller \
         rings, or free memory"
    )]
    Allocate {
        /// Bytes needed.
        bytes: u64,
        /// The kernel's answer.
        source: Errno,
    },
    /// `MADV_COLLAPSE` did not give 2 MiB pages.
    #[error(
        "memory could not be collapsed into 2 MiB pages ({reason}): reserve huge pages (`sysctl \
         -w vm.nr_hugepages=N`), or live with 4 KiB pages"
    )]
    Collapse {
        /// What the kernel answered, or what was seen afterwards.
        reason: String,
    },

    // Sealing and passing on.
    /// A seal could not be added.
    #[error(
        "the region cannot be sealed ({source}): it needs Linux 5.1 and a region whose seals \
         nobody has closed before"
    )]
    Seal {
        /// The kernel's answer.
        source: Errno,
    },
    /// The read-only descriptor could not be opened.
    #[error("cannot reopen the region read-only through /proc ({source}): mount /proc, and check the limit on open files")]
    Reopen {
        /// The kernel's answer.
        source: Errno,
    },

    // Checking somebody else's.
    /// The descriptor is not sealable anonymous memory.
    #[error("the descriptor is not a memory file ({found}): pass the one that the engine gave")]
    NotMemory {
        /// What it is instead.
        found: String,
    },
    /// Another size than agreed.
    #[error("the region has {found} bytes and {expected} were agreed: it is not this region")]
    WrongSize {
        /// Bytes agreed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// Other seals than agreed.
    #[error("the region is sealed {found} and must be sealed {expected}: it cannot be trusted")]
    WrongSeals {
        /// Seals demanded.
        expected: SealNames,
        /// Seals found.
        found: SealNames,
    },
    /// Memory was given back behind the region's back.
    #[error(
        "only {found} of the region's {expected} bytes are backed by memory: somebody punched a \
         hole into it; attach anew"
    )]
    Hole {
        /// Bytes of the region.
        expected: u64,
        /// Bytes backed by memory.
        found: u64,
    },

    // Mapping.
    /// A fact about the descriptor could not be read.
    #[error("cannot look at the region's descriptor ({source}): is it still open?")]
    Inspect {
        /// The kernel's answer.
        source: Errno,
    },
    /// The address space has no room, or the kernel refuses the mapping.
    #[error("cannot map {bytes} bytes {access} ({source}): {advice}")]
    Map {
        /// Bytes of the mapping.
        bytes: u64,
        /// `read-only` or `read-write`.
        access: &'static str,
        /// What to do about it.
        advice: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// The pages of a mapping could not all be made present.
    #[error(
        "the {bytes} bytes of the mapping cannot all be made present ({source}): memory is short, \
         or the region has a hole; free memory and attach anew"
    )]
    Prefault {
        /// Bytes of the mapping.
        bytes: u64,
        /// The kernel's answer.
        source: Errno,
    },
}
