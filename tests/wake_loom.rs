//! The wake protocol under loom, and the ways to get it wrong.
//!
//! A waker publishes records and rings where it must; a sleeper takes them and sleeps on a doorbell
//! when there are none. Flag, sleeper and waker are the library's own; the fences are loom's. A lost
//! wake-up is a sleeper that nobody will ever ring: loom reports the deadlock.
//!
//! What loom cannot run is the system call `membarrier`. It puts the full barrier of
//! [`Fence`] into the waker's processor from outside, at some moment of its choice; the model of the
//! two fences covers what comes of it, and the process tests run the real one.

use std::sync::Arc;

use ironhoard::wait::{Doze, FlagWord, Sleeper, Waker};
use loom::sync::atomic::{fence, AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};

/// Records per run: with two, the second nap follows a ring, and a record may come between the naps.
const RECORDS: u64 = 2;

/// One way to build the protocol.
#[derive(Clone, Copy, PartialEq)]
enum Build {
    Right,
    NoFenceAtTheWaker,
    NoFenceAtTheSleeper,
    LookBeforeTheRaise,
    RingBeforeThePublish,
    /// `need_wakeup` is 0 or 1 instead of a counter: two naps look the same to the waker.
    FlagInsteadOfCounter,
    /// The waker forgets for which value it has rung.
    ForgottenRing,
}

/// The two fences, of loom.
#[derive(Clone, Copy)]
struct Fence(Build);

impl Doze for Fence {
    fn waker(self) {
        if self.0 != Build::NoFenceAtTheWaker {
            fence(Ordering::SeqCst);
        }
    }

    fn sleeper(self) {
        if self.0 != Build::NoFenceAtTheSleeper {
            fence(Ordering::SeqCst);
        }
    }
}

/// What both sides share.
struct Shared {
    build: Build,
    /// The committed end of a ring, in records.
    committed: AtomicU64,
    need_wakeup: AtomicU64,
    /// Bytes in the doorbell's socket.
    doorbell: Mutex<u64>,
    rang: Condvar,
}

impl Shared {
    fn ring(&self) {
        *self.doorbell.lock().expect("not poisoned") += 1;
        self.rang.notify_one();
    }

    /// Sleeps until there is a byte, and takes all that are there.
    fn sleep(&self) {
        let mut bytes = self.doorbell.lock().expect("not poisoned");
        while *bytes == 0 {
            bytes = self.rang.wait(bytes).expect("not poisoned");
        }
        *bytes = 0;
    }

    fn look(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }
}

#[derive(Clone)]
struct Flag(Arc<Shared>);

impl FlagWord for Flag {
    fn load(&self) -> u64 {
        self.0.need_wakeup.load(Ordering::Relaxed)
    }

    fn store(&self, value: u64) {
        let value = match self.0.build {
            Build::FlagInsteadOfCounter => value & 1,
            _ => value,
        };
        self.0.need_wakeup.store(value, Ordering::Relaxed);
    }
}

/// Publishes the records; returns how often it rang.
fn publish_all(shared: Arc<Shared>) -> u64 {
    let build = shared.build;
    let mut waker = Waker::new(Flag(shared.clone()));
    let mut rings = 0;
    for record in 1..=RECORDS {
        if build == Build::ForgottenRing {
            waker = Waker::new(Flag(shared.clone()));
        }
        if build != Build::RingBeforeThePublish {
            shared.committed.store(record, Ordering::Release);
        }
        if waker.must_ring(Fence(build)) {
            rings += 1;
            shared.ring();
        }
        if build == Build::RingBeforeThePublish {
            shared.committed.store(record, Ordering::Release);
        }
    }
    rings
}

/// Takes the records; returns how often it raised its flag.
fn take_all(shared: &Arc<Shared>, sleeper: &mut Sleeper<Flag>) -> u64 {
    let build = shared.build;
    let (mut taken, mut naps) = (0, 0);
    while taken < RECORDS {
        let early = shared.look();
        if early > taken {
            taken = early;
            continue;
        }
        naps += 1;
        sleeper.raise();
        Fence(build).sleeper();
        let seen = match build {
            Build::LookBeforeTheRaise => early,
            _ => shared.look(),
        };
        if seen == taken {
            shared.sleep();
        }
        sleeper.lower();
    }
    naps
}

fn model(build: Build) {
    loom::model(move || {
        let shared = Arc::new(Shared {
            build,
            committed: AtomicU64::new(0),
            need_wakeup: AtomicU64::new(0),
            doorbell: Mutex::new(0),
            rang: Condvar::new(),
        });
        let mut sleeper = Sleeper::new(Flag(shared.clone()));
        let other = shared.clone();
        let waker = loom::thread::spawn(move || publish_all(other));
        let naps = take_all(&shared, &mut sleeper);
        let rings = waker.join().expect("the waker doesn't panic");
        assert!(rings <= naps, "rang more than once for a nap");
    });
}

#[test]
fn no_wake_up_is_lost_and_each_nap_is_rung_for_once() {
    model(Build::Right);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_wakers_fence_a_wake_up_is_lost() {
    model(Build::NoFenceAtTheWaker);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_sleepers_fence_a_wake_up_is_lost() {
    model(Build::NoFenceAtTheSleeper);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_look_before_the_raise_is_no_look() {
    model(Build::LookBeforeTheRaise);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_ring_before_the_publish_is_no_ring() {
    model(Build::RingBeforeThePublish);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_no_counter_hides_the_second_nap() {
    model(Build::FlagInsteadOfCounter);
}

#[test]
#[should_panic(expected = "rang more than once for a nap")]
fn a_forgotten_ring_is_repeated_for_each_record() {
    model(Build::ForgottenRing);
}
