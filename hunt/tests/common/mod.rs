//! What several tests need.

pub mod pbf;
