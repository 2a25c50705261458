//! Named segments: two views of one memory, the name's life, and what a killed creator leaves.
#![cfg(feature = "named")]

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use ironhoard::region::{NamedError, NamedRegion};

const HOLDER: &str = "IRONHOARD_TEST_SEGMENT";
const MARK: u64 = 0x0123_4567_89ab_cdef;

fn name(test: &str) -> String {
    format!("ironhoard-test-{}-{test}", std::process::id())
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn last_word(region: &NamedRegion) -> *mut u64 {
    // SAFETY: the region has a whole number of pages, so its last 8 bytes are an aligned word of it.
    unsafe { region.as_ptr().add(region.bytes() as usize - 8).cast() }
}

#[test]
fn both_sides_see_one_memory() {
    let name = name("both");
    let creator = NamedRegion::create(&name, 5000).unwrap();
    let other = NamedRegion::open(&name, 5000).unwrap();
    assert_eq!((creator.bytes(), other.bytes()), (8192, 8192));
    // SAFETY: both words lie in living mappings that only this thread uses.
    unsafe {
        assert_eq!(last_word(&other).read_volatile(), 0);
        last_word(&creator).write_volatile(MARK);
        assert_eq!(last_word(&other).read_volatile(), MARK);
    }
    let metadata = std::fs::metadata(path(&name)).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(metadata.blocks() * 512, 8192, "allocated before use");
}

#[test]
fn the_name_goes_with_its_creator() {
    let name = name("life");
    let creator = NamedRegion::create(&name, 4096).unwrap();
    let other = NamedRegion::open(&name, 4096).unwrap();
    drop(NamedRegion::open(&name, 4096).unwrap());
    assert!(path(&name).exists(), "who opened does not remove");
    drop(creator);
    assert!(!path(&name).exists());
    // SAFETY: the mapping outlives the name; only this thread uses it.
    unsafe { last_word(&other).write_volatile(MARK) };
    let error = NamedRegion::open(&name, 4096).unwrap_err();
    assert!(matches!(error, NamedError::Open { .. }), "{error}");
}

#[test]
fn a_taken_name_another_size_or_a_hole_is_refused() {
    let name = name("refused");
    let creator = NamedRegion::create(&name, 8192).unwrap();
    let error = NamedRegion::create(&name, 8192).unwrap_err();
    assert!(matches!(error, NamedError::Exists { .. }));
    assert!(error
        .to_string()
        .contains(&format!("remove /dev/shm/{name}")));
    let error = NamedRegion::open(&name, 16_384).unwrap_err();
    assert!(
        matches!(error, NamedError::WrongSize { found: 8192, .. }),
        "{error}"
    );
    drop(creator);
    let file = std::fs::File::create_new(path(&name)).unwrap();
    file.set_len(8192).unwrap();
    let error = NamedRegion::open(&name, 8192).unwrap_err();
    std::fs::remove_file(path(&name)).unwrap();
    assert!(
        matches!(error, NamedError::WrongSize { allocated: 0, .. }),
        "{error}"
    );
}

#[test]
fn impossible_names_and_sizes_are_refused() {
    for bad in [
        "",
        ".hidden",
        "a/b",
        "../x",
        "nul\0",
        "ü",
        &"long".repeat(60),
    ] {
        let error = NamedRegion::create(bad, 4096).unwrap_err();
        assert!(matches!(error, NamedError::BadName { .. }), "{error}");
        assert!(NamedRegion::open(bad, 4096).is_err());
    }
    for bytes in [0, u64::MAX] {
        let error = NamedRegion::create(&name("size"), bytes).unwrap_err();
        assert!(matches!(error, NamedError::BadSize { .. }), "{error}");
    }
}

#[test]
fn more_than_dev_shm_holds_is_an_error_and_leaves_no_name() {
    let name = name("beyond");
    let error = NamedRegion::create(&name, 1 << 44).unwrap_err();
    assert!(matches!(error, NamedError::NoMemory { .. }), "{error}");
    assert!(!path(&name).exists());
}

#[test]
fn a_forked_child_leaves_the_name_alone() {
    let name = name("fork");
    let creator = NamedRegion::create(&name, 4096).unwrap();
    // SAFETY: the child drops one value and exits at once; glibc keeps its allocator usable after fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(creator);
        // SAFETY: ends the child at once, without the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    // SAFETY: `child` is our child and `status` is a valid place for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    assert!(path(&name).exists());
    drop(creator);
    assert!(!path(&name).exists());
}

/// The child of the next test: does nothing unless it is told a name.
#[test]
fn holder() {
    let Ok(name) = std::env::var(HOLDER) else {
        return;
    };
    let region = NamedRegion::create(&name, 4096).unwrap();
    // SAFETY: the word lies in a living mapping that only this thread uses.
    unsafe { last_word(&region).write_volatile(MARK) };
    // SAFETY: a signal to this process itself.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// The weaker promise, said by a test: a killed creator leaves its segment.
#[test]
fn a_killed_creator_leaves_the_segment_and_the_error_says_so() {
    let name = name("killed");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder"])
        .env(HOLDER, &name)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let error = NamedRegion::create(&name, 4096).unwrap_err();
    let left = NamedRegion::open(&name, 4096);
    std::fs::remove_file(path(&name)).unwrap();
    assert!(
        error.to_string().contains("a killed one left it behind"),
        "{error}"
    );
    // SAFETY: as above.
    assert_eq!(unsafe { last_word(&left.unwrap()).read_volatile() }, MARK);
}
