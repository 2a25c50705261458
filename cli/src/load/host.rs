//! The host process of a load: attaches, plans all moves, waits for the start, flies, reports.

use std::sync::Arc;

use ironhoard::attach::Wishes;
use ironhoard::host::{Host, Lane};
use ironhoard::region::PageMode;
use ironhoard_hunt::map::{MapMemory, StreetMap};
use ironhoard_hunt::tag::WorldSecret;

use crate::bench::clock::Clock;
use crate::cores::pin;
use crate::demo::host::{self, preemptions};
use crate::demo::wire::{open_orders, wait_for_order, Report, Reporter};
use crate::demo::DemoError;
use crate::exit::{Ending, Failure};
use crate::usage::waited_for_core;

use super::args::LoadHostArguments;
use super::flight::{fly, Course, Idle};
use super::profile::{Profile, Shape};
use super::result::Found;
use super::sessions::join_all;
use super::stream::Plan;

/// Runs the host process.
pub fn run(arguments: &LoadHostArguments) -> Result<Ending, Failure> {
    let mut reporter = Reporter::open(&arguments.wire)?;
    let orders = open_orders(&arguments.wire)?;
    if let Some(core) = arguments.core {
        pin(core)?;
    }
    let traffic = &arguments.traffic;
    let host = attach(&arguments.socket, traffic.lanes, traffic.pages)?;
    let lanes: Result<Vec<Lane>, _> = (0..traffic.lanes).map(|_| host.lane()).collect();
    let mut lanes = lanes.map_err(DemoError::from)?;
    let shape = Shape {
        profile: arguments.profile,
        rate: arguments.rate,
        seconds: arguments.seconds,
        scale: arguments.scale,
    };
    let plan = plan(arguments, &shape, &mut lanes, &mut reporter)?;
    let course = Course {
        clock: Clock::calibrate(),
        saturates: shape.profile == Profile::Saturated,
        idle: match (arguments.gives_way, arguments.core) {
            (true, _) => Idle::Yield,
            (false, Some(_)) => Idle::Spin,
            (false, None) => Idle::Nap,
        },
    };
    reporter.say(&Report::Ready)?;
    if !wait_for_order(orders) {
        return Ok(Ending::Done); // the parent is gone: nobody wants to know
    }
    let (before, waited_before) = (preemptions(), waited_for_core());
    let flight = fly(&mut lanes, &plan, &course);
    let preempted = preemptions().saturating_sub(before);
    let waited_ns = waited_for_core().saturating_sub(waited_before);
    let mut found = Found::new(plan, &flight, &course.clock, shape.spike());
    let terms = host.terms();
    found.pages = (
        terms.request_pages.to_string(),
        terms.reply_pages.to_string(),
    );
    found.preempted = preempted;
    found.waited_ns = waited_ns;
    reporter.say(&Report::Found(Box::new(found)))?;
    Ok(Ending::Done)
}

/// Attaches with so many lanes.
pub fn attach(socket: &std::path::Path, lanes: u32, pages: PageMode) -> Result<Host, DemoError> {
    let wishes = Wishes {
        lanes,
        pages,
        name: "load".to_owned(),
        ..Wishes::default()
    };
    host::attach(socket, wishes)
}

/// Plans all moves. The map is needed for that alone, so its file's own pages are good enough.
fn plan(
    arguments: &LoadHostArguments,
    shape: &Shape,
    lanes: &mut [Lane],
    reporter: &mut Reporter,
) -> Result<Plan, Failure> {
    let map = Arc::new(StreetMap::load_into(&arguments.map, MapMemory::File)?);
    let due_ns = shape.due_ns();
    let traffic = &arguments.traffic;
    let keys = match traffic.bare {
        true => None,
        false => {
            let secret = WorldSecret::from_seed(traffic.seed);
            Some(join_all(lanes, traffic.players, &secret)?)
        }
    };
    let mut progress = |planned| reporter.say(&Report::Progress(planned));
    Ok(Plan::new(
        &map,
        traffic,
        keys.as_deref(),
        &due_ns,
        &mut progress,
    )?)
}
