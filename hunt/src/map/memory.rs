//! Memory that a map lies in: filled once, then read-only for as long as it lives.
//!
//! ```text
//!  MapMemory::Huge       anonymous ── on 2 MiB pages ── filled ── read-only           nobody else's
//!  MapMemory::File       the file's own pages, mostly 4 KiB, shared with whoever maps it too
//!  MapMemory::FileFirst  the file's own pages ──── later, while it is read ────▶ as `Huge`
//! ```
//!
//! A walk through a large map misses the TLB at each step when pages are small: bounded searches were
//! measured 2.4 times slower on 4 KiB than on 2 MiB. So the usual home of a map is anonymous memory,
//! for which the kernel has 2 MiB pages wherever it has free contiguous memory; files get them on few file
//! systems, and not for all their bytes. The pages of the hugetlb pool stay what they were reserved for,
//! the rings.
//!
//! The file's own pages are for whoever needs the map and not the speed: nothing is copied, and many
//! processes share one copy. **Caveat**: such a map changes with its file, and a file that is cut short
//! kills its readers (SIGBUS). `StreetMap::save` never changes a file in place, so this takes somebody
//! who may write the file and does.
//!
//! An engine that boots has no time to read first (a hypervisor may have to find each new page: 0.3 s for
//! 110 MB), and wants the speed afterwards. It lives with the caveat for its first second or two.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Error, Read};
use std::os::unix::fs::FileExt;

use serde::Serialize;

use super::span::Span;
use crate::huge_page::one_by_one;

/// Where a map's memory comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapMemory {
    /// Memory of the process's own, on 2 MiB pages where the kernel has them, read before anything else.
    #[default]
    Huge,
    /// The pages of the file itself, mapped: nothing is copied, and processes share them. The file
    /// must not be written in place while it is mapped.
    File,
    /// The pages of the file, until [`StreetMap::settle`](super::StreetMap::settle) moves the map to
    /// memory as that of `Huge`: the quickest way to a first reply. Until then the file must not be
    /// written in place.
    FileFirst,
}

/// On what pages a map lies, in bytes, as the kernel says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MapPages {
    /// On 2 MiB pages.
    pub huge_bytes: u64,
    /// On 4 KiB pages.
    pub small_bytes: u64,
}

/// Bytes that do not change any more, and their length.
#[derive(Debug)]
pub(super) struct Memory {
    span: Span,
    length: usize,
}

impl Memory {
    /// Anonymous memory of `length` bytes, at least one, with the content that `fill` gives it.
    pub fn filled<E: From<Error>>(
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Memory, E> {
        let span = Span::filled(length, fill)?;
        Ok(Memory { span, length })
    }

    /// Anonymous memory with the next `length` bytes of `file`.
    pub fn read(mut file: &File, length: usize) -> Result<Memory, Error> {
        Memory::filled(length, |bytes| file.read_exact(bytes))
    }

    /// The first `length` bytes of the file, mapped. The file must have them.
    ///
    /// Nobody should write a map's file in place; it is replaced by renaming, so that the file that is open
    /// here stays as it is. That is the contract of [`MapMemory::File`], stated where it is chosen.
    pub fn of_file(file: &File, length: usize) -> Result<Memory, Error> {
        let span = Span::of_file(file, length)?;
        Ok(Memory { span, length })
    }

    /// Moves the bytes of `file`, which this is mapped of, into memory of their own, at the same place and
    /// while they are read. False where the copy is not the one that `is_same` knows: then nothing moves.
    pub fn settle(&self, file: &File, is_same: impl FnOnce(&[u8]) -> bool) -> Result<bool, Error> {
        let copy = Memory::filled(self.length, |bytes| {
            one_by_one(self.length, |page| {
                file.read_exact_at(&mut bytes[page.clone()], page.start as u64)
            })
        })?;
        if !is_same(copy.bytes()) {
            return Ok(false);
        }
        // SAFETY: both are spans for `length` bytes. The copy is what `is_same` knows; that is what readers
        // have found here all the time, or if the file was changed since, something that they cope with
        // all the same: integers, of which each is checked when it is used as an index.
        unsafe { copy.span.replace(&self.span) }?;
        Ok(true)
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes of the span are mapped readable as long as `self` lives, which
        // the slice borrows. Nobody writes anonymous memory any more. Whoever writes a mapped file against
        // the contract of `of_file` cannot make an index go astray: what is read is integers, for which
        // every value is valid, and each use of one as an index is checked when it is used.
        unsafe { std::slice::from_raw_parts(self.span.start(), self.length) }
    }

    /// The same bytes without their lifetime.
    ///
    /// # Safety
    /// The result and whatever is made of it must be gone before this memory is.
    pub unsafe fn bytes_for_their_owner(&self) -> &'static [u8] {
        // SAFETY: the bytes are those of a mapping: they stay where they are when `self` is moved, and
        // nobody takes the mapping away before `self` is dropped, which the caller awaits.
        unsafe { std::slice::from_raw_parts(self.span.start(), self.length) }
    }

    /// What pages the kernel gave; all of them 4 KiB where it does not say.
    pub fn pages(&self) -> MapPages {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let huge_bytes = huge_bytes(&smaps, self.span.start() as u64, self.span.len() as u64)
            .min(self.length as u64);
        MapPages {
            huge_bytes,
            small_bytes: self.length as u64 - huge_bytes,
        }
    }
}

/// Bytes on 2 MiB pages of all mappings within the `length` bytes at `start`. (Neighbours are merged
/// by the kernel, so a mapping may hold more than ours; then the smaller figure is given.)
fn huge_bytes(smaps: &str, start: u64, length: u64) -> u64 {
    let mut inside = false;
    let mut sum = 0;
    for line in smaps.lines() {
        if let Some((first, end)) = headline(line) {
            inside = first < start + length && start < end;
        } else if inside {
            let kib = ["AnonHugePages:", "FilePmdMapped:"]
                .iter()
                .find_map(|key| line.strip_prefix(key))
                .and_then(|figure| figure.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            sum += kib.unwrap_or(0) * 1024;
        }
    }
    sum.min(length)
}

/// Start and end of the mapping that this line of smaps begins.
fn headline(line: &str) -> Option<(u64, u64)> {
    let (range, _) = line.split_once(' ')?;
    let (first, end) = range.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(first)?, address(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_is_there_and_a_failure_is_passed_on() {
        let memory = Memory::filled(5, |bytes| {
            bytes.copy_from_slice(b"hello");
            Ok::<(), Error>(())
        });
        assert_eq!(memory.unwrap().bytes(), b"hello");
        let failure = Memory::filled(5, |_| Err(Error::other("no")));
        assert_eq!(failure.unwrap_err().to_string(), "no");
    }

    #[test]
    fn pages_are_counted_in_the_mappings_that_overlap() {
        let smaps = "\
7f0000000000-7f0000400000 r--p 00000000 00:00 0
Size:               4096 kB
AnonHugePages:      2048 kB
7f0000400000-7f0000600000 r--p 00000000 00:00 0
AnonHugePages:      2048 kB
";
        assert_eq!(huge_bytes(smaps, 0x7f00_0000_0000, 4 << 20), 2 << 20);
        assert_eq!(huge_bytes(smaps, 0x7f00_0020_0000, 4 << 20), 4 << 20);
        assert_eq!(huge_bytes(smaps, 0x7e00_0000_0000, 4 << 20), 0);
    }

    #[test]
    fn memory_and_file_hold_the_same() {
        let path = std::env::temp_dir().join(format!("ironhoard-memory-{}", std::process::id()));
        std::fs::write(&path, [7; 9000]).unwrap();
        let file = File::open(&path).unwrap();
        let (read, mapped) = (Memory::read(&file, 9000), Memory::of_file(&file, 9000));
        assert_eq!(read.unwrap().bytes(), mapped.unwrap().bytes());
        assert!(Memory::read(&file, 9000).is_err(), "the file has no more");
        std::fs::remove_file(&path).unwrap();
    }

    /// A file of a bit more than three large pages, each word another.
    fn large_file(name: &str) -> (std::path::PathBuf, File, Vec<u8>) {
        let name = format!("ironhoard-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let content: Vec<u8> = (0..(3 << 18) + 100_u64)
            .flat_map(u64::to_le_bytes)
            .collect();
        std::fs::write(&path, &content).unwrap();
        let file = File::open(&path).unwrap();
        (path, file, content)
    }

    #[test]
    fn what_settles_stays_where_it_is_and_its_large_pages_stay_whole() {
        let (path, file, content) = large_file("settles");
        let mapped = Memory::of_file(&file, content.len()).unwrap();
        let place = mapped.bytes().as_ptr();
        let mut copied = 0;
        let is_same = |copy: &[u8]| {
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            copied = huge_bytes(&smaps, copy.as_ptr() as u64, copy.len() as u64);
            copy == content
        };
        assert!(mapped.settle(&file, is_same).unwrap());
        assert_eq!(
            (mapped.bytes(), mapped.bytes().as_ptr()),
            (&content[..], place)
        );
        assert!(mapped.pages().huge_bytes >= copied, "{copied}");
        // The file is no longer what lies there.
        std::fs::write(&path, vec![0; content.len()]).unwrap();
        assert_eq!(mapped.bytes(), content);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn readers_read_on_while_it_settles() {
        let (path, file, content) = large_file("readers");
        for _ in 0..20 {
            let mapped = Memory::of_file(&file, content.len()).unwrap();
            std::thread::scope(|scope| {
                let settles = scope.spawn(|| mapped.settle(&file, |copy| copy == content));
                loop {
                    let is_settled = settles.is_finished(); // then it is read once more
                    let words = mapped.bytes().chunks(8).zip(0_u64..).step_by(511);
                    assert!(words.into_iter().all(|(word, at)| word == at.to_le_bytes()));
                    if is_settled {
                        break;
                    }
                }
                assert!(settles.join().unwrap().unwrap());
            });
            assert_eq!(mapped.bytes(), content);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
