//! Named segments: shared memory for hosts that cannot be passed a descriptor. Weaker promises.
//!
//! ```text
//!  creator: NamedRegion::create("hunt-1", n) ── /dev/shm/hunt-1 ──▶ NamedRegion::open("hunt-1", n)
//! ```
//!
//! Use a [`Region`](super::Region) wherever a descriptor can travel. What a name costs:
//!
//! | a region | a named segment |
//! |---|---|
//! | freed with its last holder | stays after `kill -9` of its creator, until `rm /dev/shm/NAME` |
//! | one writer, enforced by seals | each process of the same uid may open and write it |
//! | cannot shrink: no SIGBUS | whoever opens it may truncate it; the next touch is SIGBUS |
//! | 2 MiB pages where they can be had | 4 KiB pages (the size and policy of /dev/shm decide) |
//! | limited by memory | limited by the size of /dev/shm, 64 MB in many containers |
//!
//! So nobody who opens it may be hostile. What can be had is kept: mode 0600, memory allocated and
//! present when it is created, no inheritance by children, and the name goes with its creator, if that
//! one ends in an orderly way.
//!
//! Behind the feature `named`, off by default; the segment is that of the crate `shared_memory`.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::mm::Advice;
use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::pages::PageSize;

/// Why a named segment could not be created or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamedError {
    /// A name that is no file name.
    #[error(
        "segment name {name:?} cannot be used: 1 to 200 of a-z A-Z 0-9 _ - ., no dot in front"
    )]
    BadName {
        /// The name that was given.
        name: String,
    },
    /// A size that is zero or beyond any machine.
    #[error("a segment of {bytes} bytes cannot be made: ask for 1 byte to 16 TiB")]
    BadSize {
        /// The size that was asked for, in bytes.
        bytes: u64,
    },
    /// The name is taken.
    #[error(
        "segment {name:?} exists: another process uses it, or a killed one left it behind; choose \
         another name, or make sure that nobody uses it and remove {path}"
    )]
    Exists {
        /// The name.
        name: String,
        /// Where it lies.
        path: String,
    },
    /// No such segment, or not ours to open.
    #[error(
        "segment {name:?} cannot be opened: {source}; is its creator running, under this uid?"
    )]
    Open {
        /// The name.
        name: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The segment could not be made.
    #[error("segment {name:?} cannot be created: {source}; is /dev/shm mounted and writable?")]
    Create {
        /// The name.
        name: String,
        /// What the crate `shared_memory` says.
        source: ShmemError,
    },
    /// The segment could not be mapped.
    #[error("segment {name:?} cannot be mapped: {source}; is it of full size and the address space free?")]
    Map {
        /// The name.
        name: String,
        /// What the crate `shared_memory` says.
        source: ShmemError,
    },
    /// Its memory is not there.
    #[error(
        "the {bytes} bytes of segment {name:?} cannot be had ({source}): enlarge /dev/shm (docker: \
         --shm-size), or ask for less"
    )]
    NoMemory {
        /// The name.
        name: String,
        /// Bytes needed.
        bytes: u64,
        /// The kernel's answer.
        source: Errno,
    },
    /// Another size than agreed, or parts of it are missing.
    #[error(
        "segment {name:?} has {found} bytes, {allocated} of them backed by memory, and {expected} \
         were agreed: it is another one, or not complete"
    )]
    WrongSize {
        /// The name.
        name: String,
        /// Bytes agreed, in whole pages.
        expected: u64,
        /// Bytes found.
        found: u64,
        /// Bytes backed by memory.
        allocated: u64,
    },
}

/// A mapped named segment, read-write. Unmapped when dropped; the creator also removes the name.
///
/// ```
/// use ironhoard::region::NamedRegion;
/// # fn main() -> Result<(), ironhoard::region::NamedError> {
/// let name = format!("ironhoard-example-{}", std::process::id());
/// let mine = NamedRegion::create(&name, 8192)?;
/// let theirs = NamedRegion::open(&name, 8192)?;
/// assert_eq!(theirs.bytes(), 8192);
/// drop(mine);
/// assert!(NamedRegion::open(&name, 8192).is_err());
/// # Ok(())
/// # }
/// ```
pub struct NamedRegion {
    segment: ManuallyDrop<Shmem>,
    name: String,
    mapped_by: u32,
}

// SAFETY: the segment is an address, a descriptor and a name, none of which belongs to a thread. No
// reference into the memory is lent; who reads or writes through the address answers for that.
unsafe impl Send for NamedRegion {}
// SAFETY: no method changes anything through `&self`.
unsafe impl Sync for NamedRegion {}

impl NamedRegion {
    /// Creates a segment of `bytes` bytes, rounded up to whole 4 KiB pages, zeroed and present.
    ///
    /// # Errors
    /// [`NamedError::BadName`], [`NamedError::BadSize`]; [`NamedError::Exists`] where the name is
    /// taken, also by a killed creator; [`NamedError::NoMemory`] where /dev/shm is too small;
    /// [`NamedError::Create`]. The name is gone again after an error.
    pub fn create(name: &str, bytes: u64) -> Result<NamedRegion, NamedError> {
        let (path, bytes) = checked(name, bytes)?;
        let segment = conf(name)
            .size(bytes as usize)
            .create()
            .map_err(|source| match source {
                ShmemError::MappingIdExists => NamedError::Exists {
                    name: name.to_owned(),
                    path: path.display().to_string(),
                },
                source => NamedError::Create {
                    name: name.to_owned(),
                    source,
                },
            })?;
        let region = Self::new(segment, name);
        region.allocate(&path, bytes)?;
        region.settle()?;
        Ok(region)
    }

    /// Opens the segment that another process created with the same name and size.
    ///
    /// # Errors
    /// [`NamedError::Open`] where there is none, or it belongs to another uid;
    /// [`NamedError::WrongSize`] where it has another size or holes; [`NamedError::Map`];
    /// [`NamedError::BadName`] and [`NamedError::BadSize`].
    pub fn open(name: &str, bytes: u64) -> Result<NamedRegion, NamedError> {
        let (path, expected) = checked(name, bytes)?;
        let found = std::fs::metadata(&path).map_err(|source| open_error(name, source))?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            let other = std::io::Error::other("it belongs to another uid");
            return Err(open_error(name, other));
        }
        let wrong_size = |found: u64, allocated| NamedError::WrongSize {
            name: name.to_owned(),
            expected,
            found,
            allocated,
        };
        let allocated = found.blocks().saturating_mul(512);
        if found.len() != expected || allocated < expected {
            return Err(wrong_size(found.len(), allocated));
        }
        let segment = conf(name).open().map_err(|source| NamedError::Map {
            name: name.to_owned(),
            source,
        })?;
        // Asked again: the name may stand for another segment by now.
        if segment.len() as u64 != expected {
            return Err(wrong_size(segment.len() as u64, allocated));
        }
        let region = Self::new(segment, name);
        region.settle()?;
        Ok(region)
    }

    /// The first byte. Valid as long as this lives and nobody truncates the segment.
    pub fn as_ptr(&self) -> *mut u8 {
        self.segment.as_ptr()
    }

    /// Bytes of the segment, in whole pages.
    pub fn bytes(&self) -> u64 {
        self.segment.len() as u64
    }

    /// The name it was created or opened with.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(segment: Shmem, name: &str) -> NamedRegion {
        NamedRegion {
            segment: ManuallyDrop::new(segment),
            name: name.to_owned(),
            mapped_by: std::process::id(),
        }
    }

    /// Sets the memory aside, or the first touch with a full /dev/shm would be SIGBUS.
    fn allocate(&self, path: &PathBuf, bytes: u64) -> Result<(), NamedError> {
        let file = File::options()
            .write(true)
            .open(path)
            .map_err(|source| open_error(&self.name, source))?;
        rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)
        })
        .map_err(|source| self.no_memory(source))
    }

    /// Keeps the mapping from children and makes its pages present in this process.
    fn settle(&self) -> Result<(), NamedError> {
        self.advise(Advice::LinuxDontFork)
            .map_err(|source| self.no_memory(source))?;
        match rustix::io::retry_on_intr(|| self.advise(Advice::LinuxPopulateWrite)) {
            // Before Linux 5.14: the pages are allocated, their first touch costs a fault.
            Err(Errno::INVAL) => Ok(()),
            answer => answer.map_err(|source| self.no_memory(source)),
        }
    }

    fn advise(&self, advice: Advice) -> Result<(), Errno> {
        // SAFETY: the segment is mapped until `self` drops, and the advices used here (don't fork,
        // populate) neither unmap it nor change its contents.
        unsafe { rustix::mm::madvise(self.as_ptr().cast(), self.segment.len(), advice) }
    }

    fn no_memory(&self, source: Errno) -> NamedError {
        NamedError::NoMemory {
            name: self.name.clone(),
            bytes: self.bytes(),
            source,
        }
    }
}

impl std::fmt::Debug for NamedRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedRegion")
            .field("name", &self.name)
            .field("bytes", &self.bytes())
            .field("creator", &self.segment.is_owner())
            .finish()
    }
}

impl Drop for NamedRegion {
    fn drop(&mut self) {
        // A forked child got a copy of this value, but neither the mapping nor the right to remove the
        // parent's name; its descriptor goes with exec or exit.
        if self.mapped_by == std::process::id() {
            // SAFETY: dropped here only, and `self` is never used again.
            unsafe { ManuallyDrop::drop(&mut self.segment) };
        }
    }
}

fn conf(name: &str) -> ShmemConf {
    ShmemConf::new().os_id(format!("/{name}"))
}

/// The segment's path and its size in whole pages.
fn checked(name: &str, bytes: u64) -> Result<(PathBuf, u64), NamedError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let fits = (1..=200).contains(&name.len()) && !name.starts_with('.');
    if !fits || !name.bytes().all(allowed) {
        return Err(NamedError::BadName {
            name: name.to_owned(),
        });
    }
    let rounded = match bytes {
        1..=super::memfd::MOST_BYTES => PageSize::Small4K.round_up(bytes),
        _ => None,
    };
    let bytes = rounded.ok_or(NamedError::BadSize { bytes })?;
    Ok((PathBuf::from("/dev/shm").join(name), bytes))
}

fn open_error(name: &str, source: std::io::Error) -> NamedError {
    NamedError::Open {
        name: name.to_owned(),
        source,
    }
}
