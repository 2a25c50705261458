//! The worst payload there is.

/// Payload that looks like whatever header is expected. The ring never writes this word by itself.
pub const WILD: u64 = 0x571d_571d_571d_571d;
