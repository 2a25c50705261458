//! `ironhoard load`: an engine under the load of a city.
//!
//! ```text
//!  load (this process) ── starts ─▶ engine process ──────────── the hunt, pinned to its core
//!        │                              ▲ │ a few lanes
//!        │                              │ ▼
//!        └─────────────── starts ─▶ host process: many players
//!                                     profile ─▶ due times ─┐
//!                                     walkers ─▶ moves ─────┤▶ open loop ─▶ right? how late?
//!                                     oracle ──▶ answers ───┘
//! ```
//!
//! It differs from the demo in its shapes: bursts, a day, a launch; players that retry, overtake
//! themselves and crowd in a few places; and in what is told: the spike by itself, everything over time,
//! the engine's allocations and memory. Its processes talk as those of the demo do.

pub mod args;
mod engine;
mod flight;
mod hgrm;
mod host;
mod judge;
mod profile;
pub mod result;
mod run;
mod sessions;
mod stream;
mod table;

pub use engine::run as run_engine;
pub use host::run as run_host;
pub use run::run;
