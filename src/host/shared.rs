//! What all threads of a host share: the links, the pool of lanes, and whether the engine is gone.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::HostError;
use super::link::{Link, Track};
use super::nap::Nap;
use super::receiver::ReceiverParts;
use super::sender::SenderParts;
use super::{EndBell, HostOptions};
use crate::attach::{send_notice, Notice};
use crate::sys::fork::ForkMark;
use crate::wait::FlagWord;

pub(super) struct HostShared {
    pub(super) path: PathBuf,
    pub(super) options: HostOptions,
    pub(super) request_fd: OwnedFd,
    pub(super) mark: ForkMark,
    pub(super) nap: Nap,
    pub(super) tracks: Vec<Arc<Track>>,
    pub(super) late: AtomicU64,
    pub(super) resumes: AtomicU64,
    pub(super) lost_events: AtomicU64,
    epoch: AtomicU64,
    gone: AtomicBool,
    trouble: AtomicBool,
    /// Links that some lane may still have to read, the newest last.
    links: Mutex<Vec<Arc<Link>>>,
    words: Mutex<Words>,
    pool: Mutex<Vec<Slot>>,
    /// Event rings that have a receiver.
    event_rings: Mutex<HashSet<u32>>,
    /// Ends the tender when host and lanes are gone.
    pub(super) end: EndBell,
}

/// The halves of a lane while nobody has them. A lane can be taken when both are here.
struct Slot {
    sender: Option<SenderParts>,
    receiver: Option<ReceiverParts>,
}

/// What was said in words.
#[derive(Default)]
struct Words {
    gone: String,
    closed: Vec<(u32, String)>,
}

impl HostShared {
    pub(super) fn new(
        path: PathBuf,
        options: HostOptions,
        request_fd: OwnedFd,
        link: Arc<Link>,
        end: EndBell,
    ) -> std::io::Result<Arc<Self>> {
        let numbers = 0..link.terms.lanes;
        let tracks: Vec<Arc<Track>> = numbers.clone().map(|_| Arc::default()).collect();
        let slots = numbers.map(|lane| Slot {
            sender: Some(SenderParts::fresh(lane, &link)),
            receiver: Some(ReceiverParts::fresh(lane, &link, &tracks[lane as usize])),
        });
        Ok(Arc::new(Self {
            path,
            options,
            request_fd,
            mark: ForkMark::new()?,
            nap: Nap::new()?,
            pool: Mutex::new(slots.collect()),
            late: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            lost_events: AtomicU64::new(0),
            event_rings: Mutex::default(),
            epoch: AtomicU64::new(link.epoch()),
            gone: AtomicBool::new(false),
            trouble: AtomicBool::new(false),
            words: Mutex::default(),
            links: Mutex::new(vec![link]),
            tracks,
            end,
        }))
    }

    /// The epoch in force. ACQUIRE: the link that belongs to it is in the list (label `epoch`).
    #[inline(always)]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Is anything wrong that [`HostShared::check`] would name?
    #[inline(always)]
    pub(super) fn has_trouble(&self) -> bool {
        self.trouble.load(Ordering::Acquire) // `trouble`, with `set_gone` and `close_lane`
    }

    /// Is `lane` still served, or going to be?
    pub(super) fn check(&self, lane: u32) -> Result<(), HostError> {
        if !self.has_trouble() {
            return Ok(());
        }
        let words = lock(&self.words);
        if self.is_gone() {
            let reason = words.gone.clone();
            return Err(HostError::Gone { reason });
        }
        match words.closed.iter().find(|(closed, _)| *closed == lane) {
            None => Ok(()),
            Some((_, reason)) => Err(HostError::LaneClosed {
                reason: reason.clone(),
            }),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire) // `gone`, with `set_gone`
    }

    pub(super) fn count_late(&self, replies: u64) {
        self.late.fetch_add(replies, Ordering::Relaxed); // no partner: statistics
    }

    pub(super) fn newest_link(&self) -> Arc<Link> {
        let links = lock(&self.links);
        links.last().expect("there is always one").clone()
    }

    /// The link that follows `epoch`, if there is one.
    pub(super) fn link_after(&self, epoch: u64) -> Option<Arc<Link>> {
        let links = lock(&self.links);
        links.iter().find(|link| link.epoch() > epoch).cloned()
    }

    /// A new engine serves this host from now on.
    pub(super) fn add_link(&self, link: Arc<Link>) {
        let oldest = self.tracks.iter().map(|track| track.read().0).min();
        let epoch = link.epoch();
        let mut links = lock(&self.links);
        links.push(link);
        links.retain(|link| Some(link.epoch()) >= oldest);
        drop(links);
        self.resumes.fetch_add(1, Ordering::Relaxed); // no partner: statistics
        self.epoch.store(epoch, Ordering::Release); // `epoch`, with `epoch()`
    }

    /// There is no engine and will be none.
    pub(super) fn set_gone(&self, reason: String) {
        lock(&self.words).gone = reason;
        self.gone.store(true, Ordering::Release); // `gone`, with `is_gone`
        self.trouble.store(true, Ordering::Release); // `trouble`, with `has_trouble`
        self.nap.kick();
    }

    /// The engine closed a lane.
    pub(super) fn close_lane(&self, lane: u32, reason: String) {
        let mut words = lock(&self.words);
        if words.closed.iter().any(|(closed, _)| *closed == lane) {
            return; // said before
        }
        words.closed.push((lane, reason));
        drop(words);
        self.trouble.store(true, Ordering::Release); // `trouble`, with `has_trouble`
        self.nap.kick();
    }

    /// Takes a lane out of the pool, both halves.
    pub(super) fn take_lane(&self) -> Option<(u32, SenderParts, ReceiverParts)> {
        let mut pool = lock(&self.pool);
        let index = pool
            .iter()
            .position(|slot| slot.sender.is_some() && slot.receiver.is_some())?;
        let slot = &mut pool[index];
        let halves = slot.sender.take().zip(slot.receiver.take());
        let (sender, receiver) = halves.expect("both were there");
        let in_use = self.newest_link().regions.in_use(index as u32);
        in_use.store(1); // ordered by `doze`: a commit and its barrier follow
        Some((index as u32, sender, receiver))
    }

    /// In a forked child there is no pool to give back to: the thread that held its lock at the fork
    /// does not exist here.
    pub(super) fn give_sender_back(&self, lane: u32, parts: SenderParts) {
        if self.mark.is_child() {
            return;
        }
        let mut pool = lock(&self.pool);
        pool[lane as usize].sender = Some(parts);
        self.note_if_whole(&pool, lane);
    }

    /// As [`HostShared::give_sender_back`].
    pub(super) fn give_receiver_back(&self, lane: u32, parts: ReceiverParts) {
        if self.mark.is_child() {
            return;
        }
        let mut pool = lock(&self.pool);
        pool[lane as usize].receiver = Some(parts);
        self.note_if_whole(&pool, lane);
    }

    /// Tells the engine that a lane is not in use any more.
    fn note_if_whole(&self, pool: &[Slot], lane: u32) {
        let slot = &pool[lane as usize];
        if slot.sender.is_some() && slot.receiver.is_some() {
            self.newest_link().regions.in_use(lane).store(0); // a hint: no partner
        }
    }

    /// Takes an event ring; false if somebody has it.
    pub(super) fn take_event_ring(&self, ring: u32) -> bool {
        lock(&self.event_rings).insert(ring)
    }

    /// As [`HostShared::give_sender_back`].
    pub(super) fn give_event_ring_back(&self, ring: u32) {
        if !self.mark.is_child() {
            lock(&self.event_rings).remove(&ring);
        }
    }

    /// Brings the lanes nobody has to the newest link: their replies belong to nobody.
    pub(super) fn tidy_pool(&self) {
        let mut pool = lock(&self.pool);
        let newest = self.newest_link();
        for slot in pool.iter_mut().filter(|slot| slot.sender.is_some()) {
            if let Some(receiver) = &mut slot.receiver {
                receiver.reader.abandon(&newest);
            }
        }
    }
}

impl Drop for HostShared {
    /// The last of host and lanes is gone: say so. In a forked child nothing is said, and nothing is
    /// unmapped: its descriptors are closed, that is all.
    fn drop(&mut self) {
        if !self.mark.is_child() && !self.is_gone() {
            let link = self.newest_link();
            let _ = send_notice(link.socket.as_fd(), &Notice::Detach);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
