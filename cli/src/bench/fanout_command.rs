//! `ironhoard bench fanout`: one event to all hosts, and what a stopped host costs the engine.
//!
//! * Hosts asleep, one event now and then: how long from just before the publish until the last
//!   player of a host has it; and until the last player of the last host has it.
//! * Requests that each publish an event, as many as go through: with nobody listening, and with a
//!   host that was stopped in its sleep, in turns.

use std::time::{Duration, Instant};

use clap::Args;
use ironhoard::host::{HostError, HostOptions};
use serde::Serialize;

use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, nanoseconds, Report};

use super::attached::{send, Attached, BenchError, Setup, Started, PATIENCE};
use super::engine::{EVENT_CAPACITY, FINISH, PUBLISH};
use super::fanout::Listener;
use super::floor::Kind;
use super::turns::{Moment, Turns, TurnsSummary};

/// Requests of half a slice.
const REQUESTS: u64 = 8192;
/// Requests before those: more than a lap of the event ring. A listener that has just come has read all of
/// it, and getting those lines back is the cost of a reader, not of one that stands still.
const WARM_UP: u64 = EVENT_CAPACITY / 64 + 1024;
/// As long as this the engine takes to forget a listener that was killed.
const SETTLED: Duration = Duration::from_millis(3);

pub const EXAMPLES: &str = "\
Examples:
  ironhoard bench fanout                           8 hosts, 2500 players
  ironhoard bench fanout --hosts 2 --json          for a script

Exit codes: 0 done, 1 an event was lost, 2 usage, 3 environment, 4 a process failed,
5 machine too busy, 6 the report could not be written.";

/// Options of `bench fanout`.
#[derive(Debug, Args)]
pub struct FanoutArguments {
    /// Host processes that listen.
    #[arg(long, value_name = "COUNT", default_value_t = 8,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub hosts: u64,

    /// Players of all hosts together; each event is given to each of them.
    #[arg(long, value_name = "COUNT", default_value_t = 2500,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub players: u64,

    /// Events, one at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..=50_000))]
    pub events: u64,

    /// Time between two events, in microseconds: hosts fall asleep meanwhile.
    #[arg(long, value_name = "US", default_value_t = 2000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub pause: u64,

    /// Core of the engine process [default: the second this process may use].
    #[arg(long, value_name = "CORE")]
    pub engine_core: Option<usize>,

    /// Steady slices with a stopped host to collect.
    #[arg(long, value_name = "COUNT", default_value_t = 120,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub slices: u32,
}

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct FanoutResult {
    bench: &'static str,
    hosts: u64,
    players: u64,
    events: u64,
    lost: u64,
    /// Publish to the last player of a host.
    read_p50_ns: f64,
    read_p99_ns: f64,
    read_max_ns: f64,
    /// Publish to the last player of the last host.
    all_p50_ns: f64,
    all_p99_ns: f64,
    /// A request that publishes an event, with nobody listening.
    alone_ns: Option<f64>,
    /// The same with a host that was stopped in its sleep.
    stopped_ns: Option<f64>,
    ratio_stopped: Option<f64>,
    engine_core: usize,
    cores: usize,
    clock: &'static str,
    #[serde(flatten)]
    summary: TurnsSummary,
}

/// Runs `bench fanout`.
pub fn run(arguments: &FanoutArguments, report: &Report) -> Result<Ending, Failure> {
    let allowed = crate::cores::allowed()?.len();
    let cores = CorePair::choose(arguments.engine_core, None)?;
    let started = Started::new(Setup {
        cores,
        wait: "spin",
        ring: None,
        bell: None,
    })?;
    let outcome = measure(&started, cores, allowed, arguments, report);
    let result = started.finish(outcome)?;
    report.show(&result, as_table)?;
    Ok(match (result.lost, result.summary.too_busy) {
        (1.., _) => Ending::Wrong,
        (0, true) => Ending::TooBusy,
        (0, false) => Ending::Done,
    })
}

fn measure(
    started: &Started,
    cores: CorePair,
    allowed: usize,
    arguments: &FanoutArguments,
    report: &Report,
) -> Result<FanoutResult, BenchError> {
    let mut attached = started.attach_unpinned(HostOptions::default())?;
    let mut hosts = fan_out(started, &mut attached, arguments)?;
    crate::cores::pin(cores.host)?;
    let clock = attached.clock;
    let mut bench = Bench { started, attached };
    let wanted = arguments.slices as usize;
    let turns = Turns::collect(
        ["stopped"],
        &mut bench,
        wanted,
        report,
        Bench::alone,
        |bench, _| bench.beside_a_stopped_host(),
    )?;
    bench.attached.end()?;
    let ([ratio_stopped], summary) = turns.summarise();
    let ns = |ticks: u64| clock.ns(ticks);
    let taken: u64 = hosts.iter().map(|host| host.len() as u64).sum();
    let mut all: Vec<u64> = (0..arguments.events as usize)
        .filter_map(|event| {
            hosts
                .iter()
                .map(|host| host.get(event).copied())
                .max()
                .flatten()
        })
        .collect();
    let mut each: Vec<u64> = hosts.drain(..).flatten().collect();
    Ok(FanoutResult {
        bench: "fanout",
        hosts: arguments.hosts,
        players: arguments.players,
        events: arguments.events,
        lost: arguments.events * arguments.hosts - taken,
        read_p50_ns: ns(quantile(&mut each, 0.5)),
        read_p99_ns: ns(quantile(&mut each, 0.99)),
        read_max_ns: ns(quantile(&mut each, 1.0)),
        all_p50_ns: ns(quantile(&mut all, 0.5)),
        all_p99_ns: ns(quantile(&mut all, 0.99)),
        alone_ns: turns.floor_ns(),
        stopped_ns: turns.work_ns(0),
        ratio_stopped,
        engine_core: cores.engine,
        cores: allowed,
        clock: clock.name(),
        summary,
    })
}

/// Publishes events, one at a time, to hosts that sleep; their samples, one vector a host.
fn fan_out(
    started: &Started,
    attached: &mut Attached<'_>,
    arguments: &FanoutArguments,
) -> Result<Vec<Vec<u64>>, BenchError> {
    let players = arguments.players.div_ceil(arguments.hosts) as usize;
    let listener = |_| Listener::start(&started.socket(), players);
    let mut hosts = (0..arguments.hosts)
        .map(listener)
        .collect::<Result<Vec<_>, _>>()?;
    hosts.iter_mut().try_for_each(Listener::wait_asleep)?;
    for _ in 0..arguments.events {
        std::thread::sleep(Duration::from_micros(arguments.pause));
        send(&mut attached.lane, PUBLISH, &[])?;
        attached.take_reply()?;
    }
    std::thread::sleep(Duration::from_micros(arguments.pause));
    send(&mut attached.lane, FINISH, &[])?;
    attached.take_reply()?;
    hosts.into_iter().map(Listener::finish).collect()
}

/// The value below which this share of the values lies; sorts them.
fn quantile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    let rank = (values.len() as f64 * share) as usize;
    values
        .get(rank.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0)
}

/// The measuring side of the second part.
struct Bench<'m> {
    started: &'m Started,
    attached: Attached<'m>,
}

impl Bench<'_> {
    /// Nobody listens; and the walking floor of the moment.
    fn alone(&mut self) -> Result<Moment, BenchError> {
        let walking = self.attached.floor(Kind::Walking, true)?;
        Ok(Moment {
            distance_ns: walking.p50_ns,
            floor_ns: self.publish_many()?,
        })
    }

    /// A host sleeps, is stopped, and stays so.
    fn beside_a_stopped_host(&mut self) -> Result<f64, BenchError> {
        let mut listener = Listener::start(&self.started.socket(), 1)?;
        listener.wait_asleep()?;
        listener.stop()?;
        let ns = self.publish_many()?;
        drop(listener);
        std::thread::sleep(SETTLED);
        Ok(ns)
    }

    /// Requests that each publish an event, the lane kept full; nanoseconds each.
    fn publish_many(&mut self) -> Result<f64, BenchError> {
        self.exchange(WARM_UP)?;
        let start = self.attached.clock.ticks();
        self.exchange(REQUESTS)?;
        let ticks = self.attached.clock.ticks() - start;
        Ok(self.attached.clock.ns(ticks) / REQUESTS as f64)
    }

    fn exchange(&mut self, requests: u64) -> Result<(), BenchError> {
        let lane = &mut self.attached.lane;
        let (mut sent, mut taken) = (0, 0);
        let start = Instant::now();
        while taken < requests {
            while sent < requests {
                match lane.claim(48) {
                    Ok(claim) => drop(claim.commit(PUBLISH)),
                    Err(HostError::Full) => break,
                    Err(error) => return Err(error.into()),
                }
                sent += 1;
            }
            let before = taken;
            let mut replies = lane.poll(256)?;
            while let Some(reply) = replies.next().map_err(HostError::from)? {
                match reply.kind() {
                    0 => taken += 1,
                    status => return Err(BenchError::Status { status }),
                }
            }
            if taken == before && start.elapsed() > PATIENCE {
                return Err(BenchError::NotReady);
            }
        }
        Ok(())
    }
}

fn as_table(result: &FanoutResult) -> String {
    let mut figures = report::table(&["publish to", "p50", "p99", "longest"]);
    figures.add_row([
        "a host's last player".to_owned(),
        nanoseconds(result.read_p50_ns),
        nanoseconds(result.read_p99_ns),
        nanoseconds(result.read_max_ns),
    ]);
    figures.add_row([
        "the last player of all".to_owned(),
        nanoseconds(result.all_p50_ns),
        nanoseconds(result.all_p99_ns),
        String::new(),
    ]);
    format!(
        "{figures}\n\n{} events to {} players on {} sleeping hosts, {} lost; engine on core {} of {}, \
         clock {}\na request that publishes: {} with nobody listening, {} beside a stopped host, \
         ratio {}; {} slices kept, {} dropped{}",
        result.events,
        result.players,
        result.hosts,
        result.lost,
        result.engine_core,
        result.cores,
        result.clock,
        nanoseconds(result.alone_ns),
        nanoseconds(result.stopped_ns),
        report::ratio(result.ratio_stopped),
        result.summary.slices,
        result.summary.slices_dropped,
        report::note(result.summary.note.as_deref()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values_are_values() {
        let mut values = [30, 10, 20];
        assert_eq!(quantile(&mut values, 0.5), 20);
        assert_eq!(quantile(&mut values, 1.0), 30);
        assert_eq!(quantile(&mut [], 0.99), 0);
    }
}
