//! A crowd: more threads than cores on one shared producer, and a consumer that drains it meanwhile.
//!
//! Threads lose their core in the middle of whatever they do, with the lock held and without. Half of
//! them commit in groups, half one by one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use ironhoard::ring::SharedProducer;

use crate::report::Report;

use super::fanin::{send_shared, FaninError, GROUP};
use super::memory::FloorMemory;
use super::stream;
use super::tally::Tally;

/// What came of it.
pub struct Crowd {
    /// Messages of all threads.
    pub sent: u64,
    /// What arrived.
    pub tally: Tally,
    /// Nanoseconds from the first to the last message, by the number of messages.
    pub ns_per_message: f64,
}

/// Counts a thread that has ended, however it ended.
struct Leaving<'c>(&'c AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        // Release: partner of the acquire load in `crowd`; what was committed before is visible.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Sends `messages` from each of `producers` threads and takes them on this one.
pub fn crowd(producers: usize, messages: u64, report: &Report) -> Result<Crowd, FaninError> {
    let memory = Arc::new(FloorMemory::create()?);
    let shared = SharedProducer::new(stream::producer(&memory));
    let mut consumer = stream::consumer(&memory);
    let sent = producers as u64 * messages;
    let progress = report.progress(sent, "messages");
    let present = AtomicUsize::new(producers);
    let start = Instant::now();
    let tally = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|index| {
                let (shared, present) = (&shared, &present);
                scope.spawn(move || {
                    let _leaving = Leaving(present);
                    let group = if index % 2 == 0 { GROUP } else { 1 };
                    send_shared(shared, index, 0..messages, group)
                })
            })
            .collect();
        let mut tally = Tally::new(producers);
        loop {
            // Acquire: partner of the release in `Leaving`. Read before the ring is looked at, so
            // that nothing can be committed after the last look.
            let last_look = present.load(Ordering::Acquire) == 0;
            if tally.drain(&mut consumer)? == 0 {
                if last_look {
                    break;
                }
                std::thread::yield_now();
            }
            progress.set(tally.arrived);
        }
        for thread in threads {
            thread.join().expect("sending does not panic")?;
        }
        Ok::<_, FaninError>(tally)
    })?;
    Ok(Crowd {
        sent,
        tally,
        ns_per_message: start.elapsed().as_nanos() as f64 / sent as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_loses_and_tears_nothing() {
        let crowd = crowd(8, 5_000, &Report::new(true)).unwrap();
        assert_eq!(crowd.tally.arrived, 40_000);
        assert_eq!((crowd.tally.torn, crowd.tally.out_of_order), (0, 0));
        assert_eq!(crowd.tally.lost(crowd.sent), 0);
    }
}
