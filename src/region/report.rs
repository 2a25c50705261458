//! What the machine has to give: the hugetlb pool, free memory, and what the kernel knows.
//!
//! Read for messages and for people. Nothing is decided by it, because it may be out of date before
//! it is read to the end; the one exception is a size far beyond the free memory, which is refused
//! before the kernel starts to kill processes for it.

use std::fmt;
use std::fs;

/// The state of the machine as far as regions care.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReserveReport {
    /// 2 MiB pages in the hugetlb pool.
    pub huge_total: u64,
    /// Those that nobody uses.
    pub huge_free: u64,
    /// Those of the free ones that are promised to a mapping already.
    pub huge_reserved: u64,
    /// The policy for huge pages in ordinary shared memory (`never`, `advise`, …), if it can be read.
    pub shmem_enabled: Option<String>,
    /// The kernel's release, such as `6.18.1`.
    pub kernel: String,
    /// `MADV_POPULATE_READ` and `_WRITE`, since Linux 5.14: prefaulting that reports failure.
    pub has_populate: bool,
    /// `MADV_COLLAPSE`, since Linux 6.1: 2 MiB pages without a pool.
    pub has_collapse: bool,
}

impl ReserveReport {
    /// 2 MiB pages that a new region could take from the pool now.
    pub fn huge_available(&self) -> u64 {
        self.huge_free.saturating_sub(self.huge_reserved)
    }
}

impl fmt::Display for ReserveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |known| if known { "yes" } else { "no" };
        writeln!(
            f,
            "2 MiB pages: {} of {} free, {} promised",
            self.huge_free, self.huge_total, self.huge_reserved
        )?;
        writeln!(
            f,
            "kernel {}: populate {}, collapse {}, shmem_enabled {}",
            self.kernel,
            yes_no(self.has_populate),
            yes_no(self.has_collapse),
            self.shmem_enabled.as_deref().unwrap_or("unknown")
        )
    }
}

/// Looks at the machine. What cannot be read counts as zero, no or unknown.
///
/// ```
/// println!("{}", ironhoard::region::reserve_report());
/// ```
pub fn reserve_report() -> ReserveReport {
    ReserveReport {
        huge_total: pool("nr_hugepages"),
        huge_free: pool("free_hugepages"),
        huge_reserved: pool("resv_hugepages"),
        shmem_enabled: fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
            .ok()
            .and_then(|text| chosen(&text)),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        has_populate: advice_known(libc::MADV_POPULATE_READ),
        has_collapse: advice_known(libc::MADV_COLLAPSE),
    }
}

/// A number of the pool of 2 MiB pages. Not from /proc/meminfo: that one shows the default huge page
/// size, which may be 1 GiB.
fn pool(name: &str) -> u64 {
    fs::read_to_string(format!("/sys/kernel/mm/hugepages/hugepages-2048kB/{name}"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// The word in brackets of `always [never] deny`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (word, _) = rest.split_once(']')?;
    Some(word.to_owned())
}

/// Whether the kernel knows an advice. `madvise(0, 0, advice)` is the documented way to ask.
fn advice_known(advice: libc::c_int) -> bool {
    // SAFETY: a length of zero names no memory, so nothing can be changed.
    unsafe { libc::madvise(std::ptr::null_mut(), 0, advice) == 0 }
}

/// Bytes that can be allocated without swapping, or `None` where /proc does not say.
pub(super) fn memory_available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_policy_is_the_word_in_brackets() {
        let text = "always within_size advise [never] deny force\n";
        assert_eq!(chosen(text).as_deref(), Some("never"));
        assert_eq!(chosen("nothing chosen"), None);
        assert_eq!(chosen("[open"), None);
    }

    #[test]
    fn an_unknown_advice_is_unknown() {
        assert!(!advice_known(0x7fff_0000));
    }

    #[test]
    fn memory_is_available() {
        assert!(memory_available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
