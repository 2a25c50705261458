//! What the other files share: an engine on a thread, raw hosts, counted descriptors.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ironhoard::attach::message::*;
use ironhoard::attach::*;
use ironhoard::region::PageMode;
use rustix::net::{
    recvmsg, sendmsg, socketpair, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage,
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

pub const SOON: Duration = Duration::from_secs(5);

/// Runs `body` as the only test of a process of its own: it counts descriptors.
pub fn in_isolation(name: &str, body: impl FnOnce()) {
    if task().is_some() {
        return body();
    }
    let status = in_another_process(name, "isolated").wait_with_output();
    let output = status.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

/// Waits until nothing is left of the conversations in `ledger`.
pub fn settled(ledger: &Ledger) {
    assert_eq!(ledger.counts(), LedgerCounts::default());
}

/// Descriptors that this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A path that no other test uses, removed with its companions when dropped.
pub struct TestPath(pub PathBuf);

impl TestPath {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ih-attach-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

impl Drop for TestPath {
    fn drop(&mut self) {
        for suffix in ["", ".lock", ".new"] {
            let _ = std::fs::remove_file(self.beside(suffix));
        }
    }
}

pub fn small_wishes() -> Wishes {
    Wishes {
        lanes: 2,
        request_capacity: 4096,
        reply_capacity: 8192,
        pages: PageMode::Small,
        name: "a test".into(),
        ..Wishes::default()
    }
}

pub fn policy() -> Policy {
    Policy {
        shards: 2,
        service: "echo".into(),
        service_version: 3,
        silence: SOON,
        ..Policy::default()
    }
}

pub fn alternate(lanes: u32) -> Vec<u16> {
    (0..lanes).map(|lane| (lane % 2) as u16).collect()
}

pub type Answer = JoinHandle<Result<EngineSide, Refusal>>;

/// An engine's end of the conversation on a thread; the host's end of the socket.
pub fn engine_on_a_thread(policy: Policy, ledger: &Arc<Ledger>) -> (OwnedFd, Answer) {
    let flags = SocketFlags::CLOEXEC;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
    let (ours, theirs) = pair.unwrap();
    let ledger = ledger.clone();
    let answer = std::thread::spawn(move || converse(theirs, &policy, &ledger, &alternate));
    (ours, answer)
}

/// HELLO as bytes, with small wishes.
pub fn hello() -> Vec<u8> {
    let mut bytes = vec![0; HELLO_BYTES];
    put_u32(&mut bytes, MESSAGE_MAGIC_OFFSET, MESSAGE_MAGIC);
    put_u32(&mut bytes, MESSAGE_KIND, KIND_HELLO);
    put_u32(&mut bytes, MESSAGE_VERSION, 1);
    put_u32(&mut bytes, MESSAGE_LENGTH, HELLO_BYTES as u32);
    put_u32(&mut bytes, HELLO_LOWEST, 1);
    put_u32(&mut bytes, HELLO_HIGHEST, 1);
    put_u32(&mut bytes, HELLO_ROLE, ROLE_HOST);
    put_u32(&mut bytes, HELLO_LANES, 2);
    put_u64(&mut bytes, HELLO_REQUEST_CAPACITY, 4096);
    put_u64(&mut bytes, HELLO_REPLY_CAPACITY, 8192);
    put_u32(&mut bytes, HELLO_PAGES, PAGES_SMALL);
    bytes
}

/// A message that carries nothing.
pub fn step(kind: u32) -> Vec<u8> {
    let mut bytes = vec![0; STEP_BYTES];
    put_u32(&mut bytes, MESSAGE_MAGIC_OFFSET, MESSAGE_MAGIC);
    put_u32(&mut bytes, MESSAGE_KIND, kind);
    put_u32(&mut bytes, MESSAGE_VERSION, 1);
    put_u32(&mut bytes, MESSAGE_LENGTH, STEP_BYTES as u32);
    bytes
}

pub fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Sends without looking at the answer: the peer may be gone.
pub fn say(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let _ = sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    );
}

/// The next message and its descriptors; empty at the end.
pub fn hear(socket: &OwnedFd) -> (Vec<u8>, Vec<OwnedFd>) {
    rustix::net::sockopt::set_socket_timeout(
        socket,
        rustix::net::sockopt::Timeout::Recv,
        Some(SOON),
    )
    .unwrap();
    let mut bytes = vec![0; 65536];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let mut iov = [IoSliceMut::new(&mut bytes)];
    let mut answer = recvmsg(socket, &mut iov, &mut control, flags);
    if answer.is_err() {
        answer = recvmsg(socket, &mut iov, &mut control, flags);
    }
    let length = answer.expect("an answer or a closed socket, in time").bytes;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    bytes.truncate(length);
    (bytes, descriptors)
}

/// Code and text of a REFUSED.
pub fn refusal(message: &[u8]) -> (u32, String) {
    assert_eq!(u32_at(message, MESSAGE_KIND), KIND_REFUSED);
    let text = String::from_utf8(message[REFUSED_TEXT..].to_vec()).unwrap();
    (u32_at(message, REFUSED_CODE), text)
}

/// Runs the test `name` of this binary in another process, with `value` in `IH_TEST`.
pub fn in_another_process(name: &str, value: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("IH_TEST", value)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What the parent said, if this process is such a child.
pub fn task() -> Option<String> {
    std::env::var("IH_TEST").ok()
}

/// The word at `offset` of a mapping.
pub fn word(mapping: &ironhoard::region::Mapping, offset: u64) -> &std::sync::atomic::AtomicU64 {
    assert!(offset % 8 == 0 && offset + 8 <= mapping.bytes());
    // SAFETY: inside the mapping and aligned, by the line above; mapped while borrowed.
    unsafe { &*mapping.as_ptr().add(offset as usize).cast() }
}

/// One engine at a path of its own, which converses once; `host` is what the host does there.
pub fn at_an_engine<T>(
    policy: Policy,
    ledger: &Arc<Ledger>,
    host: impl FnOnce(&Path) -> T,
) -> (T, Result<EngineSide, Refusal>) {
    let path = TestPath::new();
    let listener = Listener::bind(&path.0, 0o600).unwrap();
    let ledger = ledger.clone();
    let engine =
        std::thread::spawn(move || converse(accept_one(&listener), &policy, &ledger, &alternate));
    let done = host(&path.0);
    (done, engine.join().unwrap())
}

/// A host and an engine, attached with small wishes.
pub fn attached(ledger: &Arc<Ledger>) -> (HostSide, EngineSide) {
    let (host, engine) = at_an_engine(policy(), ledger, |path| attach(path, &small_wishes(), SOON));
    (host.unwrap(), engine.unwrap())
}

/// The first connection.
pub fn accept_one(listener: &Listener) -> OwnedFd {
    let begin = Instant::now();
    while begin.elapsed() < SOON {
        if let Some(socket) = listener.accept().unwrap() {
            return socket;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nobody attached");
}
