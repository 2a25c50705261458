//! A host process of a demo: attaches, prepares its moves, waits for the start, flies, reports.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::host::{Host, HostOptions, Lane};
use ironhoard_hunt::map::StreetMap;

use crate::bench::clock::Clock;
use crate::bench::samples::histogram;
use crate::cores::pin;
use crate::exit::{Ending, Failure};
use crate::serve::{SERVICE, SERVICE_VERSION};

use super::args::HostArguments;
use super::error::DemoError;
use super::load::{Load, Loader};
use super::open_loop::{fly, Course, Flown};
use super::result::{values, HostResult};
use super::wire::{open_orders, wait_for_order, Report, Reporter};

/// How long the engine may take to answer the attach: it may still be setting up its players.
const ATTACH_DEADLINE: Duration = Duration::from_secs(30);

/// Runs a host process.
pub fn run(arguments: &HostArguments) -> Result<Ending, Failure> {
    let reporter = Reporter::open(&arguments.wire)?;
    let orders = open_orders(&arguments.wire)?;
    if let Some(core) = arguments.core {
        pin(core)?;
    }
    let map = Arc::new(StreetMap::load(&arguments.map)?);
    let wishes = Wishes {
        pages: arguments.pages,
        name: format!("demo host {}", arguments.index),
        ..Wishes::default()
    };
    let host = attach(&arguments.socket, wishes)?;
    let lane = host.lane().map_err(DemoError::from)?;
    let mut runner = Runner {
        arguments,
        lane,
        loader: Loader::new(map, arguments)?,
        reporter,
        result: fresh_result(&host),
    };
    runner.run(orders)?;
    Ok(Ending::Done)
}

/// Attaches to an engine of the hunt, with these wishes besides.
pub fn attach(socket: &Path, wishes: Wishes) -> Result<Host, DemoError> {
    let options = HostOptions {
        wishes: Wishes {
            service: SERVICE.to_owned(),
            service_version: SERVICE_VERSION,
            ..wishes
        },
        attach_deadline: ATTACH_DEADLINE,
        // The players' state dies with the engine; there is nothing to resume with.
        patience: None,
        ..HostOptions::default()
    };
    Ok(Host::attach_with(socket, options)?)
}

fn fresh_result(host: &Host) -> HostResult {
    let terms = host.terms();
    let (request, reply) = (terms.request_pages, terms.reply_pages);
    HostResult {
        rate_kept: true,
        pages: (request.to_string(), reply.to_string()),
        page_size: request.bytes().min(reply.bytes()),
        ..HostResult::default()
    }
}

struct Runner<'a> {
    arguments: &'a HostArguments,
    lane: Lane,
    loader: Loader,
    reporter: Reporter,
    result: HostResult,
}

impl Runner<'_> {
    fn run(&mut self, orders: File) -> Result<(), DemoError> {
        let rate = self.arguments.rate.per_second();
        let course = Course {
            clock: Clock::calibrate(),
            interval_ns: rate.map(|rate| 1e9 / rate),
            gives_way: self.arguments.gives_way,
        };
        let mut load = self.prepare()?;
        self.reporter.say(&Report::Ready)?;
        if !wait_for_order(orders) {
            return Ok(()); // the parent is gone: nobody wants to know
        }
        let mut latencies = histogram();
        while let Some(part) = load {
            let before = preemptions();
            let flown = self.fly(&part, &course);
            self.result.preempted += preemptions().saturating_sub(before);
            for ticks in &flown.latencies {
                latencies.saturating_record(course.clock.ns(*ticks) as u64);
            }
            let is_over = flown.trouble.is_some();
            self.result.add(flown, course.interval_ns, &course.clock);
            load = if is_over { None } else { self.prepare()? };
        }
        self.report(values(&latencies))
    }

    fn prepare(&mut self) -> Result<Option<Load>, DemoError> {
        let (reporter, sent) = (&mut self.reporter, self.result.sent);
        let tells = self.arguments.tells_progress;
        self.loader.next(&mut |prepared| match tells {
            true => reporter.say(&Report::Progress(prepared + sent)),
            false => Ok(()),
        })
    }

    fn fly(&mut self, load: &Load, course: &Course) -> Flown {
        let before = self.result.sent + self.result.sent + load.moves.len() as u64;
        let (reporter, tells) = (&mut self.reporter, self.arguments.tells_progress);
        fly(&mut self.lane, load, course, &mut |sent| {
            if tells {
                // A parent that does not hear of it draws no bar; the flight goes on.
                let _ = reporter.say(&Report::Progress(before + sent as u64));
            }
        })
    }

    fn report(&mut self, latencies: Vec<(u64, u64)>) -> Result<(), DemoError> {
        let mut result = std::mem::take(&mut self.result);
        result.latencies = latencies;
        let behaviours = &self.loader.behaviours;
        result.behaviours = behaviours
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        self.reporter.say(&Report::Result(Box::new(result)))
    }
}

/// How often the kernel has taken the core away from this thread, as far as it says.
pub fn preemptions() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preemptions_only_grow() {
        let before = preemptions();
        std::thread::yield_now();
        assert!(preemptions() >= before);
    }
}
