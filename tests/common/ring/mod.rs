//! What the ring's tests share: words that note every store, a reader that was written from the
//! format's description and not from the ring's code, and the exhaustive explorer.
#![allow(dead_code)] // each test binary uses its own part

pub mod explorer;
pub mod operations;
pub mod oracle;
pub mod reader;
pub mod tape;
pub mod wild;
