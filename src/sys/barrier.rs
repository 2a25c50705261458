//! The asymmetric barrier of the wake protocol: the sleeper pays, the waker doesn't.
//!
//! Sleeper and waker each store one word and then read the other's. Without a full barrier between
//! store and load, both can miss each other and the wake-up is lost. Two ways to have it:
//!
//! * `membarrier(2)`, GLOBAL_EXPEDITED: the sleeper makes every registered process execute a barrier.
//!   It costs the sleeper 1.5 µs, who is about to sleep anyway, and the waker nothing at all.
//! * a fence on each side, for processes that could not register.
//!
//! The waker's process must be registered and the sleeper must be able to call; both ends say so at
//! attach, and unless both can, both fence.

use std::sync::atomic::{compiler_fence, fence, Ordering};
use std::sync::OnceLock;

use rustix::thread::{membarrier, membarrier_query, MembarrierCommand, MembarrierQuery};

use crate::wait::Doze;

/// Registers this process for GLOBAL_EXPEDITED barriers, once; says whether it can call them and
/// is registered.
///
/// ```
/// // Linux 4.16 and later, unless a seccomp filter forbids it.
/// let _can = ironhoard::sys::barrier::register();
/// ```
pub fn register() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        membarrier_query().contains(MembarrierQuery::GLOBAL_EXPEDITED)
            && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
            && membarrier(MembarrierCommand::GlobalExpedited).is_ok()
    })
}

/// Which barrier two ends agreed on.
///
/// ```
/// use ironhoard::sys::barrier::{register, Barrier};
/// let peer_declared_it = false;
/// assert_eq!(Barrier::agreed(register() && peer_declared_it), Barrier::Fence);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// Both ends registered: the sleeper calls `membarrier`, the waker does nothing.
    Membarrier,
    /// Both ends fence.
    Fence,
}

impl Barrier {
    /// From what both ends declared at attach.
    pub fn agreed(membarrier: bool) -> Self {
        if membarrier {
            Barrier::Membarrier
        } else {
            Barrier::Fence
        }
    }
}

impl Doze for Barrier {
    #[inline(always)]
    fn waker(self) {
        match self {
            // The sleeper's membarrier stands in for a fence here; only the compiler must be held.
            Barrier::Membarrier => compiler_fence(Ordering::SeqCst), // `doze`, with `sleeper` below
            Barrier::Fence => fence(Ordering::SeqCst),               // `doze`, with `sleeper` below
        }
    }

    fn sleeper(self) {
        if self == Barrier::Membarrier {
            // It cannot fail once `register` has seen it succeed; the fence below keeps this side
            // right all the same.
            let _ = membarrier(MembarrierCommand::GlobalExpedited);
        }
        fence(Ordering::SeqCst); // `doze`, with `waker` above
    }
}
