//! Real threads on real memory: nothing lost, nothing torn, order kept.
//!
//! What the shared producer promises when a thread is descheduled inside [`SharedProducer::group`]:
//! other producers wait for the lock, the *consumer* waits for nobody. What was published before is
//! there to be polled, and what the sleeper has not published does not exist yet.

use std::sync::mpsc;

use ironhoard::ring::{in_memory, ClaimError, MemoryConsumer, SharedProducer};

const RECORDS: u64 = 1_000_000;
const LARGEST: usize = 300;

/// Payload bytes of record `number`.
fn size(number: u64) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % (LARGEST + 1)
}

/// Payload of record `number`: headers of the records to come, and a checksum over all of it.
fn content(number: u64, payload: &mut [u8]) {
    let mut sum = number;
    for (index, chunk) in payload.chunks_mut(8).enumerate() {
        let forged = (number + 1 + index as u64 % 5) << 32 | 64;
        let word = if index % 3 == 2 { sum } else { forged };
        sum = (sum ^ word).wrapping_mul(0x2545_f491_4f6c_dd1d);
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}

/// Polls until `wanted` records were checked by `check`.
fn drain(consumer: &mut MemoryConsumer, wanted: u64, mut check: impl FnMut(u64, u16, &[u8])) {
    let mut copy = [0; LARGEST];
    let mut seen = 0;
    while seen < wanted {
        let before = seen;
        let mut polled = consumer.poll(64);
        while let Some(record) = polled.next().expect("a sound ring") {
            let bytes = record.payload().copy_to(&mut copy);
            assert_eq!(bytes, record.payload().len());
            check(record.number(), record.kind(), &copy[..bytes]);
            seen += 1;
        }
        drop(polled);
        if seen == before {
            std::thread::yield_now();
        }
    }
    assert!(
        consumer.peek().expect("a sound ring").is_none(),
        "nothing was invented"
    );
}

#[test]
fn a_million_records_of_varied_size() {
    let (mut producer, mut consumer) = in_memory(1 << 14).expect("a possible shape");
    std::thread::scope(|threads| {
        threads.spawn(move || {
            let mut number = 1;
            while number <= RECORDS {
                match producer.claim(size(number)) {
                    Ok(mut claim) => {
                        content(number, claim.payload());
                        assert_eq!(claim.commit(number as u16), number);
                        number += 1;
                    }
                    Err(ClaimError::Full) => {
                        producer.own_next_lines();
                        std::thread::yield_now();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let mut expected = [0; LARGEST];
        let mut next = 1;
        drain(&mut consumer, RECORDS, |number, kind, payload| {
            assert_eq!((number, kind), (next, next as u16));
            let expected = &mut expected[..size(number)];
            content(number, expected);
            assert!(payload == expected, "record {number} is torn");
            next += 1;
        });
    });
}

/// Sends `count` records as `thread`: alone, in groups, and in groups that meet a full ring.
fn send_all(
    shared: &SharedProducer<ironhoard::ring::MemoryWords, ironhoard::ring::MemoryPosition>,
    thread: u16,
    count: u64,
) {
    let mut sent = 0;
    while sent < count {
        if sent % 5 == 0 {
            match shared.send(thread, &sent.to_le_bytes()) {
                Ok(_) => sent += 1,
                Err(_) => std::thread::yield_now(),
            }
            continue;
        }
        let wanted = (sent + 1 + sent % 7).min(count);
        let full = shared.group(|batch| {
            while sent < wanted {
                let mut claim = batch.claim(8 + (sent % 60) as usize)?;
                claim.payload().fill(sent as u8);
                claim.put_u64(0, sent);
                claim.commit(thread);
                sent += 1;
            }
            Ok::<(), ClaimError>(())
        });
        if full.is_err() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn eight_threads_on_a_shared_producer() {
    const THREADS: u16 = 8;
    const EACH: u64 = 20_000;
    let (producer, mut consumer) = in_memory(1 << 13).expect("a possible shape");
    let shared = SharedProducer::new(producer);
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let shared = shared.clone();
            threads.spawn(move || send_all(&shared, thread, EACH));
        }
        let mut next = [0; THREADS as usize];
        let mut number = 0;
        drain(
            &mut consumer,
            EACH * THREADS as u64,
            |found, thread, payload| {
                number += 1;
                assert_eq!(found, number, "a number is missing");
                let (first, rest) = payload.split_at(8);
                let sequence = u64::from_le_bytes(first.try_into().expect("eight bytes"));
                assert_eq!(sequence, next[thread as usize], "order of thread {thread}");
                assert!(rest.iter().all(|&byte| byte == sequence as u8), "torn");
                next[thread as usize] += 1;
            },
        );
        assert_eq!(next, [EACH; THREADS as usize], "nothing is lost");
    });
}

#[test]
fn a_thread_asleep_in_a_group_keeps_no_consumer_waiting() {
    let (producer, mut consumer) = in_memory(1 << 13).expect("a possible shape");
    let shared = SharedProducer::new(producer);
    for n in 0..3u64 {
        shared.send(1, &n.to_le_bytes()).expect("room");
    }
    let (asleep, is_asleep) = mpsc::channel();
    let (wake, woken) = mpsc::channel::<()>();
    std::thread::scope(|threads| {
        let sleeper = shared.clone();
        threads.spawn(move || {
            sleeper.group(|batch| {
                batch.claim(8).expect("room").commit(2);
                let _open = batch.claim(8).expect("room");
                asleep.send(()).expect("the test listens");
                woken.recv().expect("the test wakes us");
            })
        });
        is_asleep.recv().expect("the sleeper starts");
        let other = shared.clone();
        let waiting = threads.spawn(move || other.send(3, &[]));
        drain(&mut consumer, 3, |_, kind, _| assert_eq!(kind, 1));
        assert!(
            !waiting.is_finished(),
            "another producer waits for the lock"
        );
        assert!(consumer.peek().expect("a sound ring").is_none());
        wake.send(()).expect("the sleeper listens");
        let mut kinds = Vec::new();
        drain(&mut consumer, 2, |_, kind, _| kinds.push(kind));
        assert_eq!(kinds, [2, 3], "the group, then who waited");
    });
}

#[test]
fn a_panic_in_a_group_aborts_it_and_spares_the_ring() {
    let (producer, mut consumer) = in_memory(1 << 13).expect("a possible shape");
    let shared = SharedProducer::new(producer);
    let panicking = shared.clone();
    let panicked = std::thread::spawn(move || {
        panicking.group(|batch| {
            batch.claim(8).expect("room").commit(9);
            batch.claim(8).expect("room").commit(9);
            std::panic::resume_unwind(Box::new("on purpose"));
        })
    });
    assert!(panicked.join().is_err());
    for n in 0..10u64 {
        assert_eq!(shared.send(1, &n.to_le_bytes()), Ok(n + 1));
    }
    drain(&mut consumer, 10, |_, kind, _| assert_eq!(kind, 1));
}

#[test]
fn halves_move_between_threads() {
    let (mut producer, mut consumer) = in_memory(4096).expect("a possible shape");
    let producer = std::thread::spawn(move || {
        producer.claim(8).expect("room").commit(1);
        producer
    });
    let mut producer = producer.join().expect("no panic");
    producer.claim(8).expect("room").commit(2);
    let consumer = std::thread::spawn(move || {
        drain(&mut consumer, 2, |number, kind, _| {
            assert_eq!(number, kind as u64)
        });
    });
    consumer.join().expect("no panic");
}
