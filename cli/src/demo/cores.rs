//! Which process of a demo runs on which core.
//!
//! The engine has a core of its own; the hosts share out the others. Where there are more hosts than
//! cores some share one and give way to each other; where there is only one core in all, nobody is
//! pinned. Both are said aloud, because the latencies are then those of the scheduler. A load pins nobody
//! where two cores are all there are.

use ironhoard::sys::affinity::allowed_cores;

use crate::cores::{CoreError, CorePair};
use crate::notes::Notes;

/// The cores of a demo's processes.
#[derive(Debug, PartialEq, Eq)]
pub struct Cores {
    /// Of the engine; nothing: not pinned.
    pub engine: Option<usize>,
    /// Of each host.
    pub hosts: Vec<Option<usize>>,
    /// Whether some processes share a core, so that waiting ones must give way.
    pub shared: bool,
}

impl Cores {
    /// Chooses cores by what is allowed and asked for.
    pub fn choose(
        engine_core: Option<usize>,
        host_cores: &[usize],
        hosts: usize,
        notes: &mut Notes,
    ) -> Result<Cores, CoreError> {
        let asked = engine_core.is_some() || !host_cores.is_empty();
        let allowed = allowed_cores();
        if allowed.len() < 2 && !asked {
            notes.say(
                "only one core can be used: nobody is pinned, engine and hosts take turns, and \
                 latencies are those of the scheduler"
                    .to_owned(),
            );
            return Ok(Cores {
                engine: None,
                hosts: vec![None; hosts],
                shared: true,
            });
        }
        let first = host_cores.first().copied();
        let pair = CorePair::choose(engine_core, first)?;
        let cores = spread(pair, host_cores, &allowed, hosts)?;
        if cores.shared {
            notes.say(format!(
                "{hosts} hosts share {} core(s) and take turns there: latencies contain the waiting",
                distinct(&cores.hosts)
            ));
        }
        Ok(cores)
    }

    /// Pins nobody if these would be all cores there are: whoever else runs on this machine takes one of
    /// them now and then, and who is pinned there waits, though the other may be free. Says whether.
    pub fn unpin_if_none_is_left(&mut self, allowed: usize) -> bool {
        let pinned = distinct(&self.hosts) + 1;
        let none_is_left = self.engine.is_some() && pinned >= allowed;
        if none_is_left {
            self.engine = None;
            self.hosts.fill(None);
        }
        none_is_left
    }

    /// Engine and first host, where both are pinned: the floor is measured between them.
    pub fn pair(&self) -> Option<CorePair> {
        let host = self.hosts.first().copied().flatten();
        self.engine
            .zip(host)
            .map(|(engine, host)| CorePair { engine, host })
    }
}

fn spread(
    pair: CorePair,
    asked: &[usize],
    allowed: &[usize],
    hosts: usize,
) -> Result<Cores, CoreError> {
    for &core in asked {
        if !allowed.contains(&core) {
            return Err(CoreError::NotAllowed {
                core,
                allowed: allowed.to_vec(),
            });
        }
        if core == pair.engine {
            return Err(CoreError::Shared { core });
        }
    }
    let others = || allowed.iter().copied().filter(|&core| core != pair.engine);
    // The pair's own choice first, so that the floor is that of the first host.
    let free = || std::iter::once(pair.host).chain(others().filter(|&core| core != pair.host));
    let pool: Vec<usize> = match asked {
        [] => free().collect(),
        asked => asked.to_vec(),
    };
    let hosts: Vec<Option<usize>> = pool.iter().copied().cycle().take(hosts).map(Some).collect();
    Ok(Cores {
        engine: Some(pair.engine),
        shared: distinct(&hosts) < hosts.len(),
        hosts,
    })
}

fn distinct(cores: &[Option<usize>]) -> usize {
    let mut cores = cores.to_vec();
    cores.sort_unstable();
    cores.dedup();
    cores.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: CorePair = CorePair { engine: 1, host: 0 };

    #[test]
    fn hosts_get_cores_of_their_own_while_there_are_some() {
        let cores = spread(PAIR, &[], &[0, 1, 2, 3], 3).unwrap();
        assert_eq!(cores.hosts, [Some(0), Some(2), Some(3)]);
        assert!(!cores.shared);
        assert_eq!(cores.pair(), Some(PAIR));
    }

    #[test]
    fn more_hosts_than_cores_share_them() {
        let cores = spread(PAIR, &[], &[0, 1], 2).unwrap();
        assert_eq!(cores.hosts, [Some(0), Some(0)]);
        assert!(cores.shared);
    }

    #[test]
    fn nobody_is_pinned_where_no_core_would_be_left() {
        let mut three = spread(PAIR, &[], &[0, 1, 2], 1).unwrap();
        assert!(!three.unpin_if_none_is_left(3));
        assert_eq!(three.pair(), Some(PAIR));
        let mut two = spread(PAIR, &[], &[0, 1], 1).unwrap();
        assert!(two.unpin_if_none_is_left(2));
        assert_eq!(
            (two.engine, &two.hosts[..], two.shared),
            (None, &[None][..], false)
        );
        assert!(!two.unpin_if_none_is_left(2));
    }

    #[test]
    fn wishes_are_respected_or_refused() {
        let cores = spread(PAIR, &[0, 3], &[0, 1, 2, 3], 4).unwrap();
        assert_eq!(cores.hosts, [Some(0), Some(3), Some(0), Some(3)]);
        assert!(matches!(
            spread(PAIR, &[0, 1], &[0, 1], 2),
            Err(CoreError::Shared { core: 1 })
        ));
        assert!(matches!(
            spread(PAIR, &[0, 9], &[0, 1], 2),
            Err(CoreError::NotAllowed { core: 9, .. })
        ));
    }
}
