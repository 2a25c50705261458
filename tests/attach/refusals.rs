//! Each refusal, provoked: its code, its words, and nothing left behind.

use std::time::Duration;

use ironhoard::attach::{attach, message::*, AttachError, Ledger, Policy, RefusalCode, Wishes};
use ironhoard::region::PageMode;

use crate::common::*;
use crate::hugepages::HugePages;

/// Says `message` to an engine with `policy`; checks the code at both ends, and that each of `words`
/// is in the text.
fn refused(policy: Policy, message: &[u8], code: RefusalCode, words: &[&str]) {
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(policy, &ledger);
    say(&socket, message, &[]);
    let (heard, descriptors) = hear(&socket);
    assert!(descriptors.is_empty());
    let (found, text) = refusal(&heard);
    assert_eq!(found, code.code(), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text:?}");
    }
    assert!(hear(&socket).0.is_empty(), "the engine hangs up");
    let refusal = answer.join().unwrap().unwrap_err();
    assert_eq!((refusal.code, refusal.text), (code, text));
    settled(&ledger);
}

fn hello_with(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = hello();
    change(&mut bytes);
    bytes
}

#[test]
fn another_layout_version() {
    let newer = hello_with(|bytes| {
        put_u32(bytes, MESSAGE_VERSION, 2);
        put_u32(bytes, HELLO_LOWEST, 2);
        put_u32(bytes, HELLO_HIGHEST, 3);
    });
    let words = ["layout version 1", "2 at the lowest", "update"];
    refused(policy(), &newer, RefusalCode::Version, &words);
}

#[test]
fn a_host_that_speaks_newer_versions_too_is_welcome() {
    let both = hello_with(|bytes| put_u32(bytes, HELLO_HIGHEST, 9));
    let (socket, _answer) = engine_on_a_thread(policy(), &Ledger::new());
    say(&socket, &both, &[]);
    let (heard, _) = hear(&socket);
    assert_eq!(u32_at(&heard, MESSAGE_KIND), KIND_WELCOME);
    assert_eq!(u32_at(&heard, MESSAGE_VERSION), 1);
}

#[test]
fn a_feature_that_must_be_understood() {
    let demanding = hello_with(|bytes| put_u64(bytes, HELLO_MUST_UNDERSTAND, 0x10));
    refused(
        policy(),
        &demanding,
        RefusalCode::Feature,
        &["0x10", "update"],
    );
}

#[test]
fn a_feature_that_may_be_understood_is_left_out() {
    let hopeful = hello_with(|bytes| put_u64(bytes, HELLO_MAY_UNDERSTAND, u64::MAX));
    let (socket, _answer) = engine_on_a_thread(policy(), &Ledger::new());
    say(&socket, &hopeful, &[]);
    let (heard, _) = hear(&socket);
    assert_eq!(u64_at(&heard, WELCOME_FEATURES), 0);
}

#[test]
fn roles_that_this_version_does_not_attach() {
    for (role, name) in [(ROLE_OBSERVER, "observer"), (7, "`7`")] {
        let other = hello_with(|bytes| put_u32(bytes, HELLO_ROLE, role));
        refused(policy(), &other, RefusalCode::Role, &[name, "say role 1"]);
    }
}

#[test]
fn event_rings_that_are_not_there() {
    let listener = hello_with(|bytes| put_u32(bytes, HELLO_EVENT_RINGS, 1));
    let words = ["has 0", "ask for fewer"];
    refused(policy(), &listener, RefusalCode::EventRings, &words);
}

#[test]
fn a_reader_of_events_with_lanes_or_nothing_to_read() {
    let reader = |lanes, request, reply| {
        hello_with(|bytes| {
            put_u32(bytes, HELLO_ROLE, ROLE_EVENTS);
            put_u32(bytes, HELLO_EVENT_RINGS, ALL_EVENT_RINGS);
            put_u32(bytes, HELLO_LANES, lanes);
            put_u64(bytes, HELLO_REQUEST_CAPACITY, request);
            put_u64(bytes, HELLO_REPLY_CAPACITY, reply);
        })
    };
    let none = RefusalCode::EventRings;
    refused(policy(), &reader(0, 0, 0), none, &["no event ring to read"]);
    refused(
        policy(),
        &reader(1, 0, 0),
        RefusalCode::Lanes,
        &["ask for 0"],
    );
    let words = ["say 0 for both"];
    refused(policy(), &reader(0, 4096, 0), RefusalCode::Capacity, &words);
    refused(policy(), &reader(0, 0, 4096), RefusalCode::Capacity, &words);
}

#[test]
fn another_service_or_version_of_it() {
    let other = hello_with(|bytes| bytes[HELLO_SERVICE..][..4].copy_from_slice(b"hunt"));
    let words = ["`hunt`", "`echo` version 3"];
    refused(policy(), &other, RefusalCode::Service, &words);
    let older = hello_with(|bytes| put_u32(bytes, HELLO_SERVICE_VERSION, 2));
    refused(policy(), &older, RefusalCode::Service, &["version 2"]);
}

#[test]
fn a_uid_that_is_not_on_the_list() {
    let policy = Policy {
        allowed_uids: Some(vec![u32::MAX - 1]),
        ..policy()
    };
    refused(
        policy,
        &hello(),
        RefusalCode::Uid,
        &["allow-list", "add the uid"],
    );
}

#[test]
fn too_many_hosts() {
    let policy_of = |max_hosts, max_hosts_per_uid| Policy {
        max_hosts,
        max_hosts_per_uid,
        ..policy()
    };
    refused(policy_of(0, 1), &hello(), RefusalCode::Hosts, &["raise"]);
    refused(
        policy_of(1, 0),
        &hello(),
        RefusalCode::HostsPerUid,
        &["raise"],
    );
}

#[test]
fn too_much_memory() {
    let policy = Policy {
        max_bytes_per_uid: 20_000,
        ..policy()
    };
    let words = ["may take 20000 more", "fewer lanes"];
    refused(policy, &hello(), RefusalCode::MemoryPerUid, &words);
}

#[test]
fn lanes_that_cannot_be() {
    let few = Policy {
        max_lanes_per_host: 3,
        ..policy()
    };
    for (lanes, policy) in [(0, policy()), (1025, policy()), (4, few)] {
        let wish = hello_with(|bytes| put_u32(bytes, HELLO_LANES, lanes));
        refused(policy, &wish, RefusalCode::Lanes, &["ask for fewer"]);
    }
}

#[test]
fn capacities_that_cannot_be() {
    for at in [HELLO_REQUEST_CAPACITY, HELLO_REPLY_CAPACITY] {
        for capacity in [0, 4095, 2048, 5000, 1 << 31, 1 << 63, u64::MAX] {
            let wish = hello_with(|bytes| put_u64(bytes, at, capacity));
            refused(policy(), &wish, RefusalCode::Capacity, &["power of two"]);
        }
    }
}

#[test]
fn the_limit_is_told_to_programs() {
    let narrow = Policy {
        max_capacity: 4096,
        ..policy()
    };
    let wishes = small_wishes();
    let (host, _) = at_an_engine(narrow, &Ledger::new(), |path| attach(path, &wishes, SOON));
    match host {
        Err(AttachError::Refused(refusal)) => {
            assert_eq!((refusal.code, refusal.limit), (RefusalCode::Capacity, 4096));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn huge_pages_that_cannot_be_had() {
    let Some(pool) = HugePages::with_free(1) else {
        return;
    };
    let engines = Policy {
        pages: PageMode::RequireHuge,
        ..policy()
    };
    // The one page goes to the request region, the reply region finds none.
    let words = ["huge pages", "vm.nr_hugepages"];
    refused(engines, &hello(), RefusalCode::Pages, &words);
    let hosts = hello_with(|bytes| put_u32(bytes, HELLO_PAGES, PAGES_REQUIRE_HUGE));
    refused(policy(), &hosts, RefusalCode::Pages, &words);
    assert!(pool.comes_to(1), "a refusal gives back what it took");
}

#[test]
fn a_resume_without_its_region() {
    let mut resume = hello();
    resume.resize(RESUME_LANES + 2 * RESUME_LANE_BYTES, 0);
    put_u32(&mut resume, MESSAGE_KIND, KIND_RESUME);
    let length = resume.len() as u32;
    put_u32(&mut resume, MESSAGE_LENGTH, length);
    let words = ["0 descriptors", "1 belong"];
    refused(policy(), &resume, RefusalCode::Malformed, &words);
}

#[test]
fn silence_has_a_deadline_in_each_step() {
    let impatient = Policy {
        silence: Duration::from_millis(30),
        ..policy()
    };
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(impatient.clone(), &ledger);
    let (code, text) = refusal(&hear(&socket).0);
    assert_eq!(code, RefusalCode::Silence.code());
    assert!(text.contains("30ms where HELLO was due"), "{text}");
    assert!(answer.join().unwrap().is_err());

    let (socket, answer) = engine_on_a_thread(impatient, &ledger);
    say(&socket, &hello(), &[]);
    assert_eq!(u32_at(&hear(&socket).0, MESSAGE_KIND), KIND_WELCOME);
    let (code, text) = refusal(&hear(&socket).0);
    assert_eq!(code, RefusalCode::Silence.code());
    assert!(text.contains("MAPPED"), "{text}");
    assert!(answer.join().unwrap().is_err());
    settled(&ledger);
}

#[test]
fn a_host_meets_a_silent_engine_and_a_name_that_cannot_be_said() {
    let path = TestPath::new();
    let _listener = ironhoard::attach::Listener::bind(&path.0, 0o600).unwrap();
    let error = attach(&path.0, &small_wishes(), Duration::from_millis(30)).unwrap_err();
    assert!(
        error.to_string().contains("said nothing for 30ms"),
        "{error}"
    );
    for name in ["x".repeat(65), "two\nlines".into()] {
        let wishes = Wishes {
            name,
            ..small_wishes()
        };
        let error = attach(&path.0, &wishes, SOON).unwrap_err();
        assert!(matches!(error, AttachError::BadName { .. }), "{error}");
    }
}
