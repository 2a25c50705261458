//! Whatever a host says first, the engine answers or hangs up: no panic, no hang, no descriptor and no
//! memory left behind.

use std::os::fd::AsFd;
use std::time::Duration;

use ironhoard::attach::{message::*, Ledger, Policy};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::*;

fn impatient() -> Policy {
    Policy {
        silence: Duration::from_millis(500),
        // A garbled wish must not take the machine's memory.
        max_bytes_per_uid: 1 << 20,
        ..policy()
    }
}

/// Says `first`, listens, hangs up.
fn answered(first: &[u8], with_descriptors: usize) -> Vec<u8> {
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(impatient(), &ledger);
    let file = std::fs::File::open("/dev/null").unwrap();
    let descriptors = vec![file.as_fd(); with_descriptors];
    say(&socket, first, &descriptors);
    let heard = hear(&socket).0;
    drop(socket);
    let refusal = answer.join().expect("no panic").unwrap_err();
    assert!(!refusal.text.is_empty());
    settled(&ledger);
    heard
}

fn is_refused(heard: &[u8]) -> bool {
    heard.is_empty() || u32_at(heard, MESSAGE_KIND) == KIND_REFUSED
}

#[test]
fn every_length_but_the_right_one_is_refused_and_nothing_leaks() {
    in_isolation(
        "garbled::every_length_but_the_right_one_is_refused_and_nothing_leaks",
        || {
            answered(&hello(), 0);
            let before = open_descriptors();
            let longer = [hello(), vec![0; 64]].concat();
            for length in (0..HELLO_BYTES).chain(HELLO_BYTES + 1..HELLO_BYTES + 64) {
                let mut bytes = longer[..length].to_vec();
                assert!(is_refused(&answered(&bytes, 0)), "{length}");
                if length >= MESSAGE_HEADER_BYTES {
                    put_u32(&mut bytes, MESSAGE_LENGTH, length as u32);
                    assert!(is_refused(&answered(&bytes, 0)), "{length}, stated");
                }
            }
            for length in [MOST_BYTES, MOST_BYTES + 1, 60_000] {
                let mut bytes = hello();
                bytes.resize(length, 0);
                put_u32(&mut bytes, MESSAGE_LENGTH, length as u32);
                assert!(is_refused(&answered(&bytes, 0)), "{length}");
            }
            assert_eq!(open_descriptors(), before);
        },
    );
}

#[test]
fn descriptors_nobody_asked_for_are_closed() {
    in_isolation("garbled::descriptors_nobody_asked_for_are_closed", || {
        answered(&hello(), 0);
        let before = open_descriptors();
        for count in [1, 2, 100, 253] {
            let (code, text) = refusal(&answered(&hello(), count));
            assert_eq!(code, 1);
            let expected = format!("{count} descriptors came with the message and 0 belong");
            assert!(text.contains(&expected), "{text}");
            assert!(
                is_refused(&answered(b"", count)),
                "a length of zero is the end"
            );
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn more_descriptors_than_the_engine_may_open_are_refused() {
    in_isolation(
        "garbled::more_descriptors_than_the_engine_may_open_are_refused",
        || {
            let ledger = Ledger::new();
            let (socket, answer) = engine_on_a_thread(policy(), &ledger);
            let file = std::fs::File::open("/dev/null").unwrap();
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
            let few = rustix::process::Rlimit {
                current: Some(open_descriptors() as u64 + 8),
                ..limit
            };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
            say(&socket, &hello(), &[file.as_fd(); 200]);
            let heard = hear(&socket).0;
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
            assert!(refusal(&heard).1.contains("more descriptors than"));
            assert!(answer.join().unwrap().is_err());
            settled(&ledger);
        },
    );
}

#[test]
fn garbled_bytes_are_answered_and_nothing_leaks() {
    let name = "garbled::garbled_bytes_are_answered_and_nothing_leaks";
    in_isolation(name, || {
        answered(&hello(), 0);
        let before = open_descriptors();
        let garble = proptest::collection::vec((0..HELLO_BYTES, any::<u8>()), 1..6);
        let config = Config {
            failure_persistence: None,
            ..Config::with_cases(400)
        };
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(&(garble, 0..3usize), |(places, descriptors)| {
            let mut bytes = hello();
            for (place, byte) in places {
                bytes[place] = byte;
            }
            answered(&bytes, descriptors);
            Ok(())
        });
        outcome.unwrap();
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn random_bytes_are_answered() {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(200)
    };
    let bytes = proptest::collection::vec(any::<u8>(), 0..400);
    let outcome = TestRunner::new(config).run(&bytes, |bytes| {
        assert!(is_refused(&answered(&bytes, 0)));
        Ok(())
    });
    outcome.unwrap();
}
