//! Records taken one after the other are those of a poll, and give their room back as a poll does.

use super::{in_memory, ClaimError, MemoryConsumer};

/// A payload of `bytes` bytes that no other record of a test has.
fn payload(number: u64, bytes: usize) -> Vec<u8> {
    (0..bytes as u64)
        .map(|at| (number * 31 + at) as u8)
        .collect()
}

/// Takes the next record and compares it; says whether there was one.
fn take(consumer: &mut MemoryConsumer, number: u64, bytes: usize) -> bool {
    consumer.settle(false);
    let Some(record) = consumer.take().expect("a sound ring") else {
        return false;
    };
    assert_eq!((record.number(), record.payload().len()), (number, bytes));
    assert_eq!(record.payload().to_vec(), payload(number, bytes));
    true
}

/// Sizes from nothing to many lines, so that records end everywhere and padding comes in all lengths.
#[test]
fn what_is_taken_is_what_was_committed() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    let size = |number: u64| (number * number * 13 % 500) as usize;
    let mut next = 1;
    for number in 1..2000 {
        let bytes = size(number);
        while producer.has_room(bytes) == Err(ClaimError::Full) {
            assert!(
                take(&mut consumer, next, size(next)),
                "a full ring holds some"
            );
            next += 1;
        }
        let mut claim = producer.claim(bytes).expect("room");
        claim.payload().copy_from_slice(&payload(number, bytes));
        claim.commit(7);
    }
    while next < 2000 {
        assert!(take(&mut consumer, next, size(next)));
        next += 1;
    }
    assert!(!take(&mut consumer, next, 0));
}

#[test]
fn room_comes_back_each_eighth_or_where_the_ring_was_found_empty() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    for _ in 0..10 {
        producer.claim(48).expect("room").commit(1);
    }
    for taken in 1..=8 {
        assert!(!consumer.settle(false));
        assert!(consumer.take().expect("sound").is_some());
        assert_eq!(consumer.released(), 0, "{taken} lines that may be in use");
    }
    assert!(consumer.settle(false), "eight lines are an eighth");
    assert_eq!(consumer.released(), 512);
    assert!(consumer.take().expect("sound").is_some());
    assert!(!consumer.settle(false), "one line is no eighth");
    assert!(consumer.take().expect("sound").is_some());
    assert!(consumer.take().expect("sound").is_none());
    assert!(consumer.settle(true), "found empty");
    assert_eq!(consumer.released(), 640);
    assert!(!consumer.settle(true), "nothing is said twice");
}

#[test]
fn a_look_that_waits_sees_the_same() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    for number in 1..500 {
        let bytes = (number as usize * 37) % 300;
        let mut claim = producer.claim(bytes).expect("room");
        claim.payload().copy_from_slice(&payload(number, bytes));
        claim.commit(1);
        consumer.look_after(|word| std::hint::black_box(word) - word);
        assert!(take(&mut consumer, number, bytes));
        consumer.look_after(|_| 0);
        assert!(!take(&mut consumer, number + 1, 0));
        consumer.settle(true);
    }
}
