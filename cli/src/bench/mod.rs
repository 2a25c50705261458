//! `ironhoard bench`: figures with their floor.
//!
//! ```text
//!  clock ─▶ floor, stream_floor ─▶ meter ─▶ slices ─▶ report
//!             on memory shared by a pair of processes
//! ```
//!
//! Read [`slices`] first: it says what a figure means here.

pub mod attached;
pub mod c_args;
pub mod c_command;
pub mod c_host;
pub mod cas_ring;
pub mod clock;
pub mod crowd;
pub mod engine;
pub mod fanin;
pub mod fanin_command;
pub mod fanout;
pub mod fanout_command;
pub mod floor;
pub mod floor_command;
pub mod go;
pub mod memory;
pub mod meter;
pub mod pair;
pub mod round_trips;
pub mod rtt_command;
pub mod samples;
pub mod slices;
pub mod steps;
pub mod stream;
pub mod stream_command;
pub mod stream_floor;
pub mod tally;
pub mod turns;
pub mod wake;
pub mod wake_command;
