//! What can go wrong between a host and its engine, grouped by who meets it: the host that attaches,
//! the engine that listens, both once the rings are open. The engine's own answers to a host are in
//! `refusal`.

use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::bytes::MessageError;
use super::refusal::Refusal;
use crate::region::RegionError;

/// Why a host could not attach or resume.
///
/// ```
/// use ironhoard::attach::{attach, AttachError, Wishes};
/// use std::{path::Path, time::Duration};
/// let nobody = attach(Path::new("/nobody.sock"), &Wishes::default(), Duration::from_secs(1));
/// assert!(matches!(nobody, Err(AttachError::NoEngine { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Nobody listens at the path.
    #[error("no engine listens at {path} ({source}): start one there, or give its path")]
    NoEngine {
        /// The path that was tried.
        path: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// The kernel does not let us connect.
    #[error(
        "this user may not connect to {path} ({source}): the socket's mode decides; ask whoever \
         runs the engine"
    )]
    NotAllowed {
        /// The path that was tried.
        path: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// Something listens there that is no engine.
    #[error("{path} is not an engine's socket ({source}): give the path of the engine's socket")]
    NotAnEngine {
        /// The path that was tried.
        path: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// The path does not fit a socket address.
    #[error("the socket path {path} has {length} bytes and may have 107: choose a shorter one")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// A name in the wishes cannot be said.
    #[error("the name {name:?} cannot be said: give at most 64 bytes without control characters")]
    BadName {
        /// The name.
        name: String,
    },
    /// The lanes to resume are not those of the previous terms.
    #[error("{found} lanes were given to resume and the host has {expected}: give each of them")]
    LaneCount {
        /// Lanes given.
        found: usize,
        /// Lanes of the host.
        expected: u32,
    },
    /// The engine said no.
    #[error("the engine refused: {0}")]
    Refused(Refusal),
    /// The engine said nothing.
    #[error(
        "the engine said nothing for {waited:?} where {step} was due: it may be stopped or \
         overloaded; look at it, or wait longer"
    )]
    Silence {
        /// The message that was due.
        step: &'static str,
        /// The whole deadline.
        waited: Duration,
    },
    /// The engine hung up.
    #[error("the engine hung up where {step} was due: it died or was stopped; start it again")]
    HungUp {
        /// The message that was due.
        step: &'static str,
    },
    /// The engine's message is not what its version says.
    #[error("the engine's {step} cannot be understood: {source}")]
    Message {
        /// The message.
        step: &'static str,
        /// What is wrong with it.
        source: MessageError,
    },
    /// The engine's terms are not what was asked for or cannot be.
    #[error("the engine's terms are impossible: {what}; do not trust it")]
    Terms {
        /// What is impossible about them.
        what: String,
    },
    /// A region is not what the terms say, or cannot be mapped.
    #[error("the {which} region: {source}")]
    Region {
        /// `request`, `reply` or `event`.
        which: &'static str,
        /// What is wrong with it.
        source: RegionError,
    },
    /// The kernel said something else.
    #[error("the conversation with the engine failed ({source}): check the limit on open files")]
    Os {
        /// The kernel's answer.
        source: Errno,
    },
}

/// Why an engine cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The path does not fit a socket address.
    #[error("the socket path {path} has {length} bytes and may have 107: choose a shorter one")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// The path names no file.
    #[error("{path} names no file: give the path of a socket in a directory that exists")]
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// The directory cannot be used.
    #[error("the directory {directory} cannot be used ({source}): create it, or choose another")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// Files cannot be made in the directory.
    #[error(
        "cannot create {path} ({source}): the directory, and what lies at that path, must be \
         writable for this user"
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// Something else than a socket is at the path.
    #[error("{path} exists and is not a socket: move it away, or choose another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Another engine lives there.
    #[error(
        "an engine {} lives at {path}: stop it, or choose another path",
        pid.map_or("(its pid is not known yet)".to_owned(), |pid| format!("with pid {pid}"))
    )]
    Live {
        /// The path.
        path: PathBuf,
        /// Its pid, where it is known.
        pid: Option<u32>,
    },
    /// The kernel said something else.
    #[error(
        "cannot listen at {path} ({source}): check limits on open files and that /proc is mounted"
    )]
    Os {
        /// The path.
        path: PathBuf,
        /// The kernel's answer.
        source: Errno,
    },
    /// A connection could not be accepted.
    #[error(
        "cannot accept a connection ({source}): raise the limit on open files, or detach hosts"
    )]
    Accept {
        /// The kernel's answer.
        source: Errno,
    },
}

/// Why no notice was sent or received.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// The peer's end is closed: it detached or died.
    #[error("the peer hung up: it detached or died; end its lanes")]
    HungUp,
    /// The peer has not read what it was told before.
    #[error("the peer reads nothing from its socket: say it again later, or end its lanes")]
    Full,
    /// The peer said nonsense.
    #[error("the peer's notice cannot be understood: {0}; end its lanes")]
    Message(#[from] MessageError),
    /// The kernel said something else.
    #[error("the socket failed ({0}): end the lanes")]
    Os(Errno),
}
