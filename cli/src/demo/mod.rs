//! `ironhoard demo`: players walk a real city, and every answer they get is checked.
//!
//! ```text
//!  demo (this process) ── floor ── starts ─▶ engine process     the game, pinned to its core
//!        │                                      ▲ │ rings
//!        │                                      │ ▼
//!        └───────────── starts ──▶ host processes, each with its own players
//!                                    walkers ─▶ moves ─┐
//!                                    oracle ─▶ answers ┴▶ open loop ─▶ right? how late?
//! ```
//!
//! Moves and their right answers are computed before the clock starts, so the oracle costs the
//! measurement nothing. A move is due at its time whatever became of the moves before it, and its
//! latency counts from then: a late answer delays nobody's stopwatch (no coordinated omission).

pub mod args;
pub mod cores;
pub mod crew;
mod engine;
mod error;
pub mod floor;
pub mod host;
pub mod load;
pub mod open_loop;
pub mod result;
pub mod run;
mod table;
pub mod wire;

pub use engine::run as run_engine;
pub use error::DemoError;
pub use host::run as run_host;
pub use run::run;
