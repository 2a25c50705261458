//! `ironhoard bench`: figures with their floor.
//!
//! ```text
//!  clock ─▶ floor, stream_floor ─▶ meter ─▶ slices ─▶ report
//!             on memory shared by a pair of processes
//! ```
//!
//! Read [`slices`] first: it says what a figure means here.

pub mod clock;
pub mod floor;
pub mod floor_command;
pub mod memory;
pub mod meter;
pub mod pair;
pub mod samples;
pub mod slices;
pub mod stream_floor;
