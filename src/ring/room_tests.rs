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

/// Requests from none to several lines, then laps of lines alone, by the short way where it can be gone and
/// by the ordinary one in a ring beside: both hold the same words after each.
#[test]
fn a_line_by_the_short_way_leaves_what_a_claim_leaves() {
    let (mut short, mut of_short) = in_memory(2048).expect("a possible shape");
    let (mut plain, mut of_plain) = in_memory(2048).expect("a possible shape");
    let (mut lines, mut among_longer) = (0, 0);
    for turn in 0..400u64 {
        let longer_too = turn % 200 < 100;
        let payload = match longer_too {
            true => [0, 48, 8, 49, 1, 130, 47, 48][turn as usize % 8],
            false => [0, 48, 8][turn as usize % 3],
        };
        let kind = turn as u16;
        let number = match short.reserve_line(payload) {
            Some(room) => {
                short.room_write(room, &vec![turn as u8; payload]);
                if short.commits_line() {
                    lines += 1;
                    among_longer += longer_too as u32;
                    short.commit_line(payload as u32, kind);
                    short.cursor().number - 1
                } else {
                    short.commit_room(room, kind)
                }
            }
            None => {
                let room = short.reserve_room(payload).expect("room");
                short.room_write(room, &vec![turn as u8; payload]);
                short.commit_room(room, kind)
            }
        };
        let mut claim = plain.claim(payload).expect("room");
        claim.payload().copy_from_slice(&vec![turn as u8; payload]);
        assert_eq!(claim.commit(kind), number);
        assert_eq!(short.state(), plain.state());
        for consumer in [&mut of_short, &mut of_plain] {
            let record = consumer.peek().expect("sound").expect("committed");
            assert_eq!((record.number(), record.kind()), (number, kind));
            assert_eq!(record.payload().to_vec(), vec![turn as u8; payload]);
            assert_eq!(take_all(consumer), [number]);
            consumer.release();
        }
    }
    assert!(
        lines > 150 && among_longer > 20,
        "the short way was gone {lines} times, {among_longer} of them among longer records"
    );
}
