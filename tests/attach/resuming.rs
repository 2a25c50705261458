//! Which regions a new engine takes over, and which not.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use ironhoard::attach::*;
use ironhoard::layout::*;
use ironhoard::region::{Mapping, PageMode, Region};

use crate::common::*;

const FRESH: LaneResume = LaneResume {
    last_reply: 0,
    position: 0,
    deaths: 0,
};

/// A host whose engine has died; the new epoch stands in its header.
fn orphan(ledger: &Arc<Ledger>) -> HostSide {
    let (host, engine) = attached(ledger);
    drop(engine);
    RegionHeader::new(ROLE_REQUEST, host.terms.host_id, 2).write(&host.request);
    host
}

/// The first word of a record of `length` bytes, header included.
fn header(number: u64, length: u32) -> u64 {
    number << 32 | u64::from(length)
}

fn put(host: &HostSide, lane: u32, position: u64, value: u64) {
    let ring = ring_offset(2, lane, 4096);
    word(&host.request, ring + position % 4096).store(value, Ordering::Release);
}

type Answers = (
    Result<ResumedSide, AttachError>,
    Result<EngineSide, Refusal>,
);

fn resume_with(
    ledger: &Arc<Ledger>,
    policy: Policy,
    terms: &Terms,
    fd: BorrowedFd<'_>,
    lanes: &[LaneResume],
) -> Answers {
    let wishes = small_wishes();
    at_an_engine(policy, ledger, |path| {
        resume(path, &wishes, terms, fd, lanes, SOON)
    })
}

fn resumed(ledger: &Arc<Ledger>, host: &HostSide, lanes: [LaneResume; 2]) -> Answers {
    let fd = host.request_fd.as_fd();
    resume_with(ledger, policy(), &host.terms, fd, &lanes)
}

/// Both sides know that it was refused, for `code`, in words that contain `word`.
fn refused((host, engine): Answers, code: RefusalCode, word: &str) {
    let engine = engine.unwrap_err();
    assert_eq!(engine.code, code, "{engine}");
    match host {
        Err(AttachError::Refused(refusal)) => assert_eq!(refusal, engine),
        other => panic!("{other:?}"),
    }
    assert!(
        engine.text.contains(word),
        "no {word:?} in {:?}",
        engine.text
    );
}

#[test]
fn a_host_goes_on_with_its_request_region_and_a_new_reply_region() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    put(&host, 1, 640, header(8, 16 + 48));
    let second = (2u32 << 16) as u64;
    put(&host, 1, 648, second);
    let lane = LaneResume {
        last_reply: 7,
        position: 640 + 3 * 4096,
        deaths: 2,
    };
    let (new, engine) = resumed(&ledger, &host, [FRESH, lane]);
    let (new, engine) = (new.unwrap(), engine.unwrap());
    assert_eq!(new.terms, engine.terms);
    assert_eq!(
        (new.terms.epoch, new.terms.host_id),
        (2, host.terms.host_id)
    );
    assert_eq!(engine.resumed, Some(vec![FRESH, lane]));
    assert_eq!(new.doorbells.len(), 2);
    for (lane, position) in [(0, 0), (1, 640 + 3 * 4096)] {
        let offset = lane_control_offset(lane) + LANE_REQUEST_POSITION as u64;
        let found = word(&new.reply, offset).load(Ordering::Acquire);
        assert_eq!(found, position, "stored before READY");
    }
    let seen = word(&engine.request, ring_offset(2, 1, 4096) + 640);
    assert_eq!(seen.load(Ordering::Acquire), header(8, 64));
    assert!(!engine.request.writable());
    assert_eq!(RegionHeader::read(&new.reply).unwrap().epoch, 2);
    let bytes = new.terms.request_bytes + new.terms.reply_bytes;
    assert_eq!(
        ledger.counts(),
        LedgerCounts {
            hosts: 1,
            bytes,
            regions: 1
        }
    );

    // And once more: the third epoch.
    drop(engine);
    RegionHeader::new(ROLE_REQUEST, host.terms.host_id, 3).write(&host.request);
    let fd = host.request_fd.as_fd();
    let again = resume_with(&ledger, policy(), &new.terms, fd, &[FRESH, lane]);
    assert_eq!(again.0.unwrap().terms.epoch, 3);
    drop(again.1);
    settled(&ledger);
}

#[test]
fn a_handler_without_its_state_declines() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    let forgetful = Policy {
        resume: Err("the leaderboard was in memory only".into()),
        ..policy()
    };
    let fd = host.request_fd.as_fd();
    let answers = resume_with(&ledger, forgetful, &host.terms, fd, &[FRESH; 2]);
    refused(answers, RefusalCode::ResumeDeclined, "leaderboard");
    settled(&ledger);
}

#[test]
fn a_region_that_is_being_served_is_not_served_twice() {
    let ledger = Ledger::new();
    let (host, engine) = attached(&ledger);
    let before = ledger.counts();
    let answers = resumed(&ledger, &host, [FRESH; 2]);
    refused(answers, RefusalCode::ResumeServed, "being served");
    assert_eq!(ledger.counts(), before);
    drop(engine);
}

#[test]
fn another_descriptor_is_refused() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    let bytes = host.terms.request_bytes;
    let unsealed = Region::create("other", bytes, PageMode::Small).unwrap();
    let sized = Region::create("other", bytes, PageMode::Small).unwrap();
    sized.seal_size().unwrap();
    let small = Region::create("other", bytes - 4096, PageMode::Small).unwrap();
    small.seal_writes().unwrap();
    let large = Region::create("other", bytes + 4096, PageMode::Small).unwrap();
    large.seal_writes().unwrap();
    let headless = Region::create("other", bytes, PageMode::Small).unwrap();
    headless.seal_writes().unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    for (fd, word) in [
        (unsealed.fd(), "sealed"),
        (sized.fd(), "sealed"),
        (small.fd(), "bytes"),
        (large.fd(), "bytes"),
        (headless.fd(), "header"),
        (null.as_fd(), "bytes"),
    ] {
        let answers = resume_with(&ledger, policy(), &host.terms, fd, &[FRESH; 2]);
        refused(answers, RefusalCode::ResumeRegion, word);
        settled(&ledger);
    }
}

#[test]
fn the_header_must_carry_the_new_epoch_and_the_host_id() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    RegionHeader::new(ROLE_REQUEST, host.terms.host_id, 1).write(&host.request);
    let answers = resumed(&ledger, &host, [FRESH; 2]);
    refused(answers, RefusalCode::ResumeRegion, "new epoch");
    RegionHeader::new(ROLE_REQUEST, host.terms.host_id ^ 1, 2).write(&host.request);
    let answers = resumed(&ledger, &host, [FRESH; 2]);
    refused(answers, RefusalCode::ResumeRegion, "header");
}

#[test]
fn at_the_position_stands_request_r_plus_1_or_padding_before_it_or_nothing() {
    let ledger = Ledger::new();
    let lane = |last_reply, position| LaneResume {
        last_reply,
        position,
        deaths: 0,
    };
    let corrupt: [(u64, u64, u64, &str); 6] = [
        (640, 0, header(8, 5), "below the header's own"),
        (640, 0, header(8, 16 + 513), "above the ring's limit"),
        (4032, 0, header(8, 16 + 49), "past the ring's end"),
        (640, 0, header(8, 64 | PADDING_BIT), "impossible padding"),
        (640, 1 << 32, header(8, 64), "high half"),
        (0, 0, header(8, 4096 | PADDING_BIT), "impossible padding"),
    ];
    for (position, second, first, word) in corrupt {
        let host = orphan(&ledger);
        put(&host, 1, position, first);
        put(&host, 1, position + 8, second);
        let answers = resumed(&ledger, &host, [FRESH, lane(7, position)]);
        refused(answers, RefusalCode::ResumeRecord, word);
        settled(&ledger);
    }
    let host = orphan(&ledger);
    for position in [1, 63, 648] {
        let answers = resumed(&ledger, &host, [FRESH, lane(7, position)]);
        refused(answers, RefusalCode::ResumeRecord, "multiple of 64");
    }
    let sound: [(u64, u64); 4] = [
        (640, 0),                            // nothing
        (640, header(6, 64)),                // an older record: nothing
        (640, header(8, 16 + 512)),          // the largest
        (4032, header(8, 64 | PADDING_BIT)), // padding, then nothing
    ];
    for (position, first) in sound {
        let host = orphan(&ledger);
        put(&host, 1, position, first);
        let (new, engine) = resumed(&ledger, &host, [FRESH, lane(7, position)]);
        assert!(engine.is_ok(), "{:?}", engine.err());
        new.unwrap();
    }
}

#[test]
fn numbers_and_positions_just_below_their_ends_are_numbers_and_positions() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    let lane = LaneResume {
        last_reply: u64::MAX,
        position: u64::MAX - 63,
        deaths: u32::MAX,
    };
    let (new, engine) = resumed(&ledger, &host, [lane; 2]);
    assert_eq!(engine.unwrap().resumed, Some(vec![lane; 2]));
    new.unwrap();
}

#[test]
fn a_region_with_pages_of_another_size_than_the_engine_would_take_is_served() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    // As an engine with 2 MiB pages would have made it.
    let region = Region::create("other", 2 << 20, PageMode::Small).unwrap();
    let mapping = Mapping::read_write(region.fd(), region.bytes()).unwrap();
    region.seal_writes().unwrap();
    RegionHeader::new(ROLE_REQUEST, host.terms.host_id, 2).write(&mapping);
    let terms = Terms {
        request_bytes: 2 << 20,
        ..host.terms.clone()
    };
    let (new, engine) = resume_with(&ledger, policy(), &terms, region.fd(), &[FRESH; 2]);
    assert_eq!(engine.unwrap().terms.request_bytes, 2 << 20);
    assert!(new.unwrap().terms.reply_bytes < 2 << 20);
}

#[test]
fn every_lane_must_be_given() {
    let ledger = Ledger::new();
    let host = orphan(&ledger);
    let fd = host.request_fd.as_fd();
    let answer = resume(
        "/nowhere".as_ref(),
        &small_wishes(),
        &host.terms,
        fd,
        &[FRESH],
        SOON,
    );
    assert!(answer
        .unwrap_err()
        .to_string()
        .contains("1 lanes were given"));
}
