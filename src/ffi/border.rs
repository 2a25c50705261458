//! The border itself: each function of the header runs its body in here.
//!
//! A body answers `Ok`, a bare status, or a status whose words are noted already. A panic ends here as a
//! status: nothing unwinds into C. All of this is resolved at compile time; a call that succeeds pays for
//! one comparison.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::failure;
use super::status::ih_status;

/// Why a body did not succeed.
pub(super) enum Answer {
    /// The status alone; its words are those of [`ih_strerror`](super::version::ih_strerror).
    Bare(ih_status),
    /// What there is to say about it is noted.
    Noted(ih_status),
}

impl From<ih_status> for Answer {
    #[inline(always)]
    fn from(status: ih_status) -> Self {
        Answer::Bare(status)
    }
}

/// What a body answers.
pub(super) type Outcome<T = ()> = Result<T, Answer>;

/// Runs the body of an exported function.
#[inline(always)]
pub(super) fn border(body: impl FnOnce() -> Outcome) -> ih_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => ih_status::IH_OK,
        Ok(Err(answer)) => unhappy(answer),
        Err(panic) => failure::note_panic(panic),
    }
}

/// As [`border`], for who must not touch anything of its thread: a signal handler.
#[inline(always)]
pub(super) fn silent_border(body: impl FnOnce() -> Outcome) -> ih_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => ih_status::IH_OK,
        Ok(Err(Answer::Bare(status) | Answer::Noted(status))) => status,
        Err(_) => ih_status::IH_ERROR_PANIC,
    }
}

/// Tries the short way of a body: `None` where it can't be gone, and then nothing was done.
#[inline(always)]
pub(super) fn at_once<T>(body: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(None)
}

/// For functions that return a value: `otherwise` where there is none.
#[inline(always)]
pub(super) fn value_border<T: Copy>(otherwise: T, body: impl FnOnce() -> Outcome<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(answer)) => {
            unhappy(answer);
            otherwise
        }
        Err(panic) => {
            failure::note_panic(panic);
            otherwise
        }
    }
}

#[cold]
fn unhappy(answer: Answer) -> ih_status {
    match answer {
        Answer::Bare(status) => failure::note_bare(status),
        Answer::Noted(status) => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn last_words() -> String {
        // SAFETY: the message lives until this thread's next failure.
        let words = unsafe { CStr::from_ptr((*failure::ih_last_error()).message) };
        words.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_becomes_a_status_with_its_words() {
        let status = border(|| panic!("the {} broke", "ring"));
        assert_eq!(status, ih_status::IH_ERROR_PANIC);
        assert!(last_words().contains("the ring broke"), "{}", last_words());
        let value = value_border(7, || panic!("once more"));
        assert_eq!(value, 7);
        assert!(last_words().contains("once more"));
    }

    #[test]
    fn a_silent_border_notes_nothing() {
        assert_eq!(
            border(|| Err(ih_status::IH_FULL.into())),
            ih_status::IH_FULL
        );
        let before = last_words();
        let status = silent_border(|| Err(ih_status::IH_ERROR_NULL.into()));
        assert_eq!((status, last_words()), (ih_status::IH_ERROR_NULL, before));
    }
}
