//! Room taken outside a claim keeps the ring's rules, too.

use super::{in_memory, MemoryConsumer};

/// Numbers of all that is committed.
fn take_all(consumer: &mut MemoryConsumer) -> Vec<u64> {
    let mut polled = consumer.poll(usize::MAX);
    let mut numbers = Vec::new();
    while let Some(record) = polled.next().expect("a sound ring") {
        numbers.push(record.number());
    }
    numbers
}

#[test]
fn room_after_a_forgotten_batch_meets_no_trap() {
    let (mut producer, mut consumer) = in_memory(512).expect("a possible shape");
    let mut batch = producer.batch();
    for _ in 0..4 {
        batch.claim(48).expect("room").commit(1);
    }
    std::mem::forget(batch);
    for number in 1..20 {
        let room = producer.reserve_room(48).expect("room");
        assert_eq!(producer.commit_room(room, 1), number);
        assert_eq!(take_all(&mut consumer), [number], "no record of the batch");
    }
}

#[test]
fn room_taken_again_gives_the_first_up() {
    let (mut producer, mut consumer) = in_memory(1024).expect("a possible shape");
    for number in 1..40u64 {
        let first = producer.reserve_room(128).expect("room");
        for word in 0..16 {
            producer.room_put_u64(first, word, (number + 1) << 32 | 64);
        }
        let second = producer.reserve_room(8).expect("room");
        producer.room_write(second, b"the last");
        assert_eq!(producer.commit_room(second.shorter(3), 1), number);
        let record = consumer.peek().expect("sound").expect("committed");
        assert_eq!(record.payload().to_vec(), b"the");
        assert_eq!(take_all(&mut consumer), [number]);
    }
}
