//! The tally of a fan-in: is every message of every producer there, whole and in order?
//!
//! A message names its producer and its place in that producer's sequence; its other words are made
//! from these two, so a message put together from two others gives itself away.

use ironhoard::ring::{Corrupt, MemoryConsumer, MemoryWords, Payload};

/// Words of a message: one line with its header.
pub const WORDS: usize = 6;

/// The message `sequence` of `producer`.
#[inline(always)]
pub fn message(producer: u64, sequence: u64) -> [u64; WORDS] {
    let mark = (producer << 56) ^ sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [producer, sequence, mark, !mark, mark ^ 1, mark ^ 2]
}

/// What arrived so far.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The next sequence expected, by producer.
    next: Vec<u64>,
    /// Messages that arrived whole.
    pub arrived: u64,
    /// Messages whose words do not belong together.
    pub torn: u64,
    /// Messages that came after a later one of the same producer, or twice.
    pub out_of_order: u64,
}

impl Tally {
    /// For so many producers, each of which starts with sequence 0.
    pub fn new(producers: usize) -> Tally {
        Tally {
            next: vec![0; producers],
            arrived: 0,
            torn: 0,
            out_of_order: 0,
        }
    }

    /// Takes all that is in `ring`; gives how many records that were.
    pub fn drain(&mut self, ring: &mut MemoryConsumer) -> Result<u64, Corrupt> {
        let mut polled = ring.poll(usize::MAX);
        let mut taken = 0;
        while let Some(record) = polled.next()? {
            self.add(record.payload());
            taken += 1;
        }
        Ok(taken)
    }

    fn add(&mut self, payload: Payload<'_, MemoryWords>) {
        let word = |index: usize| payload.u64_at(8 * index).unwrap_or(!0);
        let found: [u64; WORDS] = std::array::from_fn(word);
        let [producer, sequence, ..] = found;
        let expected = self.next.get_mut(producer as usize);
        let (Some(expected), true) = (expected, found == message(producer, sequence)) else {
            self.torn += 1;
            return;
        };
        self.arrived += 1;
        if sequence < *expected {
            self.out_of_order += 1;
        } else {
            *expected = sequence + 1;
        }
    }

    /// Messages of `sent` that are missing.
    pub fn lost(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(messages: &[[u64; WORDS]]) -> Tally {
        let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096).unwrap();
        for words in messages {
            let mut claim = producer.claim(8 * WORDS).unwrap();
            for (index, word) in words.iter().enumerate() {
                claim.put_u64(index, *word);
            }
            claim.commit(1);
        }
        let mut tally = Tally::new(2);
        assert_eq!(tally.drain(&mut consumer), Ok(messages.len() as u64));
        tally
    }

    #[test]
    fn whole_messages_in_order_are_counted() {
        let tally = tally_of(&[message(0, 0), message(1, 0), message(0, 1)]);
        assert_eq!((tally.arrived, tally.torn, tally.out_of_order), (3, 0, 0));
        assert_eq!((tally.lost(3), tally.lost(5)), (0, 2));
    }

    #[test]
    fn a_mixed_message_is_torn_and_an_unknown_producer_too() {
        let mut mixed = message(0, 0);
        mixed[5] = message(1, 7)[5];
        assert_eq!(tally_of(&[mixed, message(2, 0)]).torn, 2);
    }

    #[test]
    fn a_repetition_and_a_step_back_are_out_of_order() {
        let tally = tally_of(&[message(0, 0), message(0, 2), message(0, 1), message(0, 2)]);
        assert_eq!(tally.out_of_order, 2);
    }
}
