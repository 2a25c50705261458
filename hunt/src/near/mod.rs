//! What is near a player: treasures along the streets, players through the air.
//!
//! ```text
//!   place (from, to, offset) ──┬─▶ treasures: the entries of two nodes        index; search as fallback
//!                              └─▶ crowd: the players of at most four cells   grid
//! ```
//!
//! * [`search`]: nodes within a distance along the streets, by a bounded search. The oracle of the index,
//!   its fallback, and what keeps it up to date.
//! * [`treasures`]: an index from each node to the treasures in reach of it.
//! * [`crowd`]: who is in which cell of a grid, four players to a cache line.

mod bucket;
pub mod crowd;
mod grid;
pub mod search;
mod table;
pub mod treasures;
