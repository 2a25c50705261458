//! Cores: which two a benchmark uses, and staying on them.

use core_affinity::CoreId;

/// Core numbers from here on abort `core_affinity`, so they are refused before it sees them.
const CORE_LIMIT: usize = 1024;

/// Why a core could not be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The kernel did not tell which cores this process may use.
    #[error("cannot read which cores this process may use; check that /proc and sched_getaffinity are allowed here")]
    Unknown,
    /// Two processes that spin need two cores.
    #[error("two cores are needed and this process may use only {allowed:?}; give it another one (taskset, cpuset or container limit)")]
    TooFew {
        /// The cores it may use.
        allowed: Vec<usize>,
    },
    /// The core does not exist or is not allowed.
    #[error("core {core} cannot be used; this process may use {allowed:?}")]
    NotAllowed {
        /// The core that was asked for.
        core: usize,
        /// The cores that could be.
        allowed: Vec<usize>,
    },
    /// Both sides were given one core.
    #[error("engine and host cannot share core {core}: both spin; choose two different cores")]
    Shared {
        /// The core.
        core: usize,
    },
    /// The kernel refused to pin this thread.
    #[error("cannot pin a thread to core {core}; check the cpuset of this process")]
    Refused {
        /// The core.
        core: usize,
    },
}

/// The cores of an engine and a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorePair {
    /// Core of the engine.
    pub engine: usize,
    /// Core of the host.
    pub host: usize,
}

impl CorePair {
    /// Chooses two different allowed cores, those asked for where any were. Call it before the
    /// first [`pin`]: a pinned thread may use only its own core.
    pub fn choose(engine: Option<usize>, host: Option<usize>) -> Result<CorePair, CoreError> {
        choose_from(&allowed()?, engine, host)
    }
}

/// The cores this process may use. Call it before the first [`pin`].
pub fn allowed() -> Result<Vec<usize>, CoreError> {
    let cores = core_affinity::get_core_ids().ok_or(CoreError::Unknown)?;
    Ok(cores.into_iter().map(|core| core.id).collect())
}

fn choose_from(
    allowed: &[usize],
    engine: Option<usize>,
    host: Option<usize>,
) -> Result<CorePair, CoreError> {
    for core in [engine, host].into_iter().flatten() {
        if core >= CORE_LIMIT || !allowed.contains(&core) {
            return Err(CoreError::NotAllowed {
                core,
                allowed: allowed.to_vec(),
            });
        }
    }
    let other_than = |taken: Option<usize>| {
        let free = allowed.iter().copied().find(|core| Some(*core) != taken);
        free.ok_or_else(|| CoreError::TooFew {
            allowed: allowed.to_vec(),
        })
    };
    let host = host.map_or_else(|| other_than(engine), Ok)?;
    let engine = engine.map_or_else(|| other_than(Some(host)), Ok)?;
    if engine == host {
        return Err(CoreError::Shared { core: host });
    }
    Ok(CorePair { engine, host })
}

/// Pins the calling thread to `core`.
pub fn pin(core: usize) -> Result<(), CoreError> {
    if core < CORE_LIMIT && core_affinity::set_for_current(CoreId { id: core }) {
        Ok(())
    } else {
        Err(CoreError::Refused { core })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_allowed_cores_are_chosen_and_wishes_respected() {
        let choose = |engine, host| choose_from(&[2, 3, 7], engine, host);
        assert_eq!(choose(None, None), Ok(CorePair { engine: 3, host: 2 }));
        assert_eq!(choose(Some(2), None), Ok(CorePair { engine: 2, host: 3 }));
        assert_eq!(choose(None, Some(7)), Ok(CorePair { engine: 2, host: 7 }));
        assert_eq!(
            choose(Some(7), Some(2)),
            Ok(CorePair { engine: 7, host: 2 })
        );
    }

    #[test]
    fn impossible_wishes_are_refused() {
        let allowed = vec![2, 3];
        assert_eq!(
            choose_from(&allowed, Some(9), None),
            Err(CoreError::NotAllowed {
                core: 9,
                allowed: allowed.clone()
            })
        );
        assert_eq!(
            choose_from(&allowed, Some(3), Some(3)),
            Err(CoreError::Shared { core: 3 })
        );
        assert_eq!(
            choose_from(&[5], None, None),
            Err(CoreError::TooFew { allowed: vec![5] })
        );
        assert!(matches!(
            choose_from(&[], None, None),
            Err(CoreError::TooFew { .. })
        ));
    }

    #[test]
    fn a_core_that_would_abort_is_refused_first() {
        assert_eq!(pin(1 << 20), Err(CoreError::Refused { core: 1 << 20 }));
        let far = vec![0, 4096];
        assert!(matches!(
            choose_from(&far, Some(4096), None),
            Err(CoreError::NotAllowed { .. })
        ));
    }
}
