//! The event ring, a step at a time: on small rings the writer goes on between any two accesses of a
//! reader, and readers look between any two stores of the writer. What weak memory adds is
//! `event_loom.rs`'s business.

#[path = "common/event/mod.rs"]
mod event;
#[path = "common/event/steps.rs"]
mod steps;

use std::cell::RefCell;
use std::rc::Rc;

use event::{publish, Judge};
use ironhoard::event::{EventPoll, EventReader, EventWriter};
use ironhoard::ring::{Cursor, Geometry};
use steps::{Memory, Steps};

type Writer = EventWriter<Steps, Steps>;
type Reader = EventReader<Steps, Steps>;

/// Lines of a ring, and lengths that its events have in turn.
const SHAPES: [(usize, &[usize]); 7] = [
    (4, &[8]),
    (4, &[32, 0]),
    (8, &[64]),
    (8, &[8, 64, 48]),
    (16, &[128, 8, 8]),
    (16, &[100, 49, 0, 128]),
    (32, &[256, 8, 8, 8, 120]),
];

struct Pair {
    writer: Rc<RefCell<Writer>>,
    reader: Reader,
    stores: Steps,
    loads: Steps,
}

fn pair(lines: usize, start: Cursor) -> Pair {
    let memory = Memory::new(lines);
    let (stores, loads) = (Steps::new(&memory), Steps::new(&memory));
    let geometry = Geometry::new(lines as u64 * 64).expect("a possible shape");
    let writer = EventWriter::new(stores.clone(), stores.clone(), geometry, start);
    let reader = EventReader::new(loads.clone(), loads.clone(), geometry);
    Pair {
        writer: Rc::new(RefCell::new(writer.expect("a possible shape"))),
        reader: reader.expect("a possible shape"),
        stores,
        loads,
    }
}

/// A reader that stands `lag` events behind after `published`, in the middle of a poll, sees the writer
/// publish `burst` more before access `at`. Says whether the poll had so many accesses.
fn overtaken(shape: (usize, &[usize]), published: u64, lag: u64, at: u64, burst: u64) -> bool {
    let (lines, pattern) = shape;
    let mut pair = pair(lines, Cursor::START);
    let mut judge = Judge::new(1, pattern);
    for _ in 0..published - lag {
        publish(&mut pair.writer.borrow_mut(), pattern);
        judge.poll(&mut pair.reader);
    }
    for _ in 0..lag {
        publish(&mut pair.writer.borrow_mut(), pattern);
    }
    let (writer, lengths) = (pair.writer.clone(), pattern.to_vec());
    pair.loads.before_each(move |step| {
        if step == at {
            (0..burst).for_each(|_| publish(&mut writer.borrow_mut(), &lengths));
        }
    });
    judge.poll(&mut pair.reader);
    let accesses = pair.loads.quietly();
    let next = pair.writer.borrow().next_number();
    judge.finish(&mut pair.reader, next);
    accesses > at
}

#[test]
fn a_writer_that_overtakes_a_reader_at_any_access_is_noticed() {
    let mut states = 0u64;
    for shape in SHAPES {
        let most = shape.0 as u64 + 3;
        for published in 0..most {
            for lag in 0..=published.min(most / 2) {
                for burst in [1, 2, 3, most / 2, most, 2 * most] {
                    let mut at = 0;
                    while overtaken(shape, published, lag, at, burst) {
                        (at, states) = (at + 1, states + 1);
                    }
                }
            }
        }
    }
    assert!(states > 10_000, "{states} states");
}

/// Readers of every age, each polled once between any two stores of the writer.
#[test]
fn readers_that_look_between_any_two_stores_see_whole_events() {
    for (lines, pattern) in SHAPES {
        let mut pair = pair(lines, Cursor::START);
        let readers: Rc<RefCell<Vec<(Reader, Judge)>>> = Rc::default();
        let watched = readers.clone();
        pair.stores.before_each(move |step| {
            // One of them at a time, so that some fall far behind.
            let mut readers = watched.borrow_mut();
            let count = readers.len() as u64;
            for (index, (reader, judge)) in readers.iter_mut().enumerate() {
                if step % (1 + 3 * index as u64) == 0 || index as u64 + 1 == count {
                    judge.poll(reader);
                }
            }
        });
        for round in 0..8 * lines as u64 {
            if round % 3 == 0 {
                let fresh = pair.reader.clone();
                let judge = Judge::new(fresh.next_number(), pattern);
                readers.borrow_mut().push((fresh, judge));
            }
            publish(&mut pair.writer.borrow_mut(), pattern);
            while let Ok(EventPoll::Event(_)) = pair.reader.poll(&mut []) {}
        }
        pair.stores.quietly();
        let next = pair.writer.borrow().next_number();
        for (reader, judge) in readers.borrow_mut().iter_mut() {
            judge.finish(reader, next);
        }
    }
}

/// Wherever numbers and positions stand: past 2^32 events, and at the end of 64 bits.
#[test]
fn numbers_and_positions_wrap() {
    for number in [1, (1 << 32) - 3, (5 << 32) - 1, u64::MAX - 5] {
        for position in [0, (1u64 << 32) - 128, u64::MAX - 255, (1 << 63) - 64] {
            let position = position & !63;
            let mut pair = pair(8, Cursor { position, number });
            let mut judge = Judge::new(number, &[8, 64]);
            for burst in [1u64, 2, 3, 20, 1, 50] {
                for _ in 0..burst {
                    publish(&mut pair.writer.borrow_mut(), &[8, 64]);
                }
                let next = pair.writer.borrow().next_number();
                judge.finish(&mut pair.reader, next);
            }
            assert!(judge.lost > 0 && judge.read > 0);
        }
    }
}
