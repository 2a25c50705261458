//! A host that sends requests of many sizes to an echo engine, compares every byte of every reply, and
//! tells how long a round trip takes.
//!
//! ```text
//! cargo run --release --example echo_engine -- /tmp/echo.sock &
//! cargo run --release --example ping -- /tmp/echo.sock [COUNT]
//! ```
//!
//! The same program in the other languages: `examples/c/ping.c`, `examples/cpp/ping.cpp`,
//! `examples/go/ping`.

use std::time::{Duration, Instant};

use ironhoard::host::Host;

/// No payload is larger.
const LARGEST: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("/tmp/echo.sock".into());
    let count: u32 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let host = Host::attach(&path)?;
    let mut lane = host.lane()?;
    let (mut payload, mut answer) = ([0; LARGEST], [0; LARGEST]);
    let started = Instant::now();
    for ping in 0..count {
        let sent = fill(&mut payload, ping);
        let reply = lane.call(1, sent, &mut answer, Duration::from_secs(5))?;
        if reply.status != 0 || reply.len != sent.len() || answer[..reply.len] != *sent {
            return Err(format!("reply {ping} is not its request: {reply:?}").into());
        }
    }
    let each = started.elapsed() / count.max(1);
    println!("{count} round trips, {each:?} each");
    Ok(())
}

/// The payload of one ping: most are small, every eighth is up to 4 KiB, no two neighbours are alike.
fn fill(payload: &mut [u8; LARGEST], ping: u32) -> &[u8] {
    let largest = if ping % 8 == 7 { LARGEST } else { 64 };
    let len = ping.wrapping_mul(2_654_435_761) as usize % (largest + 1);
    for (index, byte) in payload[..len].iter_mut().enumerate() {
        *byte = ping.wrapping_mul(31).wrapping_add(index as u32 * 7) as u8;
    }
    &payload[..len]
}
