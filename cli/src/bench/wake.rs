//! Waking a sleeper: through the library's doorbell, and with nothing but a doorbell.
//!
//! ```text
//!   commit: stamp, request, need_wakeup? ─ one byte ─▶ epoll ─▶ shard ─▶ handler: stamp
//!   bare:   stamp,                         one byte ─▶ epoll ─▶ stamp
//! ```
//!
//! The bare wake-up is one byte over a socketpair to an `epoll_wait` and no more. It runs inside the
//! handler, on the thread and the core which the library wakes otherwise.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ironhoard::engine::{Handler, Reply, Request, Status};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};

use super::clock::Clock;
use super::engine::{Bench, MISFORMED, STALLED};
use super::floor::Lines;

/// Kind: reply the ticks from the stamp in the payload to the handler's first instruction.
pub const WAKE: u16 = 6;
/// Kind: be woken so many times by the bare doorbell; each stamp goes to the floors' memory.
pub const BARE: u16 = 7;

/// Without a byte for this long the sleeper gives up.
const PATIENCE: Duration = Duration::from_secs(3);

/// The bare doorbell's sleeping end.
pub struct BareBell {
    socket: OwnedFd,
    epoll: OwnedFd,
}

impl BareBell {
    /// A sleeper on `socket`.
    pub fn new(socket: OwnedFd) -> Result<BareBell, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(0);
        epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
        Ok(BareBell { socket, epoll })
    }

    /// Sleeps until the byte comes; gives the stamp of the moment in which it woke.
    fn sleep(&self, clock: &Clock) -> Result<u64, Errno> {
        let mut events = [MaybeUninit::uninit(); 8];
        let patience = rustix::event::Timespec {
            tv_sec: PATIENCE.as_secs() as i64,
            tv_nsec: 0,
        };
        let (events, _) = epoll::wait(&self.epoll, &mut events, Some(&patience))?;
        let stamp = clock.ticks();
        if events.is_empty() {
            return Err(Errno::TIMEDOUT);
        }
        let mut byte = [0u8; 1];
        recv(&self.socket, &mut byte, RecvFlags::DONTWAIT)?;
        Ok(stamp)
    }
}

/// The benchmark's handler with a stamp before everything else.
pub struct Stamping<'m> {
    /// What answers all other kinds.
    pub bench: Bench<'m>,
    /// The bare doorbell.
    pub bell: &'m BareBell,
    /// The clock which both processes read.
    pub clock: Clock,
}

impl Handler for Stamping<'_> {
    #[inline]
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let now = self.clock.ticks();
        match request.kind() {
            WAKE => woken(now, request, reply),
            BARE => self.bare(request),
            _ => self.bench.handle(request, reply),
        }
    }

    fn largest_reply(&self) -> Option<usize> {
        self.bench.largest_reply()
    }
}

fn woken(now: u64, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
    let Some(committed) = request.payload().u64_at(0) else {
        return MISFORMED;
    };
    match reply.write(&now.wrapping_sub(committed).to_le_bytes()) {
        Ok(()) => Status::OK,
        Err(error) => error.into(),
    }
}

impl Stamping<'_> {
    fn bare(&self, request: &Request<'_>) -> Status {
        let Some(count) = request.payload().u64_at(0) else {
            return MISFORMED;
        };
        for number in 1..=count {
            match self.bell.sleep(&self.clock) {
                Ok(stamp) => tell(self.bench.lines, number, stamp),
                Err(_) => return STALLED,
            }
        }
        Status::OK
    }
}

/// Hands a stamp to the waker; `number` counts from 1 in each request.
fn tell(lines: &Lines, number: u64, stamp: u64) {
    // Relaxed: made visible by the release store of the number.
    lines.stream_sum.0[1].store(stamp, Ordering::Relaxed);
    // Release: partner of the acquire load in `wait`, called by the waker.
    lines.stream_sum.0[2].store(number, Ordering::Release);
}
