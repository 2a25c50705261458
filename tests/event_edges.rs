//! The event ring's edges, one at a time: what is retained, what an abort leaves, how nonsense is told.

#[path = "common/event/mod.rs"]
mod event;
#[path = "common/event/steps.rs"]
mod steps;

use std::rc::Rc;

use event::{publish, Judge};
use ironhoard::event::{EventFault, EventPoll, EventReader, EventWriter, Lost};
use ironhoard::ring::{CorruptKind, Cursor, Geometry};
use steps::{Memory, Steps};

type Writer = EventWriter<Steps, Steps>;
type Reader = EventReader<Steps, Steps>;

/// Lines of the ring whose words are spoiled, and where its control words lie.
const LINES: usize = 8;
const OVERWRITTEN: usize = LINES * 8;
const SEQUENCE: usize = OVERWRITTEN + 1;
const POSITION: usize = OVERWRITTEN + 2;
const NUMBER: usize = OVERWRITTEN + 3;

fn halves(memory: &Rc<Memory>, lines: usize, start: Cursor) -> (Writer, Reader) {
    let steps = Steps::new(memory);
    let geometry = Geometry::new(lines as u64 * 64).expect("a possible shape");
    let writer = EventWriter::new(steps.clone(), steps.clone(), geometry, start);
    let reader = EventReader::new(steps.clone(), steps, geometry);
    (
        writer.expect("a possible shape"),
        reader.expect("a possible shape"),
    )
}

fn pair(lines: usize) -> (Writer, Reader) {
    halves(&Memory::new(lines), lines, Cursor::START)
}

/// An abort shows nothing and uses no number, also where it gave old events up.
#[test]
fn an_aborted_claim_is_never_seen() {
    let (mut writer, mut reader) = pair(8);
    let mut judge = Judge::new(1, &[64, 8]);
    for round in 0..40 {
        let number = writer.next_number();
        let mut claim = writer.claim(64).expect("within the limit");
        for index in 0..8 {
            claim.put_u64(index, number << 32 | 64); // each word looks like the next event
        }
        drop(claim);
        assert_eq!(writer.next_number(), number);
        publish(&mut writer, &[64, 8]);
        if round % 5 == 0 {
            while judge.poll(&mut reader) {}
        }
    }
    judge.finish(&mut reader, 41);
}

/// Nothing is given up before it must be: a reader that keeps within five eighths loses nothing, and what
/// a new reader is offered is nearly three quarters of the ring at least.
#[test]
fn what_is_retained() {
    let memory = Memory::new(64);
    let (mut writer, mut reader) = halves(&memory, 64, Cursor::START);
    let mut judge = Judge::new(1, &[8]);
    for round in 0..200 {
        for _ in 0..40 {
            publish(&mut writer, &[8]);
        }
        let next = writer.next_number();
        judge.finish(&mut reader, next);
        let steps = Steps::new(&memory);
        let geometry = Geometry::new(64 * 64).expect("a possible shape");
        let late = EventReader::new(steps.clone(), steps, geometry).expect("a possible shape");
        let offered = next - late.next_number();
        assert!(round == 0 || offered >= 46, "{offered} of 64");
    }
    assert_eq!(judge.lost, 0);
}

#[test]
fn a_payload_above_the_limit_is_refused_and_the_ring_goes_on() {
    let (mut writer, mut reader) = pair(8);
    assert_eq!(writer.payload_limit(), 64);
    let refused = writer.claim(65).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("limit is 64 bytes")));
    publish(&mut writer, &[8]);
    Judge::new(1, &[8]).finish(&mut reader, 2);
}

/// A short buffer gets the beginning and learns the length.
#[test]
fn a_short_buffer_gets_the_beginning() {
    let (mut writer, mut reader) = pair(8);
    let mut claim = writer.claim(20).expect("within the limit");
    claim.write(b"twenty bytes, really");
    assert_eq!((claim.number(), claim.publish(3)), (1, 1));
    let mut buffer = [0; 6];
    assert!(reader.has_news());
    let found = reader.poll(&mut buffer).expect("sound");
    let EventPoll::Event(event) = found else {
        panic!("{found:?}");
    };
    assert_eq!((event.len, event.copied, &buffer), (20, 6, b"twenty"));
    assert!(!reader.has_news());
}

/// A reader that was stopped wakes up where the low half of its number stands again.
#[test]
fn four_billion_events_later_is_an_overrun() {
    let memory = Memory::new(8);
    let (_, mut reader) = halves(&memory, 8, Cursor::START);
    // All that happened meanwhile is a writer that stands there.
    let start = Cursor {
        position: 64 << 32,
        number: 1 + (1 << 32),
    };
    let (mut late, _) = halves(&memory, 8, start);
    publish(&mut late, &[8]);
    let lost = Lost {
        first: 1,
        last: 1 << 32,
    };
    assert!(reader.has_news());
    assert_eq!(reader.poll(&mut []), Ok(EventPoll::Overrun(lost)));
    let found = reader.poll(&mut []);
    assert!(matches!(found, Ok(EventPoll::Event(event)) if event.number == 1 + (1 << 32)));
}

/// A sound, fresh ring, and its reader.
fn sound(events: u64) -> (Rc<Memory>, Reader) {
    let memory = Memory::new(LINES);
    let (mut writer, reader) = halves(&memory, LINES, Cursor::START);
    (0..events).for_each(|_| publish(&mut writer, &[8, 64]));
    (memory, reader)
}

/// Where nonsense is told from truth: one word at a time.
#[test]
fn every_impossible_place_to_go_on_is_told() {
    let spoil = |changes: &[(usize, u64)]| {
        let (memory, mut reader) = sound(0);
        for &(place, value) in changes {
            memory.set(place, value);
        }
        let found = reader.poll(&mut []);
        found.map_err(|corrupt| corrupt.what)
    };
    let overrun =
        |position, number| spoil(&[(OVERWRITTEN, 512), (POSITION, position), (NUMBER, number)]);
    let fault = |position, number| Err(EventFault::Rejoin { position, number });
    assert!(matches!(overrun(512, 5), Ok(EventPoll::Overrun(lost)) if lost.last == 4));
    assert!(matches!(overrun(512, 9), Ok(EventPoll::Overrun(lost)) if lost.last == 8));
    assert_eq!(overrun(512, 10), fault(512, 10), "more numbers than lines");
    assert_eq!(overrun(513, 5), fault(513, 5), "off a line");
    assert_eq!(overrun(448, 5), fault(448, 5), "it is lost itself");
    assert_eq!(overrun(512, 0), fault(512, 0), "back");
    assert_eq!(overrun(1 << 63, 5), fault(1 << 63, 5), "back");
    let far = spoil(&[(OVERWRITTEN, 1 << 63)]);
    assert_eq!(far, Ok(EventPoll::Empty), "a position before all others");
    let odd = spoil(&[(SEQUENCE, 7), (OVERWRITTEN, 64)]);
    assert_eq!(odd, fault(0, 0), "a pair that was never written");
}

/// A new reader knows no place of its own: only what no ring can have is told.
#[test]
fn every_impossible_place_to_begin_is_told() {
    let begin = |position| {
        let (memory, _) = sound(0);
        memory.set(POSITION, position);
        let steps = Steps::new(&memory);
        let geometry = Geometry::new(LINES as u64 * 64).expect("a possible shape");
        let reader = EventReader::new(steps.clone(), steps, geometry);
        let mut reader: Reader = reader.expect("a possible shape");
        assert_eq!(reader.has_news(), reader.poll(&mut []).is_err());
        reader.poll(&mut []).map_err(|corrupt| corrupt.what)
    };
    for position in [0, 64, (1 << 63) - 64] {
        assert_eq!(begin(position), Ok(EventPoll::Empty), "{position}");
    }
    for position in [1, 65, 1 << 63, u64::MAX - 63] {
        let what = EventFault::Rejoin {
            position,
            number: 1,
        };
        assert_eq!(begin(position), Err(what));
    }
}

#[test]
fn every_impossible_header_is_told() {
    for (header, what) in [
        (1 << 32 | 5, CorruptKind::TooShort),
        (1 << 32 | 81, CorruptKind::TooLong),
        (1 << 32 | 1 << 31 | 512, CorruptKind::Padding),
    ] {
        let (memory, mut reader) = sound(0);
        memory.set(0, header);
        let found = reader.poll(&mut []).expect_err("nonsense");
        assert_eq!((found.number, found.what), (1, what.into()));
        assert!(found.to_string().contains("attach anew"));
        memory.set(0, 0);
        assert!(reader.has_news(), "an error is an answer, and stays");
        assert_eq!(reader.poll(&mut []), Err(found));
    }
    let (memory, mut reader) = sound(1);
    memory.set(1, 1 << 32);
    let found = reader.poll(&mut []).expect_err("nonsense");
    assert_eq!(found.what, CorruptKind::NumberHigh.into());
}
