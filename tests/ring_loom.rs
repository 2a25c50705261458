//! The ring's two orderings under loom, and the four ways to weaken them.
//!
//! Loom runs every interleaving of a short program, with every value that a weak memory may return.
//! It never moves a load behind a later store, so plain atomics would hide a release of the
//! position that came too early. Therefore each line's payload lies in a loom `UnsafeCell` beside
//! its header word: reading a line which the other side may be writing is a data race that loom
//! reports.

use std::sync::Arc;

use ironhoard::ring::{Consumer, Cursor, Geometry, PositionWord, Producer, Words};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};

/// The orderings of one run; the right ones, or one of them weakened.
#[derive(Clone, Copy)]
struct Orderings {
    words_publish: Ordering,
    words_observe: Ordering,
    position_publish: Ordering,
    position_observe: Ordering,
}

const RIGHT: Orderings = Orderings {
    words_publish: Ordering::Release,
    words_observe: Ordering::Acquire,
    position_publish: Ordering::Release,
    position_observe: Ordering::Acquire,
};

/// A line: its first word, which may be a header, and the rest.
struct Line {
    first: AtomicU64,
    rest: UnsafeCell<[u64; 7]>,
}

struct Memory {
    lines: Vec<Line>,
    position: AtomicU64,
    orderings: Orderings,
}

// SAFETY: loom checks each access to the cells; a race is what the tests look for.
unsafe impl Sync for Memory {}
// SAFETY: plain integers.
unsafe impl Send for Memory {}

#[derive(Clone)]
struct LoomWords(Arc<Memory>);

impl LoomWords {
    fn line(&self, word: usize) -> (&Line, usize) {
        (&self.0.lines[word / 8], word % 8)
    }
}

impl Words for LoomWords {
    fn count(&self) -> usize {
        self.0.lines.len() * 8
    }

    fn observe(&self, word: usize) -> u64 {
        self.line(word).0.first.load(self.0.orderings.words_observe)
    }

    fn publish(&self, word: usize, value: u64) {
        let order = self.0.orderings.words_publish;
        self.line(word).0.first.store(value, order);
    }

    fn load(&self, word: usize) -> u64 {
        let (line, index) = self.line(word);
        // SAFETY: a copy of a plain integer; loom reports any concurrent write.
        let rest = line.rest.with(|rest| unsafe { (*rest)[index.max(1) - 1] });
        match index {
            0 => line.first.load(Ordering::Relaxed),
            _ => rest,
        }
    }

    fn store(&self, word: usize, value: u64) {
        let (line, index) = self.line(word);
        // SAFETY: a plain integer; loom reports any concurrent access.
        line.rest.with_mut(|rest| unsafe {
            if index != 0 {
                (*rest)[index - 1] = value;
            }
        });
        if index == 0 {
            line.first.store(value, Ordering::Relaxed);
        }
    }
}

#[derive(Clone)]
struct LoomPosition(Arc<Memory>);

impl PositionWord for LoomPosition {
    fn observe(&self) -> u64 {
        self.0.position.load(self.0.orderings.position_observe)
    }

    fn publish(&self, next: Cursor) {
        let order = self.0.orderings.position_publish;
        self.0.position.store(next.position, order);
    }
}

type LoomProducer = Producer<LoomWords, LoomPosition>;
type LoomConsumer = Consumer<LoomWords, LoomPosition>;

/// A ring of four lines whose records take one or two.
fn ring(orderings: Orderings) -> (LoomProducer, LoomConsumer) {
    let lines = (0..4)
        .map(|_| Line {
            first: AtomicU64::new(0),
            rest: UnsafeCell::new([0; 7]),
        })
        .collect();
    let memory = Arc::new(Memory {
        lines,
        position: AtomicU64::new(0),
        orderings,
    });
    let geometry = Geometry {
        capacity: 256,
        payload_limit: 112,
    };
    let (words, position) = (LoomWords(memory.clone()), LoomPosition(memory));
    (
        Producer::new(words.clone(), position.clone(), geometry, Cursor::START)
            .expect("a possible shape"),
        Consumer::new(words, position, geometry, Cursor::START).expect("a possible shape"),
    )
}

/// Commits a record of `lines` lines, each of which says the record's number; `false` when full.
fn send(producer: &mut LoomProducer, lines: usize) -> bool {
    let Ok(mut claim) = producer.claim(lines * 64 - 16) else {
        return false;
    };
    let number = claim.number();
    claim.put_u64(0, number);
    if lines == 2 {
        // The second line's first word looks like the record to come.
        claim.put_u64(6, (number + 1) << 32 | 64);
        claim.put_u64(7, number);
    }
    claim.commit(1);
    true
}

/// Polls once; each record must be whole. Returns how many there were.
fn receive(consumer: &mut LoomConsumer, seen: &mut u64) {
    let mut polled = consumer.poll(usize::MAX);
    while let Some(record) = polled.next().expect("a sound ring") {
        *seen += 1;
        let payload = record.payload();
        assert_eq!(record.number(), *seen);
        assert_eq!(payload.u64_at(0), Some(*seen));
        if payload.len() > 48 {
            assert_eq!(payload.u64_at(56), Some(*seen));
        }
    }
}

/// Runs `produce` against a consumer that polls `polls` times; returns what both did to the check.
fn model(orderings: Orderings, polls: usize, produce: fn(&mut LoomProducer) -> u64) {
    loom::model(move || {
        let (mut producer, mut consumer) = ring(orderings);
        let writer = loom::thread::spawn(move || produce(&mut producer));
        let mut seen = 0;
        for _ in 0..polls {
            receive(&mut consumer, &mut seen);
            loom::thread::yield_now();
        }
        let committed = writer.join().expect("the producer doesn't panic");
        receive(&mut consumer, &mut seen);
        assert_eq!(seen, committed, "no record is lost, none is invented");
    });
}

/// Six records through four lines: the ring wraps when the consumer has released, else it is full.
fn one_line_records(producer: &mut LoomProducer) -> u64 {
    (0..6).map(|_| send(producer, 1) as u64).sum()
}

/// One, two, two lines: the third needs padding, and its claim needs what was released.
fn padding(producer: &mut LoomProducer) -> u64 {
    [1, 2, 2, 1]
        .into_iter()
        .map(|lines| send(producer, lines) as u64)
        .sum()
}

/// A batch, a dropped batch and single records in the same lines.
fn batches(producer: &mut LoomProducer) -> u64 {
    let mut committed = 0;
    for (records, publish) in [(2u64, true), (2, false), (2, true)] {
        let mut batch = producer.batch();
        for _ in 0..records {
            let Ok(mut claim) = batch.claim(48) else {
                break;
            };
            let number = claim.number();
            claim.put_u64(0, number);
            claim.commit(1);
        }
        if publish {
            committed = batch.publish() - 1;
        }
    }
    committed
}

/// A wait between records, used to own the next lines.
fn owning(producer: &mut LoomProducer) -> u64 {
    (0..4)
        .map(|_| {
            let sent = send(producer, 2) as u64;
            producer.own_next_lines();
            sent
        })
        .sum()
}

#[test]
fn one_line_records_wrap_around() {
    model(RIGHT, 2, one_line_records);
}

#[test]
fn padding_and_its_record() {
    model(RIGHT, 2, padding);
}

#[test]
fn batches_published_and_dropped() {
    model(RIGHT, 2, batches);
}

#[test]
fn owning_lines_races_with_nobody() {
    model(RIGHT, 2, owning);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_of_a_header_is_caught() {
    let weak = Orderings {
        words_publish: Ordering::Relaxed,
        ..RIGHT
    };
    model(weak, 2, one_line_records);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_observe_of_a_header_is_caught() {
    let weak = Orderings {
        words_observe: Ordering::Relaxed,
        ..RIGHT
    };
    model(weak, 2, one_line_records);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_of_a_position_is_caught() {
    let weak = Orderings {
        position_publish: Ordering::Relaxed,
        ..RIGHT
    };
    model(weak, 2, one_line_records);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_observe_of_a_position_is_caught() {
    let weak = Orderings {
        position_observe: Ordering::Relaxed,
        ..RIGHT
    };
    model(weak, 2, one_line_records);
}
