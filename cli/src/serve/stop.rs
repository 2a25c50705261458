//! What stops an engine: a signal, or the end of whoever started it for its own use.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::thread;

use ironhoard::engine::StopHandle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Ending;

use super::ServeError;

/// SIGTERM or SIGINT: halt. A second one: leave at once; the kernel frees everything but the path,
/// and the next engine takes that over.
pub fn on_signal(stop: StopHandle) -> Result<(), ServeError> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(ServeError::Signals)?;
    let wait = move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(Ending::Interrupted as i32);
            }
            tracing::info!(signal, "stopping");
            stop.stop();
        }
    };
    spawn("signals", wait)
}

/// The other end of `life` was closed, by its owner or by its owner's death: halt.
pub fn on_hang_up(life: OwnedFd, stop: StopHandle) -> Result<(), ServeError> {
    let mut life = File::from(life);
    let wait = move || {
        // Whatever it says, or if it cannot be read: its end is what matters.
        let _ = life.read_to_end(&mut Vec::new());
        stop.stop();
    };
    spawn("life", wait)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(ServeError::Signals)
}
