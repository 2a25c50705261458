//! What either side can do to the other in the middle of the conversation, and after it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use ironhoard::attach::message::*;
use ironhoard::attach::*;
use ironhoard::layout::*;
use ironhoard::region::{Mapping, PageMode, Region};
use rustix::fs::{FallocateFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use crate::common::*;

/// Plays a host up to WELCOME, does `mischief` with the request region, says MAPPED.
fn mischief(mischief: impl FnOnce(&OwnedFd, &[u8])) -> (u32, String) {
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(policy(), &ledger);
    say(&socket, &hello(), &[]);
    let (welcome, descriptors) = hear(&socket);
    mischief(&descriptors[0], &welcome);
    say(&socket, &step(KIND_MAPPED), &[]);
    let refused = refusal(&hear(&socket).0);
    assert!(answer.join().unwrap().is_err());
    settled(&ledger);
    refused
}

fn write_header(request: &OwnedFd, welcome: &[u8], change: impl FnOnce(&mut RegionHeader)) {
    let bytes = u64_at(welcome, WELCOME_REQUEST_BYTES);
    let mapping = Mapping::read_write(request.as_fd(), bytes).unwrap();
    let mut header = RegionHeader::new(ROLE_REQUEST, u64_at(welcome, WELCOME_HOST_ID), 1);
    change(&mut header);
    header.write(&mapping);
}

#[test]
fn a_hole_in_the_request_region_is_found_before_it_is_mapped() {
    let (code, text) = mischief(|request, welcome| {
        write_header(request, welcome, |_| ());
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(request, punch, 8192, 4096).unwrap();
    });
    assert_eq!(code, RefusalCode::Region.code());
    assert!(text.contains("hole"), "{text}");
}

#[test]
fn foreign_seals_are_found() {
    for seals in [SealFlags::SEAL, SealFlags::WRITE] {
        let (code, text) = mischief(|request, welcome| {
            write_header(request, welcome, |_| ());
            rustix::fs::fcntl_add_seals(request, seals).unwrap();
        });
        assert_eq!(code, RefusalCode::Region.code(), "{seals:?}");
        assert!(text.contains("seal"), "{text}");
    }
}

#[test]
fn a_missing_or_wrong_header_is_found() {
    let changes: [fn(&mut RegionHeader); 4] = [
        |header| header.version = 2,
        |header| header.role = ROLE_REPLY,
        |header| header.host_id ^= 1,
        |header| header.epoch = 2,
    ];
    let (code, text) = mischief(|_, _| ());
    assert_eq!(code, RefusalCode::Region.code());
    assert!(
        text.contains("header of the request region is None"),
        "{text}"
    );
    for change in changes {
        let (code, _) = mischief(|request, welcome| write_header(request, welcome, change));
        assert_eq!(code, RefusalCode::Region.code());
    }
}

#[test]
fn after_ready_nobody_becomes_a_writer_and_who_was_one_stays_it() {
    let ledger = Ledger::new();
    let (host, engine) = attached(&ledger);
    let request = &host.request_fd;
    let bytes = host.terms.request_bytes;
    assert!(Mapping::read_write(request.as_fd(), bytes).is_err());
    assert_eq!(rustix::io::pwrite(request, b"x", 0), Err(Errno::PERM));
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert_eq!(
        rustix::fs::fallocate(request, punch, 0, 4096),
        Err(Errno::PERM)
    );
    assert_eq!(rustix::fs::ftruncate(request, 0), Err(Errno::PERM));
    let again = format!("/proc/self/fd/{}", request.as_raw_fd());
    let again = rustix::fs::open(again, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert!(Mapping::read_write(again.as_fd(), bytes).is_err());

    // The mapping from before lives on, and the engine, which reads, sees it.
    word(&host.request, ring_offset(2, 0, 4096)).store(7, Ordering::Release);
    let seen = word(&engine.request, ring_offset(2, 0, 4096)).load(Ordering::Acquire);
    assert_eq!(seen, 7);
    for read_only in [&host.reply, &engine.request] {
        // SAFETY: asks for more rights on a mapping of ours; refused, or the test fails.
        let answer = unsafe {
            rustix::mm::mprotect(
                read_only.as_ptr().cast(),
                read_only.bytes() as usize,
                rustix::mm::MprotectFlags::READ | rustix::mm::MprotectFlags::WRITE,
            )
        };
        assert!(answer.is_err(), "an upgrade to a writable mapping");
    }
}

#[test]
fn a_second_mapping_from_before_the_seal_is_the_hosts_own_affair() {
    // FUTURE_WRITE lets writable mappings live, so the engine's sealing neither fails nor ends them:
    // the promise is about the writer's side (the host) and no mapping made later.
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(policy(), &ledger);
    say(&socket, &hello(), &[]);
    let (welcome, descriptors) = hear(&socket);
    let bytes = u64_at(&welcome, WELCOME_REQUEST_BYTES);
    let second = Mapping::read_write(descriptors[0].as_fd(), bytes).unwrap();
    write_header(&descriptors[0], &welcome, |_| ());
    say(&socket, &step(KIND_MAPPED), &[]);
    assert_eq!(u32_at(&hear(&socket).0, MESSAGE_KIND), KIND_READY);
    let engine = answer.join().unwrap().unwrap();
    word(&second, ring_offset(2, 0, 4096)).store(9, Ordering::Release);
    let seen = word(&engine.request, ring_offset(2, 0, 4096)).load(Ordering::Acquire);
    assert_eq!(seen, 9);
}

#[test]
fn a_host_that_dies_at_any_step_leaves_nothing_in_the_engine() {
    let name = "hostile::a_host_that_dies_at_any_step_leaves_nothing_in_the_engine";
    in_isolation(name, || {
        let ledger = Ledger::new();
        let before = open_descriptors();
        for last_step in 0..4 {
            let (socket, answer) = engine_on_a_thread(policy(), &ledger);
            if last_step > 0 {
                say(&socket, &hello(), &[]);
            }
            if last_step > 1 {
                let (welcome, descriptors) = hear(&socket);
                write_header(&descriptors[0], &welcome, |_| ());
            }
            if last_step > 2 {
                say(&socket, &step(KIND_MAPPED), &[]);
            }
            drop(socket);
            match answer.join().unwrap() {
                Err(refusal) => assert_eq!(refusal.code, RefusalCode::Gone, "{refusal}"),
                Ok(engine) => {
                    let end = recv_notice(engine.socket.as_fd());
                    assert_eq!((last_step, end), (3, Err(NoticeError::HungUp)));
                }
            }
            settled(&ledger);
            assert_eq!(open_descriptors(), before, "step {last_step}");
        }
    });
}

#[test]
fn an_engine_that_dies_at_any_step_leaves_nothing_in_the_host() {
    let name = "hostile::an_engine_that_dies_at_any_step_leaves_nothing_in_the_host";
    in_isolation(name, || {
        let before = open_descriptors();
        for (last_step, due) in [(0, "WELCOME"), (1, "WELCOME"), (2, "READY"), (3, "READY")] {
            let error = between(|talk| {
                if last_step > 0 {
                    talk.pass_hello();
                }
                if last_step > 1 {
                    talk.pass_welcome(|_, _| ());
                }
                if last_step > 2 {
                    hear(&talk.host);
                }
            })
            .unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("hung up where {due}")),
                "{last_step}: {text}"
            );
            assert_eq!(open_descriptors(), before, "step {last_step}");
        }
    });
}

/// Somebody between a host that attaches and a real engine.
pub struct Talk {
    host: OwnedFd,
    engine: OwnedFd,
}

impl Talk {
    pub fn pass_hello(&self) {
        say(&self.engine, &hear(&self.host).0, &[]);
    }

    pub fn pass_welcome(&self, change: impl FnOnce(&mut Vec<u8>, &mut Vec<OwnedFd>)) {
        let (mut welcome, mut descriptors) = hear(&self.engine);
        change(&mut welcome, &mut descriptors);
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        say(&self.host, &welcome, &borrowed);
    }

    /// MAPPED one way, READY the other.
    pub fn pass_the_rest(&self) {
        say(&self.engine, &hear(&self.host).0, &[]);
        say(&self.host, &hear(&self.engine).0, &[]);
    }
}

/// What a host gets that attaches through `between`.
fn between(meddle: impl FnOnce(&Talk) + Send) -> Result<HostSide, AttachError> {
    between_these(policy(), &small_wishes(), meddle)
}

/// As `between`, with this engine and this host.
pub fn between_these(
    policy: Policy,
    wishes: &Wishes,
    meddle: impl FnOnce(&Talk) + Send,
) -> Result<HostSide, AttachError> {
    let path = TestPath::new();
    let listener = Listener::bind(&path.0, 0o600).unwrap();
    let (engine, answer) = engine_on_a_thread(policy, &Ledger::new());
    let got = std::thread::scope(|scope| {
        scope.spawn(move || {
            let host = accept_one(&listener);
            // Ours from here on; the raw functions of these tests wait.
            rustix::io::ioctl_fionbio(&host, false).unwrap();
            meddle(&Talk { host, engine });
        });
        attach(&path.0, wishes, SOON)
    });
    let _ = answer.join().unwrap(); // whatever the engine thought of it
    got
}

/// A WELCOME changed by `change` is found out, and the host's error contains `word`.
fn found_out(word: &str, change: impl FnOnce(&mut Vec<u8>, &mut Vec<OwnedFd>) + Send) {
    let error = between(|talk| {
        talk.pass_hello();
        talk.pass_welcome(change);
    })
    .unwrap_err();
    let text = error.to_string();
    assert!(text.contains(word), "no {word:?} in {text:?}");
}

#[test]
fn terms_that_cannot_be_are_found_out() {
    let name = "hostile::terms_that_cannot_be_are_found_out";
    in_isolation(name, || {
        let before = open_descriptors();
        let lies: [(usize, u32, &str); 17] = [
            (WELCOME_LANES, 2, "shard that does not exist"),
            (WELCOME_LANE_COUNT, 1, "258 are right"),
            (WELCOME_SHARDS, 1, "descriptors"),
            (WELCOME_SHARDS, 49, "descriptors"),
            (WELCOME_REQUEST_CAPACITY, 8192, "capacity"),
            (WELCOME_REPLY_CAPACITY, 4096, "another size"),
            (WELCOME_REPLY_CAPACITY, 0, "capacity"),
            (WELCOME_REQUEST_BYTES, 4096, "another size"),
            (WELCOME_REPLY_BYTES, 1 << 30, "another size"),
            (WELCOME_REQUEST_PAGES, 9, "pages"),
            (WELCOME_EPOCH, 2, "epoch"),
            (WELCOME_MEMBARRIER, 1, "membarrier"),
            (WELCOME_DESCRIPTORS, 3, "descriptors"),
            (WELCOME_LANE_COUNT, 1 << 31, "lanes"),
            (WELCOME_EVENT_RINGS, 49, "event rings"),
            (WELCOME_EVENT_CAPACITY, 4096, "event rings"),
            (WELCOME_LIFE, 1, "event rings"),
        ];
        for (at, value, word) in lies {
            found_out(word, |welcome, _| put_u32(welcome, at, value));
        }
        found_out("features", |welcome, _| {
            put_u64(welcome, WELCOME_FEATURES, 1)
        });
        found_out("header", |welcome, _| put_u64(welcome, WELCOME_HOST_ID, 1));
        found_out("WELCOME", |welcome, _| welcome.truncate(200));
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn descriptors_that_are_not_what_they_should_be_are_found_out() {
    let name = "hostile::descriptors_that_are_not_what_they_should_be_are_found_out";
    in_isolation(name, || {
        let before = open_descriptors();
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        found_out("descriptors", |_, fds| fds.truncate(3));
        found_out("descriptors", |_, fds| fds.push(null()));
        found_out("request region", |_, fds| fds.swap(0, 1));
        found_out("request region", |_, fds| fds[0] = null());
        found_out("reply region", |_, fds| fds[1] = null());
        found_out("doorbell", |_, fds| fds[3] = null());
        found_out("cannot be written", |_, fds| {
            fds[0] = reopened(&fds[0], OFlags::RDONLY)
        });
        found_out("can be written", |_, fds| {
            fds[1] = reopened(&fds[1], OFlags::RDWR)
        });
        found_out("sealed", |welcome, fds| {
            let bytes = u64_at(welcome, WELCOME_REPLY_BYTES);
            let region = Region::create("another", bytes, PageMode::Small).unwrap();
            fds[1] = region.read_only_fd().unwrap();
        });
        assert_eq!(open_descriptors(), before);
    });
}

pub fn reopened(fd: &OwnedFd, mode: OFlags) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, mode | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

#[test]
fn an_engine_that_says_ready_without_having_sealed_is_found_out() {
    let error = between(|talk| {
        talk.pass_hello();
        talk.pass_welcome(|_, _| ());
        hear(&talk.host);
        say(&talk.host, &step(KIND_READY), &[]);
    })
    .unwrap_err();
    assert!(error.to_string().contains("sealed"), "{error}");
}

#[test]
fn another_message_or_descriptors_in_place_of_ready_are_errors() {
    for (kind, descriptors) in [(KIND_MAPPED, 0), (KIND_READY, 1)] {
        let error = between(|talk| {
            talk.pass_hello();
            talk.pass_welcome(|_, _| ());
            let mapped = hear(&talk.host).0;
            say(&talk.engine, &mapped, &[]);
            hear(&talk.engine);
            let null = File::open("/dev/null").unwrap();
            say(&talk.host, &step(kind), &vec![null.as_fd(); descriptors]);
        })
        .unwrap_err();
        assert!(
            error.to_string().contains("READY cannot be understood"),
            "{error}"
        );
    }
}
