//! Small pieces of the kernel that more than one layer needs. No policy here.

pub mod affinity;
pub mod barrier;
pub mod clock;
pub(crate) mod fork;
