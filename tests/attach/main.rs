//! The conversation, both ends, in threads and in real processes.
//!
//! | file | asks |
//! |---|---|
//! | `whole` | does an attach end with rings that both sides trust, in two processes? |
//! | `refusals` | is each refusal said, with its reason, and does it leave nothing behind? |
//! | `garbled` | is any HELLO answered or hung up on, without panic, hang or leak? |
//! | `hostile` | what can either side do to the other in the middle of it? |
//! | `events` | who gets which event rings, and what a host does not believe of them? |
//! | `pages` | do both ends get, and agree on, the pages that were demanded? |
//! | `resuming` | which regions may be resumed, and which not? |
//! | `path` | who owns the socket path? |
//! | `golden` | do the numbers written down for other languages hold? |

mod common;
mod events;
mod garbled;
mod golden;
mod hostile;
#[path = "../common/hugepages.rs"]
mod hugepages;
mod pages;
mod path;
mod refusals;
mod resuming;
mod whole;
