//! The whole conversation, first word to READY, and what may be said afterwards.

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ironhoard::attach::*;
use ironhoard::layout::*;
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::common::*;

/// Accepts one host and answers what stands in its ring, for as long as stdin is open. Like a real
/// engine it closes itself to ptrace first.
#[test]
fn engine_process() {
    let Some(path) = task() else { return };
    let closed = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(closed).unwrap();
    let listener = Listener::bind(path.as_ref(), 0o600).unwrap();
    println!("listening");
    let socket = accept_one(&listener);
    let engine = converse(socket, &policy(), &Ledger::new(), &alternate).unwrap();
    let request = word(&engine.request, ring_offset(2, 1, 4096));
    while request.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let answer = request.load(Ordering::Acquire) + 1;
    word(&engine.reply, ring_offset(2, 1, 8192)).store(answer, Ordering::Release);
    send_notice(engine.socket.as_fd(), &Notice::Draining).unwrap();
    let mut end = String::new();
    std::io::stdin().read_line(&mut end).unwrap();
}

fn readable(fd: std::os::fd::BorrowedFd<'_>, within: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: within.as_secs() as i64,
        tv_nsec: within.subsec_nanos().into(),
    };
    let mut watched = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut watched, Some(&timeout)).unwrap() == 1
}

#[test]
fn two_processes_share_memory_and_death_is_noticed_at_once() {
    let path = TestPath::new();
    let mut child = in_another_process("whole::engine_process", path.0.to_str().unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "listening" {}

    let host = attach(&path.0, &small_wishes(), SOON).unwrap();
    assert_eq!(host.terms.engine_pid, child.id());
    assert_eq!((host.terms.epoch, host.terms.shards), (1, 2));
    assert_eq!(host.terms.lane_shards, [0, 1]);
    assert_eq!(host.doorbells.len(), 2);
    word(&host.request, ring_offset(2, 1, 4096)).store(41, Ordering::Release);
    let reply = word(&host.reply, ring_offset(2, 1, 8192));
    let begin = Instant::now();
    while reply.load(Ordering::Acquire) != 42 {
        assert!(begin.elapsed() < SOON, "no reply");
        std::thread::yield_now();
    }
    assert!(readable(host.socket.as_fd(), SOON));
    let notice = recv_notice(host.socket.as_fd());
    assert_eq!(notice, Ok(Some(Notice::Draining)));
    assert_eq!(recv_notice(host.socket.as_fd()), Ok(None));

    let pidfd = host.engine_pidfd.as_ref().expect("a kernel with pidfds");
    assert!(!readable(pidfd.as_fd(), Duration::ZERO));
    child.kill().unwrap();
    assert!(readable(pidfd.as_fd(), SOON));
    assert!(readable(host.socket.as_fd(), SOON));
    assert_eq!(recv_notice(host.socket.as_fd()), Err(NoticeError::HungUp));
    child.wait().unwrap();
}

#[test]
fn both_ends_hold_the_same_terms_and_each_writes_its_own_region_only() {
    let ledger = Ledger::new();
    let willing = Policy {
        membarrier: true,
        ..policy()
    };
    let wishes = Wishes {
        membarrier: true,
        service: "echo".into(),
        service_version: 3,
        ..small_wishes()
    };
    let (host, engine) = at_an_engine(willing, &ledger, |path| attach(path, &wishes, SOON));
    let (host, engine) = (host.unwrap(), engine.unwrap());
    assert_eq!(host.terms, engine.terms);
    assert!(host.terms.membarrier);
    assert_eq!(engine.host_name, "a test");
    assert_eq!(engine.resumed, None);
    assert_eq!(engine.pid, std::process::id());
    assert!(host.request.writable() && !host.reply.writable());
    assert!(engine.reply.writable() && !engine.request.writable());
    let request = RegionHeader::read(&engine.request).unwrap();
    let reply = RegionHeader::read(&host.reply).unwrap();
    assert_eq!((request.role, reply.role), (ROLE_REQUEST, ROLE_REPLY));
    assert_eq!((request.host_id, request.epoch), (host.terms.host_id, 1));
    assert_eq!(request.host_id, reply.host_id);

    let bytes = host.terms.request_bytes + host.terms.reply_bytes;
    assert_eq!((ledger.counts().hosts, ledger.counts().bytes), (1, bytes));
    drop(engine);
    assert_eq!(ledger.counts(), LedgerCounts::default());
}

#[test]
fn each_shard_has_a_doorbell_that_rings_both_ways() {
    let (host, engine) = attached(&Ledger::new());
    let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
    for (shard, (ours, theirs)) in host.doorbells.iter().zip(&engine.doorbells).enumerate() {
        for (from, to) in [(ours, theirs), (theirs, ours)] {
            rustix::net::send(from, &[shard as u8], flags).unwrap();
            let mut byte = [9];
            rustix::io::read(to, &mut byte).unwrap();
            assert_eq!(byte[0], shard as u8);
            let empty = rustix::io::read(to, &mut byte);
            assert_eq!(empty, Err(rustix::io::Errno::AGAIN));
        }
    }
}

#[test]
fn notices_go_both_ways_and_never_block() {
    let ledger = Ledger::new();
    let (socket, answer) = engine_on_a_thread(policy(), &ledger);
    refuse(
        socket.as_fd(),
        &Refusal::new(RefusalCode::Draining, "the engine is leaving"),
    );
    assert_eq!(
        answer.join().unwrap().unwrap_err().code,
        RefusalCode::Malformed
    );

    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let reason = Refusal::new(RefusalCode::Draining, "the engine is leaving");
    for notice in [Notice::Draining, Notice::Detach, Notice::Refused { reason }] {
        send_notice(ours.as_fd(), &notice).unwrap();
        assert_eq!(recv_notice(theirs.as_fd()), Ok(Some(notice)));
    }
    let mut answers = (0..10_000).map(|_| send_notice(ours.as_fd(), &Notice::Detach));
    assert_eq!(answers.find(Result::is_err), Some(Err(NoticeError::Full)));
    while recv_notice(theirs.as_fd()).unwrap().is_some() {}
    ours.send(&[1; 32]).unwrap();
    let answer = recv_notice(theirs.as_fd());
    assert!(matches!(answer, Err(NoticeError::Message(_))), "{answer:?}");
}
