//! The `ironhoard` command. Subcommands are in [`args`], exit codes in [`exit`].

mod args;
mod bench;
mod child;
mod cores;
mod demo;
mod exit;
mod load;
mod map;
mod notes;
mod replay;
mod report;
mod serve;
mod usage;

use std::io::IsTerminal;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use args::{Arguments, Bench, Command, EngineRole};
use exit::{Ending, Failure};
use report::Report;

#[global_allocator]
static ALLOCATOR: usage::Counting = usage::Counting;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // An engine's operator reads its log; everybody else is told what went wrong and no more.
    let level = match arguments.command {
        Command::Serve(_) => LevelFilter::INFO,
        _ => LevelFilter::ERROR,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let report = Report::new(arguments.json);
    match run(arguments.command, &report) {
        Ok(ending) => ending.into(),
        Err(failure) => {
            report.failure(&failure, failure.ending());
            failure.ending().into()
        }
    }
}

fn run(command: Command, report: &Report) -> Result<Ending, Failure> {
    match command {
        Command::Bench {
            bench: Bench::Floor(arguments),
        } => bench::floor_command::run(&arguments, report),
        Command::Demo(arguments) => demo::run(&arguments, report),
        Command::Load(arguments) => load::run(&arguments, report),
        Command::LoadHost(arguments) => load::run_host(&arguments),
        Command::Engine {
            role: EngineRole::Load(arguments),
        } => load::run_engine(&arguments),
        Command::Serve(arguments) => serve::run(&arguments, report),
        Command::Replay(arguments) => replay::run(&arguments, report),
        Command::Map { map } => map::command::run(&map, report),
        Command::Host(arguments) => demo::run_host(&arguments),
        Command::Engine {
            role: EngineRole::Hunt(arguments),
        } => demo::run_engine(&arguments),
        Command::Bench {
            bench: Bench::Rtt(arguments),
        } => bench::rtt_command::run(&arguments, report),
        Command::Bench {
            bench: Bench::C(arguments),
        } => bench::c_command::run(&arguments, report),
        Command::Steps(arguments) => {
            bench::steps::traced(&arguments.socket, arguments.records)?;
            Ok(Ending::Done)
        }
        Command::Bench {
            bench: Bench::Fanin(arguments),
        } => bench::fanin_command::run(&arguments, report),
        Command::Bench {
            bench: Bench::Fanout(arguments),
        } => bench::fanout_command::run(&arguments, report),
        Command::Listener(arguments) => {
            // SAFETY: as below.
            let samples = unsafe { OwnedFd::from_raw_fd(arguments.samples_fd) };
            bench::fanout::listen(&arguments, samples)?;
            Ok(Ending::Done)
        }
        Command::Bench {
            bench: Bench::Wake(arguments),
        } => bench::wake_command::run(&arguments, report),
        Command::Bench {
            bench: Bench::Go(arguments),
        } => bench::go::run(&arguments, report),
        Command::Bench {
            bench: Bench::Stream(arguments),
        } => bench::stream_command::run(&arguments, report),
        Command::Engine {
            role: EngineRole::Bench(arguments),
        } => {
            // SAFETY: as below, for each of the descriptors.
            let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
            let inherited = bench::engine::Inherited {
                memory: own(arguments.memory_fd),
                ring: arguments.ring_fd.map(own),
                bell: arguments.bell_fd.map(own),
            };
            bench::engine::serve(inherited, &arguments.socket, arguments.core, arguments.wait)?;
            Ok(Ending::Done)
        }
        Command::Engine {
            role: EngineRole::Floor { memory_fd, core },
        } => {
            // SAFETY: this process was started with that descriptor, inherited for it alone; a
            // number that is no descriptor makes the first use fail.
            let memory = unsafe { OwnedFd::from_raw_fd(memory_fd) };
            bench::pair::serve(memory, core)?;
            Ok(Ending::Done)
        }
    }
}
