//! A reader of an event ring whose writer is hostile: any bytes are an answer, nonsense is an error that
//! stays, nothing turns round for ever, and nobody claims to know what cannot be.

#[path = "common/event/mod.rs"]
mod event;
#[path = "common/event/steps.rs"]
mod steps;

use std::cell::Cell;
use std::rc::Rc;

use ironhoard::event::{EventCorrupt, EventPoll, EventReader, EventWriter};
use ironhoard::ring::{Cursor, Geometry};
use proptest::prelude::*;
use steps::{Memory, Steps};

const LINES: usize = 8;

fn reader(memory: &Rc<Memory>) -> (EventReader<Steps, Steps>, Steps) {
    let steps = Steps::new(memory);
    let geometry = Geometry::new(LINES as u64 * 64).expect("a possible shape");
    let reader = EventReader::new(steps.clone(), steps.clone(), geometry);
    (reader.expect("a possible shape"), steps)
}

/// A sound ring with `events` events, to be spoiled.
fn sound(events: u64) -> Rc<Memory> {
    let memory = Memory::new(LINES);
    let steps = Steps::new(&memory);
    let geometry = Geometry::new(LINES as u64 * 64).expect("a possible shape");
    let writer = EventWriter::new(steps.clone(), steps, geometry, Cursor::START);
    let mut writer = writer.expect("a possible shape");
    (0..events).for_each(|_| event::publish(&mut writer, &[8, 64]));
    memory
}

/// Polls until the ring is empty or nonsense; says how it ended. Numbers go up by what is told.
fn exhaust(reader: &mut EventReader<Steps, Steps>, polls: usize) -> Result<(), EventCorrupt> {
    let mut buffer = [0; 64];
    for _ in 0..polls {
        let before = reader.next_number();
        match reader.poll(&mut buffer)? {
            EventPoll::Empty => return Ok(()),
            EventPoll::Event(event) => {
                assert_eq!(event.number, before);
                assert!(event.copied <= event.len && event.len <= 64);
            }
            EventPoll::Overrun(lost) => {
                assert_eq!(lost.first, before);
                assert_eq!(lost.last.wrapping_add(1), reader.next_number());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Words that are random, or random where it hurts.
    #[test]
    fn any_bytes_are_an_answer(
        words in proptest::collection::vec((0..LINES * 8 + 6, any::<u64>(), 0..4u8), 0..60),
        events in 0..40u64,
    ) {
        let memory = sound(events);
        for (place, value, how) in words {
            let value = match how {
                0 => value,
                1 => ((value % 64) << 32) | ((value >> 40) % 160),     // a header, nearly
                2 => value % 4096 / 64 * 64,                      // a position, nearly
                _ => ((1 + value % 40) << 32) | (1 << 31) | (value >> 8 & 0x1c0), // a padding, nearly
            };
            memory.set(place, value);
        }
        let (mut reader, _) = reader(&memory);
        if let Err(first) = exhaust(&mut reader, 200) {
            prop_assert_eq!(reader.poll(&mut []), Err(first), "it stays");
            prop_assert_eq!(reader.skip_to_end(), Err(first));
        }
    }

    /// The writer changes words between any two accesses. A poll ends after a bounded number of them.
    #[test]
    fn words_that_change_under_the_reader(
        words in proptest::collection::vec((0..LINES * 8 + 6, any::<u64>(), 0..3u8), 1..40),
        events in 0..40u64,
    ) {
        let memory = sound(events);
        let (mut reader, steps) = reader(&memory);
        let (spoiled, script) = (memory.clone(), Rc::new(words));
        let most = Rc::new(Cell::new(0));
        let seen = most.clone();
        steps.before_each(move |step| {
            let (place, value, how) = script[step as usize % script.len()];
            let value = match how {
                0 => value,
                1 => ((value % 64) << 32) | ((value >> 40) % 160),
                _ => step * 64 + value % 256,
            };
            spoiled.set(place, value);
            seen.set(step);
        });
        let mut buffer = [0; 64];
        for _ in 0..20 {
            let before = most.get();
            let found = reader.poll(&mut buffer);
            prop_assert!(most.get() - before < 8 * (3 + 8 + 1 + 16 * 4), "{} accesses", most.get() - before);
            if found.is_err() {
                break;
            }
        }
    }
}
