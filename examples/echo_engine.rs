//! An engine that answers every request with its own payload.
//!
//! ```text
//! cargo run --release --example echo_engine -- /tmp/echo.sock [core]
//! ```
//!
//! Stop it with a byte on its standard input (Enter) or by closing it.

use std::io::Read;

use ironhoard::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};

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
    let stop = engine.stop_handle();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        stop.stop();
    });
    println!("echoing at {path}; Enter stops");
    let counts = engine.run(|_shard| Echo)?;
    println!("{} requests answered", counts.requests);
    Ok(())
}
