//! The engine process of a demo: `serve`, with a pipe for its last words and one for its life.

use std::os::fd::{FromRawFd, OwnedFd};

use ironhoard_hunt::map::StreetMap;

use crate::exit::{Ending, Failure};
use crate::serve;

use super::args::EngineArguments;
use super::wire::{Report, Reporter};

/// Runs the engine process.
pub fn run(arguments: &EngineArguments) -> Result<Ending, Failure> {
    // SAFETY: this process was started with these descriptors, inherited for it alone and owned from
    // here on; a number that is no descriptor makes the first use fail.
    let (reports, orders) = unsafe {
        (
            OwnedFd::from_raw_fd(arguments.reports_fd),
            OwnedFd::from_raw_fd(arguments.orders_fd),
        )
    };
    let mut reporter = Reporter::new(reports);
    let path = arguments.serve.map.as_deref().unwrap_or("".as_ref());
    let map = StreetMap::load(path)?;
    let mut bound = || {
        // Without a parent the orders end too, and so does the engine.
        let _ = reporter.say(&Report::Bound);
    };
    let served = serve::engine(&arguments.serve, map, "demo", Some(orders), &mut bound)?;
    reporter.say(&Report::Served(served))?;
    Ok(Ending::Done)
}
