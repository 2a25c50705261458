//! Who has what: hosts and bytes by uid, and the regions that are being served.
//!
//! An entry is a [`Reservation`]. Whatever ends it, a refusal, a death or an error on the way, gives
//! back what it holds: dropping does that, so nothing has to be remembered.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refusal::{Refusal, RefusalCode};
use super::Policy;
use crate::region::{PageCounters, Region, RegionIdentity};

/// The books of an engine: one for all its conversations. May be shared between threads.
///
/// ```
/// let ledger = ironhoard::attach::Ledger::new();
/// assert_eq!(ledger.counts(), ironhoard::attach::LedgerCounts::default());
/// assert_eq!(ledger.pages().counts().huge, 0);
/// ```
#[derive(Debug, Default)]
pub struct Ledger {
    books: Mutex<Books>,
    /// The pages that regions really got.
    pages: Arc<PageCounters>,
}

#[derive(Debug, Default)]
struct Books {
    hosts: u32,
    by_uid: HashMap<u32, Account>,
    served: HashSet<RegionIdentity>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Account {
    hosts: u32,
    bytes: u64,
}

/// A reading of a [`Ledger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerCounts {
    /// Hosts attached or in the middle of their conversation.
    pub hosts: u32,
    /// Bytes of all their regions.
    pub bytes: u64,
    /// Request regions being served.
    pub regions: u32,
}

impl Ledger {
    /// Empty books.
    pub fn new() -> Arc<Ledger> {
        Arc::default()
    }

    /// Counts of the pages that regions really got; they outlive the ledger.
    pub fn pages(&self) -> &Arc<PageCounters> {
        &self.pages
    }

    /// What is in the books now.
    pub fn counts(&self) -> LedgerCounts {
        let books = self.lock();
        LedgerCounts {
            hosts: books.hosts,
            bytes: books.by_uid.values().map(|account| account.bytes).sum(),
            regions: books.served.len() as u32,
        }
    }

    /// Enters one more host of `uid`, or refuses it by the limits of `policy`.
    pub(super) fn enter(
        self: &Arc<Self>,
        uid: u32,
        policy: &Policy,
    ) -> Result<Reservation, Refusal> {
        let mut books = self.lock();
        if books.hosts >= policy.max_hosts {
            return Err(too_many_hosts(policy));
        }
        let account = books.by_uid.entry(uid).or_default();
        if account.hosts >= policy.max_hosts_per_uid {
            return Err(too_many_hosts_of(uid, policy));
        }
        account.hosts += 1;
        books.hosts += 1;
        Ok(Reservation {
            ledger: self.clone(),
            uid,
            bytes: 0,
            region: None,
        })
    }

    /// The books; a panic elsewhere cannot have left them half written, each change is plain numbers.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one host holds in the [`Ledger`]; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    uid: u32,
    bytes: u64,
    region: Option<RegionIdentity>,
}

impl Reservation {
    /// Bytes that this host holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reserves `bytes` bytes in all, or refuses by the limit of `policy`.
    pub(super) fn reserve(&mut self, bytes: u64, policy: &Policy) -> Result<(), Refusal> {
        let mut books = self.ledger.lock();
        let account = books.by_uid.entry(self.uid).or_default();
        let others = account.bytes.saturating_sub(self.bytes);
        let free = policy.max_bytes_per_uid.saturating_sub(others);
        if bytes > free {
            return Err(too_much_memory(self.uid, bytes, free));
        }
        account.bytes = others + bytes;
        self.bytes = bytes;
        Ok(())
    }

    /// Counts the pages that a new region of this host got.
    pub(super) fn count_pages(&self, region: &Region) {
        self.ledger.pages.record(region);
    }

    /// Gives back what was reserved beyond `bytes`.
    pub(super) fn settle(&mut self, bytes: u64) {
        let kept = bytes.min(self.bytes);
        let mut books = self.ledger.lock();
        if let Some(account) = books.by_uid.get_mut(&self.uid) {
            account.bytes = account.bytes.saturating_sub(self.bytes - kept);
        }
        self.bytes = kept;
    }

    /// Enters the request region; false if it is in the books already.
    pub(super) fn serve(&mut self, region: RegionIdentity) -> bool {
        let new = self.ledger.lock().served.insert(region);
        if new {
            self.region = Some(region);
        }
        new
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut books = self.ledger.lock();
        books.hosts = books.hosts.saturating_sub(1);
        if let Some(region) = self.region {
            books.served.remove(&region);
        }
        if let Some(account) = books.by_uid.get_mut(&self.uid) {
            account.hosts = account.hosts.saturating_sub(1);
            account.bytes = account.bytes.saturating_sub(self.bytes);
            if account.hosts == 0 {
                books.by_uid.remove(&self.uid);
            }
        }
    }
}

fn too_many_hosts(policy: &Policy) -> Refusal {
    let text = format!(
        "this engine serves {} hosts and may not serve more: detach one, or raise its limit of hosts",
        policy.max_hosts
    );
    Refusal::new(RefusalCode::Hosts, text).with_limit(policy.max_hosts.into())
}

fn too_many_hosts_of(uid: u32, policy: &Policy) -> Refusal {
    let text = format!(
        "uid {uid} has {} hosts at this engine and may not have more: detach one, or raise the \
         engine's limit of hosts per uid",
        policy.max_hosts_per_uid
    );
    Refusal::new(RefusalCode::HostsPerUid, text).with_limit(policy.max_hosts_per_uid.into())
}

fn too_much_memory(uid: u32, bytes: u64, free: u64) -> Refusal {
    let text = format!(
        "{bytes} bytes of regions are wanted and uid {uid} may take {free} more: ask for fewer \
         lanes or smaller rings, or raise the engine's limit of memory per uid"
    );
    Refusal::new(RefusalCode::MemoryPerUid, text).with_limit(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            max_hosts: 3,
            max_hosts_per_uid: 2,
            max_bytes_per_uid: 100,
            ..Policy::default()
        }
    }

    #[test]
    fn limits_hold_and_dropping_gives_back() {
        let ledger = Ledger::new();
        let mut first = ledger.enter(1, &policy()).unwrap();
        let mut second = ledger.enter(1, &policy()).unwrap();
        let code = ledger.enter(1, &policy()).unwrap_err().code;
        assert_eq!(code, RefusalCode::HostsPerUid);
        let _third = ledger.enter(2, &policy()).unwrap();
        assert_eq!(
            ledger.enter(3, &policy()).unwrap_err().code,
            RefusalCode::Hosts
        );

        first.reserve(60, &policy()).unwrap();
        let refusal = second.reserve(41, &policy()).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.limit),
            (RefusalCode::MemoryPerUid, 40)
        );
        first.settle(50);
        second.reserve(50, &policy()).unwrap();
        assert_eq!(ledger.counts().bytes, 100);
        drop((first, second));
        assert_eq!((ledger.counts().hosts, ledger.counts().bytes), (1, 0));
    }
}
