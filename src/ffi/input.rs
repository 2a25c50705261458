//! What C passes in: places for outputs, bytes, strings, numbers that stand for something.

use std::ffi::{c_char, c_void, CStr};
use std::time::Duration;

use super::border::{Answer, Outcome};
use super::failure::bad_argument;
use super::status::ih_status::*;

/// A place for an output that must be there. It may be uninitialised: it is only written to.
#[inline(always)]
pub(super) fn output<T>(place: *mut T) -> Outcome<*mut T> {
    if place.is_null() {
        return Err(Answer::Bare(IH_ERROR_NULL));
    }
    Ok(place)
}

/// Writes an output that may be left out.
///
/// # Safety
/// `place` is NULL or can be written.
#[inline(always)]
pub(super) unsafe fn give<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: by the contract.
        unsafe { place.write(value) };
    }
}

/// Bytes; NULL will do where there are none.
///
/// # Safety
/// `start` is NULL or points to `bytes` bytes that nobody writes meanwhile.
#[inline(always)]
pub(super) unsafe fn bytes<'a>(start: *const c_void, bytes: usize) -> Outcome<&'a [u8]> {
    if bytes == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return Err(Answer::Bare(IH_ERROR_NULL));
    }
    check_size(bytes)?;
    // SAFETY: not null, a possible size, and by the contract.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), bytes) })
}

/// Bytes to be written; NULL will do where there are none.
///
/// # Safety
/// `start` is NULL or points to `bytes` bytes that nobody else uses meanwhile.
#[inline(always)]
pub(super) unsafe fn bytes_mut<'a>(start: *mut c_void, bytes: usize) -> Outcome<&'a mut [u8]> {
    if bytes == 0 {
        return Ok(&mut []);
    }
    if start.is_null() {
        return Err(Answer::Bare(IH_ERROR_NULL));
    }
    check_size(bytes)?;
    // SAFETY: not null, a possible size, and by the contract. The bytes may be uninitialised; they are
    // only written to.
    Ok(unsafe { std::slice::from_raw_parts_mut(start.cast(), bytes) })
}

#[inline(always)]
fn check_size(bytes: usize) -> Outcome {
    if bytes > isize::MAX as usize {
        return Err(impossible_size(bytes));
    }
    Ok(())
}

#[cold]
fn impossible_size(bytes: usize) -> Answer {
    bad_argument(format_args!(
        "{bytes} bytes are more than any memory has: was a negative number passed?"
    ))
}

/// A list; NULL will do where it is empty.
///
/// # Safety
/// `start` is NULL or points to `count` elements that nobody writes meanwhile.
pub(super) unsafe fn list<T: Copy>(start: *const T, count: usize) -> Outcome<Vec<T>> {
    const MOST: usize = 1 << 20;
    if count == 0 {
        return Ok(Vec::new());
    }
    if start.is_null() {
        return Err(Answer::Bare(IH_ERROR_NULL));
    }
    if count > MOST {
        return Err(bad_argument(format_args!(
            "a list of {count} elements: {MOST} are the most; was a negative number passed?"
        )));
    }
    // SAFETY: not null, a possible size, and by the contract.
    Ok(unsafe { std::slice::from_raw_parts(start, count) }.to_vec())
}

/// A string; NULL is the empty one.
///
/// # Safety
/// `start` is NULL or points to bytes that end with a zero and that nobody writes meanwhile.
pub(super) unsafe fn text(start: *const c_char, what: &str) -> Outcome<String> {
    if start.is_null() {
        return Ok(String::new());
    }
    // SAFETY: by the contract.
    match unsafe { CStr::from_ptr(start) }.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(bad_argument(format_args!("{what} is not UTF-8"))),
    }
}

/// A duration as C says it; one that is longer than that is endless.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Room to grow must be zero: a program that fills it wants what this version does not know.
pub(super) fn reserved(words: &[u64], what: &str) -> Outcome {
    if words.iter().all(|&word| word == 0) {
        return Ok(());
    }
    Err(bad_argument(format_args!(
        "reserved fields of {what} are not zero: call its init function, or use the library that the \
         program was written for"
    )))
}
