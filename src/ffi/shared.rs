//! A producer for many threads of this process: a mutex before the one producer of the lane, and groups of
//! requests under it. No claim outlives the lock, so the engine never waits behind a thread that sleeps.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::border::{border, Outcome};
use super::handle::{shared as shared_handle, Handle, Mark};
use super::input::{bytes, give, output};
use super::producer::ih_producer;
use super::status::ih_status::{self, *};

/// A producer shared by threads of this process.
#[repr(C)] // begins with its mark
pub struct ih_shared {
    pub(super) mark: Mark,
    /// The system's mutex, so that tools that look for races see it.
    lock: UnsafeCell<libc::pthread_mutex_t>,
    /// The thread that holds it, 0 for nobody.
    owner: AtomicUsize,
    /// The lane's producer; it lives where this does.
    producer: *mut ih_producer,
}

impl Handle for ih_shared {
    const KIND: u32 = u32::from_le_bytes(*b"shar");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl ih_shared {
    /// One that is not live yet.
    pub(super) const fn new() -> Self {
        Self {
            mark: Mark::ended(),
            lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            owner: AtomicUsize::new(0),
            producer: std::ptr::null_mut(),
        }
    }

    /// From now on it is live, for `producer`, which lives as long.
    pub(super) fn begin(&mut self, producer: *mut ih_producer) {
        self.producer = producer;
        self.mark.begin::<ih_shared>();
    }

    /// Does a thread hold the lock?
    pub(super) fn is_locked(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0 // no partner: misuse that is seen by luck
    }

    /// Runs `body` with the lock held.
    pub(super) fn with<R>(&self, body: impl FnOnce(&mut ih_producer) -> Outcome<R>) -> Outcome<R> {
        self.acquire()?;
        // SAFETY: the lock is held, so the producer is this thread's; it lives as long as its lane.
        let outcome = catch_unwind(AssertUnwindSafe(|| body(unsafe { &mut *self.producer })));
        self.release();
        match outcome {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn acquire(&self) -> Outcome {
        if self.is_mine() {
            return Err(IH_ERROR_LOCK.into());
        }
        // SAFETY: an initialised mutex at a place that does not move while the lane lives.
        unsafe { libc::pthread_mutex_lock(self.lock.get()) };
        self.owner.store(this_thread(), Ordering::Relaxed); // under the lock
        Ok(())
    }

    fn release(&self) {
        self.owner.store(0, Ordering::Relaxed); // under the lock
                                                // SAFETY: as above, and held by this thread.
        unsafe { libc::pthread_mutex_unlock(self.lock.get()) };
    }

    /// Only this thread writes its own number there, so no other store can be mistaken for it.
    fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_thread() // no partner: this thread's own store or none
    }

    fn must_be_mine(&self) -> Outcome {
        match self.is_mine() {
            true => Ok(()),
            false => Err(IH_ERROR_LOCK.into()),
        }
    }
}

impl Drop for ih_shared {
    fn drop(&mut self) {
        self.mark.end::<ih_shared>();
        // SAFETY: initialised, and nobody holds it: the lane is given back.
        unsafe { libc::pthread_mutex_destroy(self.lock.get()) };
    }
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

/// ---- Shared producer: any thread -------------------------------------------------------------
/// Sends one request with a copy of `payload`. `number` may be NULL. IH_FULL like a claim.
#[no_mangle]
pub unsafe extern "C" fn ih_shared_send(
    shared: *mut ih_shared,
    kind: u16,
    payload: *const c_void,
    len: usize,
    number: *mut u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let shared = unsafe { shared_handle(shared)? };
        // SAFETY: what the header asks for.
        let payload = unsafe { bytes(payload, len)? };
        let sent = shared.with(|producer| {
            let room = producer.sender.room(payload.len())?;
            producer.sender.write_room(room, payload);
            Ok(producer.sender.commit_room(room, kind)?)
        })?;
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(number, sent) };
        Ok(())
    })
}

/// Locks it and opens a batch: claim and commit with `*producer` as many as belong together, then
/// unlock soon. IH_ERROR_LOCK where this thread holds it already.
#[no_mangle]
pub unsafe extern "C" fn ih_shared_lock(
    shared: *mut ih_shared,
    producer: *mut *mut ih_producer,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let shared = unsafe { shared_handle(shared)? };
        let place = output(producer)?;
        shared.acquire()?;
        // SAFETY: the lock is held.
        if let Err(answer) = unsafe { &mut *shared.producer }.open_batch() {
            shared.release();
            return Err(answer);
        }
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(shared.producer) };
        Ok(())
    })
}

/// Aborts an open claim, publishes the batch, unlocks. `next` may be NULL; else it gets the number of the
/// next request. IH_ERROR_LOCK where this thread does not hold it.
#[no_mangle]
pub unsafe extern "C" fn ih_shared_unlock(shared: *mut ih_shared, next: *mut u64) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let shared = unsafe { shared_handle(shared)? };
        shared.must_be_mine()?;
        // SAFETY: the lock is held.
        let producer = unsafe { &mut *shared.producer };
        producer.abort_claim();
        let published = producer.publish();
        shared.release();
        // SAFETY: NULL, or the caller's to write.
        unsafe { give(next, published?) };
        Ok(())
    })
}
