//! What either side may say on the socket once the rings are open. Nothing here ever blocks.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;

use super::bytes::{Head, MessageError};
use super::error::NoticeError;
use super::message::*;
use super::refusal::Refusal;
use super::socket::{self, SocketError};
use super::welcome::{decode_step, encode_step};

/// A word said after READY.
///
/// ```
/// use ironhoard::attach::{recv_notice, send_notice, Notice};
/// use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
/// use std::os::fd::AsFd;
/// let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
/// let (engine, host) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
/// assert_eq!(recv_notice(host.as_fd())?, None);
/// send_notice(engine.as_fd(), &Notice::Draining)?;
/// assert_eq!(recv_notice(host.as_fd())?, Some(Notice::Draining));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The engine answers what is committed and then leaves: commit nothing new.
    Draining,
    /// The sender leaves for good. Its regions end with the socket.
    Detach,
    /// The sender ends the lane or the host, and says why.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

impl Notice {
    fn encode(&self) -> Vec<u8> {
        match self {
            Notice::Draining => encode_step(KIND_DRAINING),
            Notice::Detach => encode_step(KIND_DETACH),
            Notice::Refused { reason } => reason.encode(),
        }
    }

    fn decode(message: &[u8]) -> Result<Self, MessageError> {
        match Head::of(message)?.kind {
            KIND_DRAINING => {
                decode_step(message, KIND_DRAINING, "DRAINING").map(|()| Notice::Draining)
            }
            KIND_DETACH => decode_step(message, KIND_DETACH, "DETACH").map(|()| Notice::Detach),
            KIND_REFUSED => Refusal::decode(message).map(|reason| Notice::Refused { reason }),
            found => Err(MessageError::Kind {
                found,
                expected: "DRAINING, DETACH or REFUSED",
            }),
        }
    }
}

/// Says `notice`, at once or not at all.
///
/// # Errors
/// [`NoticeError::HungUp`]; [`NoticeError::Full`] where the peer reads nothing; [`NoticeError::Os`].
pub fn send_notice(socket: BorrowedFd<'_>, notice: &Notice) -> Result<(), NoticeError> {
    socket::send_now(socket, &notice.encode(), &[]).map_err(NoticeError::from)
}

/// The next notice, or `None` if nothing was said.
///
/// # Errors
/// [`NoticeError::HungUp`] is the peer's end of the conversation, usually its death;
/// [`NoticeError::Message`] where it says nonsense; [`NoticeError::Os`].
pub fn recv_notice(socket: BorrowedFd<'_>) -> Result<Option<Notice>, NoticeError> {
    let Some(received) = socket::receive_now(socket)? else {
        return Ok(None);
    };
    Ok(Some(Notice::decode(received.without_descriptors()?)?))
}

/// Refuses a conversation that was just accepted, without listening to it: for an engine that is
/// draining or out of threads. The host finds the refusal in place of WELCOME.
///
/// ```
/// use ironhoard::attach::{recv_notice, refuse, Notice, Refusal, RefusalCode};
/// use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
/// use std::os::fd::AsFd;
/// let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
/// let (engine, host) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
/// refuse(engine.as_fd(), &Refusal::new(RefusalCode::Hosts, "come back later"));
/// match recv_notice(host.as_fd())? {
///     Some(Notice::Refused { reason }) => assert_eq!(reason.text, "come back later"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn refuse(socket: BorrowedFd<'_>, refusal: &Refusal) {
    // Whether it arrives is the peer's affair: it may be gone or refuse to read.
    let deadline = socket::deadline_in(Duration::ZERO);
    let _ = socket::send(socket, &refusal.encode(), &[], deadline);
}

impl From<SocketError> for NoticeError {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Silence | SocketError::Os(Errno::AGAIN) => NoticeError::Full,
            SocketError::HungUp => NoticeError::HungUp,
            SocketError::Message(error) => NoticeError::Message(error),
            SocketError::Os(errno) => NoticeError::Os(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::RefusalCode;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_garbled_notice_is_an_answer(
            kind in 0..3usize, place in any::<prop::sample::Index>(), byte: u8, length in 0..80usize,
        ) {
            let reason = Refusal::new(RefusalCode::LaneClosed, "nonsense");
            let notices = [Notice::Draining, Notice::Detach, Notice::Refused { reason }];
            let mut bytes = notices[kind].encode();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _ = Notice::decode(&bytes);
            bytes.resize(length, byte);
            let _ = Notice::decode(&bytes);
        }
    }
}
