//! The memory of the floors: one 2 MiB page, shared by two processes through a descriptor.
//!
//! It is anonymous, so nothing is left behind when both are gone. The pages are asked for in this
//! order, and what was really got is read back from the kernel:
//!
//! 1. a reserved 2 MiB page (`MFD_HUGETLB`),
//! 2. 4 KiB pages which the kernel is asked to collapse into one of 2 MiB,
//! 3. 4 KiB pages.
//!
//! The floors bring their own few lines for this instead of using the library's regions: a yardstick
//! should not be made from what it measures.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{fallocate, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{mmap, mmap_anonymous, munmap, MapFlags, ProtFlags};

use super::floor::Lines;

/// Size of the memory and of a huge page.
const BYTES: usize = size_of::<Lines>();

/// Why the memory of the floors could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The kernel refused a step.
    #[error("cannot {step} the 2 MiB that both processes share: {cause}; free some memory or raise the limit on it")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// The kernel's answer.
        cause: Errno,
    },
    /// The inherited descriptor is something else.
    #[error("the inherited descriptor holds {found} bytes, not {BYTES}; this subcommand is for `ironhoard bench` alone")]
    Foreign {
        /// Its size in bytes.
        found: i64,
    },
}

/// The floors' memory, mapped, present and zero at first.
pub struct FloorMemory {
    fd: OwnedFd,
    lines: NonNull<Lines>,
    reserved: NonNull<u8>,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread; what is reached
// through it are atomics.
unsafe impl Send for FloorMemory {}
// SAFETY: as above; a shared reference gives atomics only.
unsafe impl Sync for FloorMemory {}

impl FloorMemory {
    /// Makes new memory and maps it.
    pub fn create() -> Result<FloorMemory, MemoryError> {
        let fd = create_huge().or_else(|_| create_small())?;
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW).map_err(refused("seal"))?;
        FloorMemory::map(fd)
    }

    /// Maps memory which another process has made.
    pub fn open(fd: OwnedFd) -> Result<FloorMemory, MemoryError> {
        let found = fstat(&fd).map_err(refused("examine"))?.st_size;
        if found != BYTES as i64 {
            return Err(MemoryError::Foreign { found });
        }
        FloorMemory::map(fd)
    }

    /// The shared lines.
    pub fn lines(&self) -> &Lines {
        // SAFETY: the mapping is `BYTES` long, aligned to 2 MiB, lives as long as `self` and cannot
        // shrink, for the file is sealed. `Lines` is made of atomics, for which every bit pattern is
        // valid, so the other process may write them at any time.
        unsafe { self.lines.as_ref() }
    }

    /// The descriptor, to hand to a child.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Bytes of the pages that were really got: 2 MiB or 4 KiB.
    pub fn page_bytes(&self) -> u64 {
        let smaps = File::open("/proc/self/smaps").map(BufReader::new);
        let lines = smaps
            .into_iter()
            .flat_map(|smaps| smaps.lines().map_while(Result::ok));
        page_bytes_at(lines, self.lines.as_ptr().addr())
    }

    fn map(fd: OwnedFd) -> Result<FloorMemory, MemoryError> {
        let none = ProtFlags::empty();
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let reserved =
            unsafe { mmap_anonymous(ptr::null_mut(), 2 * BYTES, none, MapFlags::PRIVATE) }
                .map_err(refused("reserve room for"))?
                .cast::<u8>();
        let place = reserved.wrapping_add(reserved.align_offset(BYTES)).cast();
        // SAFETY: `place` is the first multiple of 2 MiB in the 4 MiB just reserved, so the fixed
        // mapping replaces nothing but reserved room.
        let mapped = unsafe {
            mmap(
                place,
                BYTES,
                both,
                MapFlags::SHARED | MapFlags::FIXED,
                &fd,
                0,
            )
        };
        let memory = FloorMemory {
            fd,
            lines: NonNull::new(place.cast()).expect("an aligned place in a mapping is not null"),
            reserved: NonNull::new(reserved).expect("the kernel maps nothing at null"),
        };
        mapped.map_err(refused("map"))?;
        memory.prefault()?;
        Ok(memory)
    }

    fn prefault(&self) -> Result<(), MemoryError> {
        // A kernel without either is no reason to stop: the untimed first laps touch every line.
        match self.advise(libc::MADV_POPULATE_WRITE) {
            Ok(()) | Err(Errno::INVAL) => {}
            Err(cause) => return Err(refused("populate")(cause)),
        }
        if let Err(cause) = self.advise(libc::MADV_COLLAPSE) {
            tracing::debug!(%cause, "the floor's pages were not collapsed into one of 2 MiB");
        }
        Ok(())
    }

    fn advise(&self, advice: libc::c_int) -> Result<(), Errno> {
        // SAFETY: the range is this mapping; populating and collapsing keep its contents.
        let outcome = unsafe { libc::madvise(self.lines.as_ptr().cast(), BYTES, advice) };
        match outcome {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    }
}

impl Drop for FloorMemory {
    fn drop(&mut self) {
        // SAFETY: `reserved` and its length are those of the reservation, in which the shared
        // mapping lies; `&mut self` proves that no reference from `lines` is alive.
        let unmapped = unsafe { munmap(self.reserved.as_ptr().cast(), 2 * BYTES) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

fn refused(step: &'static str) -> impl Fn(Errno) -> MemoryError {
    move |cause| MemoryError::Refused { step, cause }
}

fn create_huge() -> Result<OwnedFd, MemoryError> {
    allocate(MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB)
}

fn create_small() -> Result<OwnedFd, MemoryError> {
    allocate(MemfdFlags::empty())
}

/// A descriptor with all its memory allocated now, so that a later touch cannot fail.
fn allocate(pages: MemfdFlags) -> Result<OwnedFd, MemoryError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | pages;
    let fd = memfd_create("ironhoard-floor", flags).map_err(refused("create"))?;
    ftruncate(&fd, BYTES as u64).map_err(refused("size"))?;
    fallocate(&fd, FallocateFlags::empty(), 0, BYTES as u64).map_err(refused("allocate"))?;
    Ok(fd)
}

/// Page size of the mapping at `address`, from the lines of `smaps`.
fn page_bytes_at(smaps: impl Iterator<Item = String>, address: usize) -> u64 {
    let start = format!("{address:x}-");
    let mapping = smaps.skip_while(|line| !line.starts_with(&start)).skip(1);
    let fields = mapping.take_while(|line| !is_mapping_line(line));
    let mut page_bytes = 4096;
    for line in fields {
        let mut words = line.split_whitespace();
        let (Some(field), Some(Ok(kib))) = (words.next(), words.next().map(str::parse::<u64>))
        else {
            continue;
        };
        match field {
            "KernelPageSize:" => page_bytes = page_bytes.max(kib * 1024),
            "ShmemPmdMapped:" if kib * 1024 == BYTES as u64 => page_bytes = BYTES as u64,
            _ => {}
        }
    }
    page_bytes
}

fn is_mapping_line(line: &str) -> bool {
    line.split_whitespace()
        .next()
        .is_some_and(|word| word.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn two_mappings_of_one_descriptor_are_the_same_memory() {
        let ours = FloorMemory::create().unwrap();
        let theirs = FloorMemory::open(ours.fd().try_clone_to_owned().unwrap()).unwrap();
        ours.lines().command.0[0].store(7, Ordering::Relaxed);
        assert_eq!(theirs.lines().command.0[0].load(Ordering::Relaxed), 7);
        assert!([4096, 2 << 20].contains(&ours.page_bytes()));
    }

    #[test]
    fn memory_of_another_size_is_refused() {
        let fd = memfd_create("small", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&fd, 4096).unwrap();
        let refused = FloorMemory::open(fd).err().unwrap();
        assert!(matches!(refused, MemoryError::Foreign { found: 4096 }));
    }

    #[test]
    fn the_page_size_is_that_of_the_right_mapping() {
        let smaps = |pages: &str| {
            format!(
                "1000-2000 rw-s 00000000 00:01 9 /memfd:other\nKernelPageSize: 64 kB\n\
                 7f0000-9f0000 rw-s 00000000 00:01 8 /memfd:ironhoard-floor\n{pages}\n\
                 aa0000-bb0000 rw-p 00000000 00:00 0\nKernelPageSize: 1024 kB\n"
            )
        };
        let found = |pages: &str| page_bytes_at(smaps(pages).lines().map(str::to_owned), 0x7f0000);
        assert_eq!(
            found("KernelPageSize:        4 kB\nShmemPmdMapped: 0 kB"),
            4096
        );
        assert_eq!(found("KernelPageSize:     2048 kB"), 2 << 20);
        assert_eq!(
            found("KernelPageSize:        4 kB\nShmemPmdMapped: 2048 kB"),
            2 << 20
        );
        assert_eq!(page_bytes_at(std::iter::empty(), 0x7f0000), 4096);
    }
}
