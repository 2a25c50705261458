//! The border to C: what `include/ironhoard.h` declares.
//!
//! ```text
//!   C ──▶ border: catch a panic, note a failure ──▶ handle: is it alive? ──▶ host, engine
//! ```
//!
//! | file | job |
//! |---|---|
//! | `border` | every entry goes through it: no panic leaves, every failure is noted |
//! | `status`, `failure` | what a call answers, and what there is to say about it |
//! | `handle` | what C holds: marked memory that stays readable after its end |
//! | `input` | pointers and strings from C |
//! | `host`, `lane`, `producer`, `consumer`, `watch`, `shared`, `events` | a host |
//! | `engine_options`, `engine`, `handler` | an engine |
//! | `log`, `version` | the rest of the library |
//!
//! The names are C's, because the header is generated from here: comments of exported items are written
//! for those who read the header. The order of the modules below is the order of the header.
//!
//! What it costs: a claim and a commit are two calls through the procedure linkage table, and the room
//! between them is kept in the handle; a catch of a panic that does not come costs nothing.
#![allow(non_camel_case_types, clippy::upper_case_acronyms)]

mod border;
mod handle;
mod input;

mod version;

mod failure;

mod status;

mod log;

mod host;

mod lane;

mod producer;

mod consumer;

mod watch;

mod shared;
mod short_way;

mod events;

mod engine_options;

mod engine;

mod handler;
