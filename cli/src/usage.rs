//! What an engine takes of the machine: allocations on its shard's thread, and resident memory. And what it
//! does not get: for how long that thread could have run and others had its core.
//!
//! The program's allocator is the system's. On a thread that asked for it with [`count_this_thread`]
//! each allocation is counted; on all others that costs one look at a flag of the thread's own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The system's allocator, which counts for the threads that asked for it.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// The thread that was counted last, as the kernel numbers it; 0 for none.
static COUNTED: AtomicI32 = AtomicI32::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// From now on the calling thread's allocations are counted, and how long it waits for its core.
pub fn count_this_thread() {
    IS_COUNTED.with(|counted| counted.set(true));
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    // Relaxed: a number that nothing else depends on.
    COUNTED.store(thread, Ordering::Relaxed);
}

/// Nanoseconds for which the calling thread could have run so far, and others had its core; 0 where the
/// kernel does not say.
pub fn waited_for_core() -> u64 {
    waited_for_core_of("/proc/thread-self")
}

fn waited_for_core_of(thread: &str) -> u64 {
    let text = std::fs::read_to_string(format!("{thread}/schedstat")).unwrap_or_default();
    // Three figures: time on a core, time waiting for one, turns.
    let waited = text.split_whitespace().nth(1);
    waited.and_then(|figure| figure.parse().ok()).unwrap_or(0)
}

fn count() {
    // At the end of a thread its cell is gone, and nobody asks any more.
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        // Relaxed: a sum that nothing else depends on; it is read between two messages in a pipe.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting in a
// thread-local cell without a destructor and an atomic neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `pointer` came from here, which is from the system; the rest is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from here, which is from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What this process has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Allocations of the threads that are counted.
    pub allocations: u64,
    /// Resident memory without shared memory: without rings.
    pub rss_bytes: u64,
    /// Resident shared memory, the rings among it.
    pub shared_bytes: u64,
    /// For how long the counted thread has waited for its core, in nanoseconds.
    pub waited_ns: u64,
}

impl Usage {
    /// Asks now.
    pub fn now() -> Usage {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |key| kib(&status, key) * 1024;
        Usage {
            // Relaxed: as where it is counted.
            allocations: ALLOCATIONS.load(Ordering::Relaxed),
            rss_bytes: bytes("RssAnon:") + bytes("RssFile:"),
            shared_bytes: bytes("RssShmem:") + bytes("HugetlbPages:"),
            // Relaxed: as where it is stored.
            waited_ns: match COUNTED.load(Ordering::Relaxed) {
                0 => 0,
                thread => waited_for_core_of(&format!("/proc/self/task/{thread}")),
            },
        }
    }
}

fn kib(status: &str, key: &str) -> u64 {
    let mut lines = status.lines();
    let figure = lines.find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_thread_that_asked_is_counted() {
        let allocate = || drop(std::hint::black_box(vec![1_u8; 100]));
        let counted = std::thread::spawn(move || {
            count_this_thread();
            let before = Usage::now().allocations;
            // Reading the figures allocates too: the text of the status.
            let between = Usage::now().allocations;
            allocate();
            let after = Usage::now().allocations;
            (between - before, after - between)
        });
        let (reading, both) = counted.join().unwrap();
        assert!(reading > 0 && both > reading, "{reading} {both}");
    }

    #[test]
    fn waiting_for_a_core_counts_and_only_grows() {
        let cores = rustix::thread::sched_getaffinity(None).unwrap().count();
        let before = waited_for_core();
        // Twice as many threads as cores: some have to wait.
        std::thread::scope(|scope| {
            let spin = || {
                let start = std::time::Instant::now();
                while start.elapsed().as_millis() < 50 {
                    std::hint::spin_loop();
                }
                waited_for_core()
            };
            let spinning: Vec<_> = (0..2 * cores).map(|_| scope.spawn(spin)).collect();
            let waited: u64 = spinning.into_iter().map(|one| one.join().unwrap()).sum();
            let is_kept = std::path::Path::new("/proc/thread-self/schedstat").exists();
            assert!(waited > 0 || !is_kept, "{waited}");
        });
        assert!(waited_for_core() >= before);
    }

    #[test]
    fn figures_are_read_with_their_unit() {
        assert_eq!(
            kib("RssAnon:\t     12 kB\nRssFile:\t 7 kB\n", "RssFile:"),
            7
        );
        assert_eq!(kib("RssAnon:\t     12 kB\n", "RssShmem:"), 0);
        assert!(Usage::now().rss_bytes > 1 << 16);
    }
}
