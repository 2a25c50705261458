//! Ironhoard: shared-memory handoff between a pinned Rust engine and host processes.
pub mod attach;
pub mod engine;
pub mod host;
mod lane;
pub mod layout;
mod lull;
pub mod region;
pub mod ring;
pub mod sys;
pub mod wait;
