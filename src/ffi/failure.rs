//! The last failure of each thread: what was wrong, what to do, and the numbers that go with it.
//!
//! It lies in memory of the thread, of fixed size: nothing is allocated when something fails, and nothing
//! has to be freed when a thread ends. A success writes nothing.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int};
use std::fmt::{self, Display, Write};

use super::border::Answer;
use super::status::ih_status::{self, *};
use crate::attach::{AttachError, ListenError, RefusalCode};
use crate::engine::{EngineError, EventError};
use crate::host::HostError;
use crate::layout::{MAX_EVENT_RINGS, MAX_SHARDS};
use crate::region::RegionError;
use crate::ring::ClaimError;

/// Bytes of a message, its zero included. The longest of ours, a refusal's text, has 512.
const MOST: usize = 1024;
/// Bytes of a socket path.
const PATH_LIMIT: u64 = 107;

/// The last failure of the calling thread.
#[repr(C)]
pub struct ih_error {
    /// What the call answered; IH_OK where nothing has failed yet.
    pub status: ih_status,
    /// The errno of the kernel's answer; 0 where the kernel was not asked or said nothing.
    pub system_error: c_int,
    /// Why the engine refused, one of IH_REFUSAL_...; 0 where it did not.
    pub refusal: u32,
    pub reserved: u32,
    /// The number that would have been accepted: payload bytes, lanes; 0 where there is none.
    pub limit: u64,
    /// What was wrong and what to do, UTF-8, never NULL. Rewritten by the thread's next failure.
    pub message: *const c_char,
}

/// A thread's last failure with its words.
struct Last {
    error: UnsafeCell<ih_error>,
    words: UnsafeCell<[u8; MOST]>,
}

thread_local! {
    static LAST: Last = const {
        Last {
            error: UnsafeCell::new(ih_error {
                status: IH_OK,
                system_error: 0,
                refusal: 0,
                reserved: 0,
                limit: 0,
                message: IH_OK.words().as_ptr(),
            }),
            words: UnsafeCell::new([0; MOST]),
        }
    };
}

/// The numbers of a failure.
struct Numbers {
    status: ih_status,
    system_error: c_int,
    refusal: u32,
    limit: u64,
}

impl Numbers {
    fn of(status: ih_status) -> Self {
        Numbers {
            status,
            system_error: 0,
            refusal: 0,
            limit: 0,
        }
    }

    fn errno(self, errno: c_int) -> Self {
        Numbers {
            system_error: errno,
            ..self
        }
    }

    fn limit(self, limit: u64) -> Self {
        Numbers { limit, ..self }
    }
}

/// Notes a status that speaks for itself.
#[cold]
pub(super) fn note_bare(status: ih_status) -> ih_status {
    store(Numbers::of(status), status.words().as_ptr());
    status
}

/// Notes a panic that ended at the border.
#[cold]
pub(super) fn note_panic(panic: Box<dyn Any + Send>) -> ih_status {
    let what = match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("", String::as_str),
    };
    let words = IH_ERROR_PANIC.words().to_str().unwrap_or_default();
    note(
        Numbers::of(IH_ERROR_PANIC),
        &format_args!("{words}: {what}"),
    )
}

/// Notes an argument that cannot be.
#[cold]
pub(super) fn bad_argument(what: fmt::Arguments<'_>) -> Answer {
    Answer::Noted(note(Numbers::of(IH_ERROR_ARGUMENT), &what))
}

/// Notes a payload that can never fit.
#[cold]
pub(super) fn too_large(what: fmt::Arguments<'_>, limit: u64) -> Answer {
    Answer::Noted(note(Numbers::of(IH_ERROR_TOO_LARGE).limit(limit), &what))
}

fn note(numbers: Numbers, what: &dyn Display) -> ih_status {
    let status = numbers.status;
    LAST.with(|last| {
        // SAFETY: this thread's own memory, lent to nobody: C reads it between calls.
        let words = unsafe { &mut *last.words.get() };
        let mut writer = Words { words, used: 0 };
        // It ends where the buffer does, which is not an error here.
        let _ = write!(writer, "{what}");
        let used = writer.used;
        words[used] = 0;
        store(numbers, words.as_ptr().cast());
    });
    status
}

fn store(numbers: Numbers, message: *const c_char) {
    LAST.with(|last| {
        let error = ih_error {
            status: numbers.status,
            system_error: numbers.system_error,
            refusal: numbers.refusal,
            reserved: 0,
            limit: numbers.limit,
            message,
        };
        // SAFETY: as in `note`.
        unsafe { *last.error.get() = error };
    });
}

/// Text cut between characters at the buffer's end, and without zeros in it.
struct Words<'a> {
    words: &'a mut [u8; MOST],
    used: usize,
}

impl Write for Words<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let bytes = character.len_utf8();
            if self.used + bytes >= MOST {
                return Err(fmt::Error);
            }
            let shown = if character == '\0' { ' ' } else { character };
            shown.encode_utf8(&mut self.words[self.used..]);
            self.used += bytes;
        }
        Ok(())
    }
}

/// The last failure of the calling thread. Never NULL; changes with the thread's next failure.
#[no_mangle]
pub extern "C" fn ih_last_error() -> *const ih_error {
    LAST.with(|last| last.error.get().cast_const())
}

impl From<HostError> for Answer {
    #[inline(always)]
    fn from(error: HostError) -> Self {
        match error {
            HostError::Full => Answer::Bare(IH_FULL),
            error => host_failure(&error),
        }
    }
}

#[cold]
fn host_failure(error: &HostError) -> Answer {
    let numbers = match error {
        HostError::Attach(error) => attach_numbers(error),
        HostError::Kernel { source, .. } => {
            Numbers::of(IH_ERROR_SYSTEM).errno(source.raw_os_error().unwrap_or(0))
        }
        HostError::Full => Numbers::of(IH_FULL),
        HostError::RepliesWaiting => Numbers::of(IH_ERROR_REPLIES_WAITING),
        HostError::TooLarge { limit, .. } => {
            Numbers::of(IH_ERROR_TOO_LARGE).limit(u64::from(*limit))
        }
        HostError::Corrupt(_) => Numbers::of(IH_ERROR_CORRUPT),
        HostError::Gone { .. } => Numbers::of(IH_ERROR_GONE),
        HostError::LaneClosed { .. } => Numbers::of(IH_ERROR_LANE_CLOSED),
        HostError::Deadline { .. } => Numbers::of(IH_DEADLINE),
        HostError::NoRoom => Numbers::of(IH_NO_ROOM),
        HostError::Outstanding { .. } => Numbers::of(IH_ERROR_OUTSTANDING),
        HostError::LanesExhausted { lanes } => {
            Numbers::of(IH_ERROR_LANES_EXHAUSTED).limit(u64::from(*lanes))
        }
        HostError::NoEventRing { rings, .. } => {
            Numbers::of(IH_ERROR_ARGUMENT).limit(u64::from(*rings))
        }
        HostError::EventRingTaken { .. } => Numbers::of(IH_ERROR_ARGUMENT),
        HostError::Forked => Numbers::of(IH_ERROR_FORKED),
    };
    Answer::Noted(note(numbers, error))
}

fn attach_numbers(error: &AttachError) -> Numbers {
    match error {
        AttachError::NoEngine { source, .. } => {
            Numbers::of(IH_ERROR_NO_ENGINE).errno(source.raw_os_error())
        }
        AttachError::NotAllowed { source, .. } => {
            Numbers::of(IH_ERROR_NOT_ALLOWED).errno(source.raw_os_error())
        }
        AttachError::NotAnEngine { source, .. } => {
            Numbers::of(IH_ERROR_NOT_AN_ENGINE).errno(source.raw_os_error())
        }
        AttachError::PathTooLong { .. } => Numbers::of(IH_ERROR_PATH).limit(PATH_LIMIT),
        AttachError::BadName { .. } => {
            Numbers::of(IH_ERROR_ARGUMENT).limit(crate::attach::message::NAME_BYTES as u64)
        }
        AttachError::Refused(refusal) => {
            let status = match refusal.code {
                RefusalCode::Version => IH_ERROR_VERSION,
                RefusalCode::Pages => IH_ERROR_PAGES,
                _ => IH_ERROR_REFUSED,
            };
            Numbers {
                refusal: refusal.code.code(),
                ..Numbers::of(status).limit(refusal.limit)
            }
        }
        AttachError::Silence { .. } => Numbers::of(IH_ERROR_SILENCE),
        AttachError::HungUp { .. } => Numbers::of(IH_ERROR_HUNG_UP),
        AttachError::LaneCount { .. } | AttachError::Message { .. } | AttachError::Terms { .. } => {
            Numbers::of(IH_ERROR_CORRUPT)
        }
        AttachError::Region { source, .. } => region_numbers(source),
        AttachError::Os { source } => Numbers::of(IH_ERROR_SYSTEM).errno(source.raw_os_error()),
    }
}

fn region_numbers(error: &RegionError) -> Numbers {
    let system = Numbers::of(IH_ERROR_SYSTEM);
    match error {
        RegionError::UnknownPageMode { .. }
        | RegionError::BadName { .. }
        | RegionError::BadSize { .. } => Numbers::of(IH_ERROR_ARGUMENT),
        RegionError::NoHugePages { source, .. } => {
            Numbers::of(IH_ERROR_PAGES).errno(source.raw_os_error())
        }
        RegionError::Collapse { .. } => Numbers::of(IH_ERROR_PAGES),
        RegionError::NoMemory { available, .. } => system.errno(libc::ENOMEM).limit(*available),
        RegionError::Create { source, .. }
        | RegionError::Allocate { source, .. }
        | RegionError::Seal { source }
        | RegionError::Reopen { source }
        | RegionError::Inspect { source }
        | RegionError::Map { source, .. }
        | RegionError::Prefault { source, .. } => system.errno(source.raw_os_error()),
        RegionError::NotMemory { .. }
        | RegionError::WrongSize { .. }
        | RegionError::WrongSeals { .. }
        | RegionError::Hole { .. } => Numbers::of(IH_ERROR_CORRUPT),
    }
}

impl From<EngineError> for Answer {
    #[cold]
    fn from(error: EngineError) -> Self {
        let numbers = match &error {
            EngineError::Shards { .. } => Numbers::of(IH_ERROR_ARGUMENT).limit(MAX_SHARDS as u64),
            EngineError::Affinity(_) => Numbers::of(IH_ERROR_CORE),
            EngineError::Listen(error) => listen_numbers(error),
            EngineError::Kernel { source, .. } => {
                Numbers::of(IH_ERROR_SYSTEM).errno(source.raw_os_error().unwrap_or(0))
            }
            EngineError::EventRings { .. } => {
                Numbers::of(IH_ERROR_ARGUMENT).limit(MAX_EVENT_RINGS as u64)
            }
            EngineError::EventCapacity { .. } => Numbers::of(IH_ERROR_ARGUMENT),
            EngineError::EventMemory(source) => region_numbers(source),
            EngineError::ShardLost { .. } => Numbers::of(IH_ERROR_SHARD_LOST),
        };
        Answer::Noted(note(numbers, &error))
    }
}

fn listen_numbers(error: &ListenError) -> Numbers {
    match error {
        ListenError::PathTooLong { .. } => Numbers::of(IH_ERROR_PATH).limit(PATH_LIMIT),
        ListenError::NoFileName { .. } | ListenError::NotASocket { .. } => {
            Numbers::of(IH_ERROR_PATH)
        }
        ListenError::Directory { source, .. } | ListenError::NotWritable { source, .. } => {
            Numbers::of(IH_ERROR_PATH).errno(source.raw_os_error())
        }
        ListenError::Live { .. } => Numbers::of(IH_ERROR_LIVE),
        ListenError::Os { source, .. } | ListenError::Accept { source } => {
            Numbers::of(IH_ERROR_SYSTEM).errno(source.raw_os_error())
        }
    }
}

/// A reply's claim, in a handler.
impl From<ClaimError> for Answer {
    #[cold]
    fn from(error: ClaimError) -> Self {
        let numbers = match error {
            ClaimError::Full => Numbers::of(IH_FULL),
            ClaimError::TooLarge { limit, .. } => {
                Numbers::of(IH_ERROR_TOO_LARGE).limit(u64::from(limit))
            }
            ClaimError::Corrupt { .. } => Numbers::of(IH_ERROR_CORRUPT),
        };
        Answer::Noted(note(numbers, &error))
    }
}

/// An event's claim, in a handler.
impl From<EventError> for Answer {
    #[cold]
    fn from(error: EventError) -> Self {
        let numbers = match error {
            EventError::NoRing { rings, .. } => Numbers::of(IH_ERROR_ARGUMENT).limit(rings as u64),
            EventError::TooLarge { limit, .. } => {
                Numbers::of(IH_ERROR_TOO_LARGE).limit(u64::from(limit))
            }
            EventError::ClaimOpen { .. } => Numbers::of(IH_ERROR_CLAIM_OPEN),
        };
        Answer::Noted(note(numbers, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn words() -> String {
        // SAFETY: the message lives until this thread's next failure.
        let words = unsafe { CStr::from_ptr((*ih_last_error()).message) };
        words.to_str().expect("UTF-8").to_owned()
    }

    #[test]
    fn a_message_is_cut_between_characters_and_has_no_zero() {
        note(Numbers::of(IH_ERROR_SYSTEM), &"a\0b");
        assert_eq!(words(), "a b");
        note(Numbers::of(IH_ERROR_SYSTEM), &"\u{e4}".repeat(MOST));
        assert_eq!(words(), "\u{e4}".repeat((MOST - 1) / 2));
    }

    #[test]
    fn each_thread_has_its_own() {
        note_bare(IH_FULL);
        let other = std::thread::spawn(|| {
            let before = words();
            note_bare(IH_EMPTY);
            before
        });
        assert_eq!(other.join().expect("no panic"), "success");
        assert_eq!(words(), IH_FULL.words().to_str().expect("UTF-8"));
    }
}
