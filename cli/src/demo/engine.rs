//! The engine process of a demo: `serve`, with a pipe for its last words and one for its life.

use ironhoard_hunt::map::{MapMemory, StreetMap};

use crate::exit::{Ending, Failure};
use crate::serve;

use super::args::EngineArguments;
use super::wire::{open_orders, Report, Reporter};

/// Runs the engine process.
pub fn run(arguments: &EngineArguments) -> Result<Ending, Failure> {
    let mut reporter = Reporter::open(&arguments.wire)?;
    let orders = open_orders(&arguments.wire)?;
    let path = arguments.serve.map.as_deref().unwrap_or("".as_ref());
    let map = StreetMap::load_into(path, MapMemory::FileFirst)?;
    let mut bound = || {
        // Without a parent the orders end too, and so does the engine.
        let _ = reporter.say(&Report::Bound);
    };
    let served = serve::engine(
        &arguments.serve,
        map,
        "demo",
        Some(orders.into()),
        &mut bound,
    )?;
    reporter.say(&Report::Served(served))?;
    Ok(Ending::Done)
}
