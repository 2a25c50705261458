//! What the tests of the event ring share: events whose content follows from their number, and what a
//! reader may say of them.
#![allow(dead_code)] // each test binary uses its own part

use ironhoard::event::{ControlWords, EventPoll, EventReader, EventWriter};
use ironhoard::ring::Words;

/// Bytes of payload of event `number`, by a pattern: how lengths follow each other.
pub fn length(pattern: &[usize], number: u64) -> usize {
    pattern[number as usize % pattern.len()]
}

/// Word `index` of event `number`. The first words look like headers of events to come.
pub fn word(number: u64, index: usize) -> u64 {
    match index % 8 {
        6 => number.wrapping_add(1 + index as u64 / 8) << 32 | 64, // where a line begins
        _ => number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64,
    }
}

/// Publishes the next event.
pub fn publish<W: Words, C: ControlWords>(writer: &mut EventWriter<W, C>, pattern: &[usize]) {
    let number = writer.next_number();
    let bytes = length(pattern, number);
    let mut claim = writer.claim(bytes).expect("within the limit");
    for index in 0..bytes.div_ceil(8) {
        claim.put_u64(index, word(number, index));
    }
    assert_eq!(claim.publish(number as u16), number);
}

/// Holds a reader to its promises: numbers without a gap that was not told, whole contents.
pub struct Judge {
    pub expected: u64,
    pub lost: u64,
    pub read: u64,
    pattern: Vec<usize>,
}

impl Judge {
    pub fn new(expected: u64, pattern: &[usize]) -> Self {
        Self {
            expected,
            lost: 0,
            read: 0,
            pattern: pattern.to_vec(),
        }
    }

    /// Polls once and judges the answer; says whether there was something.
    pub fn poll<W: Words, C: ControlWords>(&mut self, reader: &mut EventReader<W, C>) -> bool {
        let mut buffer = [0xee; 1 << 10];
        match reader.poll(&mut buffer).expect("a sound ring") {
            EventPoll::Empty => return false,
            EventPoll::Overrun(lost) => {
                assert_eq!(
                    lost.first, self.expected,
                    "what is lost begins where it stood"
                );
                assert!(lost.last.wrapping_sub(lost.first) < 1 << 40, "{lost}");
                self.expected = lost.last.wrapping_add(1);
                self.lost += lost.count();
            }
            EventPoll::Event(event) => {
                assert_eq!(event.number, self.expected, "no gap that was not told");
                assert_eq!(event.kind, event.number as u16);
                assert_eq!(event.len, length(&self.pattern, event.number));
                assert_eq!(event.copied, event.len.min(buffer.len()));
                for (index, chunk) in buffer[..event.copied].chunks(8).enumerate() {
                    let expected = word(event.number, index).to_le_bytes();
                    assert_eq!(chunk, &expected[..chunk.len()], "event {}", event.number);
                }
                self.expected = self.expected.wrapping_add(1);
                self.read += 1;
            }
        }
        assert_eq!(reader.next_number(), self.expected);
        true
    }

    /// Reads to the end; everything the writer published was read or told to be lost.
    pub fn finish<W: Words, C: ControlWords>(
        &mut self,
        reader: &mut EventReader<W, C>,
        next_number: u64,
    ) {
        while self.poll(reader) {}
        assert_eq!(self.expected, next_number, "everything was read, or told");
    }
}
