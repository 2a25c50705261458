//! Which pages a mapping really has, as /proc/self/smaps tells.
//!
//! A memfd made with hugetlb has `KernelPageSize: 2048 kB`. Collapsed memory says 4 kB there and shows
//! in `ShmemPmdMapped` instead: the bytes that one page table entry of 2 MiB maps. Only if that is the
//! whole mapping do we call it collapsed.

use std::fs;
use std::io;
use std::ops::Range;

use super::pages::{PageSize, HUGE_PAGE};

/// The pages of this process's mapping that covers exactly `range`.
///
/// # Errors
/// Where /proc cannot be read or does not list the mapping.
pub(super) fn page_size_of(range: Range<u64>) -> io::Result<PageSize> {
    let smaps = fs::read_to_string("/proc/self/smaps")?;
    let entry = entry_of(&smaps, &range)
        .ok_or_else(|| io::Error::other("the mapping is not in /proc/self/smaps"))?;
    Ok(judge(entry, range.end - range.start))
}

/// Bytes of the mapping that this process's page tables hold.
#[cfg(test)]
pub(super) fn present_bytes(range: Range<u64>) -> Option<u64> {
    let smaps = fs::read_to_string("/proc/self/smaps").ok()?;
    Some(kib(entry_of(&smaps, &range)?, "Rss:")? * 1024)
}

/// The lines behind the headline of the mapping `range`.
fn entry_of<'a>(smaps: &'a str, range: &Range<u64>) -> Option<&'a str> {
    let headline = format!("{:08x}-{:08x} ", range.start, range.end);
    let mut lines = smaps.split_inclusive('\n');
    let mut offset = 0;
    loop {
        let line = lines.next()?;
        offset += line.len();
        if line.starts_with(&headline) {
            return Some(&smaps[offset..]);
        }
    }
}

fn judge(entry: &str, bytes: u64) -> PageSize {
    if kib(entry, "KernelPageSize:") == Some(HUGE_PAGE / 1024) {
        return PageSize::Huge2M;
    }
    let collapsed =
        kib(entry, "ShmemPmdMapped:").unwrap_or(0) + kib(entry, "FilePmdMapped:").unwrap_or(0);
    if collapsed.saturating_mul(1024) == bytes {
        PageSize::Collapsed2M
    } else {
        PageSize::Small4K
    }
}

/// The figure of the first line that starts with `key`; an entry ends with its `VmFlags` line.
fn kib(entry: &str, key: &str) -> Option<u64> {
    entry
        .lines()
        .take_while(|line| !line.starts_with("VmFlags:"))
        .find_map(|line| line.strip_prefix(key))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
7f0000000000-7f0000200000 rw-s 00000000 00:01 7 /memfd:a (deleted)
Size:               2048 kB
KernelPageSize:        4 kB
ShmemPmdMapped:     2048 kB
FilePmdMapped:         0 kB
VmFlags: rd wr sh
7f0000400000-7f0000600000 rw-s 00000000 00:01 8 /memfd:b (deleted)
KernelPageSize:     2048 kB
ShmemPmdMapped:        0 kB
VmFlags: rd wr sh
7f0000800000-7f0000c00000 rw-s 00000000 00:01 9 /memfd:c (deleted)
KernelPageSize:        4 kB
ShmemPmdMapped:     2048 kB
VmFlags: rd wr sh
";

    fn pages(start: u64, end: u64) -> Option<PageSize> {
        entry_of(SMAPS, &(start..end)).map(|entry| judge(entry, end - start))
    }

    #[test]
    fn each_kind_is_told_from_the_others() {
        let base = 0x7f00_0000_0000;
        let at = |offset: u64| base + offset;
        assert_eq!(pages(at(0), at(0x20_0000)), Some(PageSize::Collapsed2M));
        assert_eq!(pages(at(0x40_0000), at(0x60_0000)), Some(PageSize::Huge2M));
        assert_eq!(pages(at(0x80_0000), at(0xc0_0000)), Some(PageSize::Small4K));
        assert_eq!(pages(at(0x20_0000), at(0x40_0000)), None);
    }
}
