//! What a call answers: a status says what to decide. The numbers never change; gaps between the groups
//! leave room.

use std::ffi::{c_int, CStr};

/// What a call answers. 0 is success; with every other status the outputs are untouched.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ih_status {
    /// Done.
    IH_OK = 0,

    /// An ordinary answer: no room in the request ring now. Take replies, wait, or try again later.
    IH_FULL = -1,
    /// An ordinary answer: there is nothing to take now.
    IH_EMPTY = -2,
    /// No reply within the deadline. The request may have been executed; its reply will be dropped.
    IH_DEADLINE = -3,
    /// No room for the request within the deadline. Nothing was sent.
    IH_NO_ROOM = -4,

    /// A pointer that must not be NULL is NULL.
    IH_ERROR_NULL = -16,
    /// No live handle of this kind: given back, detached, freed, or never one.
    IH_ERROR_HANDLE = -17,
    /// An argument or an option that cannot be.
    IH_ERROR_ARGUMENT = -18,
    /// A claim is open: commit or abort it first.
    IH_ERROR_CLAIM_OPEN = -19,
    /// No claim is open.
    IH_ERROR_NO_CLAIM = -20,
    /// A batch is open: publish or abort it first.
    IH_ERROR_BATCH_OPEN = -21,
    /// No batch is open.
    IH_ERROR_NO_BATCH = -22,
    /// Replies that were polled lie in place: release them first.
    IH_ERROR_UNRELEASED = -23,
    /// The lane's producer is shared: lock it, or send through it.
    IH_ERROR_SHARED = -24,
    /// This thread does not hold the lock, or holds it already.
    IH_ERROR_LOCK = -25,
    /// An engine runs once: it runs already, or has run.
    IH_ERROR_RUNNING = -26,
    /// The payload can never fit; the error's limit says what can.
    IH_ERROR_TOO_LARGE = -27,
    /// A call while earlier requests of this lane have replies to come.
    IH_ERROR_OUTSTANDING = -28,
    /// Waiting for room would never end: replies of this very lane wait to be taken.
    IH_ERROR_REPLIES_WAITING = -29,
    /// All lanes declared at attach are taken.
    IH_ERROR_LANES_EXHAUSTED = -30,
    /// This process is a forked child of the one that attached: attach in the child.
    IH_ERROR_FORKED = -31,

    /// Nobody listens at the path.
    IH_ERROR_NO_ENGINE = -48,
    /// This user may not connect to the path.
    IH_ERROR_NOT_ALLOWED = -49,
    /// What is at the path is no engine's socket.
    IH_ERROR_NOT_AN_ENGINE = -50,
    /// The path cannot be a socket's: too long, no file name, no such directory, not writable.
    IH_ERROR_PATH = -51,
    /// The engine refused; the error's refusal says why.
    IH_ERROR_REFUSED = -52,
    /// Engine and host have no layout version in common.
    IH_ERROR_VERSION = -53,
    /// The 2 MiB pages that were demanded cannot be had.
    IH_ERROR_PAGES = -54,
    /// The engine said nothing within the deadline.
    IH_ERROR_SILENCE = -55,
    /// The engine hung up during the conversation.
    IH_ERROR_HUNG_UP = -56,

    /// The engine is gone for good. Requests without a reply may have been executed.
    IH_ERROR_GONE = -64,
    /// The engine closed this lane.
    IH_ERROR_LANE_CLOSED = -65,
    /// The peer broke the protocol: a ring, a message or a region is not what it must be.
    IH_ERROR_CORRUPT = -66,

    /// An engine lives at the path.
    IH_ERROR_LIVE = -80,
    /// A shard cannot run on that core.
    IH_ERROR_CORE = -81,
    /// A shard ended by a panic outside of any request.
    IH_ERROR_SHARD_LOST = -82,

    /// The kernel refused; the error's system_error is its errno.
    IH_ERROR_SYSTEM = -96,
    /// A defect of this library: a panic was caught at the border. Please report it.
    IH_ERROR_PANIC = -97,
}

use ih_status::*;

impl ih_status {
    const ALL: [ih_status; 38] = [
        IH_OK,
        IH_FULL,
        IH_EMPTY,
        IH_DEADLINE,
        IH_NO_ROOM,
        IH_ERROR_NULL,
        IH_ERROR_HANDLE,
        IH_ERROR_ARGUMENT,
        IH_ERROR_CLAIM_OPEN,
        IH_ERROR_NO_CLAIM,
        IH_ERROR_BATCH_OPEN,
        IH_ERROR_NO_BATCH,
        IH_ERROR_UNRELEASED,
        IH_ERROR_SHARED,
        IH_ERROR_LOCK,
        IH_ERROR_RUNNING,
        IH_ERROR_TOO_LARGE,
        IH_ERROR_OUTSTANDING,
        IH_ERROR_REPLIES_WAITING,
        IH_ERROR_LANES_EXHAUSTED,
        IH_ERROR_FORKED,
        IH_ERROR_NO_ENGINE,
        IH_ERROR_NOT_ALLOWED,
        IH_ERROR_NOT_AN_ENGINE,
        IH_ERROR_PATH,
        IH_ERROR_REFUSED,
        IH_ERROR_VERSION,
        IH_ERROR_PAGES,
        IH_ERROR_SILENCE,
        IH_ERROR_HUNG_UP,
        IH_ERROR_GONE,
        IH_ERROR_LANE_CLOSED,
        IH_ERROR_CORRUPT,
        IH_ERROR_LIVE,
        IH_ERROR_CORE,
        IH_ERROR_SHARD_LOST,
        IH_ERROR_SYSTEM,
        IH_ERROR_PANIC,
    ];

    /// The status of this number, if there is one.
    pub(super) fn of(number: c_int) -> Option<ih_status> {
        Self::ALL
            .into_iter()
            .find(|&status| status as c_int == number)
    }

    /// What it means and what to do, for who has nothing better to say.
    pub(super) const fn words(self) -> &'static CStr {
        match self {
            IH_OK => c"success",
            IH_FULL => c"the request ring is full: take replies, wait, or try again later",
            IH_EMPTY => c"there is nothing to take now: wait, or try again later",
            IH_DEADLINE => c"no reply within the deadline: the request may have been executed",
            IH_NO_ROOM => c"no room for the request within the deadline: nothing was sent",
            IH_ERROR_NULL => c"a pointer that must not be NULL is NULL",
            IH_ERROR_HANDLE => {
                c"not a live handle of this kind: it was given back, detached or freed, or never was one"
            }
            IH_ERROR_ARGUMENT => c"an argument or an option that cannot be: see its line in the header",
            IH_ERROR_CLAIM_OPEN => c"a claim is open: commit or abort it first",
            IH_ERROR_NO_CLAIM => c"no claim is open: claim first",
            IH_ERROR_BATCH_OPEN => c"a batch is open: publish or abort it first",
            IH_ERROR_NO_BATCH => c"no batch is open: open one first",
            IH_ERROR_UNRELEASED => {
                c"replies that were polled lie in place: release them with ih_consumer_release first"
            }
            IH_ERROR_SHARED => {
                c"the lane's producer is shared: use ih_shared_lock or ih_shared_send, and the consumer alone"
            }
            IH_ERROR_LOCK => c"this thread does not hold the lock, or holds it already",
            IH_ERROR_RUNNING => {
                c"an engine runs once and is freed when it has ended: it runs now, or has run already"
            }
            IH_ERROR_TOO_LARGE => c"the payload can never fit: ask for a larger capacity at attach",
            IH_ERROR_OUTSTANDING => {
                c"earlier requests of this lane have replies to come: poll them before a call"
            }
            IH_ERROR_REPLIES_WAITING => {
                c"waiting for room would never end: replies of this lane wait to be taken; poll first"
            }
            IH_ERROR_LANES_EXHAUSTED => {
                c"all lanes of this host are taken: give one back, or ask for more at attach"
            }
            IH_ERROR_FORKED => c"this is a forked child: regions are not inherited; attach in the child",
            IH_ERROR_NO_ENGINE => c"no engine listens at the path: start one there, or give its path",
            IH_ERROR_NOT_ALLOWED => c"this user may not connect to the path: the socket's mode decides",
            IH_ERROR_NOT_AN_ENGINE => c"what is at the path is no engine's socket",
            IH_ERROR_PATH => c"the path cannot be a socket's: too long, no such directory, or not writable",
            IH_ERROR_REFUSED => c"the engine refused: the refusal says why",
            IH_ERROR_VERSION => c"engine and host have no layout version in common: upgrade the older one",
            IH_ERROR_PAGES => c"the 2 MiB pages that were demanded cannot be had",
            IH_ERROR_SILENCE => c"the engine said nothing within the deadline: it may be stopped",
            IH_ERROR_HUNG_UP => c"the engine hung up during the conversation: it died or was stopped",
            IH_ERROR_GONE => c"the engine is gone: requests without a reply may have been executed",
            IH_ERROR_LANE_CLOSED => c"the engine closed this lane",
            IH_ERROR_CORRUPT => c"the peer broke the protocol",
            IH_ERROR_LIVE => c"an engine lives at the path: stop it, or choose another path",
            IH_ERROR_CORE => c"a shard cannot run on that core: choose one that this process may use",
            IH_ERROR_SHARD_LOST => c"a shard ended by a panic outside of any request",
            IH_ERROR_SYSTEM => c"the kernel refused: its errno says why",
            IH_ERROR_PANIC => c"a defect of this library was caught at the border: please report it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found_and_every_status_has_words_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for status in ih_status::ALL {
            assert_eq!(ih_status::of(status as c_int), Some(status));
            assert!(seen.insert(status.words()), "{status:?}");
        }
        assert_eq!(ih_status::of(1), None);
        assert_eq!(ih_status::of(-5), None);
    }
}
