//! What an engine counts. Written by its threads now and then, read by anybody at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::region::PageCounters;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The live counters of an engine.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub(super) $name: AtomicU64,)*
            pub(super) pages: Arc<PageCounters>,
        }

        /// A reading of an engine's counters.
        ///
        /// ```
        /// let fresh = ironhoard::engine::Counts::default();
        /// assert_eq!((fresh.requests, fresh.panics), (0, 0));
        /// ```
        #[derive(Debug, Default, Clone, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Reads them all.
            pub fn read(&self) -> Counts {
                Counts {
                    $($name: self.$name.load(Ordering::Relaxed),)* // no partner: statistics
                }
            }
        }

        impl Counts {
            /// Name and value of each counter, in a stable order.
            pub fn pairs(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Requests answered.
    requests,
    /// Hosts attached.
    attached,
    /// Hosts resumed after the death of another engine.
    resumed,
    /// Hosts that left with a word.
    detached,
    /// Hosts that died or hung up without a word.
    deaths,
    /// Conversations that ended in a refusal.
    refused,
    /// Lanes closed because the host wrote nonsense.
    corrupt_lanes,
    /// Handler panics, each answered with an error reply.
    panics,
    /// Requests not tried again because they had seen too many engines die.
    poisoned,
    /// Requests refused for a flag this engine does not know.
    unknown_flags,
    /// Times a lane was passed over because its reply ring had no room for the largest reply.
    skipped,
    /// Times a shard parked.
    parks,
    /// Doorbells rung.
    rings,
    /// Events published.
    events,
    /// Doorbells rung for hosts that wait for events.
    event_rings,
    /// Times a shard had been moved from its core and was pinned again.
    repins,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed); // no partner: statistics
    }

    /// The pages that regions really got.
    pub fn pages(&self) -> &PageCounters {
        &self.pages
    }
}
