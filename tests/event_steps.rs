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
    Pair {
        writer: Rc::new(RefCell::new(writer(&stores, lines, start))),
        reader: reader(&loads, lines),
        stores,
        loads,
    }
}

fn writer(steps: &Steps, lines: usize, start: Cursor) -> Writer {
    let geometry = Geometry::new(lines as u64 * 64).expect("a possible shape");
    EventWriter::new(steps.clone(), steps.clone(), geometry, start).expect("a possible shape")
}

fn reader(steps: &Steps, lines: usize) -> Reader {
    let geometry = Geometry::new(lines as u64 * 64).expect("a possible shape");
    EventReader::new(steps.clone(), steps.clone(), geometry).expect("a possible shape")
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

/// The writer is so fast that a new reader finds no place to begin: there is nothing to be had, which is
/// no loss, and it begins with the oldest event as soon as it can.
#[test]
fn a_new_reader_that_finds_no_place_begins_later_and_loses_nothing() {
    for (lines, pattern) in SHAPES {
        let pair = pair(lines, Cursor::START);
        let (writer, lengths) = (pair.writer.clone(), pattern.to_vec());
        pair.loads.before_each(move |_| {
            (0..lines).for_each(|_| publish(&mut writer.borrow_mut(), &lengths));
        });
        let mut reader = reader(&pair.loads, lines);
        assert!(reader.has_news(), "it needs a poll");
        assert_eq!(reader.poll(&mut []), Ok(EventPoll::Empty));
        assert_eq!(reader.skip_to_end(), Ok(0));
        pair.loads.quietly();
        let oldest = self::reader(&pair.loads, lines).next_number();
        let next = pair.writer.borrow().next_number();
        assert_eq!(reader.clone().skip_to_end(), Ok(next - oldest));
        let mut judge = Judge::new(oldest, pattern);
        judge.finish(&mut reader, next);
        assert_eq!(judge.lost, 0);
    }
}

/// Wherever numbers and positions stand: past 2^32 events, and past 2^63 bytes.
#[test]
fn numbers_and_positions_wrap() {
    for number in [1, (1 << 32) - 3, (5 << 32) - 1, u64::MAX - 5] {
        for position in [0, (1u64 << 32) - 128, (1 << 63) - 64] {
            let pair = pair(8, Cursor { position, number });
            goes_on(pair.reader, &mut pair.writer.borrow_mut(), number);
        }
    }
}

/// A reader that stood near 2^63 wakes up where positions begin again.
#[test]
fn positions_wrap_at_the_end_of_64_bits() {
    let memory = Memory::new(8);
    let at = |position, number| Cursor { position, number };
    let _first = writer(&Steps::new(&memory), 8, at((1 << 63) - 64, 1));
    let mut reader = reader(&Steps::new(&memory), 8);
    // All that happened meanwhile is a writer that stands there.
    let mut late = writer(&Steps::new(&memory), 8, at(u64::MAX - 255, 101));
    let found = reader.poll(&mut []).expect("a sound ring");
    assert!(
        matches!(found, EventPoll::Overrun(lost) if lost.count() == 100),
        "{found:?}"
    );
    goes_on(reader, &mut late, 101);
}

/// Some events at a time, more and fewer than the ring holds: all are read, or told to be lost.
fn goes_on(mut reader: Reader, writer: &mut Writer, number: u64) {
    let mut judge = Judge::new(number, &[8, 64]);
    for burst in [1u64, 2, 3, 20, 1, 50] {
        (0..burst).for_each(|_| publish(writer, &[8, 64]));
        judge.finish(&mut reader, writer.next_number());
    }
    assert!(judge.lost > 0 && judge.read > 0);
}
