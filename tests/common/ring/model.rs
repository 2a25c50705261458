//! A ring and a plain queue, driven by the same steps.

use std::collections::VecDeque;

#[path = "heap.rs"]
mod heap;

use heap::{HeapPosition, HeapWords};
use ironhoard::ring::{
    Batch, BatchClaim, Claim, ClaimError, Consumer, Cursor, Geometry, PositionWord, Producer,
    SharedProducer, Words,
};

/// Payload limit of the model's ring, in bytes: records take one to four lines of sixteen.
pub const LIMIT: usize = 240;
const CAPACITY: u64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Publish,
    Drop,
    Forget,
}

/// One step. `kept` is what is committed of a claim; `None` aborts it.
#[derive(Debug, Clone)]
pub enum Step {
    Claim {
        claimed: usize,
        kept: Option<usize>,
    },
    Batch {
        parts: Vec<(usize, Option<usize>)>,
        ending: Ending,
    },
    /// Takes up to `max` records; `forget` leaks what the poll returned, so that it releases nothing.
    Poll {
        max: usize,
        forget: bool,
    },
    Peek,
    Release,
    Own,
    HasRoom(usize),
    /// The consumer dies; another goes on at the first unreleased record.
    Resume,
}

/// A record as the queue keeps it: where it starts, and all of it.
#[derive(Debug, Clone)]
struct Told {
    position: u64,
    number: u64,
    payload: Vec<u8>,
}

/// The two together.
pub struct Model {
    producer: SharedProducer<HeapWords, HeapPosition>,
    consumer: Consumer<HeapWords, HeapPosition>,
    words: HeapWords,
    position: HeapPosition,
    /// Use the shared producer's own calls for batches.
    shared: bool,
    forgotten: bool,
    end: Cursor,
    /// Committed; the first `taken` of them were taken and not yet released.
    queue: VecDeque<Told>,
    taken: usize,
}

fn geometry() -> Geometry {
    Geometry {
        capacity: CAPACITY,
        payload_limit: LIMIT as u32,
    }
}

fn lines(payload: usize) -> u64 {
    (payload as u64 + 16).div_ceil(64) * 64
}

/// Padding before a record of `payload` bytes at `position`.
fn padding(position: u64, payload: usize) -> u64 {
    let left = CAPACITY - position % CAPACITY;
    if lines(payload) > left {
        left
    } else {
        0
    }
}

/// The worst payload of record `number`: headers with numbers to come.
fn forged(number: u64, index: usize) -> u64 {
    let guess = number.wrapping_add(1 + (index as u64 + number % 9) % 9);
    guess << 32 | [16, 64, 1 << 31 | 64, 3][index % 4]
}

fn bytes(number: u64, payload: usize) -> Vec<u8> {
    let words = (0..payload.div_ceil(8)).flat_map(|index| forged(number, index).to_le_bytes());
    words.take(payload).collect()
}

fn fill(claim: &mut Claim<'_, HeapWords, HeapPosition>) {
    for index in 0..claim.len().div_ceil(8) {
        claim.put_u64(index, forged(claim.number(), index));
    }
}

fn fill_part(claim: &mut BatchClaim<'_, '_, HeapWords, HeapPosition>, payload: usize) {
    for index in 0..payload.div_ceil(8) {
        claim.put_u64(index, forged(claim.number(), index));
    }
}

impl Model {
    pub fn new(start: Cursor, shared: bool) -> Self {
        let words = HeapWords::lines(CAPACITY / 64);
        let position = HeapPosition::at(start.position);
        let producer = Producer::new(words.clone(), position.clone(), geometry(), start)
            .expect("a possible shape");
        let consumer = Consumer::new(words.clone(), position.clone(), geometry(), start)
            .expect("a possible shape");
        Self {
            producer: SharedProducer::new(producer),
            consumer,
            words,
            position,
            shared,
            forgotten: false,
            end: start,
            queue: VecDeque::new(),
            taken: 0,
        }
    }

    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Claim { claimed, kept } => self.claim(*claimed, *kept),
            Step::Batch { parts, ending } => self.batch(parts, *ending),
            Step::Poll { max, forget } => self.poll(*max, *forget),
            Step::Peek => self.peek(),
            Step::Release => {
                self.consumer.release();
                self.released();
            }
            Step::Own => self.producer.lock().own_next_lines(),
            Step::HasRoom(payload) => {
                let worst = 2 * lines(*payload) - 64;
                let answer = self.producer.lock().has_room(*payload);
                assert_eq!(answer.is_ok(), worst <= self.free(self.end.position));
            }
            Step::Resume => self.resume(),
        }
    }

    /// Free bytes behind `end`, by the position that the consumer published.
    fn free(&self, end: u64) -> u64 {
        CAPACITY - end.wrapping_sub(self.position.observe())
    }

    fn fits(&self, end: u64, payload: usize) -> bool {
        padding(end, payload) + lines(payload) <= self.free(end)
    }

    fn committed(&mut self, position: u64, payload: usize, claimed: usize) {
        let payload = bytes(self.end.number, claimed)[..payload].to_vec();
        let next = position.wrapping_add(lines(payload.len()));
        self.queue.push_back(Told {
            position,
            number: self.end.number,
            payload,
        });
        self.end = Cursor {
            position: next,
            number: self.end.number.wrapping_add(1),
        };
    }

    fn claim(&mut self, claimed: usize, kept: Option<usize>) {
        self.forgotten = false;
        let fits = self.fits(self.end.position, claimed);
        let producer = self.producer.clone();
        let mut producer = producer.lock();
        match producer.claim(claimed) {
            Err(error) => assert_eq!((error, fits), (ClaimError::Full, false)),
            Ok(mut claim) => {
                assert!(fits, "a claim where there is no room");
                fill(&mut claim);
                let Some(kept) = kept else {
                    return claim.abort();
                };
                assert_eq!(claim.commit_shorter(1, kept), self.end.number);
                let start = self
                    .end
                    .position
                    .wrapping_add(padding(self.end.position, claimed));
                self.committed(start, kept, claimed);
            }
        }
    }

    fn batch(&mut self, parts: &[(usize, Option<usize>)], ending: Ending) {
        let producer = self.producer.clone();
        self.forgotten = ending == Ending::Forget;
        if self.shared && ending == Ending::Publish {
            let pending = producer.group(|batch| self.fill_batch(batch, parts));
            return self.become_visible(&pending);
        }
        let mut producer = producer.lock();
        let mut batch = producer.batch();
        let pending = self.fill_batch(&mut batch, parts);
        assert_eq!(batch.pending(), pending.len() as u64);
        match ending {
            Ending::Publish => {
                batch.publish();
                self.become_visible(&pending);
            }
            Ending::Drop => drop(batch),
            Ending::Forget => std::mem::forget(batch),
        }
    }

    fn become_visible(&mut self, pending: &[(u64, usize, usize)]) {
        for &(position, kept, claimed) in pending {
            self.committed(position, kept, claimed);
        }
    }

    /// Puts the parts into the batch; returns what is not visible yet: position, kept, claimed.
    fn fill_batch(
        &mut self,
        batch: &mut Batch<'_, HeapWords, HeapPosition>,
        parts: &[(usize, Option<usize>)],
    ) -> Vec<(u64, usize, usize)> {
        let mut pending = Vec::new();
        let mut end = self.end.position;
        for &(claimed, kept) in parts {
            let fits = self.fits(end, claimed);
            let padding = padding(end, claimed);
            if !fits || padding != 0 {
                self.become_visible(&std::mem::take(&mut pending));
            }
            match batch.claim(claimed) {
                Err(error) => assert_eq!((error, fits), (ClaimError::Full, false)),
                Ok(mut claim) => {
                    assert!(fits, "a batch's claim where there is no room");
                    fill_part(&mut claim, claimed);
                    if padding != 0 {
                        end = end.wrapping_add(padding);
                        self.end.position = end;
                    }
                    if let Some(kept) = kept {
                        claim.commit_shorter(1, kept);
                        pending.push((end, kept, claimed));
                        end = end.wrapping_add(lines(kept));
                    }
                }
            }
        }
        pending
    }

    fn poll(&mut self, max: usize, forget: bool) {
        let (published, before) = (self.position.observe(), self.taken);
        let mut polled = self.consumer.poll(max);
        let wanted = max.min(self.queue.len() - self.taken);
        for _ in 0..wanted {
            let told = &self.queue[self.taken];
            let record = polled.next().expect("a sound ring").expect("committed");
            assert_eq!(record.number(), told.number);
            assert_eq!(record.payload().to_vec(), told.payload);
            self.taken += 1;
        }
        assert!(polled.next().expect("a sound ring").is_none());
        assert_eq!(polled.found_empty(), wanted < max);
        if forget {
            std::mem::forget(polled);
            // What it had not released comes again.
            let released = self.position.observe() != published;
            self.released();
            self.taken = if released { 0 } else { before };
            return;
        }
        drop(polled);
        self.released();
        if wanted < max {
            assert_eq!(self.taken, 0, "an empty ring is always released");
        }
    }

    /// Forgets what the published position says is released.
    fn released(&mut self) {
        let position = self.position.observe();
        let behind = |told: &Told| position.wrapping_sub(told.position) as i64 > 0;
        while self.queue.front().is_some_and(behind) {
            assert!(self.taken > 0, "a record was released that nobody took");
            self.queue.pop_front();
            self.taken -= 1;
        }
    }

    fn peek(&mut self) {
        let record = self.consumer.peek().expect("a sound ring");
        let told = self.queue.get(self.taken);
        assert_eq!(
            record.map(|record| record.number()),
            told.map(|told| told.number)
        );
    }

    fn resume(&mut self) {
        let first = self.queue.front();
        let at = first.map_or(self.end, |told| Cursor {
            position: told.position,
            number: told.number,
        });
        self.position = HeapPosition::at(at.position);
        self.producer.lock().rebind(self.position.clone());
        let (words, position) = (self.words.clone(), self.position.clone());
        self.consumer = Consumer::new(words, position, geometry(), at).expect("a possible shape");
        self.taken = 0;
    }

    /// What holds after every step.
    pub fn check(&mut self) {
        let mut producer = self.producer.lock();
        assert_eq!(producer.cursor(), self.end);
        let backlog = self.end.position.wrapping_sub(self.position.observe());
        assert_eq!(producer.backlog(), Ok(backlog));
        let end = self.words.load((self.end.position % CAPACITY / 8) as usize);
        let header = (end >> 32) as u32 == self.end.number as u32 && end as u32 != 0;
        assert!(
            !header,
            "{end:#x} can be taken for a header at {:?}",
            self.end
        );
        let (_, _, soiled) = producer.state();
        for line in (0..CAPACITY / 64).filter(|line| soiled[0] >> line & 1 == 0 && !self.forgotten)
        {
            let word = self.words.load(line as usize * 8);
            let age = (self.end.number as u32).wrapping_sub((word >> 32) as u32) as u64;
            let youngest = 1 - (word >> 31 & 1); // a padding carries the number behind it
            let harmless = word == 0 || (youngest..=CAPACITY / 64).contains(&age);
            assert!(harmless, "clean line {line}: {word:#x} at {:?}", self.end);
        }
    }

    /// Takes the rest: everything committed comes out, and then nothing.
    pub fn finish(&mut self) {
        self.poll(usize::MAX, false);
        assert!(self.queue.is_empty());
        assert_eq!(self.producer.lock().backlog(), Ok(0));
    }
}
