//! Hostile payload, hostile peers, dead producers: each test named for what it survives.

#[path = "common/ring/hand.rs"]
mod hand;

use hand::{fill, ring, ring_at, send, take_all, Handles};
use ironhoard::ring::{ClaimError, CorruptKind, Cursor, Words};

const LINE: u64 = 64;

#[test]
fn forged_header_in_the_payload_at_every_line() {
    for guess in 1..12u64 {
        for shorter in [0, 48, 112, 176] {
            let (mut producer, mut consumer, memory) = ring(8);
            for number in 1..40u64 {
                let mut claim = producer.claim(240).expect("room");
                fill(&mut claim, memory.forged_for(number + guess));
                claim.commit_shorter(1, shorter);
                assert_eq!(
                    take_all(&mut consumer),
                    [(number, shorter)],
                    "guess {guess}"
                );
            }
        }
    }
}

#[test]
fn forged_header_inside_skipped_padding() {
    for guess in 1..12u64 {
        let (mut producer, mut consumer, memory) = ring(8);
        let mut number = 0;
        for round in 0..60 {
            let payload = [240, 176, 48, 112][round % 4];
            number += 1;
            let mut claim = producer.claim(payload).expect("room");
            fill(&mut claim, memory.forged_for(number + guess));
            assert_eq!(claim.commit(1), number);
            assert_eq!(
                take_all(&mut consumer),
                [(number, payload)],
                "guess {guess}"
            );
        }
    }
}

#[test]
fn consumer_position_that_goes_back() {
    let (mut producer, mut consumer, memory) = ring(4);
    for _ in 0..4 {
        send(&mut producer, 48).expect("room");
    }
    take_all(&mut consumer);
    for _ in 0..4 {
        send(&mut producer, 48).expect("room");
    }
    memory.position().forge(3 * LINE);
    corrupt_position(&mut producer, 3 * LINE);
}

#[test]
fn consumer_position_that_runs_ahead() {
    for ahead in [LINE, 4 * LINE, 1 << 40, u64::MAX - 5 * LINE + 1] {
        let (mut producer, _, memory) = ring(4);
        for _ in 0..4 {
            send(&mut producer, 48).expect("room");
        }
        memory.position().forge(4 * LINE + ahead);
        corrupt_position(&mut producer, 4 * LINE + ahead);
    }
}

#[test]
fn consumer_position_off_a_line() {
    for off in 1..64 {
        let (mut producer, _, memory) = ring(4);
        for _ in 0..4 {
            send(&mut producer, 48).expect("room");
        }
        memory.position().forge(LINE + off);
        corrupt_position(&mut producer, LINE + off);
    }
}

fn corrupt_position(producer: &mut Handles, found: u64) {
    let corrupt = ClaimError::Corrupt { found };
    assert_eq!(producer.backlog(), Err(corrupt));
    assert_eq!(producer.has_room(48), Err(corrupt));
    assert_eq!(producer.claim(48).err(), Some(corrupt));
    assert_eq!(producer.batch().claim(48).err(), Some(corrupt));
}

#[test]
fn consumer_position_off_a_record_boundary_harms_only_its_author() {
    let (mut producer, _, memory) = ring(4);
    for _ in 0..2 {
        send(&mut producer, 112).expect("room");
    }
    memory.position().forge(LINE);
    assert_eq!(producer.backlog(), Ok(3 * LINE));
    assert_eq!(send(&mut producer, 48), Ok(3));
}

#[test]
fn every_corrupt_header_kind() {
    let past_end = 7;
    for (line, length, what) in [
        (0, 1, CorruptKind::TooShort),
        (0, 15, CorruptKind::TooShort),
        (0, 257, CorruptKind::TooLong),
        (0, 0x7fff_ffff, CorruptKind::TooLong),
        (past_end, 65, CorruptKind::PastEnd),
        (past_end, 256, CorruptKind::PastEnd),
        (0, 1 << 31 | 512, CorruptKind::Padding),
        (0, 1 << 31, CorruptKind::Padding),
        (1, 1 << 31 | 512, CorruptKind::Padding),
        (past_end, 1 << 31 | 128, CorruptKind::Padding),
        (past_end, 1 << 31 | 63, CorruptKind::Padding),
        (past_end, 0xffff_ffff, CorruptKind::Padding),
    ] {
        let start = Cursor {
            position: line * LINE,
            number: 9,
        };
        let (_, mut consumer, memory) = ring_at(8, start);
        let word = 9 << 32 | length;
        memory.words().publish(line as usize * 8, word);
        let corrupt = consumer.peek().map(drop).expect_err("corrupt");
        assert_eq!(
            (corrupt.what, corrupt.word),
            (what, word),
            "length {length:#x}"
        );
        assert_eq!((corrupt.position, corrupt.number), (line * LINE, 9));
        assert!(corrupt.to_string().contains("can't be used any more"));
    }
}

#[test]
fn high_half_of_the_number_is_checked() {
    let start = Cursor {
        position: 0,
        number: (5 << 32) + 9,
    };
    let (_, mut consumer, memory) = ring_at(8, start);
    memory.words().store(1, 4 << 32);
    memory.words().publish(0, 9 << 32 | 16);
    let corrupt = consumer.poll(1).next().map(drop).expect_err("corrupt");
    assert_eq!(corrupt.what, CorruptKind::NumberHigh);
}

#[test]
fn corrupt_stays_corrupt() {
    let (mut producer, mut consumer, memory) = ring(8);
    send(&mut producer, 48).expect("room");
    memory.words().publish(8, 2 << 32 | 3);
    let first = {
        let mut polled = consumer.poll(9);
        assert!(polled.next().expect("the first is sound").is_some());
        polled.next().map(drop).expect_err("corrupt")
    };
    for repaired in [0, 2 << 32 | 64, 2 << 32 | 448 | 1 << 31, 2 << 32 | 9999] {
        memory.words().publish(8, repaired);
        assert_eq!(consumer.peek().map(drop), Err(first));
        assert_eq!(consumer.poll(1).next().map(drop), Err(first));
    }
    assert_eq!(
        consumer.cursor(),
        Cursor {
            position: LINE,
            number: 2
        }
    );
}

/// Where Agrona's consumer stalls for ever: the producer died between claim and commit, its claim
/// ending exactly at the buffer's end.
#[test]
fn producer_killed_with_a_claim_ending_at_the_rings_end() {
    let (mut producer, mut consumer, memory) = ring(8);
    for _ in 0..4 {
        send(&mut producer, 48).expect("room");
    }
    let mut claim = producer.claim(240).expect("room");
    fill(&mut claim, memory.forged_for(5));
    #[allow(clippy::forget_non_drop)] // a claim has nothing to drop, and that is the point
    std::mem::forget(claim);
    drop(producer);
    assert_eq!(take_all(&mut consumer).len(), 4);
    assert!(
        take_all(&mut consumer).is_empty(),
        "an answer at once, not a stall"
    );
}

/// The other of Agrona's states: death after the padding was published and before its record.
#[test]
fn producer_killed_between_padding_and_record() {
    for guess in 0..9 {
        let (mut producer, mut consumer, memory) = ring(8);
        for number in 1..=6 {
            let mut claim = producer.claim(112).expect("room");
            fill(&mut claim, memory.forged_for(number + guess));
            claim.commit_shorter(1, 48);
            take_all(&mut consumer);
        }
        let mut batch = producer.batch();
        // A batch publishes the padding with the claim: dying now is dying between the two.
        let claim = batch.claim(240).expect("room behind the padding");
        #[allow(clippy::forget_non_drop)] // a claim has nothing to drop, and that is the point
        std::mem::forget(claim);
        std::mem::forget(batch);
        drop(producer);
        assert!(take_all(&mut consumer).is_empty());
        assert_eq!(
            consumer.cursor(),
            Cursor {
                position: 8 * LINE,
                number: 7
            }
        );
        assert_eq!(consumer.released(), 8 * LINE);
    }
}

/// A line whose bit is clear holds zero or a header of the last lap. An older header would come
/// back to life when the low half of the number has gone round.
#[test]
fn no_clean_line_outlives_a_lap() {
    let (mut producer, mut consumer, memory) = ring(8);
    let mut random = 1u64;
    for _ in 0..20_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let payload = [0, 48, 112, 176, 240][(random % 5) as usize];
        match random >> 8 & 7 {
            0 => drop(producer.claim(payload)),
            1 => producer.own_next_lines(),
            2 => {
                let mut batch = producer.batch();
                let _ = batch.claim(payload).map(|claim| claim.commit(1));
                let _ = batch.claim(48).map(|claim| claim.commit(1));
            }
            _ => drop(send(&mut producer, payload)),
        }
        take_all(&mut consumer);
        let (end, _, soiled) = producer.state();
        for line in (0..8).filter(|line| soiled[0] >> line & 1 == 0) {
            let word = memory.words().load(line * 8);
            let age = end.number.wrapping_sub(word >> 32);
            let youngest = 1 - (word >> 31 & 1); // a padding carries the number behind it
            let harmless = word == 0 || (youngest..=8).contains(&age);
            assert!(harmless, "line {line}: {word:#x} at {end:?}");
        }
    }
}
