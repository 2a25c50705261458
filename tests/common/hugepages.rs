//! 2 MiB pages for a test, for real, and the machine left as it was found.
//!
//! The pool is one for the whole machine. A [`HugePages`] holds a file lock while it changes the pool,
//! so that tests in other threads, processes and test programs wait for each other, and restores the
//! pool when dropped. Everything in a test that may take pages from the pool (mode `auto` from 256 KiB
//! on, mode `require-huge`) belongs between the two.
//!
//! Use it with `#[path = "common/hugepages.rs"] mod hugepages;`.

// Each test program compiles its own copy and uses only a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

const TOTAL: &str = "/proc/sys/vm/nr_hugepages";
const FREE: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";

/// The pool, reserved for one test.
pub struct HugePages {
    before: u64,
    _lock: File,
}

impl HugePages {
    /// Makes exactly `free` pages free. `None`, after saying so aloud, where that cannot be done; the
    /// test then returns.
    pub fn with_free(free: u64) -> Option<HugePages> {
        match Self::try_with_free(free) {
            Ok(pages) => Some(pages),
            Err(reason) => {
                // Not `eprintln!`: the test harness would swallow it.
                let test = std::thread::current();
                let name = test.name().unwrap_or("a test").to_owned();
                let line = format!("SKIPPED {name}: {reason}; run as root with memory to spare\n");
                let _ = std::io::stderr().write_all(line.as_bytes());
                None
            }
        }
    }

    fn try_with_free(free: u64) -> Result<HugePages, String> {
        let path = std::env::temp_dir().join("hugepages.lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| format!("cannot lock {}: {error}", path.display()))?;
        let pages = HugePages {
            before: read(TOTAL)?,
            _lock: lock,
        };
        let in_use = pages.before - read(FREE)?.min(pages.before);
        fs::write(TOTAL, (in_use + free).to_string())
            .map_err(|error| format!("cannot reserve 2 MiB pages: {error}"))?;
        match read(FREE)? {
            got if got == free => Ok(pages),
            got => Err(format!("{free} free 2 MiB pages wanted, {got} got")),
        }
    }

    /// Pages free now.
    pub fn free(&self) -> u64 {
        read(FREE).expect("the pool was readable before")
    }

    /// Waits up to two seconds until `free` pages are free: the kernel gives some back with a delay.
    pub fn comes_to(&self, free: u64) -> bool {
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.free() != free {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if let Err(error) = fs::write(TOTAL, self.before.to_string()) {
            let _ = writeln!(
                std::io::stderr(),
                "cannot restore {TOTAL} to {}: {error}",
                self.before
            );
        }
    }
}

fn read(path: &str) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    text.trim()
        .parse()
        .map_err(|error| format!("{path} says {text:?}: {error}"))
}
