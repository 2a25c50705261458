//! How waiting threads of one host share its doorbells.
//!
//! Two readers of one doorbell would eat each other's bytes. So one waiting thread at a time *leads*:
//! it sleeps on the doorbells themselves. The others sleep on a condition variable, and whatever wakes
//! the leader wakes them all to look at their rings; one of them leads next. A host with one waiting
//! thread thus wakes in one step, without a thread in between.
//!
//! ```text
//!   leader                          another thread
//!                                   ticket, raise, barrier, look: nothing yet
//!   the doorbell rings for both
//!   takes the byte, counts a wake
//!                                   would sleep, and there is no byte for it any more:
//!                                   its ticket is not the count, so it looks again instead
//! ```

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::net::{recv, RecvFlags};

pub(super) struct Nap {
    state: Mutex<State>,
    woken: Condvar,
    /// The news of each [`Watch`](super::Watch).
    watches: Mutex<Vec<Arc<OwnedFd>>>,
    /// Wakes the leader for news that are no doorbell; never leaves this process.
    kick: OwnedFd,
}

#[derive(Default)]
struct State {
    led: bool,
    wakes: u64,
}

impl Nap {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            state: Mutex::default(),
            woken: Condvar::new(),
            watches: Mutex::default(),
            kick: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
        })
    }

    /// How many wakes there have been. To be taken before the last look at the rings.
    pub(super) fn ticket(&self) -> u64 {
        self.lock().wakes
    }

    /// Sleeps until a doorbell, a kick, the deadline, or any wake since `ticket`. May wake for nothing:
    /// the caller looks again.
    pub(super) fn sleep(&self, doorbells: &[OwnedFd], until: Instant, ticket: u64) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let mut state = self.lock();
        if state.wakes != ticket {
            return; // whoever woke may have taken the byte that was meant for the caller
        }
        if state.led {
            let _ = self
                .woken
                .wait_timeout_while(state, left, |state| state.wakes == ticket);
            return;
        }
        state.led = true;
        drop(state);
        self.lead(doorbells, left);
        self.tell_watches(None);
        let mut state = self.lock();
        state.led = false;
        state.wakes = state.wakes.wrapping_add(1);
        self.woken.notify_all();
    }

    /// Wakes everybody.
    pub(super) fn kick(&self) {
        self.tell_watches(None);
        let _ = rustix::io::write(&self.kick, &1u64.to_ne_bytes()); // also whoever leads next
        self.wake_sleepers();
    }

    /// An event loop took a byte that may have been meant for others as well.
    pub(super) fn tell_others(&self, mine: &Arc<OwnedFd>) {
        self.tell_watches(Some(mine));
        self.wake_sleepers();
    }

    /// From now on `news` is told what wakes others.
    pub(super) fn add_watch(&self, news: Arc<OwnedFd>) {
        self.watches().push(news);
    }

    /// No longer.
    pub(super) fn remove_watch(&self, news: &Arc<OwnedFd>) {
        self.watches().retain(|other| !Arc::ptr_eq(other, news));
    }

    fn tell_watches(&self, but: Option<&Arc<OwnedFd>>) {
        for news in self.watches().iter() {
            if but.is_none_or(|but| !Arc::ptr_eq(but, news)) {
                let _ = rustix::io::write(&**news, &1u64.to_ne_bytes());
            }
        }
    }

    fn watches(&self) -> MutexGuard<'_, Vec<Arc<OwnedFd>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread that is about to sleep finds its ticket out of date; one that leads is kicked.
    fn wake_sleepers(&self) {
        let mut state = self.lock();
        state.wakes = state.wakes.wrapping_add(1);
        if state.led {
            let _ = rustix::io::write(&self.kick, &1u64.to_ne_bytes());
        }
        self.woken.notify_all();
    }

    fn lead(&self, doorbells: &[OwnedFd], left: Duration) {
        let mut fds: Vec<PollFd<'_>> = doorbells
            .iter()
            .chain([&self.kick])
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let timeout = Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: 3600,
            tv_nsec: 0,
        });
        if poll(&mut fds, Some(&timeout)).is_err() {
            return; // interrupted: the caller looks again
        }
        let rang: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (doorbell, _) in doorbells.iter().zip(rang).filter(|(_, rang)| *rang) {
            let mut bytes = [0u8; 64];
            if matches!(recv(doorbell, &mut bytes, RecvFlags::DONTWAIT), Ok((0, _))) {
                // Hung up: the tender is about to notice; don't turn round at full speed until then.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let _ = rustix::io::read(&self.kick, &mut [0u8; 8]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{send, socketpair, AddressFamily, SendFlags, SocketFlags, SocketType};

    #[test]
    fn a_wake_between_look_and_sleep_is_not_slept_through() {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let (ours, theirs) = pair.expect("a socket pair");
        let doorbells = [ours];
        let nap = Nap::new().expect("an event counter");
        let begun = Instant::now();
        let long = begun + Duration::from_secs(20);
        let looked = nap.ticket(); // a second thread has looked and found nothing
        send(&theirs, &[1], SendFlags::DONTWAIT).expect("rung, for both");
        nap.sleep(&doorbells, long, nap.ticket()); // the first thread takes the byte
        nap.sleep(&doorbells, long, looked);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_kick_between_look_and_sleep_is_not_slept_through() {
        let nap = Nap::new().expect("an event counter");
        let begun = Instant::now();
        let long = begun + Duration::from_secs(20);
        let looked = nap.ticket();
        nap.kick();
        nap.sleep(&[], long, nap.ticket());
        nap.sleep(&[], long, looked);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
