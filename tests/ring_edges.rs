//! The ring's edges, each test named for its edge.

#[path = "common/ring/hand.rs"]
mod hand;

use hand::{fill, ring, ring_at, send, take_all};
use ironhoard::layout::{DEFAULT_CAPACITY, MAX_CAPACITY};
use ironhoard::ring::{
    in_memory, ClaimError, Consumer, Cursor, Geometry, GeometryError, PositionWord, Words,
};

const LINE: u64 = 64;

#[test]
fn exactly_full_then_empty_then_full_again() {
    let (mut producer, mut consumer, _) = ring(8);
    for lap in 0..3u64 {
        for n in 0..8 {
            assert_eq!(send(&mut producer, 48), Ok(lap * 8 + n + 1));
        }
        assert_eq!(send(&mut producer, 0), Err(ClaimError::Full));
        assert_eq!(producer.backlog(), Ok(8 * LINE));
        assert_eq!(take_all(&mut consumer).len(), 8);
        assert_eq!(producer.backlog(), Ok(0));
        assert!(take_all(&mut consumer).is_empty());
    }
}

#[test]
fn record_ending_exactly_at_the_rings_end_needs_no_padding() {
    let (mut producer, mut consumer, memory) = ring(8);
    for (payload, lines) in [(48, 1), (176, 3), (240, 4)] {
        send(&mut producer, payload).expect("room");
        assert_eq!(lines, (payload + 16).div_ceil(64));
    }
    assert_eq!(producer.cursor().position, 8 * LINE);
    assert_eq!(take_all(&mut consumer), [(1, 48), (2, 176), (3, 240)]);
    assert_eq!(
        memory.words().load(7 * 8),
        memory.forged_for(4),
        "payload up to the end"
    );
}

#[test]
fn padding_of_every_size() {
    for padding in 1..4u64 {
        let (mut producer, mut consumer, memory) = ring(8);
        for _ in 0..8 - padding {
            send(&mut producer, 48).expect("room");
            take_all(&mut consumer);
        }
        send(&mut producer, 240).expect("room");
        let header = memory.words().load((8 - padding) as usize * 8);
        assert_eq!(
            header as u32,
            (padding * LINE) as u32 | 1 << 31,
            "its length is the rest"
        );
        assert_eq!(
            take_all(&mut consumer),
            [(9 - padding, 240)],
            "it uses no number"
        );
        assert_eq!(
            producer.backlog(),
            Ok(0),
            "padding is released with its record"
        );
    }
}

#[test]
fn padding_counts_as_room() {
    let (mut producer, mut consumer, _) = ring(8);
    for _ in 0..6 {
        send(&mut producer, 48).expect("room");
    }
    take_all(&mut consumer);
    send(&mut producer, 48).expect("room");
    // One line is left before the end; four lines with that one as padding leave three.
    send(&mut producer, 240).expect("room");
    assert_eq!(producer.backlog(), Ok(6 * LINE));
    assert_eq!(send(&mut producer, 112), Ok(9));
    assert_eq!(send(&mut producer, 0), Err(ClaimError::Full));
    assert_eq!(take_all(&mut consumer), [(7, 48), (8, 240), (9, 112)]);
}

#[test]
fn abort_of_a_padded_claim_leaves_nothing_behind() {
    let (mut producer, mut consumer, memory) = ring(8);
    for _ in 0..6 {
        send(&mut producer, 48).expect("room");
    }
    take_all(&mut consumer);
    for _ in 0..3 {
        let mut claim = producer.claim(240).expect("room behind padding");
        fill(&mut claim, memory.forged_for(7));
        claim.abort();
        assert!(take_all(&mut consumer).is_empty());
    }
    assert_eq!(
        producer.cursor(),
        Cursor {
            position: 6 * LINE,
            number: 7
        }
    );
    for number in 7..20 {
        assert_eq!(send(&mut producer, 48), Ok(number));
        assert_eq!(take_all(&mut consumer), [(number, 48)]);
    }
}

#[test]
fn forgotten_claim_is_an_aborted_one() {
    let (mut producer, mut consumer, memory) = ring(8);
    for number in 1..30 {
        let mut claim = producer.claim(240).expect("room");
        fill(&mut claim, memory.forged_for(number + 1));
        #[allow(clippy::forget_non_drop)] // a claim has nothing to drop, and that is the point
        std::mem::forget(claim);
        assert_eq!(send(&mut producer, 48), Ok(number));
        assert_eq!(take_all(&mut consumer), [(number, 48)]);
    }
}

#[test]
fn batch_at_the_rings_end_is_published_before_the_padding() {
    let (mut producer, mut consumer, _) = ring(8);
    for _ in 0..5 {
        send(&mut producer, 48).expect("room");
    }
    take_all(&mut consumer);
    let mut batch = producer.batch();
    for _ in 0..2 {
        batch.claim(48).expect("room").commit(1);
    }
    assert_eq!(batch.pending(), 2);
    assert!(take_all(&mut consumer).is_empty(), "nothing is visible yet");
    let claim = batch.claim(112).expect("room behind the padding");
    assert_eq!(claim.number(), 8);
    claim.commit(1);
    assert_eq!(
        batch.pending(),
        1,
        "what came before the padding is visible"
    );
    assert_eq!(take_all(&mut consumer), [(6, 48), (7, 48)]);
    drop(batch);
    assert!(
        take_all(&mut consumer).is_empty(),
        "the dropped rest never was"
    );
    assert_eq!(
        producer.cursor(),
        Cursor {
            position: 8 * LINE,
            number: 8
        }
    );
    assert_eq!(send(&mut producer, 48), Ok(8));
    assert_eq!(take_all(&mut consumer), [(8, 48)]);
}

#[test]
fn batch_meeting_a_full_ring_becomes_visible() {
    let (mut producer, mut consumer, _) = ring(4);
    let mut batch = producer.batch();
    for _ in 0..4 {
        batch.claim(48).expect("room").commit(1);
    }
    assert!(take_all(&mut consumer).is_empty());
    assert_eq!(batch.claim(48).err(), Some(ClaimError::Full));
    assert_eq!(batch.pending(), 0);
    assert_eq!(take_all(&mut consumer).len(), 4);
    batch.claim(48).expect("room again").commit(1);
    assert_eq!(batch.publish(), 6);
    assert_eq!(take_all(&mut consumer), [(5, 48)]);
}

#[test]
fn batch_meeting_a_payload_too_large_stays_hidden() {
    let (mut producer, mut consumer, _) = ring(8);
    let mut batch = producer.batch();
    batch.claim(48).expect("room").commit(1);
    let too_large = batch.claim(241).err();
    let (payload, limit) = (241, 240);
    assert_eq!(too_large, Some(ClaimError::TooLarge { payload, limit }));
    assert!(
        take_all(&mut consumer).is_empty(),
        "nothing stood in the way"
    );
    drop(batch);
    assert!(
        take_all(&mut consumer).is_empty(),
        "a dropped batch is aborted"
    );
    assert_eq!(send(&mut producer, 48), Ok(1));
}

#[test]
fn dropped_batch_leaves_no_trap() {
    traps_of_a_batch(|batch: hand::HandBatch<'_>| drop(batch));
}

#[test]
fn forgotten_batch_leaves_no_trap() {
    traps_of_a_batch(|batch: hand::HandBatch<'_>| std::mem::forget(batch));
}

/// Headers with numbers to come stand in the free space; then the same lines are used one by one.
fn traps_of_a_batch(end: impl Fn(hand::HandBatch<'_>)) {
    for aborted_before in 0..4 {
        let (mut producer, mut consumer, _) = ring(8);
        let mut batch = producer.batch();
        for _ in 0..aborted_before {
            batch.claim(112).expect("room").abort();
        }
        for _ in 0..6 {
            batch.claim(48).expect("room").commit(1);
        }
        end(batch);
        for number in 1..20 {
            assert_eq!(send(&mut producer, 48), Ok(number));
            assert_eq!(
                take_all(&mut consumer),
                [(number, 48)],
                "and no record of the batch"
            );
        }
    }
}

#[test]
fn empty_batch_changes_nothing() {
    let (mut producer, mut consumer, _) = ring(4);
    assert_eq!(producer.batch().publish(), 1);
    drop(producer.batch());
    std::mem::forget(producer.batch());
    assert!(take_all(&mut consumer).is_empty());
    assert_eq!(send(&mut producer, 48), Ok(1));
}

#[test]
fn payload_limit_is_an_eighth_and_an_error_says_so() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    assert_eq!(producer.payload_limit(), 512);
    let error = ClaimError::TooLarge {
        payload: 513,
        limit: 512,
    };
    assert_eq!(producer.claim(513).err(), Some(error));
    assert_eq!(
        producer.claim(usize::MAX).map(drop),
        Err(ClaimError::TooLarge {
            payload: usize::MAX,
            limit: 512
        })
    );
    assert_eq!(producer.has_room(513), Err(error));
    assert!(error.to_string().contains("513") && error.to_string().contains("512"));
    let mut claim = producer.claim(512).expect("the limit itself");
    claim.payload().fill(0xa5);
    claim.commit(1);
    let record = consumer.peek().expect("sound").expect("committed");
    assert_eq!(record.payload().to_vec(), [0xa5; 512]);
}

#[test]
fn default_ring_is_one_mebibyte() {
    assert_eq!(DEFAULT_CAPACITY, 1 << 20);
    let (mut producer, _) = in_memory(DEFAULT_CAPACITY).expect("a possible shape");
    assert_eq!(
        (producer.capacity(), producer.payload_limit()),
        (1 << 20, 1 << 17)
    );
    let mut records = 0;
    while producer.claim(48).map(|claim| claim.commit(1)).is_ok() {
        records += 1;
    }
    assert_eq!(records, 16384);
}

#[test]
fn zero_length_payload() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    let mut claim = producer.claim(0).expect("room");
    assert!(claim.payload().is_empty());
    claim.commit(7);
    let record = consumer.peek().expect("sound").expect("committed");
    assert!(record.payload().is_empty() && record.payload().array::<0>().is_some());
    assert_eq!(
        (record.number(), record.kind(), record.payload().u64_at(0)),
        (1, 7, None)
    );
}

#[test]
fn low_half_of_the_number_is_zero() {
    for high in [1u64, 7, 0] {
        let start = Cursor {
            position: 0,
            number: (high << 32).wrapping_sub(1),
        };
        let (mut producer, mut consumer, _) = ring_at(4, start);
        for step in 0..6 {
            assert!(
                take_all(&mut consumer).is_empty(),
                "zeroed memory is no record"
            );
            let number = start.number.wrapping_add(step);
            assert_eq!(send(&mut producer, 0), Ok(number));
            assert_eq!(take_all(&mut consumer), [(number, 0)]);
        }
    }
}

#[test]
fn room_for_the_largest_is_promised_with_its_padding() {
    let (mut producer, mut consumer, _) = ring(8);
    send(&mut producer, 48).expect("room");
    assert_eq!(producer.has_room(240), Ok(()));
    send(&mut producer, 48).expect("room");
    assert_eq!(producer.has_room(240), Err(ClaimError::Full));
    take_all(&mut consumer);
    assert_eq!(
        producer.has_room(240),
        Ok(()),
        "it looks at the consumer again"
    );
}

#[test]
fn own_next_lines_touches_no_unreleased_record() {
    let (mut producer, mut consumer, _) = ring(4);
    for filled in 0..=4 {
        for _ in 0..filled {
            send(&mut producer, 48).expect("room");
            producer.own_next_lines();
        }
        assert_eq!(take_all(&mut consumer).len(), filled);
        producer.backlog().expect("a sound position");
    }
}

#[test]
fn every_bad_shape() {
    let shape = |capacity, payload_limit| Geometry {
        capacity,
        payload_limit,
    };
    for capacity in [0, 64, 128, 255, 257, 300, 4097, MAX_CAPACITY * 2, u64::MAX] {
        let error = GeometryError::Capacity { capacity };
        assert_eq!(Geometry::new(capacity), Err(error));
        assert_eq!(in_memory(capacity).err(), Some(error));
        assert_eq!(hand::shaped(4, shape(capacity, 0)), Err(error));
    }
    assert_eq!(
        hand::shaped(4, shape(512, 48)),
        Err(GeometryError::Capacity { capacity: 512 })
    );
    for limit in [113, 1 << 20, u32::MAX] {
        let error = GeometryError::PayloadLimit { limit };
        assert_eq!(hand::shaped(4, shape(256, limit)), Err(error));
    }
    assert_eq!(hand::shaped(4, shape(256, 112)), Ok(()));
    assert_eq!(hand::misaligned(), [Some(GeometryError::Alignment); 4]);
}

#[test]
fn new_position_word_after_a_resume() {
    let (mut producer, mut consumer, memory) = ring(8);
    for _ in 0..6 {
        send(&mut producer, 48).expect("room");
    }
    let mut polled = consumer.poll(3);
    while polled.next().expect("sound").is_some() {}
    drop(polled);
    let at = consumer.cursor();
    let successor = memory.new_position(at.position);
    producer.rebind(successor.clone());
    let mut consumer =
        Consumer::new(memory.words(), successor, memory.geometry(), at).expect("a possible shape");
    assert_eq!(producer.backlog(), Ok(3 * LINE));
    assert_eq!(take_all(&mut consumer), [(4, 48), (5, 48), (6, 48)]);
    for number in 7..30 {
        assert_eq!(send(&mut producer, 48), Ok(number));
        assert_eq!(take_all(&mut consumer), [(number, 48)]);
    }
}

#[test]
#[should_panic(expected = "more than was claimed")]
fn commit_of_more_than_was_claimed() {
    let (mut producer, _, _) = ring(4);
    producer.claim(8).expect("room").commit_shorter(1, 9);
}

#[test]
#[should_panic(expected = "outside the payload")]
fn put_outside_the_payload() {
    let (mut producer, _, _) = ring(4);
    producer.claim(8).expect("room").put_u64(1, 0);
}

#[test]
fn a_poll_releases_each_eighth_and_when_empty() {
    let (mut producer, mut consumer, memory) = ring(32);
    for _ in 0..7 {
        send(&mut producer, 48).expect("room");
    }
    for (max, released) in [(3, 0), (1, 4), (2, 4), (9, 7)] {
        let mut polled = consumer.poll(max);
        while polled.next().expect("sound").is_some() {}
        drop(polled);
        assert_eq!(
            memory.position().observe(),
            released * LINE,
            "after {max} more"
        );
    }
}

/// A dead consumer's position is at most an eighth of the ring and a record behind what it has done:
/// whoever looks for the place where it stopped relies on that.
#[test]
fn a_long_batch_releases_each_eighth_of_the_ring() {
    let (mut producer, mut consumer) = ironhoard::ring::in_memory(4096).unwrap();
    for _ in 0..60 {
        producer.claim(48).unwrap().commit(1);
    }
    let mut polled = consumer.poll(usize::MAX);
    for taken in 1..=60u64 {
        assert!(polled.next().unwrap().is_some());
        let behind = (taken - 1) * 64 - (60 * 64 - producer.backlog().unwrap());
        assert!(behind < 512, "{behind} bytes after {taken} records");
    }
}
