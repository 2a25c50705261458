//! Filling rings from several cores at once: what a message costs each producer.
//!
//! ```text
//!   lanes              one ring
//!   core 0 ─▶ [ring]   core 0 ─┬▶ [ring]      claimed by compare-exchange, under a mutex for each
//!   core 1 ─▶ [ring]   core 1 ─┘               message, or under a mutex for each group
//! ```
//!
//! No consumer runs meanwhile, because every core is a producer's; the rings are drained and every
//! message is checked afterwards. A lane is drained by another core than the one which fills it, so
//! that its lines have to come from there, as they would with a real consumer.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ironhoard::ring::{
    ClaimError, Corrupt, MemoryConsumer, MemoryPosition, MemoryProducer, MemoryWords,
    SharedProducer,
};

use crate::cores::{pin, CoreError};

use super::cas_ring::CasProducer;
use super::clock::Clock;
use super::floor::FloorError;
use super::memory::{FloorMemory, MemoryError};
use super::stream;
use super::tally::{message, Tally, WORDS};

/// Messages of all producers together in one fill: half of a ring.
const FILL: u64 = 8192;
/// Messages of a group.
pub const GROUP: u64 = 16;
/// Kind of every message.
const KIND: u16 = 1;

/// How messages get into rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A ring for each producer.
    Lanes,
    /// One ring, claimed by compare-exchange.
    Cas,
    /// One ring, a mutex around each message.
    Mutex,
    /// One ring, a mutex around each group.
    Groups,
}

/// Why a fan-in could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum FaninError {
    /// The memory of the rings.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A core.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The walking floor.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// A ring was full though it had been drained.
    #[error("a ring that had been drained gave no room: {0}; please report it")]
    Claim(#[from] ClaimError),
    /// A ring held nonsense.
    #[error("a ring holds nonsense: {0}; please report it")]
    Corrupt(#[from] Corrupt),
}

/// The rings of all ways, and what arrived through them.
pub struct Fanin {
    cores: Vec<usize>,
    clock: Clock,
    /// Messages of each producer in one fill.
    messages: u64,
    lanes: Vec<(MemoryProducer, MemoryConsumer)>,
    shared: (SharedProducer<MemoryWords, MemoryPosition>, MemoryConsumer),
    cas: (CasProducer, MemoryConsumer),
    /// Messages each producer has sent through each kind of ring.
    sent: [u64; 3],
    tallies: [Tally; 3],
}

/// Indexes of `sent` and `tallies`.
const LANES: usize = 0;
const SHARED: usize = 1;
const CAS: usize = 2;

impl Fanin {
    /// Rings for a producer on each of `cores`; the calling thread is the first of them.
    pub fn new(cores: Vec<usize>, clock: Clock) -> Result<Fanin, FaninError> {
        let ring = || -> Result<_, FaninError> {
            let memory = Arc::new(FloorMemory::create()?);
            Ok((stream::producer(&memory), stream::consumer(&memory)))
        };
        let lanes = cores.iter().map(|_| ring()).collect::<Result<_, _>>()?;
        let (producer, consumer) = ring()?;
        let memory = Arc::new(FloorMemory::create()?);
        let (words, position) = stream::words(&memory);
        pin(cores[0])?;
        Ok(Fanin {
            lanes,
            shared: (SharedProducer::new(producer), consumer),
            cas: (CasProducer::new(words, position), stream::consumer(&memory)),
            sent: [0; 3],
            tallies: [(); 3].map(|()| Tally::new(cores.len())),
            messages: FILL / cores.len() as u64,
            cores,
            clock,
        })
    }

    /// One fill by all producers at once, drained and checked; nanoseconds a message of one producer.
    pub fn fill(&mut self, way: Way) -> Result<f64, FaninError> {
        let kind = match way {
            Way::Lanes => LANES,
            Way::Cas => CAS,
            Way::Mutex | Way::Groups => SHARED,
        };
        let sequences = self.next(kind);
        let ticks = match way {
            Way::Lanes => self.fill_lanes(sequences),
            Way::Cas => self.fill_cas(sequences),
            Way::Mutex => self.fill_shared(sequences, 1),
            Way::Groups => self.fill_shared(sequences, GROUP),
        }?;
        self.drain(kind)?;
        Ok(self.clock.ns(ticks) / self.messages as f64)
    }

    /// One fill of the compare-exchange ring by one producer alone, drained by itself;
    /// nanoseconds a message.
    pub fn fill_cas_alone(&mut self) -> Result<f64, FaninError> {
        let sequences = self.next(CAS);
        let start = self.clock.ticks();
        let outcome = send_cas(&self.cas.0, 0, sequences.clone());
        let ticks = self.clock.ticks() - start;
        outcome?;
        for other in 1..self.cores.len() {
            send_cas(&self.cas.0, other, sequences.clone())?;
        }
        self.tallies[CAS].drain(&mut self.cas.1)?;
        Ok(self.clock.ns(ticks) / self.messages as f64)
    }

    /// Messages sent so far, in all ways.
    pub fn messages(&self) -> u64 {
        self.sent.iter().sum::<u64>() * self.cores.len() as u64
    }

    /// Messages lost, torn and out of order so far.
    pub fn faults(&self) -> (u64, u64, u64) {
        let producers = self.cores.len() as u64;
        let tallies = self.tallies.iter().zip(self.sent);
        tallies.fold((0, 0, 0), |(lost, torn, order), (tally, sent)| {
            (
                lost + tally.lost(sent * producers),
                torn + tally.torn,
                order + tally.out_of_order,
            )
        })
    }

    /// The next sequence numbers of each producer.
    fn next(&mut self, kind: usize) -> Range<u64> {
        let first = self.sent[kind];
        self.sent[kind] += self.messages;
        first..self.sent[kind]
    }

    fn fill_lanes(&mut self, sequences: Range<u64>) -> Result<u64, FaninError> {
        let work = self.lanes.iter_mut().enumerate().map(|(index, lane)| {
            let (ring, sequences) = (&mut lane.0, sequences.clone());
            move || -> Result<(), ClaimError> {
                for sequence in sequences {
                    let mut claim = ring.claim(8 * WORDS)?;
                    for (place, word) in message(index as u64, sequence).into_iter().enumerate() {
                        claim.put_u64(place, word);
                    }
                    claim.commit(KIND);
                }
                Ok(())
            }
        });
        together(&self.cores, &self.clock, work.collect())
    }

    fn fill_shared(&mut self, sequences: Range<u64>, group: u64) -> Result<u64, FaninError> {
        let ring = &self.shared.0;
        let work = (0..self.cores.len()).map(|index| {
            let sequences = sequences.clone();
            move || send_shared(ring, index, sequences, group)
        });
        together(&self.cores, &self.clock, work.collect())
    }

    fn fill_cas(&mut self, sequences: Range<u64>) -> Result<u64, FaninError> {
        let ring = &self.cas.0;
        let work = (0..self.cores.len()).map(|index| {
            let sequences = sequences.clone();
            move || send_cas(ring, index, sequences)
        });
        together(&self.cores, &self.clock, work.collect())
    }

    /// Drains on another core than the one that filled.
    fn drain(&mut self, kind: usize) -> Result<(), FaninError> {
        let tally = &mut self.tallies[kind];
        match kind {
            SHARED => tally.drain(&mut self.shared.1)?,
            CAS => tally.drain(&mut self.cas.1)?,
            _ => {
                for (index, (_, consumer)) in self.lanes.iter_mut().enumerate() {
                    let other = self.cores[(index + 1) % self.cores.len()];
                    std::thread::scope(|scope| {
                        let drained = scope.spawn(|| -> Result<(), FaninError> {
                            pin(other)?;
                            tally.drain(consumer)?;
                            Ok(())
                        });
                        drained.join().expect("draining does not panic")
                    })?;
                }
                0
            }
        };
        Ok(())
    }
}

/// Sends messages through a shared producer, `group` of them under one lock. Where the ring is full it
/// lets other threads run.
pub fn send_shared(
    ring: &SharedProducer<MemoryWords, MemoryPosition>,
    producer: usize,
    sequences: Range<u64>,
    group: u64,
) -> Result<(), ClaimError> {
    let mut next = sequences.start;
    while next < sequences.end {
        let end = sequences.end.min(next + group);
        let reached = match group {
            1 => send_one(ring, producer, next)?,
            _ => send_group(ring, producer, next..end)?,
        };
        if reached == next {
            std::thread::yield_now();
        }
        next = reached;
    }
    Ok(())
}

/// One message under one lock; gives the first that was not sent.
#[inline(always)]
fn send_one(
    ring: &SharedProducer<MemoryWords, MemoryPosition>,
    producer: usize,
    sequence: u64,
) -> Result<u64, ClaimError> {
    let mut locked = ring.lock();
    let mut claim = match locked.claim(8 * WORDS) {
        Ok(claim) => claim,
        Err(ClaimError::Full) => return Ok(sequence),
        Err(error) => return Err(error),
    };
    for (place, word) in message(producer as u64, sequence).into_iter().enumerate() {
        claim.put_u64(place, word);
    }
    claim.commit(KIND);
    Ok(sequence + 1)
}

/// A group under one lock; gives the first that was not sent.
#[inline(always)]
fn send_group(
    ring: &SharedProducer<MemoryWords, MemoryPosition>,
    producer: usize,
    sequences: Range<u64>,
) -> Result<u64, ClaimError> {
    ring.group(|batch| {
        for sequence in sequences.clone() {
            let mut claim = match batch.claim(8 * WORDS) {
                Ok(claim) => claim,
                // What the group holds so far is visible by now.
                Err(ClaimError::Full) => return Ok(sequence),
                Err(error) => return Err(error),
            };
            for (place, word) in message(producer as u64, sequence).into_iter().enumerate() {
                claim.put_u64(place, word);
            }
            claim.commit(KIND);
        }
        Ok(sequences.end)
    })
}

fn send_cas(ring: &CasProducer, producer: usize, sequences: Range<u64>) -> Result<(), ClaimError> {
    let mut handle = ring.handle();
    for sequence in sequences {
        if !handle.send(KIND, message(producer as u64, sequence)) {
            return Err(ClaimError::Full);
        }
    }
    Ok(())
}

/// Runs each piece of work on its core, all from the same moment on, the first on this thread; gives
/// the ticks from the first start to the last end.
fn together<W>(cores: &[usize], clock: &Clock, work: Vec<W>) -> Result<u64, FaninError>
where
    W: FnOnce() -> Result<(), ClaimError> + Send,
{
    let ready = AtomicUsize::new(0);
    let timed = |work: W| -> Result<(u64, u64), FaninError> {
        // No partner: only the moment counts.
        while ready.load(Ordering::Relaxed) < cores.len() {
            std::hint::spin_loop();
        }
        let start = clock.ticks();
        work()?;
        Ok((start, clock.ticks()))
    };
    let mut work = work.into_iter();
    let own = work.next().expect("a producer at least");
    let times = std::thread::scope(|scope| {
        let others: Vec<_> = work
            .zip(&cores[1..])
            .map(|(work, &core)| {
                let (ready, timed) = (&ready, &timed);
                scope.spawn(move || {
                    let pinned = pin(core);
                    ready.fetch_add(1, Ordering::Relaxed); // no partner: only the moment counts
                    pinned?;
                    timed(work)
                })
            })
            .collect();
        ready.fetch_add(1, Ordering::Relaxed); // no partner: only the moment counts
        let mut times = vec![timed(own)];
        let joined = others.into_iter().map(|other| other.join());
        times.extend(joined.map(|time| time.expect("sending does not panic")));
        times.into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    let start = times.iter().map(|(start, _)| *start).min();
    let end = times.iter().map(|(_, end)| *end).max();
    Ok(end.zip(start).map_or(0, |(end, start)| end - start))
}
