//! Golden images of event regions, byte for byte, and what a reader finds in them.
//!
//! `testdata/event/README.md` explains them; `events.txt` says what a reader must find, so that a reader
//! in any language can be held against the same bytes. `IH_BLESS=1 cargo test --test event_images`
//! writes the files anew after a deliberate change.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhoard::attach::RegionHeader;
use ironhoard::event::{EventPoll, MemoryControl, MemoryEventReader, MemoryEventWriter};
use ironhoard::layout::*;
use ironhoard::region::{Mapping, PageMode, Region};
use ironhoard::ring::{Cursor, Geometry, MemoryWords};

const CAPACITY: u64 = 4096;
const LIFE: u64 = 0x1122_3344_5566_7788;
const INDEX: u64 = 2;

/// An image: its name, where the ring starts, where a reader stood when it fell asleep (after so many
/// events), and what the writer does.
struct Image {
    name: &'static str,
    start: Cursor,
    asleep_after: u64,
    events: fn(u64) -> Option<usize>,
}

const IMAGES: [Image; 5] = [
    Image {
        name: "fresh",
        start: Cursor::START,
        asleep_after: 0,
        events: |_| None,
    },
    Image {
        name: "three_events",
        start: Cursor::START,
        asleep_after: 1,
        events: |index| [3, 48, 100].get(index as usize).copied(),
    },
    // 29 lines of 64, then records of 9 lines: the last does not fit before the end.
    Image {
        name: "padding",
        start: Cursor::START,
        asleep_after: 2,
        events: |index| (index < 33).then_some(if index < 29 { 8 } else { 512 }),
    },
    // Three laps of small events, and two large ones.
    Image {
        name: "lapped",
        start: Cursor::START,
        asleep_after: 7,
        events: |index| (index < 200).then_some([8, 48, 60][index as usize % 3]),
    },
    Image {
        name: "past_2_32",
        start: Cursor {
            position: (1 << 32) - 128,
            number: (1 << 32) - 2,
        },
        asleep_after: 0,
        events: |index| (index < 40).then_some(16),
    },
];

/// Byte `at` of the payload of event `number`.
fn byte(number: u64, at: usize) -> u8 {
    (number as usize * 7 + at) as u8
}

struct Memory(Arc<Mapping>);

impl Memory {
    /// A fresh event region with its header.
    fn new() -> Self {
        let bytes = event_region_bytes(CAPACITY);
        let region = Region::create("image", bytes, PageMode::Small).expect("memory");
        let mapping = Mapping::read_write(region.fd(), region.bytes()).expect("mapped");
        RegionHeader::new(ROLE_EVENT, LIFE, INDEX).write(&mapping);
        Self(Arc::new(mapping))
    }

    fn words(&self) -> MemoryWords {
        let owner = self.0.clone();
        // SAFETY: `CAPACITY` bytes behind the control words, mapped while the owner lives; the test holds
        // no reference into them, and makes one writer of them.
        unsafe {
            let base = self.0.as_ptr().add(EVENT_RING_OFFSET);
            MemoryWords::new(base, CAPACITY, owner).expect("aligned")
        }
    }

    fn control(&self) -> MemoryControl {
        // SAFETY: the first page of a writable mapping that the owner keeps; access is atomic.
        unsafe { MemoryControl::new(self.0.as_ptr(), self.0.clone()).expect("aligned") }
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: the whole mapping, which nobody writes any more.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.0.as_ptr(), event_region_bytes(CAPACITY) as usize)
        };
        bytes.to_vec()
    }
}

fn publish(writer: &mut MemoryEventWriter, length: usize) {
    let number = writer.next_number();
    let payload: Vec<u8> = (0..length).map(|at| byte(number, at)).collect();
    let mut claim = writer.claim(length).expect("within the limit");
    claim.write(&payload);
    claim.publish(number as u16);
}

/// What a reader finds, to the end of the ring.
fn told(reader: &mut MemoryEventReader, text: &mut String) {
    let mut buffer = [0; CAPACITY as usize / 8];
    loop {
        match reader.poll(&mut buffer).expect("a sound ring") {
            EventPoll::Empty => break,
            EventPoll::Overrun(lost) => writeln!(text, "lost {} {}", lost.first, lost.last),
            EventPoll::Event(event) => {
                let payload = &buffer[..event.copied];
                let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "event {} {} {hex}", event.number, event.kind)
            }
        }
        .expect("a string grows");
    }
}

/// A made image: its bytes, and the text that says what is in it.
fn made(image: &Image) -> (Vec<u8>, String) {
    let memory = Memory::new();
    let geometry = Geometry::new(CAPACITY).expect("a possible shape");
    let (words, control) = (memory.words(), memory.control());
    let mut writer = MemoryEventWriter::new(words.clone(), control.clone(), geometry, image.start)
        .expect("a possible shape");
    let new_reader = || MemoryEventReader::new(words.clone(), control.clone(), geometry);
    let mut sleeper = new_reader().expect("a possible shape");
    for (index, length) in
        (0..).map_while(|index| (image.events)(index).map(|length| (index, length)))
    {
        publish(&mut writer, length);
        if index < image.asleep_after {
            sleeper.poll(&mut []).expect("a sound ring");
        }
    }
    let mut reader = new_reader().expect("a possible shape");
    let mut text = format!("image {} {CAPACITY} {LIFE} {INDEX}\n", image.name);
    writeln!(text, "new reader {}", reader.next_number()).expect("a string grows");
    told(&mut reader, &mut text);
    let Cursor { position, number } = stood(image);
    writeln!(text, "stood {position} {number}").expect("a string grows");
    assert_eq!(sleeper.next_number(), number);
    told(&mut sleeper, &mut text);
    (memory.bytes(), text)
}

/// Where the sleeper stands: no image has a padding before that.
fn stood(image: &Image) -> Cursor {
    (0..image.asleep_after).fold(image.start, |at, index| Cursor {
        position: at.position + record_bytes((image.events)(index).expect("there are more") as u32),
        number: at.number + 1,
    })
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/event")
}

/// Compares with the committed file, or writes it where that was asked for.
fn same(name: &str, made: &[u8]) {
    let path = directory().join(name);
    if std::env::var_os("IH_BLESS").is_some() {
        std::fs::write(&path, made).expect("testdata is writable");
    }
    let committed = std::fs::read(&path).expect("the image is committed");
    assert!(committed == made, "{name} is not what the ring writes");
}

#[test]
fn images_are_what_the_event_ring_writes() {
    let mut whole =
        String::from("# Made by tests/event_images.rs; README.md explains each line.\n");
    for image in &IMAGES {
        let (bytes, text) = made(image);
        same(&format!("{}.bin", image.name), &bytes);
        whole += &text;
    }
    same("events.txt", whole.as_bytes());
    for line in ["lost ", "event 4294967297 ", "stood 576 8"] {
        assert!(whole.contains(line), "the images show {line:?}");
    }
}

fn u64_at(bytes: &[u8], at: u64) -> u64 {
    let at = at as usize;
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The other direction: bytes in, events out, by a reader that shares no code with the library.
#[test]
fn images_tell_their_events_to_an_independent_reader() {
    let text = std::fs::read_to_string(directory().join("events.txt")).expect("committed");
    let mut decoded = String::new();
    let (mut bytes, mut overwritten, mut pair) = (Vec::new(), 0, (0, 0));
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["image", name, capacity, life, index] => {
                bytes = std::fs::read(directory().join(format!("{name}.bin"))).expect("committed");
                assert_eq!(bytes[..8], *b"IRONHRD1");
                assert_eq!(u64_at(&bytes, 8), 3 << 32 | 1);
                assert_eq!(u64_at(&bytes, 16).to_string(), life);
                assert_eq!(u64_at(&bytes, 24).to_string(), index);
                assert_eq!(bytes.len().to_string(), (4096 + CAPACITY).to_string());
                assert_eq!(capacity, CAPACITY.to_string());
                overwritten = u64_at(&bytes, 64);
                let at = 144 + 16 * (u64_at(&bytes, 128) & 1);
                pair = (u64_at(&bytes, at), u64_at(&bytes, at + 8));
                writeln!(decoded, "{line}").expect("a string grows");
            }
            ["new", "reader", _] => {
                writeln!(decoded, "new reader {}", pair.1).expect("a string grows");
                decode(&bytes, pair, &mut decoded);
            }
            ["stood", position, number] => {
                let parse = |field: &str| field.parse::<u64>().expect("a number");
                let (position, number) = (parse(position), parse(number));
                writeln!(decoded, "{line}").expect("a string grows");
                if position < overwritten {
                    writeln!(decoded, "lost {number} {}", pair.1 - 1).expect("a string grows");
                    decode(&bytes, pair, &mut decoded);
                } else {
                    decode(&bytes, (position, number), &mut decoded);
                }
            }
            _ => {}
        }
    }
    let expected: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(decoded.lines().collect::<Vec<_>>(), expected);
}

fn decode(bytes: &[u8], (mut position, mut number): (u64, u64), text: &mut String) {
    loop {
        let offset = 4096 + position % CAPACITY;
        let header = u64_at(bytes, offset);
        let length = header & 0xffff_ffff;
        if header >> 32 != number & 0xffff_ffff || length == 0 {
            return;
        }
        if length >> 31 == 1 {
            assert_eq!(length & 0x7fff_ffff, CAPACITY - position % CAPACITY);
            position += length & 0x7fff_ffff;
            continue;
        }
        let second = u64_at(bytes, offset + 8);
        assert_eq!(second >> 32, number >> 32, "the high half of the number");
        let payload = &bytes[offset as usize + 16..(offset + length) as usize];
        let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "event {number} {} {hex}", second & 0xffff).expect("a string grows");
        position += length.div_ceil(64) * 64;
        number += 1;
    }
}
