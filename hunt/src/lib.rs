//! The treasure hunt that ships with Ironhoard: players walk a real street network, and the engine
//! decides for each of their moves whether it can have happened.
//!
//! ```text
//!   walk ──▶ 48-byte move ──▶ request ring ──▶ handler ──▶ game ──▶ reply ring ──▶ host
//!    │                                                                               │
//!    └──▶ oracle: the same rules, written a second time, slowly ────── equal? ───────┘
//! ```
//!
//! * [`map`]: streets as a compressed graph; imported, generated, saved, loaded.
//! * [`record`]: what a move and its reply look like, byte for byte.
//! * [`tag`]: who may speak for a player: a keyed SHA-256 over each move.
//! * [`validate`]: the rules of a move, one function each. [`game`] applies them to state that never grows.
//! * [`request`]: the other requests, byte for byte. [`session`]: who is in the game.
//! * [`near`]: treasures along the streets and players near by. [`board`]: exact ranks among millions.
//! * [`world`]: all of it together: requests in, answers and [events](event) out, [statistics].
//! * [`settling`]: what is left to do for its memory when the engine has booted.
//! * [`handler`]: the hunt as the handler of an engine. [`recording`]: its input, to be played again.
//! * [`oracle`]: an independent second implementation of the rules, for tests and for the demo's host.
//! * [`walk`]: players that walk the map, and misbehave at known rates.
//!
//! Everything here is deterministic: the same inputs give the same replies, on any machine. Floating
//! point is used only where a map is made, never where a move is judged.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod arena;
pub mod board;
mod code;
pub mod event;
pub mod game;
pub mod handler;
mod huge_page;
pub mod map;
pub mod near;
pub mod oracle;
pub mod record;
pub mod recording;
pub mod request;
pub mod session;
pub mod settling;
pub mod statistics;
pub mod tag;
pub mod validate;
pub mod walk;
pub mod world;
