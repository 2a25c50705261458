//! What the ring's operations cost on one core: claim and commit, poll, batches of sixteen.
//!
//! One thread does both halves, so no cache line moves between cores: these are the instructions
//! alone. Tails and the machine's memory are the business of `ironhoard bench`.

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};
use ironhoard::layout::DEFAULT_CAPACITY;
use ironhoard::ring::{in_memory, MemoryConsumer, MemoryProducer};

const RECORDS: u64 = 1024;
const BATCH: u64 = 16;

fn ring() -> (MemoryProducer, MemoryConsumer) {
    in_memory(DEFAULT_CAPACITY).expect("a possible shape")
}

/// Commits one record of 48 bytes, field by field.
fn commit(producer: &mut MemoryProducer, value: u64) {
    let mut claim = producer.claim(48).expect("room");
    for field in 0..6 {
        claim.put_u64(field, value);
    }
    claim.commit(1);
}

fn commit_batch(producer: &mut MemoryProducer, value: u64) {
    let mut batch = producer.batch();
    for _ in 0..BATCH {
        let mut claim = batch.claim(48).expect("room");
        for field in 0..6 {
            claim.put_u64(field, value);
        }
        claim.commit(1);
    }
    batch.publish();
}

/// Takes all there is.
fn drain(consumer: &mut MemoryConsumer) -> u64 {
    let mut sum = 0u64;
    let mut polled = consumer.poll(usize::MAX);
    while let Some(record) = polled.next().expect("a sound ring") {
        sum = sum.wrapping_add(record.payload().u64_at(40).expect("six fields"));
    }
    sum
}

fn operations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring, 48 bytes");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("claim and commit, then poll", |bench| {
        let (mut producer, mut consumer) = ring();
        bench.iter(|| {
            for value in 0..RECORDS {
                commit(&mut producer, black_box(value));
            }
            drain(&mut consumer)
        });
    });
    group.bench_function("batches of 16, then poll", |bench| {
        let (mut producer, mut consumer) = ring();
        bench.iter(|| {
            for value in 0..RECORDS / BATCH {
                commit_batch(&mut producer, black_box(value));
            }
            drain(&mut consumer)
        });
    });
    group.bench_function("poll alone", |bench| {
        bench.iter_batched_ref(
            || {
                let (mut producer, consumer) = ring();
                (0..RECORDS).for_each(|value| commit(&mut producer, value));
                consumer
            },
            drain,
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, operations);
criterion_main!(benches);
