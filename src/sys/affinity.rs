//! Pinning: which cores this process may use, pinning to one, and noticing that one was moved.
//!
//! A container manager may rewrite a process's cpuset at any time, and the kernel then moves pinned
//! threads without a word. So the mask is read once *before* any pin (a child thread inherits its
//! parent's pin, and would take that for the whole machine), and who cares looks again later.

use core_affinity::CoreId;
use rustix::process::Pid;
use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};
use thiserror::Error;

/// Why a thread could not be pinned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AffinityError {
    /// No such core, or one this process may not use.
    #[error("core {core} can't be used: this process may run on cores {allowed}; choose one of these, or widen its cpuset")]
    NotAllowed {
        /// What was asked for.
        core: usize,
        /// The cores allowed, as a list like `0-1,4`.
        allowed: String,
    },
    /// The kernel refused.
    #[error("core {core} was refused by the kernel although the mask allows it: the cpuset may just have changed, try again")]
    Refused {
        /// What was asked for.
        core: usize,
    },
}

/// The cores this process may run on, ascending. Call it before any thread is pinned.
///
/// ```
/// assert!(!ironhoard::sys::affinity::allowed_cores().is_empty());
/// ```
pub fn allowed_cores() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(mask) => (0..CpuSet::MAX_CPU)
            .filter(|&core| mask.is_set(core))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// Checks that `core` is among `allowed`. The check comes first because the pinning library aborts
/// the process on ids of 1024 and above.
///
/// # Errors
/// [`AffinityError::NotAllowed`].
///
/// ```
/// use ironhoard::sys::affinity::check_core;
/// assert!(check_core(1, &[0, 1]).is_ok());
/// assert!(check_core(2, &[0, 1]).is_err());
/// ```
pub fn check_core(core: usize, allowed: &[usize]) -> Result<(), AffinityError> {
    if core < CpuSet::MAX_CPU && allowed.contains(&core) {
        return Ok(());
    }
    Err(AffinityError::NotAllowed {
        core,
        allowed: list(allowed),
    })
}

/// Pins the calling thread to `core`.
///
/// # Errors
/// [`AffinityError`]; the thread then stays as it was.
///
/// ```
/// use ironhoard::sys::affinity::{allowed_cores, pin_current};
/// let allowed = allowed_cores();
/// pin_current(allowed[0], &allowed)?;
/// assert!(pin_current(5000, &allowed).is_err());
/// # Ok::<(), ironhoard::sys::affinity::AffinityError>(())
/// ```
pub fn pin_current(core: usize, allowed: &[usize]) -> Result<(), AffinityError> {
    check_core(core, allowed)?;
    if core_affinity::set_for_current(CoreId { id: core }) {
        Ok(())
    } else {
        Err(AffinityError::Refused { core })
    }
}

/// Is thread `tid` of this process still pinned to `core` and nothing else? Pins it again where it is
/// not; says whether it had to (`Some(true)`), or could not (`Some(false)`).
pub(crate) fn repin(tid: Pid, core: usize) -> Option<bool> {
    let mut wanted = CpuSet::new();
    wanted.set(core);
    match sched_getaffinity(Some(tid)) {
        Ok(mask) if mask == wanted => None,
        Ok(_) => Some(sched_setaffinity(Some(tid), &wanted).is_ok()),
        Err(_) => None,
    }
}

/// `[0, 1, 2, 5]` as `0-2,5`.
fn list(cores: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => runs.push((core, core)),
        }
    }
    let text: Vec<String> = runs
        .iter()
        .map(|&(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    text.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_that_do_not_exist_are_refused_with_the_list_of_those_that_do() {
        for core in [2, 1023, 1024, usize::MAX] {
            let refused = check_core(core, &[0, 1]).expect_err("not allowed");
            assert!(refused.to_string().contains("cores 0-1;"), "{refused}");
        }
        assert_eq!(check_core(1, &[0, 1]), Ok(()));
    }

    #[test]
    fn a_list_of_cores_shows_runs() {
        assert_eq!(list(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(list(&[]), "");
    }

    #[test]
    fn a_moved_thread_is_pinned_again() {
        std::thread::spawn(|| {
            let allowed = allowed_cores();
            pin_current(allowed[0], &allowed).expect("allowed");
            let tid = rustix::thread::gettid();
            assert_eq!(repin(tid, allowed[0]), None);
            let last = *allowed.last().expect("a core");
            if last != allowed[0] {
                assert_eq!(repin(tid, last), Some(true));
                assert_eq!(rustix::thread::sched_getcpu(), last);
            }
        })
        .join()
        .expect("no panic");
    }
}
