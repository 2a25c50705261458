//! One message, one step: sending and receiving on the conversation's socket, with descriptors.
//!
//! Traps that this file knows:
//!
//! * Nothing blocks. Every call is `MSG_DONTWAIT`; waiting is `poll` with the rest of the deadline,
//!   so that a peer that neither speaks nor reads costs a deadline and no more.
//! * `CMSG_SPACE` of one descriptor has room for two. We offer room for as many as a message can
//!   carry (253), own them all at once, close-on-exec, and drop those that do not belong.
//! * A message of length 0 reads like the end of the conversation, so it is one.
//! * A peer that hung up with unread messages in its queue leaves `ECONNRESET` *before* what it said
//!   last: we read again, or a refusal would be lost.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    recvmsg, sendmsg, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use super::bytes::MessageError;
use super::message::MOST_BYTES;
pub(super) use crate::sys::clock::deadline_in;

/// The most descriptors that the kernel passes with one message.
pub(super) const MOST_DESCRIPTORS: usize = 253;

/// Why nothing was sent or received.
#[derive(Debug)]
pub(super) enum SocketError {
    /// The deadline passed.
    Silence,
    /// The peer has closed its end.
    HungUp,
    /// What came is not one whole message.
    Message(MessageError),
    /// The kernel said something else.
    Os(Errno),
}

impl From<MessageError> for SocketError {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Received {
    /// The bytes, provided that no descriptor came with them.
    pub(super) fn without_descriptors(&self) -> Result<&[u8], MessageError> {
        match self.descriptors.len() {
            0 => Ok(&self.bytes),
            found => Err(MessageError::Descriptors {
                found: format!("{found} descriptors"),
                expected: 0,
            }),
        }
    }
}

/// Sends a message with descriptors before `deadline`.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
    deadline: Instant,
) -> Result<(), SocketError> {
    loop {
        match send_now(socket, message, descriptors) {
            Err(SocketError::Os(Errno::AGAIN)) => wait(socket, PollFlags::OUT, deadline)?,
            answer => return answer,
        }
    }
}

/// Sends a message at once or not at all; a full socket is `Os(AGAIN)`.
pub(super) fn send_now(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), SocketError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(SocketError::Os(Errno::TOOMANYREFS));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let iov = [IoSlice::new(message)];
    match rustix::io::retry_on_intr(|| sendmsg(socket, &iov, &mut control, flags)) {
        Ok(_) => Ok(()),
        Err(Errno::PIPE | Errno::CONNRESET) => Err(SocketError::HungUp),
        Err(errno) => Err(SocketError::Os(errno)),
    }
}

/// Receives the next message before `deadline`.
pub(super) fn receive(socket: BorrowedFd<'_>, deadline: Instant) -> Result<Received, SocketError> {
    loop {
        match receive_now(socket)? {
            Some(received) => return Ok(received),
            None => wait(socket, PollFlags::IN, deadline)?,
        }
    }
}

/// Receives a message that is there, or answers `None`.
pub(super) fn receive_now(socket: BorrowedFd<'_>) -> Result<Option<Received>, SocketError> {
    let mut bytes = vec![0; MOST_BYTES + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut attempt = || {
        let mut iov = [IoSliceMut::new(&mut bytes)];
        rustix::io::retry_on_intr(|| recvmsg(socket, &mut iov, &mut control, flags))
    };
    let answer = match attempt() {
        Err(Errno::CONNRESET) => attempt(),
        answer => answer,
    };
    let got = match answer {
        Ok(got) => got,
        Err(Errno::AGAIN) => return Ok(None),
        Err(Errno::CONNRESET | Errno::PIPE) => return Err(SocketError::HungUp),
        Err(errno) => return Err(SocketError::Os(errno)),
    };
    let descriptors = descriptors_of(&mut control);
    if got.flags.contains(ReturnFlags::CTRUNC) {
        return Err(SocketError::Message(MessageError::Descriptors {
            found: "more descriptors than this process may open".to_owned(),
            expected: descriptors.len(),
        }));
    }
    if got.bytes == 0 {
        return Err(SocketError::HungUp);
    }
    bytes.truncate(got.bytes);
    Ok(Some(Received { bytes, descriptors }))
}

/// All descriptors that came, owned: whatever is not handed on is closed.
fn descriptors_of(control: &mut RecvAncillaryBuffer<'_>) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    descriptors
}

/// Waits until `deadline` for `what`, a hang-up included.
fn wait(socket: BorrowedFd<'_>, what: PollFlags, deadline: Instant) -> Result<(), SocketError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SocketError::Silence);
        }
        let mut watched = [PollFd::from_borrowed_fd(socket.as_fd(), what)];
        match poll(&mut watched, Some(&timespec(left))) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(SocketError::Os(errno)),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};

    fn pair() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    }

    #[test]
    fn what_a_peer_said_before_it_hung_up_on_us_is_heard() {
        let (ours, theirs) = pair();
        send_now(ours.as_fd(), b"unread", &[]).unwrap();
        send_now(theirs.as_fd(), b"refused", &[]).unwrap();
        drop(theirs);
        let heard = receive_now(ours.as_fd()).unwrap().expect("a message");
        assert_eq!(heard.bytes, b"refused");
        let end = receive_now(ours.as_fd());
        assert!(matches!(end, Err(SocketError::HungUp)), "{end:?}");
    }

    #[test]
    fn a_peer_that_reads_nothing_costs_a_deadline() {
        let (ours, _theirs) = pair();
        let message = vec![0; 60_000];
        while send_now(ours.as_fd(), &message, &[]).is_ok() {}
        let deadline = deadline_in(Duration::from_millis(20));
        let answer = send(ours.as_fd(), &message, &[], deadline);
        assert!(matches!(answer, Err(SocketError::Silence)), "{answer:?}");
    }
}
