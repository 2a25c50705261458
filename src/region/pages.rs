//! What pages a region may have, what it got, and how often.
//!
//! The wish is a [`PageMode`], the outcome a [`PageSize`]; the two are different types so that nobody
//! can log a wish as a fact. [`PageCounters`] adds outcomes up.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::RegionError;
use super::memfd::Region;

/// Bytes of a small page.
pub const SMALL_PAGE: u64 = 4096;
/// Bytes of a huge page.
pub const HUGE_PAGE: u64 = 2 << 20;

/// Which pages the creator of a region wants.
///
/// ```
/// use ironhoard::region::PageMode;
/// assert_eq!("require-huge".parse::<PageMode>().unwrap(), PageMode::RequireHuge);
/// assert_eq!(PageMode::default().to_string(), "auto");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageMode {
    /// The largest pages that can be had; each step down is noted and logged.
    #[default]
    Auto,
    /// 2 MiB pages from the hugetlb pool, or an error. Collapsed pages do not count: the kernel may
    /// split or swap them later.
    RequireHuge,
    /// 4 KiB pages, without trying for others.
    Small,
}

impl PageMode {
    const ALL: [PageMode; 3] = [PageMode::Auto, PageMode::RequireHuge, PageMode::Small];

    const fn name(self) -> &'static str {
        match self {
            PageMode::Auto => "auto",
            PageMode::RequireHuge => "require-huge",
            PageMode::Small => "small",
        }
    }
}

impl fmt::Display for PageMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PageMode {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<PageMode, RegionError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| RegionError::UnknownPageMode {
                found: text.to_owned(),
            })
    }
}

/// Which pages a region or a mapping really has.
///
/// ```
/// use ironhoard::region::PageSize;
/// assert_eq!(PageSize::Huge2M.bytes(), 2 << 20);
/// assert_eq!(PageSize::from_code(PageSize::Small4K.code()), Some(PageSize::Small4K));
/// assert_eq!(PageSize::from_code(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageSize {
    /// 2 MiB pages of the hugetlb pool: never split, never swapped.
    Huge2M,
    /// Ordinary shared memory collapsed into 2 MiB pages (`MADV_COLLAPSE`).
    Collapsed2M,
    /// 4 KiB pages.
    Small4K,
}

impl PageSize {
    /// Bytes of one page.
    pub const fn bytes(self) -> u64 {
        match self {
            PageSize::Huge2M | PageSize::Collapsed2M => HUGE_PAGE,
            PageSize::Small4K => SMALL_PAGE,
        }
    }

    /// The number that stands for it in the conversation; never 0.
    pub const fn code(self) -> u32 {
        match self {
            PageSize::Huge2M => 1,
            PageSize::Collapsed2M => 2,
            PageSize::Small4K => 3,
        }
    }

    /// The page size a number stands for, or `None` for a number this version does not know.
    pub const fn from_code(code: u32) -> Option<PageSize> {
        match code {
            1 => Some(PageSize::Huge2M),
            2 => Some(PageSize::Collapsed2M),
            3 => Some(PageSize::Small4K),
            _ => None,
        }
    }

    /// `bytes` rounded up to whole pages, or `None` where that overflows.
    pub const fn round_up(self, bytes: u64) -> Option<u64> {
        bytes.checked_next_multiple_of(self.bytes())
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PageSize::Huge2M => "2 MiB (hugetlb)",
            PageSize::Collapsed2M => "2 MiB (collapsed)",
            PageSize::Small4K => "4 KiB",
        })
    }
}

/// Counts of the regions created so far, by the pages they got. May be shared between threads.
///
/// ```
/// use ironhoard::region::{PageCounters, PageMode, Region};
/// # fn main() -> Result<(), ironhoard::region::RegionError> {
/// let counters = PageCounters::default();
/// counters.record(&Region::create("example", 4096, PageMode::Small)?);
/// assert_eq!(counters.counts().small, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct PageCounters {
    huge: AtomicU64,
    collapsed: AtomicU64,
    small: AtomicU64,
    fallbacks: AtomicU64,
    bytes: AtomicU64,
}

/// A reading of [`PageCounters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Regions that got hugetlb pages.
    pub huge: u64,
    /// Regions that got collapsed pages.
    pub collapsed: u64,
    /// Regions that got 4 KiB pages.
    pub small: u64,
    /// Regions that got smaller pages than were wanted.
    pub fallbacks: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl PageCounters {
    /// Counts a region that was just created.
    pub fn record(&self, region: &Region) {
        let counter = match region.page_size() {
            PageSize::Huge2M => &self.huge,
            PageSize::Collapsed2M => &self.collapsed,
            PageSize::Small4K => &self.small,
        };
        // Relaxed, here and in `counts`: statistics publish nothing, so they have no partner.
        counter.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(region.bytes(), Ordering::Relaxed);
        if !region.notes().is_empty() {
            self.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads all counters, each for itself: a region recorded meanwhile may show in some of them.
    pub fn counts(&self) -> PageCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PageCounts {
            huge: read(&self.huge),
            collapsed: read(&self.collapsed),
            small: read(&self.small),
            fallbacks: read(&self.fallbacks),
            bytes: read(&self.bytes),
        }
    }
}
