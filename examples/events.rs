//! A host that reads what an engine publishes to all: prints each event of its first event ring.
//!
//! ```text
//! ironhoard serve --map city.ihmap --socket /tmp/hunt.sock &        any engine that has event rings
//! cargo run --release --example events -- /tmp/hunt.sock [COUNT]
//! ```
//!
//! It has no lane, costs the engine nothing while it reads, and ends when COUNT events have come or were
//! lost; without COUNT when the engine is gone. The same program in other languages:
//! `examples/c/events.c`, `examples/go/events`.

use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::host::{EventAnswer, EventReceiver, Host, HostError, HostOptions};

/// Bytes of a payload that are printed.
const SHOWN: usize = 16;

/// What has come so far.
#[derive(Default)]
struct Tally {
    events: u64,
    lost: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: events PATH [COUNT]")?;
    let count: u64 = arguments.next().map_or(Ok(u64::MAX), |text| text.parse())?;
    let options = HostOptions {
        wishes: Wishes {
            name: "events".into(),
            ..Wishes::events_only()
        },
        ..HostOptions::default()
    };
    let host = Host::attach_with(&path, options)?;
    let mut events = host.events(0)?;
    eprintln!("reading events");
    let mut tally = Tally::default();
    match read(&mut events, count, &mut tally) {
        Ok(()) | Err(HostError::Gone { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    println!("{} events, {} lost", tally.events, tally.lost);
    Ok(())
}

fn read(events: &mut EventReceiver, count: u64, tally: &mut Tally) -> Result<(), HostError> {
    let mut payload = vec![0; events.payload_limit()];
    while tally.events + tally.lost < count {
        match events.poll(&mut payload)? {
            EventAnswer::Event(event) => {
                let shown = &payload[..event.copied.min(SHOWN)];
                let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
                let (number, kind, len) = (event.number, event.kind, event.len);
                println!("event {number} of kind {kind}, {len} bytes: {hex}");
                tally.events += 1;
            }
            EventAnswer::Overrun(lost) => {
                println!("{lost} are lost");
                tally.lost += lost.count();
            }
            EventAnswer::NewLife { .. } => println!("another engine: numbers begin anew"),
            EventAnswer::Empty => {
                events.wait(Duration::MAX)?;
            }
        }
    }
    Ok(())
}
