//! A host that sends small requests to an echo engine and tells how long they take.
//!
//! ```text
//! cargo run --release --example echo_engine -- /tmp/echo.sock &
//! cargo run --release --example ping -- /tmp/echo.sock
//! ```

use std::time::{Duration, Instant};

use ironhoard::host::Host;

const PINGS: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or("/tmp/echo.sock".into());
    let host = Host::attach(&path)?;
    let terms = host.terms();
    println!(
        "attached to process {}, {} request ring on {}",
        terms.engine_pid, terms.request_capacity, terms.request_pages
    );
    let mut lane = host.lane()?;
    let mut answer = [0; 48];
    let started = Instant::now();
    for ping in 0..PINGS {
        let mut payload = [0; 48];
        payload[..4].copy_from_slice(&ping.to_le_bytes());
        let reply = lane.call(1, &payload, &mut answer, Duration::from_secs(1))?;
        assert_eq!((reply.status, reply.len), (0, 48));
        assert_eq!(answer, payload);
    }
    let each = started.elapsed() / PINGS;
    println!("{PINGS} round trips, {each:?} each");
    Ok(())
}
