//! Golden images: what a ring's memory holds, byte for byte, after a few operations.
//!
//! `testdata/ring/README.md` says in plain words how each image is made; `images.txt` says what a
//! reader must find in it, so that a reader in any language can be held against the same bytes.
//! `BLESS=1 cargo test --test ring_images` writes the files anew after a deliberate change.

#[path = "common/ring/heap.rs"]
mod heap;
#[path = "common/ring/reader.rs"]
mod reader;
#[path = "common/ring/wild.rs"]
mod wild;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use heap::{HeapPosition, HeapWords};
use ironhoard::ring::{Claim, Consumer, Cursor, Geometry, Producer, Words};
use reader::{read, Seen};

const CAPACITY: u64 = 1024;

type HeapProducer = Producer<HeapWords, HeapPosition>;
type HeapConsumer = Consumer<HeapWords, HeapPosition>;

/// An image: its name, where both halves start, and what they do.
struct Image {
    name: &'static str,
    start: Cursor,
    make: fn(&mut HeapProducer, &mut HeapConsumer),
}

const IMAGES: [Image; 7] = [
    image("fresh", Cursor::START, |_, _| {}),
    image("three_records", Cursor::START, |producer, _| {
        send(producer, 1, b"one");
        send(producer, 2, &[0xaa; 48]);
        send(producer, 3, &[0xbb; 100]);
    }),
    image(
        "wrapped_with_padding",
        Cursor::START,
        |producer, consumer| {
            for _ in 0..5 {
                send(producer, 1, &[0x11; 128]);
            }
            take(consumer, 5);
            send(producer, 2, &[0x22; 128]);
            send(producer, 3, b"behind the padding's record");
        },
    ),
    image("exactly_full", Cursor::START, |producer, _| {
        for n in 1..=16 {
            send(producer, n, &[n as u8; 48]);
        }
    }),
    image("batch", Cursor::START, |producer, _| {
        let mut batch = producer.batch();
        for n in 1..=3 {
            let mut claim = batch.claim(8).expect("room");
            claim.put_u64(0, n);
            claim.commit(n as u16);
        }
        batch.publish();
    }),
    image("aborted", Cursor::START, |producer, _| {
        let mut claim = producer.claim(128).expect("room");
        for word in 0..16 {
            claim.put_u64(word, 2 << 32 | 16); // each word looks like record 2
        }
        claim.abort();
        send(producer, 1, b"after an abort");
    }),
    image(
        "past_2_32",
        Cursor {
            position: (1 << 32) - 128,
            number: (1 << 32) - 1,
        },
        |producer, _| {
            for n in 0..3 {
                send(producer, n, &[n as u8 + 1; 16]);
            }
        },
    ),
];

const fn image(
    name: &'static str,
    start: Cursor,
    make: fn(&mut HeapProducer, &mut HeapConsumer),
) -> Image {
    Image { name, start, make }
}

fn fill(claim: &mut Claim<'_, HeapWords, HeapPosition>, payload: &[u8]) {
    for (index, chunk) in payload.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        claim.put_u64(index, u64::from_le_bytes(word));
    }
}

fn send(producer: &mut HeapProducer, kind: u16, payload: &[u8]) {
    let mut claim = producer.claim(payload.len()).expect("room");
    fill(&mut claim, payload);
    claim.commit(kind);
}

fn take(consumer: &mut HeapConsumer, records: usize) {
    let mut polled = consumer.poll(records);
    while polled.next().expect("a sound ring").is_some() {}
    drop(polled);
    consumer.release();
}

/// A made image: its bytes, and the text that says what is in it.
fn made(image: &Image) -> (Vec<u8>, String) {
    let words = HeapWords::lines(CAPACITY / 64);
    let position = HeapPosition::at(image.start.position);
    let geometry = Geometry::new(CAPACITY).expect("a possible shape");
    let mut producer = Producer::new(words.clone(), position.clone(), geometry, image.start)
        .expect("a possible shape");
    let mut consumer =
        Consumer::new(words.clone(), position, geometry, image.start).expect("a possible shape");
    (image.make)(&mut producer, &mut consumer);
    let bytes: Vec<u8> = (0..words.count())
        .flat_map(|word| words.load(word).to_le_bytes())
        .collect();
    let first = consumer.cursor();
    let mut text = format!(
        "image {} {CAPACITY} {} {}\n",
        image.name, first.position, first.number
    );
    let mut polled = consumer.poll(usize::MAX);
    while let Some(record) = polled.next().expect("a sound ring") {
        let payload = record.payload().to_vec();
        line(
            &mut text,
            record.number(),
            record.kind(),
            record.flags(),
            &payload,
        );
    }
    (bytes, text)
}

fn line(text: &mut String, number: u64, kind: u16, flags: u16, payload: &[u8]) {
    write!(text, "record {number} {kind} {flags} ").expect("a string grows");
    let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(text, "{}", if hex.is_empty() { "-" } else { &hex }).expect("a string grows");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ring")
}

#[test]
fn images_are_what_the_ring_writes() {
    let mut whole = String::from("# Made by tests/ring_images.rs; README.md explains each line.\n");
    for image in &IMAGES {
        let (bytes, text) = made(image);
        same(&format!("{}.bin", image.name), &bytes);
        whole += &text;
    }
    same("images.txt", whole.as_bytes());
}

/// Compares with the committed file, or writes it where that was asked for.
fn same(name: &str, made: &[u8]) {
    let path = directory().join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).expect("testdata is writable");
    }
    let committed = std::fs::read(&path).expect("the image is committed");
    assert!(committed == made, "{name} is not what the ring writes");
}

/// The other direction: bytes in, records out, by a reader that shares no code with the ring.
#[test]
fn images_tell_their_records_to_an_independent_reader() {
    let text = std::fs::read_to_string(directory().join("images.txt")).expect("committed");
    let mut decoded = String::new();
    for header in text.lines().filter(|line| line.starts_with("image ")) {
        let fields: Vec<&str> = header.split(' ').collect();
        let [_, name, capacity, position, number] = fields[..] else {
            panic!("five fields in {header}");
        };
        let parse = |field: &str| field.parse::<u64>().expect("a number");
        let bytes = std::fs::read(directory().join(format!("{name}.bin"))).expect("committed");
        assert_eq!(bytes.len() as u64, parse(capacity));
        writeln!(decoded, "{header}").expect("a string grows");
        decode(&bytes, parse(position), parse(number), &mut decoded);
    }
    let expected: String = text
        .lines()
        .skip(1)
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert_eq!(decoded, expected);
}

fn decode(bytes: &[u8], mut position: u64, mut number: u64, text: &mut String) {
    let capacity = bytes.len() as u64;
    loop {
        let offset = (position % capacity) as usize;
        let word = |at: usize| {
            u64::from_le_bytes(
                bytes[offset + at..offset + at + 8]
                    .try_into()
                    .expect("eight bytes"),
            )
        };
        match read(word(0), offset as u64, capacity, capacity / 8, number) {
            Seen::Empty => return,
            Seen::Padding(length) => position += length,
            Seen::Record(payload) => {
                let second = word(8);
                assert_eq!(second >> 32, number >> 32, "the high half of the number");
                let payload = &bytes[offset + 16..offset + 16 + payload as usize];
                line(text, number, second as u16, (second >> 16) as u16, payload);
                position += (payload.len() as u64 + 16).div_ceil(64) * 64;
                number += 1;
            }
            Seen::Nonsense(word) => panic!("{word:#x} at {offset}"),
        }
    }
}
