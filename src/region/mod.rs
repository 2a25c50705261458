//! Regions: sealed shared memory without a name, on the largest pages that can be had.
//!
//! ```text
//!  creator                                             the other side
//!  Region::create ── memfd, 0600, allocated            (over a socket)
//!     │ seal_size ── SHRINK|GROW ──────── fd ────────▶ check_fd ─▶ Mapping::read_write
//!     │ seal_writes ─ FUTURE_WRITE|SEAL ─────────────  its mapping lives on; no other can be made
//!     └ Mapping::read_only
//! ```
//!
//! A region has no name, so nothing has to be cleaned up: the kernel frees it with its last holder,
//! however that one ends. It is allocated before it is used, so a lack of memory is an error now and
//! not a SIGBUS later. And it has **one writer**: the writer maps it, then it is sealed, and from then
//! on nobody, not even the same uid through /proc, maps it writable, writes it, shrinks it or punches
//! holes in it.
//!
//! The **page ladder** of [`PageMode::Auto`], from the top; each refused step is a note, a log line
//! and a count ([`PageCounters`]):
//!
//! | step | needs | promise |
//! |---|---|---|
//! | [`PageSize::Huge2M`] | free pages in the hugetlb pool; no privilege or mount | never split or swapped |
//! | [`PageSize::Collapsed2M`] | Linux 6.1, free contiguous memory | the kernel may split it under pressure |
//! | [`PageSize::Small4K`] | nothing | |
//!
//! What was got is read back from the kernel ([`Mapping::page_size`]), never believed.
//!
//! Costs of 64 MiB, measured (docs/decisions/0001-pages.md): creating and mapping 10 ms on hugetlb, 84 ms
//! on collapsed and 60 ms on 4 KiB pages; mapping in the next process 0.2, 0.5 and 15 ms, because page
//! tables are private to each.
//!
//! Caveats. Whoever runs under the creator's uid may ptrace it: that is no boundary (use another uid
//! for hosts that must not be trusted). A memory limit of a container ends the process by SIGKILL
//! where it is passed, whatever the call was.
//!
//! Hosts that cannot be passed a descriptor use a named segment, with weaker promises: `NamedRegion`,
//! behind the feature `named`.
//!
//! The mapping is made with `rustix::mm`: `memmap2` cannot choose the address, and `MADV_COLLAPSE` as
//! well as a huge page table entry need one that is a multiple of 2 MiB.

mod check;
mod error;
mod mapping;
mod memfd;
#[cfg(feature = "named")]
mod named;
mod pages;
mod report;
mod smaps;

pub use check::{check_fd, Expect, RegionIdentity, SealNames, Seals};
pub use error::RegionError;
pub use mapping::Mapping;
pub use memfd::{LadderNote, Region};
#[cfg(feature = "named")]
pub use named::{NamedError, NamedRegion};
pub use pages::{PageCounters, PageCounts, PageMode, PageSize, HUGE_PAGE, SMALL_PAGE};
pub use report::{reserve_report, ReserveReport};
