//! Event rings in the conversation: what a host gets, what it may do with it, and what it does not believe.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ironhoard::attach::message::*;
use ironhoard::attach::*;
use ironhoard::layout::{event_region_bytes, ROLE_EVENT};
use ironhoard::region::{Mapping, PageMode, Region};
use rustix::fs::OFlags;

use crate::common::*;
use crate::hostile::{between_these, reopened};

const CAPACITY: u64 = 1 << 16;

/// A policy with three event rings: shards 0, 1, 0; and their only writable mappings.
fn with_rings() -> (Policy, Vec<Mapping>) {
    let (rings, mappings) = EventRings::create(&[0, 1, 0], CAPACITY, PageMode::Small).unwrap();
    let policy = Policy {
        event_rings: Some(Arc::new(rings)),
        ..policy()
    };
    (policy, mappings)
}

fn wishing(event_rings: u32) -> Wishes {
    Wishes {
        event_rings,
        ..small_wishes()
    }
}

fn attached(policy: Policy, wishes: &Wishes) -> HostSide {
    let pass = |talk: &crate::hostile::Talk| {
        talk.pass_hello();
        talk.pass_welcome(|_, _| ());
        talk.pass_the_rest();
    };
    between_these(policy, wishes, pass).unwrap()
}

#[test]
fn a_host_gets_the_rings_it_wishes_for_and_cannot_write_them() {
    let (policy, mappings) = with_rings();
    for (wished, got) in [(0, 0), (2, 2), (3, 3), (ALL_EVENT_RINGS, 3)] {
        let host = attached(policy.clone(), &wishing(wished));
        let events = &host.terms.events;
        assert_eq!((events.rings.len(), host.events.len()), (got, got));
        assert_eq!(events.life != 0, got > 0);
        assert_eq!(events.capacity, if got > 0 { CAPACITY } else { 0 });
        let shards: Vec<u32> = events.rings.iter().map(|ring| ring.shard).collect();
        assert_eq!(shards, [0, 1, 0][..got]);
        for (index, (theirs, ours)) in host.events.iter().zip(&mappings).enumerate() {
            assert!(!theirs.writable() && ours.writable());
            assert!(theirs.bytes() >= event_region_bytes(CAPACITY));
            let header = RegionHeader::read(theirs).unwrap();
            let expected = RegionHeader::new(ROLE_EVENT, events.life, index as u64);
            assert_eq!(header, expected);
        }
    }
}

#[test]
fn a_reader_of_events_has_no_lanes() {
    let (policy, _mappings) = with_rings();
    let wishes = Wishes {
        pages: PageMode::Small,
        ..Wishes::events_only()
    };
    let host = attached(policy, &wishes);
    assert_eq!((host.terms.lanes, host.events.len()), (0, 3));
    assert_eq!((host.request.bytes(), host.reply.bytes()), (4096, 4096));
    assert_eq!(host.doorbells.len(), 2);
}

/// Nobody can become a writer of an event ring: not through the descriptor, not through /proc.
#[test]
fn the_descriptor_of_an_event_ring_gives_no_way_to_write() {
    let (policy, _mappings) = with_rings();
    let found = between_these(policy, &wishing(1), |talk| {
        talk.pass_hello();
        talk.pass_welcome(|welcome, fds| {
            let bytes = u64_at(welcome, WELCOME_LANES + 4 + WELCOME_RING_REGION);
            let event = fds.last().unwrap();
            assert!(Mapping::read_write(event.as_fd(), bytes).is_err());
            let again = reopened(event, OFlags::RDWR); // the same uid may open it …
            assert!(Mapping::read_write(again.as_fd(), bytes).is_err());
            assert!(rustix::io::pwrite(&again, b"nonsense", 4096).is_err());
            assert!(rustix::fs::ftruncate(&again, 0).is_err());
            let hole =
                rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            assert!(rustix::fs::fallocate(&again, hole, 0, bytes).is_err());
        });
        talk.pass_the_rest();
    });
    assert!(found.is_ok());
}

fn found_out(word: &str, change: impl FnOnce(&mut Vec<u8>, &mut Vec<OwnedFd>) + Send) {
    let (policy, _mappings) = with_rings();
    let error = between_these(policy, &wishing(2), |talk| {
        talk.pass_hello();
        talk.pass_welcome(change);
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains(word), "no {word:?} in {text:?}");
}

/// Where event ring `ring` stands in WELCOME of a host with two lanes.
fn ring_at(ring: usize) -> usize {
    WELCOME_LANES + 2 * 2 + WELCOME_RING_BYTES * ring
}

#[test]
fn terms_of_event_rings_that_cannot_be_are_found_out() {
    let name = "events::terms_of_event_rings_that_cannot_be_are_found_out";
    in_isolation(name, || {
        let before = open_descriptors();
        let lies: [(usize, u32, &str); 9] = [
            (WELCOME_EVENT_CAPACITY, 1 << 15, "event rings"),
            (WELCOME_EVENT_CAPACITY, 0, "event rings"),
            (WELCOME_EVENT_CAPACITY + 4, 1 << 31, "event rings"),
            (WELCOME_EVENT_RINGS, 1, "are right"),
            (WELCOME_EVENT_RINGS, u32::MAX, "event rings"),
            (ring_at(1) + WELCOME_RING_SHARD, 2, "event rings"),
            (ring_at(1) + WELCOME_RING_PAGES, 7, "pages"),
            (ring_at(0) + WELCOME_RING_PAGES, 1, "event rings"),
            (ring_at(0) + WELCOME_RING_REGION, 8192, "event rings"),
        ];
        for (at, value, word) in lies {
            found_out(word, |welcome, _| put_u32(welcome, at, value));
        }
        found_out("event rings", |welcome, _| {
            put_u64(welcome, WELCOME_LIFE, 0)
        });
        found_out("header", |welcome, _| put_u64(welcome, WELCOME_LIFE, 5));
        found_out("header", |_, fds| fds.swap(4, 5));
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn event_descriptors_that_are_not_what_they_should_be_are_found_out() {
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    found_out("descriptors", |_, fds| fds.truncate(5));
    found_out("descriptors", |_, fds| fds.push(null()));
    found_out("event region", |_, fds| fds[5] = null());
    found_out("reply region", |_, fds| fds.swap(1, 4));
    found_out("doorbell", |_, fds| fds.swap(3, 4));
    found_out("can be written", |_, fds| {
        fds[4] = reopened(&fds[4], OFlags::RDWR)
    });
    found_out("sealed", |welcome, fds| {
        let bytes = u64_at(welcome, ring_at(0) + WELCOME_RING_REGION);
        let region = Region::create("another", bytes, PageMode::Small).unwrap();
        fds[4] = region.read_only_fd().unwrap();
    });
}
