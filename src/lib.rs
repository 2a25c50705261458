//! Ironhoard hands the hot path of a process to a pinned Rust engine through shared memory. A
//! **host** writes a request into a ring, the **engine** reads it in place, and the reply comes back
//! through a second ring: no copy into the kernel, no lock, and no system call while both sides are
//! awake.
//!
//! ```text
//!  host process                                      engine process, one pinned thread a shard
//!  ┌──────────────────────────┐   request ring       ┌──────────────────────────┐
//!  │ claim, write, commit ────┼──▶ [r][r][r][r] ─────┼─▶ poll ─▶ your Handler   │
//!  │ poll, read, release ◀────┼─── [a][a][a][a] ◀────┼── commit ◀── its reply   │
//!  └────────────┬─────────────┘    reply ring        └───────┬──────────────────┘
//!               └── Unix socket: attach, doorbells, death ───┘
//! ```
//!
//! A round trip moves two cache lines between two cores, where both messages fit into 48 bytes. What it
//! costs besides: the engine takes a core (or sleeps, and answers some tens of µs later), and each lane
//! holds two rings of shared memory, 1 MiB each where nobody asks for another size.
//!
//! # Both ends in ten lines each
//!
//! ```
//! use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
//! use ironhoard::host::Host;
//! use std::time::Duration;
//!
//! /// Adds up the bytes of a request.
//! struct Sum;
//!
//! impl Handler for Sum {
//!     fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
//!         let sum: u64 = request.payload().to_vec().iter().map(|&byte| u64::from(byte)).sum();
//!         match reply.write(&sum.to_le_bytes()) {
//!             Ok(()) => Status::OK,
//!             Err(error) => error.into(),
//!         }
//!     }
//! }
//!
//! # let directory = std::env::temp_dir().join(format!("ironhoard-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! let path = directory.join("sum.sock");
//! let engine = Engine::bind(EngineOptions::new(&path))?; // `.cores([3])` pins it
//! let stop = engine.stop_handle();
//! let serving = std::thread::spawn(move || engine.run(|_shard| Sum));
//!
//! let host = Host::attach(&path)?; // in another process, usually
//! let mut lane = host.lane()?;
//! let mut sum = [0; 8];
//! let reply = lane.call(1, &[1, 2, 3], &mut sum, Duration::from_secs(5))?;
//! assert_eq!((reply.status, u64::from_le_bytes(sum)), (0, 6));
//!
//! stop.stop();
//! let counts = serving.join().expect("no panic")?;
//! assert_eq!(counts.requests, 1);
//! # drop((lane, host));
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The way of a request, and where to read it
//!
//! | step | module |
//! |---|---|
//! | a host claims room in its lane and commits a request | [`host`] |
//! | the record becomes visible with one store | [`ring`] |
//! | a shard polls the lane, lets the [`Handler`](engine::Handler) answer, commits the reply | [`engine`] |
//! | the reply travels through a ring of the same kind | [`ring`] |
//! | the host polls it, or sleeps until the doorbell rings | [`host`], [`wait`] |
//! | what concerns all hosts: one writer, many readers | [`event`] |
//! | before all that: who are you, and here is the memory | [`attach`], [`region`] |
//! | where each byte lies | [`layout`] |
//! | pinning, membarrier, the clock | [`sys`] |
//!
//! # Promises
//!
//! Every request gets exactly one reply, in the order of its lane. A reply means that the engine
//! computed it. Neither side can write, shrink or take away the other's memory. A host's death harms
//! nobody else; when an engine dies, hosts resume with the next one at the same path, if its handler
//! [says](engine::Handler::resumable) that it keeps no state. Otherwise, calls end with an error that
//! says that they may have been executed.
//!
//! # Features
//!
//! * `named`, off by default: the module `named` and `region::NamedRegion`, the same rings over memory with
//!   a name, served by polling, for processes that cannot be passed a descriptor. Weaker promises, stated
//!   there.
//!
//! # More
//!
//! In the repository: `README.md`, `docs/ARCHITECTURE.md` (how it works), `docs/LAYOUT.md` (each byte, for
//! hosts in other languages), `docs/OPERATIONS.md` (pages, pinning, containers, messages and what to do),
//! `docs/ORDERING.md` (each release and its acquire), `docs/decisions/` (why it is so).
//!
//! Linux only, on 64-bit little-endian machines; developed and tested on x86-64.
#![warn(missing_docs)]

pub mod attach;
pub mod engine;
pub mod event;
mod ffi;
pub mod host;
mod lane;
pub mod layout;
mod lull;
#[cfg(feature = "named")]
pub mod named;
pub mod region;
pub mod ring;
pub mod sys;
pub mod wait;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
