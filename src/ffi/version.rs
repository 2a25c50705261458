//! Which library runs, and what its statuses mean in words.

use std::ffi::{c_char, c_int, CStr};

use super::status::ih_status;

/// Parts of the version, as cargo has them.
const MAJOR: u32 = number(env!("CARGO_PKG_VERSION_MAJOR"));
const MINOR: u32 = number(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = number(env!("CARGO_PKG_VERSION_PATCH"));
const TEXT: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version without zeros"),
    };

const fn number(digits: &str) -> u32 {
    let mut value = 0;
    let mut at = 0;
    while at < digits.len() {
        value = value * 10 + (digits.as_bytes()[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// ---- Library ---------------------------------------------------------------------------------
/// Version of the library that runs: major * 1000000 + minor * 1000 + patch, like IH_VERSION_NUMBER.
#[no_mangle]
pub extern "C" fn ih_version() -> u32 {
    MAJOR * 1_000_000 + MINOR * 1000 + PATCH
}

/// The same as text, like IH_VERSION_STRING. Lives for ever.
#[no_mangle]
pub extern "C" fn ih_version_string() -> *const c_char {
    TEXT.as_ptr()
}

/// What a status means, and what to do; a sentence that says so where it is none. Lives for ever.
#[no_mangle]
pub extern "C" fn ih_strerror(status: c_int) -> *const c_char {
    let words = ih_status::of(status).map_or(c"no status of this version", ih_status::words);
    words.as_ptr()
}
