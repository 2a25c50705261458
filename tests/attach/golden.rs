//! `testdata/layout.txt`: every number of the layout and the conversation, for readers in any
//! language. This test holds it to the constants, and the constants to it.
//!
//! Where a number changes on purpose: `IH_BLESS=1 cargo test --test attach golden`, and a new layout
//! version.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ironhoard::attach::message::*;
use ironhoard::attach::RefusalCode;
use ironhoard::layout::*;

macro_rules! numbers {
    ($text:ident: $($name:ident)*) => {
        $(writeln!($text, "{} = {}", stringify!($name), $name).unwrap();)*
    };
}

macro_rules! answers {
    ($text:ident: $($call:expr,)*) => {
        $(writeln!($text, "{} = {}", stringify!($call), $call).unwrap();)*
    };
}

macro_rules! refusals {
    ($text:ident: $($code:ident)*) => {
        $(writeln!($text, "Refusal{} = {}", stringify!($code), RefusalCode::$code.code()).unwrap();)*
    };
}

fn layout_text() -> String {
    let mut text = String::new();
    numbers!(text:
        LAYOUT_VERSION LINE
        HEADER_BYTES PADDING_BIT RECORD_LENGTH RECORD_NUMBER_LOW RECORD_KIND RECORD_FLAGS
        RECORD_NUMBER_HIGH RECORD_PAYLOAD FLAGS_MUST_UNDERSTAND
        REGION_MAGIC REGION_MAGIC_OFFSET REGION_VERSION_OFFSET REGION_ROLE_OFFSET
        REGION_HOST_ID_OFFSET REGION_EPOCH_OFFSET ROLE_REQUEST ROLE_REPLY
        SHARD_LINES_OFFSET MAX_SHARDS LANES_OFFSET LANE_CONTROL_BYTES MAX_LANES
        LANE_REPLY_POSITION LANE_NEED_WAKEUP LANE_IN_USE LANE_REQUEST_POSITION
        MIN_CAPACITY MAX_CAPACITY DEFAULT_CAPACITY RING_SKEW
        EVENT_LINES_OFFSET MAX_EVENT_RINGS EVENT_NEXT_NUMBER EVENT_NEED_WAKEUP ROLE_EVENT
        EVENT_OVERWRITTEN EVENT_SEQUENCE EVENT_REJOIN_EVEN EVENT_REJOIN_ODD EVENT_RING_OFFSET
        ENGINE_STATUS_FIRST STATUS_OK STATUS_PANIC STATUS_POISON STATUS_TOO_LARGE
        STATUS_UNKNOWN_FLAG
    );
    answers!(text:
        payload_limit(4096), payload_limit(1048576),
        record_bytes(0), record_bytes(48), record_bytes(49), record_bytes(240),
        rings_offset(1), rings_offset(32), rings_offset(33), rings_offset(1024),
        ring_offset(1, 0, 1048576), ring_offset(2, 1, 1048576), ring_offset(1024, 1023, 4096),
        region_bytes(1, 4096), region_bytes(2, 1048576), region_bytes(1024, 1048576),
        lane_control_offset(0), lane_control_offset(1023),
        reply_position_offset(0, 1), reply_position_offset(0, 2), reply_position_offset(5, 3),
        rings_offset(0), region_bytes(0, 0),
        event_region_bytes(4096), event_region_bytes(1048576),
        event_line_offset(0), event_line_offset(47),
    );
    numbers!(text:
        MESSAGE_MAGIC MESSAGE_MAGIC_OFFSET MESSAGE_KIND MESSAGE_VERSION MESSAGE_LENGTH
        MESSAGE_HEADER_BYTES
        KIND_HELLO KIND_RESUME KIND_WELCOME KIND_MAPPED KIND_READY KIND_REFUSED KIND_DRAINING
        KIND_DETACH
        HELLO_BYTES HELLO_LOWEST HELLO_HIGHEST HELLO_MUST_UNDERSTAND HELLO_MAY_UNDERSTAND HELLO_ROLE
        HELLO_LANES HELLO_REQUEST_CAPACITY HELLO_REPLY_CAPACITY HELLO_PAGES HELLO_MEMBARRIER
        HELLO_EVENT_RINGS ALL_EVENT_RINGS HELLO_SERVICE_VERSION HELLO_SERVICE HELLO_HOST_NAME NAME_BYTES
        RESUME_HOST_ID RESUME_EPOCH RESUME_LANES RESUME_LANE_BYTES RESUME_LAST_REPLY RESUME_POSITION
        RESUME_DEATHS
        WELCOME_BYTES WELCOME_HOST_ID WELCOME_EPOCH WELCOME_FEATURES WELCOME_LANE_COUNT WELCOME_SHARDS
        WELCOME_REQUEST_CAPACITY WELCOME_REPLY_CAPACITY WELCOME_REQUEST_BYTES WELCOME_REPLY_BYTES
        WELCOME_REQUEST_PAGES WELCOME_REPLY_PAGES WELCOME_MEMBARRIER WELCOME_EVENT_RINGS
        WELCOME_DESCRIPTORS WELCOME_SERVICE_VERSION WELCOME_EVENT_CAPACITY WELCOME_SERVICE WELCOME_LIFE
        WELCOME_LANES WELCOME_RING_BYTES WELCOME_RING_REGION WELCOME_RING_PAGES WELCOME_RING_SHARD
        STEP_BYTES
        REFUSED_BYTES REFUSED_CODE REFUSED_TEXT_BYTES REFUSED_LIMIT REFUSED_TEXT REFUSED_MOST_TEXT
        ROLE_HOST ROLE_OBSERVER ROLE_EVENTS PAGES_AUTO PAGES_REQUIRE_HUGE PAGES_SMALL MOST_BYTES
    );
    refusals!(text:
        Malformed Version Feature Role Service Uid Hosts HostsPerUid MemoryPerUid Lanes Capacity Pages
        EventRings Silence Draining Resources Region ResumeDeclined ResumeServed ResumeRegion
        ResumeRecord Internal Gone LaneClosed
    );
    text
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_golden_layout_is_the_layout() {
    let golden = file("testdata/layout.txt");
    if std::env::var_os("IH_BLESS").is_some() {
        std::fs::write(&golden, layout_text()).unwrap();
    }
    let found = std::fs::read_to_string(&golden).unwrap();
    for (line, (expected, found)) in layout_text().lines().zip(found.lines()).enumerate() {
        assert_eq!(expected, found, "line {}", line + 1);
    }
    assert_eq!(found, layout_text());
}

#[test]
fn every_constant_is_in_the_golden_layout() {
    let golden = std::fs::read_to_string(file("testdata/layout.txt")).unwrap();
    for source in ["src/layout.rs", "src/attach/message.rs"] {
        let text = std::fs::read_to_string(file(source)).unwrap();
        for line in text.lines() {
            let Some((name, _)) = line
                .strip_prefix("pub const ")
                .and_then(|rest| rest.split_once(':'))
            else {
                continue;
            };
            if !name.starts_with("fn ") {
                let stated = golden
                    .lines()
                    .any(|line| line.split(" = ").next() == Some(name));
                assert!(stated, "{name} of {source} is missing");
            }
        }
    }
}

#[test]
fn every_refusal_and_message_is_in_the_document() {
    let document = std::fs::read_to_string(file("docs/LAYOUT.md")).unwrap();
    for line in layout_text().lines() {
        let (name, value) = line.split_once(" = ").unwrap();
        if let Some(refusal) = name.strip_prefix("Refusal") {
            let row = format!("| {value} | {refusal} |");
            assert!(document.contains(&row), "{row}");
        }
        if let Some(kind) = name.strip_prefix("KIND_") {
            let row = format!("### {kind} ({value})");
            assert!(document.contains(&row), "{row}");
        }
    }
}
