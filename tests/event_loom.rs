//! The event ring's orderings under loom, and the ways to weaken them.
//!
//! Loom runs every interleaving of a short program (with a few preemptions), with every value that a
//! weak memory may return. Here a reader races with the writer on purpose; what it believes must be
//! right all the same. Every word is an atomic, as a reader in another process sees it.

use std::sync::Arc;

use ironhoard::event::{ControlWord, ControlWords, EventPoll, EventReader, EventWriter};
use ironhoard::ring::{Cursor, Geometry, Words};
use loom::sync::atomic::{fence, AtomicU64, Ordering};

/// The orderings of one run; the right ones, or one of them weakened.
#[derive(Clone, Copy)]
struct Orderings {
    header_publish: Ordering,
    header_observe: Ordering,
    control_publish: Ordering,
    control_observe: Ordering,
    release_fence: bool,
    acquire_fence: bool,
}

const RIGHT: Orderings = Orderings {
    header_publish: Ordering::Release,
    header_observe: Ordering::Acquire,
    control_publish: Ordering::Release,
    control_observe: Ordering::Acquire,
    release_fence: true,
    acquire_fence: true,
};

struct Memory {
    words: Vec<AtomicU64>,
    control: [AtomicU64; 6],
    orderings: Orderings,
}

#[derive(Clone)]
struct Loom(Arc<Memory>);

/// Of each line only the header and the first word of payload exist: loom keeps few atomics.
const WORDS_OF_A_LINE: usize = 3;

impl Loom {
    fn word(&self, word: usize) -> &AtomicU64 {
        &self.0.words[word / 8 * WORDS_OF_A_LINE + word % 8]
    }

    fn control(&self, word: ControlWord) -> &AtomicU64 {
        let index = match word {
            ControlWord::Overwritten => 0,
            ControlWord::Sequence => 1,
            ControlWord::Position(parity) => 2 + parity as usize * 2,
            ControlWord::Number(parity) => 3 + parity as usize * 2,
        };
        &self.0.control[index]
    }
}

impl Words for Loom {
    fn count(&self) -> usize {
        self.0.words.len() / WORDS_OF_A_LINE * 8
    }

    fn observe(&self, word: usize) -> u64 {
        self.word(word).load(self.0.orderings.header_observe)
    }

    fn publish(&self, word: usize, value: u64) {
        let order = self.0.orderings.header_publish;
        self.word(word).store(value, order)
    }

    fn load(&self, word: usize) -> u64 {
        self.word(word).load(Ordering::Relaxed)
    }

    fn store(&self, word: usize, value: u64) {
        self.word(word).store(value, Ordering::Relaxed)
    }
}

impl ControlWords for Loom {
    fn observe(&self, word: ControlWord) -> u64 {
        self.control(word).load(self.0.orderings.control_observe)
    }

    fn publish(&self, word: ControlWord, value: u64) {
        let order = self.0.orderings.control_publish;
        self.control(word).store(value, order)
    }

    fn load(&self, word: ControlWord) -> u64 {
        self.control(word).load(Ordering::Relaxed)
    }

    fn store(&self, word: ControlWord, value: u64) {
        self.control(word).store(value, Ordering::Relaxed)
    }

    fn release_fence(&self) {
        if self.0.orderings.release_fence {
            fence(Ordering::Release)
        }
    }

    fn acquire_fence(&self) {
        if self.0.orderings.acquire_fence {
            fence(Ordering::Acquire)
        }
    }
}

fn publish(writer: &mut EventWriter<Loom, Loom>) {
    let number = writer.next_number();
    let mut claim = writer.claim(8).expect("within the limit");
    claim.put_u64(0, number * 1000);
    claim.publish(number as u16);
}

/// Polls once; whatever is believed must be so. Says whether there was something.
fn poll(reader: &mut EventReader<Loom, Loom>) -> bool {
    let expected = reader.next_number();
    let mut payload = [0; 8];
    match reader.poll(&mut payload).expect("a sound ring") {
        EventPoll::Empty => return false,
        EventPoll::Overrun(lost) => assert_eq!(lost.first, expected),
        EventPoll::Event(event) => {
            let said = (event.number, event.kind);
            assert_eq!(said, (expected, expected as u16), "a torn event");
            assert_eq!(u64::from_le_bytes(payload), expected * 1000, "a torn event");
        }
    }
    true
}

/// A writer that publishes `before` events alone and `during` more while a reader polls `polls` times.
fn model(orderings: Orderings, before: u64, during: u64, polls: u64) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let words = (0..4 * WORDS_OF_A_LINE).map(|_| AtomicU64::new(0));
        let memory = Loom(Arc::new(Memory {
            words: words.collect(),
            control: std::array::from_fn(|_| AtomicU64::new(0)),
            orderings,
        }));
        let geometry = Geometry::new(256).expect("a possible shape");
        let (words, control) = (memory.clone(), memory.clone());
        let writer = EventWriter::new(words, control, geometry, Cursor::START);
        let mut writer = writer.expect("a possible shape");
        let reader = EventReader::new(memory.clone(), memory, geometry);
        let mut reader = reader.expect("a possible shape");
        (0..before).for_each(|_| publish(&mut writer));
        let writing = loom::thread::spawn(move || {
            (0..during).for_each(|_| publish(&mut writer));
            writer.next_number()
        });
        for _ in 0..polls {
            poll(&mut reader);
        }
        let next = writing.join().expect("the writer doesn't panic");
        while poll(&mut reader) {}
        assert_eq!(reader.next_number(), next, "all was read or told");
    });
}

/// Four lines are full: the event that is read is overwritten meanwhile.
fn overtaken(orderings: Orderings) {
    model(orderings, 4, 2, 2);
}

/// Nothing is overwritten: plain publishing.
fn followed(orderings: Orderings) {
    model(orderings, 0, 2, 2);
}

/// A reader that is behind already looks for the place to go on while that changes twice.
fn rejoining(orderings: Orderings) {
    model(orderings, 6, 2, 1);
}

#[test]
fn a_reader_believes_only_what_is_so() {
    followed(RIGHT);
    overtaken(RIGHT);
    rejoining(RIGHT);
}

#[test]
#[should_panic(expected = "a torn event")]
fn relaxed_publish_of_a_header_is_caught() {
    followed(Orderings {
        header_publish: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic(expected = "a torn event")]
fn relaxed_observe_of_a_header_is_caught() {
    followed(Orderings {
        header_observe: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic]
fn a_missing_release_fence_is_caught() {
    overtaken(Orderings {
        release_fence: false,
        ..RIGHT
    });
}

#[test]
#[should_panic]
fn a_missing_acquire_fence_is_caught() {
    overtaken(Orderings {
        acquire_fence: false,
        ..RIGHT
    });
}

#[test]
#[should_panic]
fn relaxed_publish_of_overwritten_and_sequence_is_caught() {
    rejoining(Orderings {
        control_publish: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic]
fn relaxed_observe_of_overwritten_and_sequence_is_caught() {
    rejoining(Orderings {
        control_observe: Ordering::Relaxed,
        ..RIGHT
    });
}
