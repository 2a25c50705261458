//! How waiting threads of one host share its doorbells.
//!
//! Two readers of one doorbell would eat each other's bytes. So one waiting thread at a time *leads*:
//! it sleeps on the doorbells themselves. The others sleep on a condition variable, and whatever wakes
//! the leader wakes them all to look at their rings; one of them leads next. A host with one waiting
//! thread thus wakes in one step, without a thread in between.

use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::net::{recv, RecvFlags};

pub(super) struct Nap {
    state: Mutex<State>,
    woken: Condvar,
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
            kick: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
        })
    }

    /// Sleeps until a doorbell, a kick or the deadline. May wake for nothing: the caller looks again.
    pub(super) fn sleep(&self, doorbells: &[OwnedFd], until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let mut state = self.lock();
        if state.led {
            let seen = state.wakes;
            let _ = self
                .woken
                .wait_timeout_while(state, left, |state| state.led && state.wakes == seen);
            return;
        }
        state.led = true;
        drop(state);
        self.lead(doorbells, left);
        let mut state = self.lock();
        state.led = false;
        state.wakes = state.wakes.wrapping_add(1);
        self.woken.notify_all();
    }

    /// Wakes everybody.
    pub(super) fn kick(&self) {
        let _ = rustix::io::write(&self.kick, &1u64.to_ne_bytes());
        let mut state = self.lock();
        state.wakes = state.wakes.wrapping_add(1);
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
