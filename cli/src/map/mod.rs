//! `ironhoard map`: maps made, looked into, and found.
//!
//! ```text
//!  GeoJSON, .osm.pbf ── import ──┐
//!                                ├──▶ prepared map (.ihmap), checked and fast to load ──▶ serve, demo
//!  seed ──────────── generate ───┘
//! ```
//!
//! [`source`] opens what `serve` and `demo` play on, of any kind.

pub mod args;
pub mod command;
pub mod source;
