//! The page ladder on real pages, what a mapping promises, and that failure leaves nothing behind.

#[path = "common/hugepages.rs"]
mod hugepages;

use std::fs;
use std::os::fd::AsRawFd;

use hugepages::HugePages;
use ironhoard::region::{
    reserve_report, Mapping, PageCounters, PageMode, PageSize, Region, RegionError,
};

const MIB: u64 = 1 << 20;

/// Descriptors and mappings of this process whose memfd carries `name`.
fn traces_of(name: &str) -> usize {
    let in_maps = fs::read_to_string("/proc/self/maps").unwrap();
    let descriptors = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().contains(name));
    descriptors.count() + in_maps.lines().filter(|line| line.contains(name)).count()
}

/// Maps the region at both access modes and compares what the kernel shows with what it claims.
fn verify_both_mappings(region: &Region) {
    let writer = Mapping::read_write(region.fd(), region.bytes()).unwrap();
    let read_only = region.read_only_fd().unwrap();
    let reader = Mapping::read_only(std::os::fd::AsFd::as_fd(&read_only), region.bytes()).unwrap();
    for mapping in [&writer, &reader] {
        assert_eq!(mapping.page_size(), region.page_size());
        assert_eq!(mapping.bytes(), region.bytes());
        assert_eq!(mapping.as_ptr() as usize % (2 << 20), 0);
    }
    assert!(writer.writable() && !reader.writable());
    let last = region.bytes() as usize - 8;
    // SAFETY: the offset lies inside both mappings and is a multiple of 8; this thread alone uses them.
    unsafe {
        writer.as_ptr().add(last).cast::<u64>().write_volatile(7);
        assert_eq!(reader.as_ptr().add(last).cast::<u64>().read_volatile(), 7);
        assert_eq!(reader.as_ptr().cast::<u64>().read_volatile(), 0);
    }
}

#[test]
fn require_huge_gets_pages_of_the_pool_and_gives_them_back() {
    let Some(pool) = HugePages::with_free(3) else {
        return;
    };
    let region = Region::create("require-huge", 3 * MIB, PageMode::RequireHuge).unwrap();
    assert_eq!(region.page_size(), PageSize::Huge2M);
    assert_eq!(region.bytes(), 4 * MIB);
    assert!(region.notes().is_empty());
    assert_eq!(pool.free(), 1, "the pages are taken when create returns");
    verify_both_mappings(&region);
    let mapping = Mapping::read_write(region.fd(), region.bytes()).unwrap();
    assert!(mapping.locked(), "hugetlb pages are never swapped");
    drop(region);
    assert_eq!(pool.free(), 1, "a mapping keeps the region alive");
    drop(mapping);
    assert!(pool.comes_to(3));
}

#[test]
fn auto_takes_huge_pages_while_there_are_some() {
    let Some(_pool) = HugePages::with_free(1) else {
        return;
    };
    let region = Region::create("auto-huge", MIB + 12_352, PageMode::Auto).unwrap();
    assert_eq!(region.page_size(), PageSize::Huge2M);
    let next = Region::create("auto-next", MIB, PageMode::Auto).unwrap();
    assert_ne!(next.page_size(), PageSize::Huge2M);
    assert_eq!(next.notes()[0].step, PageSize::Huge2M);
}

#[test]
fn an_empty_pool_is_an_error_for_require_huge_that_says_the_number() {
    let Some(_pool) = HugePages::with_free(0) else {
        return;
    };
    let total = reserve_report().huge_total;
    let error = Region::create("none-free", 8 * MIB, PageMode::RequireHuge).unwrap_err();
    assert!(matches!(
        error,
        RegionError::NoHugePages {
            needed: 4,
            free: 0,
            ..
        }
    ));
    let advice = format!("sysctl -w vm.nr_hugepages={}", total + 4);
    assert!(error.to_string().contains(&advice), "{error}");
    assert_eq!(traces_of("none-free"), 0);
}

#[test]
fn an_empty_pool_sends_auto_down_the_ladder_with_a_note() {
    let Some(_pool) = HugePages::with_free(0) else {
        return;
    };
    let region = Region::create("fallback", 3 * MIB, PageMode::Auto).unwrap();
    let notes = region.notes();
    assert_eq!(notes[0].step, PageSize::Huge2M);
    assert!(
        notes[0].to_string().contains("vm.nr_hugepages"),
        "{}",
        notes[0]
    );
    match region.page_size() {
        PageSize::Collapsed2M => assert_eq!((notes.len(), region.bytes()), (1, 4 * MIB)),
        PageSize::Small4K => assert_eq!((notes.len(), region.bytes()), (2, 3 * MIB)),
        PageSize::Huge2M => panic!("the pool was empty"),
    }
    if region.page_size() == PageSize::Small4K {
        assert!(
            !reserve_report().has_collapse,
            "collapse refused: {}",
            notes[1]
        );
    }
    verify_both_mappings(&region);
    let counters = PageCounters::default();
    counters.record(&region);
    let counts = counters.counts();
    assert_eq!(
        (counts.fallbacks, counts.huge, counts.bytes),
        (1, 0, region.bytes())
    );
}

#[test]
fn a_pool_too_small_gives_back_what_it_lent() {
    let Some(pool) = HugePages::with_free(3) else {
        return;
    };
    let error = Region::create("too-small-pool", 10 * MIB, PageMode::RequireHuge).unwrap_err();
    assert!(
        matches!(
            error,
            RegionError::NoHugePages {
                needed: 5,
                free: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(pool.comes_to(3));
    assert_eq!(traces_of("too-small-pool"), 0);
}

#[test]
fn small_is_small_and_rounded_to_its_pages() {
    let region = Region::create("small", 5000, PageMode::Small).unwrap();
    assert_eq!(
        (region.page_size(), region.bytes()),
        (PageSize::Small4K, 8192)
    );
    verify_both_mappings(&region);
    let tiny = Region::create("tiny", 1, PageMode::Auto).unwrap();
    assert_eq!((tiny.page_size(), tiny.bytes()), (PageSize::Small4K, 4096));
    assert!(tiny.notes().is_empty(), "nothing was refused");
    let large = Region::create("large-small", 4 * MIB, PageMode::Small).unwrap();
    assert_eq!(large.page_size(), PageSize::Small4K);
    verify_both_mappings(&large);
}

#[test]
fn sizes_and_names_that_cannot_be_are_refused() {
    for bytes in [0, (1 << 44) + 1, u64::MAX] {
        for mode in [PageMode::Auto, PageMode::RequireHuge, PageMode::Small] {
            let error = Region::create("bad-size", bytes, mode).unwrap_err();
            assert!(matches!(error, RegionError::BadSize { .. }), "{error}");
        }
    }
    for name in ["", "nul\0inside", &"long".repeat(60)] {
        let error = Region::create(name, 4096, PageMode::Small).unwrap_err();
        assert!(matches!(error, RegionError::BadName { .. }), "{error}");
    }
}

#[test]
fn more_than_the_machine_has_is_refused_before_it_is_touched() {
    let error = Region::create("beyond-memory", 1 << 44, PageMode::Small).unwrap_err();
    assert!(matches!(error, RegionError::NoMemory { .. }), "{error}");
    assert_eq!(traces_of("beyond-memory"), 0);
}

#[test]
fn descriptors_are_private_to_this_program_and_user() {
    let region = Region::create("private", 4096, PageMode::Small).unwrap();
    let read_only = region.read_only_fd().unwrap();
    let mode = rustix::fs::fstat(region.fd()).unwrap().st_mode;
    assert_eq!(mode & 0o7777, 0o600);
    for fd in [region.fd(), std::os::fd::AsFd::as_fd(&read_only)] {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    let flags = rustix::fs::fcntl_getfl(&read_only).unwrap();
    assert_eq!(
        flags & rustix::fs::OFlags::ACCMODE,
        rustix::fs::OFlags::RDONLY
    );
    assert!(read_only.as_raw_fd() != region.fd().as_raw_fd());
}

/// Whether `address` is mapped, asked in a way that is allowed between fork and exit.
fn is_mapped(address: *mut u8) -> bool {
    // SAFETY: msync with MS_ASYNC reads page tables only; an unmapped page is ENOMEM.
    unsafe { libc::msync(address.cast(), 4096, libc::MS_ASYNC) == 0 }
}

/// Puts a page of anonymous memory at `address`, which must be free.
fn map_something_else(address: *mut u8) {
    let flags = rustix::mm::MapFlags::PRIVATE | rustix::mm::MapFlags::FIXED_NOREPLACE;
    let protection = rustix::mm::ProtFlags::READ;
    // SAFETY: NOREPLACE takes no address that is in use.
    let _ = unsafe { rustix::mm::mmap_anonymous(address.cast(), 4096, protection, flags) };
}

#[test]
fn a_child_does_not_inherit_a_mapping() {
    let Some(_pool) = HugePages::with_free(1) else {
        return;
    };
    for mode in [PageMode::RequireHuge, PageMode::Small] {
        let region = Region::create("not-for-children", MIB, mode).unwrap();
        let mapping = Mapping::read_write(region.fd(), region.bytes()).unwrap();
        assert!(is_mapped(mapping.as_ptr()));
        // SAFETY: the child makes a few system calls and exits; it touches no lock and no allocator.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let address = mapping.as_ptr();
            let seen = is_mapped(address);
            map_something_else(address);
            drop(mapping);
            let damaged = !is_mapped(address);
            // SAFETY: ends the child at once, without the parent's destructors.
            unsafe { libc::_exit(i32::from(seen) + 2 * i32::from(damaged)) };
        }
        let mut status = -1;
        // SAFETY: `child` is our child and `status` is a valid place for the answer.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "{mode}: child died: {status:#x}");
        let answer = libc::WEXITSTATUS(status);
        assert_eq!(answer & 1, 0, "{mode}: the child sees the region");
        assert_eq!(answer & 2, 0, "{mode}: dropping hit the child's memory");
    }
}

#[test]
fn many_threads_map_without_taking_each_others_addresses() {
    let region = Region::create("crowd", 64 * 1024, PageMode::Small).unwrap();
    let region = &region;
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            scope.spawn(move || {
                for turn in 0..100 {
                    let mapping = Mapping::read_write(region.fd(), region.bytes()).unwrap();
                    let word = mapping.as_ptr().cast::<u64>();
                    // SAFETY: word `thread` lies in the mapping and belongs to this thread alone.
                    unsafe {
                        word.add(thread as usize).write_volatile(turn);
                        assert_eq!(word.add(thread as usize).read_volatile(), turn);
                    }
                }
            });
        }
    });
    assert_eq!(traces_of("crowd"), 1, "the region's own descriptor");
}
