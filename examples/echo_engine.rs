//! An engine that answers every request with its own payload.
//!
//! ```text
//! cargo run --release --example echo_engine -- /tmp/echo.sock [CORE]
//! ```
//!
//! Stop it with SIGTERM, or with a byte on its standard input (Enter) or by closing that. The same
//! program in the other languages: `examples/c/echo_engine.c`, `examples/cpp/echo_engine.cpp`.

use std::io::Read;
use std::thread;

use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status, StopHandle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let payload = request.payload();
        match reply.payload(payload.len()) {
            Ok(bytes) => {
                payload.copy_to(bytes);
                Status::OK
            }
            Err(error) => error.into(),
        }
    }

    fn resumable(&self) -> Result<(), String> {
        Ok(()) // no state that could die with the engine
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("/tmp/echo.sock".into());
    let mut options = EngineOptions::new(&path);
    if let Some(core) = arguments.next() {
        options = options.cores([core.parse()?]);
    }
    let engine = Engine::bind(options)?;
    stop_when_told(engine.stop_handle())?;
    println!("echoing at {path}; Enter stops");
    let counts = engine.run(|_shard| Echo)?;
    println!("{} requests answered", counts.requests);
    Ok(())
}

/// Stops the engine at a signal, and at a byte on the standard input or its end.
fn stop_when_told(stop: StopHandle) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let at_a_signal = stop.clone();
    thread::spawn(move || {
        signals.forever().next();
        at_a_signal.stop();
    });
    thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        stop.stop();
    });
    Ok(())
}
