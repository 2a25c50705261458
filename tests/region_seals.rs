//! One writer per page, for every kind of page: what somebody with every descriptor and the same uid
//! can try after `seal_writes`, and what a descriptor must be before it is trusted.

#[path = "common/hugepages.rs"]
mod hugepages;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use hugepages::HugePages;
use ironhoard::region::{
    check_fd, Expect, Mapping, PageMode, PageSize, Region, RegionError, RegionIdentity, Seals,
};
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MprotectFlags};

const MIB: u64 = 1 << 20;
const MARK: u64 = 0x0123_4567_89ab_cdef;

/// A region of each kind of page the machine can give now; the hugetlb one is left out without a pool.
fn each_kind(test: impl Fn(Region)) {
    if let Some(_pool) = HugePages::with_free(2) {
        test(Region::create("kind-huge", 2 * MIB, PageMode::RequireHuge).unwrap());
    }
    if let Some(_pool) = HugePages::with_free(0) {
        let region = Region::create("kind-collapsed", 2 * MIB, PageMode::Auto).unwrap();
        assert_ne!(region.page_size(), PageSize::Huge2M);
        test(region);
    }
    test(Region::create("kind-small", 2 * MIB, PageMode::Small).unwrap());
}

fn reopened(fd: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

fn word(mapping: &Mapping) -> u64 {
    // SAFETY: the first word of a mapping that lives; nothing else writes it meanwhile.
    unsafe { mapping.as_ptr().cast::<u64>().read_volatile() }
}

fn write_word(mapping: &Mapping, value: u64) {
    assert!(mapping.writable());
    // SAFETY: as `word`, and the mapping is writable.
    unsafe { mapping.as_ptr().cast::<u64>().write_volatile(value) };
}

fn upgrade(mapping: &Mapping) -> Result<(), Errno> {
    let protection = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: it would only add a right to a mapping that lives.
    unsafe {
        rustix::mm::mprotect(
            mapping.as_ptr().cast(),
            mapping.bytes() as usize,
            protection,
        )
    }
}

/// All that can be tried on the file behind `fd`, whatever it is open for.
fn attack_file(fd: BorrowedFd<'_>, bytes: u64) {
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert!(rustix::fs::fallocate(fd, punch, 0, bytes).is_err(), "hole");
    let grow = FallocateFlags::empty();
    assert!(
        rustix::fs::fallocate(fd, grow, bytes, 2 * MIB).is_err(),
        "grow"
    );
    let zero = FallocateFlags::ZERO_RANGE;
    assert!(
        rustix::fs::fallocate(fd, zero, 0, bytes).is_err(),
        "zero range"
    );
    assert!(rustix::fs::ftruncate(fd, 0).is_err(), "shrink");
    assert!(
        rustix::fs::ftruncate(fd, bytes + 2 * MIB).is_err(),
        "grow by truncate"
    );
    assert!(rustix::io::pwrite(fd, b"x", 0).is_err(), "pwrite");
    assert!(
        rustix::fs::fcntl_add_seals(fd, SealFlags::WRITE).is_err(),
        "another seal"
    );
    let mut source = tempfile_with(b"poison");
    source.seek(SeekFrom::Start(0)).unwrap();
    assert!(
        rustix::fs::sendfile(fd, &source, None, 6).is_err(),
        "sendfile"
    );
    let copied = rustix::fs::copy_file_range(&source, Some(&mut 0), fd, Some(&mut 0), 6);
    assert!(copied.is_err(), "copy_file_range");
    let mapped = Mapping::read_write(fd, bytes);
    assert!(
        matches!(mapped, Err(RegionError::Map { .. })),
        "writable mapping"
    );
}

fn tempfile_with(content: &[u8]) -> File {
    let fd = rustix::fs::memfd_create("plain", MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(fd);
    file.write_all(content).unwrap();
    file
}

#[test]
fn after_seal_writes_only_the_writer_writes() {
    each_kind(|region| {
        let bytes = region.bytes();
        let writer = Mapping::read_write(region.fd(), bytes).unwrap();
        write_word(&writer, MARK);
        region.seal_writes().unwrap();
        let read_only = region.read_only_fd().unwrap();
        let reader = Mapping::read_only(read_only.as_fd(), bytes).unwrap();
        let reader_of_writable = Mapping::read_only(region.fd(), bytes).unwrap();

        // Whoever owns the file may open it up; the seals do not care. (The seal `EXEC` refuses 0777.)
        let _ = rustix::fs::fchmod(&read_only, Mode::from_raw_mode(0o777));
        rustix::fs::fchmod(&read_only, Mode::from_raw_mode(0o666)).unwrap();
        let reopened_writable = reopened(read_only.as_fd(), OFlags::RDWR).unwrap();
        for fd in [region.fd(), read_only.as_fd(), reopened_writable.as_fd()] {
            attack_file(fd, bytes);
        }
        assert!(reopened(read_only.as_fd(), OFlags::RDWR | OFlags::TRUNC).is_err());

        assert_eq!(upgrade(&reader), Err(Errno::ACCESS));
        assert_eq!(upgrade(&reader_of_writable), Err(Errno::ACCESS));
        let memory = File::options().write(true).open("/proc/self/mem").unwrap();
        assert!(memory.write_all_at(b"x", reader.as_ptr() as u64).is_err());
        for mapping in [&writer, &reader] {
            // SAFETY: it must fail; if it did not, the region would read as zero and the test fail.
            let removed = unsafe {
                rustix::mm::madvise(mapping.as_ptr().cast(), bytes as usize, Advice::LinuxRemove)
            };
            assert!(removed.is_err(), "a hole through a mapping");
        }

        assert_eq!((word(&reader), word(&reader_of_writable)), (MARK, MARK));
        write_word(&writer, MARK + 1);
        assert_eq!(word(&reader), MARK + 1, "the writer's mapping goes on");
        let expect = Expect {
            bytes,
            seals: Seals::Writes,
        };
        check_fd(read_only.as_fd(), expect).unwrap();
    });
}

/// Why the order is: seal first, map read-only then. If a kernel ever forbids this, the rule can go.
#[test]
fn a_read_only_mapping_from_before_the_seal_can_be_upgraded() {
    let region = Region::create("order", 4096, PageMode::Small).unwrap();
    let early = Mapping::read_only(region.fd(), 4096).unwrap();
    region.seal_writes().unwrap();
    assert_eq!(upgrade(&early), Ok(()));
}

#[test]
fn seal_size_freezes_the_size_and_leaves_writing() {
    each_kind(|region| {
        region.seal_size().unwrap();
        let bytes = region.bytes();
        assert_eq!(rustix::fs::ftruncate(region.fd(), 0), Err(Errno::PERM));
        let grown = rustix::fs::ftruncate(region.fd(), bytes + 2 * MIB);
        assert_eq!(grown, Err(Errno::PERM));
        let writer = Mapping::read_write(region.fd(), bytes).unwrap();
        write_word(&writer, MARK);
        let expect = Expect {
            bytes,
            seals: Seals::Size,
        };
        let kind = check_fd(region.fd(), expect).unwrap();
        assert_eq!(
            kind == PageSize::Huge2M,
            region.page_size() == PageSize::Huge2M
        );
    });
}

fn refusal(fd: BorrowedFd<'_>, bytes: u64, seals: Seals) -> RegionError {
    let error = check_fd(fd, Expect { bytes, seals }).unwrap_err();
    assert!(error.to_string().contains(':'), "says what to do: {error}");
    error
}

#[test]
fn what_is_no_memory_file_is_refused() {
    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    let directory = File::open("/").unwrap();
    let null = File::open("/dev/null").unwrap();
    let disk = File::open("/proc/self/exe").unwrap();
    for fd in [pipe.as_fd(), directory.as_fd(), null.as_fd(), disk.as_fd()] {
        let error = refusal(fd, 4096, Seals::Size);
        assert!(matches!(error, RegionError::NotMemory { .. }), "{error}");
        let error = Mapping::read_only(fd, 4096).unwrap_err();
        assert!(matches!(error, RegionError::NotMemory { .. }), "{error}");
    }
    let unsealable = tempfile_with(&[0; 4096]);
    let error = refusal(unsealable.as_fd(), 4096, Seals::Size);
    assert!(matches!(error, RegionError::WrongSeals { .. }), "{error}");
}

#[test]
fn other_seals_and_sizes_are_refused() {
    let region = Region::create("exact", 8192, PageMode::Small).unwrap();
    let error = refusal(region.fd(), 8192, Seals::Size);
    assert!(error.to_string().contains("sealed not at all"), "{error}");
    region.seal_size().unwrap();
    for bytes in [0, 4096, 12_288, u64::MAX] {
        let error = refusal(region.fd(), bytes, Seals::Size);
        assert!(
            matches!(error, RegionError::WrongSize { found: 8192, .. }),
            "{error}"
        );
        let error = Mapping::read_only(region.fd(), bytes).unwrap_err();
        assert!(matches!(error, RegionError::WrongSize { .. }), "{error}");
    }
    // A seal too many: the peer sealed all writing before we could.
    rustix::fs::fcntl_add_seals(region.fd(), SealFlags::WRITE).unwrap();
    region.seal_writes().unwrap();
    let error = refusal(region.fd(), 8192, Seals::Writes);
    assert!(matches!(error, RegionError::WrongSeals { .. }), "{error}");
}

#[test]
fn closed_seals_are_an_error() {
    let region = Region::create("closed", 4096, PageMode::Small).unwrap();
    rustix::fs::fcntl_add_seals(region.fd(), SealFlags::SEAL).unwrap();
    let error = region.seal_writes().unwrap_err();
    assert!(matches!(error, RegionError::Seal { .. }), "{error}");
}

#[test]
fn a_hole_is_refused() {
    each_kind(|region| {
        region.seal_size().unwrap();
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(region.fd(), punch, 0, region.bytes()).unwrap();
        region.seal_writes().unwrap();
        let error = refusal(region.fd(), region.bytes(), Seals::Writes);
        assert!(
            matches!(error, RegionError::Hole { found: 0, .. }),
            "{error}"
        );
    });
}

/// The host makes the hole, hides it behind blocks beyond the end, and empties the pool: mapping must
/// fail, or reading would be SIGBUS.
#[test]
fn a_hidden_hole_without_a_page_to_fill_it_is_an_error_and_no_signal() {
    let Some(pool) = HugePages::with_free(2) else {
        return;
    };
    let flags = MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("hidden-hole", flags | MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&fd, 2 * MIB).unwrap();
    rustix::fs::fallocate(&fd, FallocateFlags::KEEP_SIZE, 2 * MIB, 2 * MIB).unwrap();
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    let _thief = Region::create("thief", 2 * MIB, PageMode::RequireHuge).unwrap();
    assert_eq!(pool.free(), 0);
    let expect = Expect {
        bytes: 2 * MIB,
        seals: Seals::Writes,
    };
    if check_fd(fd.as_fd(), expect).is_ok() {
        let error = Mapping::read_only(fd.as_fd(), 2 * MIB).unwrap_err();
        assert!(
            matches!(
                error,
                RegionError::Map { .. } | RegionError::Prefault { .. }
            ),
            "{error}"
        );
    }
}

#[test]
fn one_region_has_one_identity() {
    let one = Region::create("one", 4096, PageMode::Small).unwrap();
    let two = Region::create("two", 4096, PageMode::Small).unwrap();
    let read_only = one.read_only_fd().unwrap();
    let identity = |fd| RegionIdentity::of(fd).unwrap();
    assert_eq!(identity(one.fd()), identity(read_only.as_fd()));
    assert_ne!(identity(one.fd()), identity(two.fd()));
}
