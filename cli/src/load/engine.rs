//! The engine process of a load: `serve`, which answers each order with what it has taken so far.
//!
//! ```text
//!  orders ─── a line ──▶ usage, at once
//!         ─── its end ─▶ the engine leaves, and says what it has counted
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;

use ironhoard_hunt::map::{MapMemory, StreetMap};
use rustix::pipe::{pipe_with, PipeFlags};

use crate::demo::wire::{open_orders, Report, Reporter};
use crate::demo::DemoError;
use crate::exit::{Ending, Failure};
use crate::serve;
use crate::usage::Usage;

use super::args::LoadEngineArguments;

/// Runs the engine process.
pub fn run(arguments: &LoadEngineArguments) -> Result<Ending, Failure> {
    let reporter = Arc::new(Mutex::new(Reporter::open(&arguments.wire)?));
    let orders = open_orders(&arguments.wire)?;
    let path = arguments.serve.map.as_deref().unwrap_or("".as_ref());
    let map = StreetMap::load_into(path, MapMemory::FileFirst)?;
    let life = answer_orders(orders, reporter.clone())?;
    let mut bound = || say(&reporter, &Report::Bound);
    let served = serve::engine(&arguments.serve, map, "load", Some(life), &mut bound)?;
    say(&reporter, &Report::Served(served));
    Ok(Ending::Done)
}

/// Answers orders on a thread of its own. What is returned hangs up when the orders end.
fn answer_orders(orders: File, reporter: Arc<Mutex<Reporter>>) -> Result<OwnedFd, DemoError> {
    let (life, held) = pipe_with(PipeFlags::CLOEXEC)
        .map_err(|errno| DemoError::system("make a pipe")(errno.into()))?;
    let answer = move || {
        for _ in BufReader::new(orders).lines().map_while(Result::ok) {
            say(&reporter, &Report::Usage(Usage::now()));
        }
        drop(held);
    };
    thread::Builder::new()
        .name("orders".to_owned())
        .spawn(answer)
        .map_err(DemoError::system("start a thread"))?;
    Ok(life)
}

/// A parent that is gone needs no news, and its end ends the engine.
fn say(reporter: &Mutex<Reporter>, report: &Report) {
    if let Ok(mut reporter) = reporter.lock() {
        let _ = reporter.say(report);
    }
}
