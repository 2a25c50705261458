//! `ironhoard bench wake`: how long a parked engine takes to look at a request.
//!
//! ```text
//!   bare ── commits ── bare ── commits ── bare …       once asleep for 50 µs, once for 1 ms
//! ```
//!
//! The host spins while the engine sleeps, and reads the clock just before it commits or sends its
//! byte. How deep a core sleeps depends on how long it does, hence the two times.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ironhoard::host::HostOptions;
use rustix::net::{send, socketpair, AddressFamily, SendFlags, SocketFlags, SocketType};
use serde::Serialize;

use crate::args::WakeArguments;
use crate::cores::CorePair;
use crate::exit::{Ending, Failure};
use crate::report::{self, nanoseconds, Report};

use super::attached::{self, Attached, BenchError, Setup, Started, PATIENCE};
use super::floor::{wait, Kind, Lines};
use super::samples::Samples;
use super::turns::{Moment, Turns, TurnsSummary};
use super::wake::{BARE, WAKE};

/// Wake-ups of one half slice, by how long the engine sleeps.
const SHORT: Sleep = Sleep {
    asleep: Duration::from_micros(50),
    wake_ups: 32,
};
const LONG: Sleep = Sleep {
    asleep: Duration::from_millis(1),
    wake_ups: 8,
};
/// How long the engine is left alone to see what it uses meanwhile.
const IDLE: Duration = Duration::from_secs(2);
/// Rounds the host spins for a reply: longer than any wake-up takes.
const SPIN: u32 = 1 << 20;

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct WakeResult {
    bench: &'static str,
    wake_50us_p50_ns: Option<f64>,
    wake_1ms_p50_ns: Option<f64>,
    bare_50us_p50_ns: Option<f64>,
    bare_1ms_p50_ns: Option<f64>,
    ratio_50us: Option<f64>,
    ratio_1ms: Option<f64>,
    /// What all threads of the parked engine used, in percent of one core.
    idle_cpu_percent: f64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    slices: usize,
    slices_dropped: usize,
    too_busy: bool,
    asleep_50us: TurnsSummary,
    asleep_1ms: TurnsSummary,
}

/// How long the engine sleeps before it is woken, and how often in half a slice.
#[derive(Clone, Copy, Debug)]
struct Sleep {
    asleep: Duration,
    wake_ups: u64,
}

/// The measuring side.
struct Bench<'m> {
    attached: Attached<'m>,
    lines: &'m Lines,
    bell: OwnedFd,
    sleep: Sleep,
    samples: Samples,
}

/// Runs `bench wake`.
pub fn run(arguments: &WakeArguments, report: &Report) -> Result<Ending, Failure> {
    let measuring = &arguments.measuring;
    let cores = CorePair::choose(measuring.engine_core, measuring.host_core)?;
    let (ours, theirs) = doorbell()?;
    let started = Started::new(Setup {
        cores,
        wait: "park",
        ring: None,
        bell: Some(theirs),
    })?;
    let outcome = measure(&started, ours, cores, arguments, report);
    let result = started.finish(outcome)?;
    report.show(&result, as_table)?;
    Ok(Ending::of_measurement(result.too_busy))
}

fn doorbell() -> Result<(OwnedFd, OwnedFd), BenchError> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(BenchError::kernel("a socketpair"))
}

fn measure(
    started: &Started,
    bell: OwnedFd,
    cores: CorePair,
    arguments: &WakeArguments,
    report: &Report,
) -> Result<WakeResult, BenchError> {
    let options = HostOptions {
        spin: SPIN,
        ..HostOptions::default()
    };
    let attached = started.attach(cores.host, options)?;
    let idle_cpu_percent = idle_cpu_percent(started.engine_pid())?;
    let clock = attached.clock.name();
    let mut bench = Bench {
        attached,
        lines: started.memory.lines(),
        bell,
        sleep: SHORT,
        samples: Samples::with_capacity(SHORT.wake_ups as usize),
    };
    let wanted = arguments.measuring.slices as usize;
    let short = collect(&mut bench, SHORT, wanted, report)?;
    let long = collect(&mut bench, LONG, wanted, report)?;
    bench.attached.end()?;
    let ([ratio_50us], asleep_50us) = short.summarise();
    let ([ratio_1ms], asleep_1ms) = long.summarise();
    Ok(WakeResult {
        bench: "wake",
        wake_50us_p50_ns: short.work_ns(0),
        wake_1ms_p50_ns: long.work_ns(0),
        bare_50us_p50_ns: short.floor_ns(),
        bare_1ms_p50_ns: long.floor_ns(),
        ratio_50us,
        ratio_1ms,
        idle_cpu_percent,
        engine_core: cores.engine,
        host_core: cores.host,
        clock,
        slices: asleep_50us.slices + asleep_1ms.slices,
        slices_dropped: asleep_50us.slices_dropped + asleep_1ms.slices_dropped,
        too_busy: asleep_50us.too_busy || asleep_1ms.too_busy,
        asleep_50us,
        asleep_1ms,
    })
}

fn collect(
    bench: &mut Bench<'_>,
    sleep: Sleep,
    wanted: usize,
    report: &Report,
) -> Result<Turns<1>, BenchError> {
    bench.sleep = sleep;
    Turns::collect(["wake"], bench, wanted, report, Bench::bare, Bench::commits)
}

impl Bench<'_> {
    /// Bare wake-ups, and the walking floor of the moment.
    fn bare(&mut self) -> Result<Moment, BenchError> {
        let walking = self.attached.floor(Kind::Walking, true)?;
        self.samples.clear();
        // The number of the last request's last wake-up must not be taken for one of this request.
        self.lines.stream_sum.0[2].store(0, Ordering::Relaxed); // nobody else writes it now
        attached::send(&mut self.attached.lane, BARE, &[self.sleep.wake_ups])?;
        for number in 1..=self.sleep.wake_ups {
            self.spin();
            let start = self.attached.clock.ticks();
            send(&self.bell, &[1], SendFlags::NOSIGNAL)
                .map_err(BenchError::kernel("a byte on a socketpair"))?;
            wait::<1>(&self.lines.stream_sum.0[2], number)?;
            // Relaxed: ordered by the acquire load in `wait`.
            let stamp = self.lines.stream_sum.0[1].load(Ordering::Relaxed);
            self.push(stamp.wrapping_sub(start))?;
        }
        self.attached.take_reply()?;
        Ok(Moment {
            distance_ns: walking.p50_ns,
            floor_ns: self.median_ns(),
        })
    }

    /// Wake-ups by committing a request.
    fn commits(&mut self, _kind: usize) -> Result<f64, BenchError> {
        self.samples.clear();
        for _ in 0..self.sleep.wake_ups {
            self.spin();
            let clock = self.attached.clock;
            let ticks = self.attached.lane.call_with(
                WAKE,
                8,
                |claim| claim.put_u64(0, clock.ticks()),
                |status, reply| match status {
                    0 => Ok(reply.u64_at(0).unwrap_or(0)),
                    status => Err(BenchError::Status { status }),
                },
                PATIENCE,
            )??;
            self.push(ticks)?;
        }
        Ok(self.median_ns())
    }

    /// Leaves the engine asleep for as long as is asked.
    fn spin(&self) {
        let start = Instant::now();
        while start.elapsed() < self.sleep.asleep {
            std::hint::spin_loop();
        }
    }

    /// Adds a sample; two cores whose clocks disagree would give a negative one.
    fn push(&mut self, ticks: u64) -> Result<(), BenchError> {
        if ticks as i64 <= 0 {
            return Err(BenchError::Clocks);
        }
        self.samples.push(ticks);
        Ok(())
    }

    fn median_ns(&mut self) -> f64 {
        let reading = self.samples.reading(&self.attached.clock);
        reading.expect("wake-ups leave samples").p50_ns
    }
}

/// What all threads of a process use of a core while nobody asks anything of it, in percent.
fn idle_cpu_percent(pid: u32) -> Result<f64, BenchError> {
    let (start, before) = (Instant::now(), cpu_ns(pid)?);
    std::thread::sleep(IDLE);
    let (elapsed, used) = (start.elapsed(), cpu_ns(pid)?.saturating_sub(before));
    Ok(100.0 * used as f64 / elapsed.as_nanos() as f64)
}

/// Nanoseconds on a core of all threads of a process.
fn cpu_ns(pid: u32) -> Result<u64, BenchError> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let read = || -> std::io::Result<u64> {
        let mut sum = 0;
        for task in std::fs::read_dir(&tasks)? {
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue; // this thread has ended meanwhile
            };
            let first = text.split_whitespace().next();
            sum += first.and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    };
    read().map_err(|cause| BenchError::Schedstat {
        path: tasks.clone(),
        cause,
    })
}

fn as_table(result: &WakeResult) -> String {
    let mut figures = report::table(&["asleep for", "commit to handler", "bare", "ratio"]);
    let mut row = |name: &str, wake: Option<f64>, bare: Option<f64>, ratio: Option<f64>| {
        figures.add_row([
            name.to_owned(),
            nanoseconds(wake),
            nanoseconds(bare),
            report::ratio(ratio),
        ]);
    };
    row(
        "50 µs",
        result.wake_50us_p50_ns,
        result.bare_50us_p50_ns,
        result.ratio_50us,
    );
    row(
        "1 ms",
        result.wake_1ms_p50_ns,
        result.bare_1ms_p50_ns,
        result.ratio_1ms,
    );
    let notes = [&result.asleep_50us, &result.asleep_1ms].map(|summary| summary.note.as_deref());
    let note = notes.into_iter().flatten().next();
    format!(
        "{figures}\n\nthe parked engine used {:.2} % of a core; engine on core {}, host on core {}, \
         clock {}; {} slices kept, {} dropped{}",
        result.idle_cpu_percent,
        result.engine_core,
        result.host_core,
        result.clock,
        result.slices,
        result.slices_dropped,
        report::note(note),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_its_core_and_a_missing_one_is_an_error() {
        let before = cpu_ns(std::process::id()).unwrap();
        let start = Instant::now();
        while cpu_ns(std::process::id()).unwrap() == before {
            // The kernel counts by the tick, and on a busy machine the first may be long in coming.
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        assert!(cpu_ns(u32::MAX).is_err());
    }
}
