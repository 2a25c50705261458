//! The Go host of the benchmarks, as the measuring side sees it.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use super::super::clock::Clock;
use super::super::samples::Samples;
use super::super::slices::Reading;
use super::talk::{Answer, Talk};
use super::GoError;

/// How a single request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `Client.Call`.
    Call,
    /// `Producer`: claim, commit, flush, poll.
    Lane,
}

/// The Go host process, attached.
pub struct GoHost {
    talk: Talk,
    samples: Samples,
    clock: Clock,
    /// Calls that were timed, and what was allocated meanwhile.
    pub counted: Counted,
}

/// Allocations beside calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Calls.
    pub calls: u64,
    /// Objects that the whole process allocated meanwhile.
    pub allocations: u64,
}

impl GoHost {
    /// Starts the program on the cores of this thread and lets it attach.
    pub fn start(
        program: &Path,
        socket: &Path,
        ring: BorrowedFd<'_>,
        clock: Clock,
        most: usize,
    ) -> Result<GoHost, GoError> {
        let mut socket_argument = OsString::from("-socket=");
        socket_argument.push(socket);
        let arguments = [
            socket_argument,
            format!("-ring-fd={}", ring.as_raw_fd()).into(),
            format!("-clock={}", clock.name()).into(),
        ];
        let (talk, _) = Talk::start("Go host", program, arguments, &[ring])?;
        Ok(GoHost {
            talk,
            samples: Samples::with_capacity(most),
            clock,
            counted: Counted::default(),
        })
    }

    /// So many round trips one after the other, the first `warm_up` of them not timed. Each reply is
    /// compared with its request.
    pub fn round_trips(
        &mut self,
        way: Way,
        (warm_up, timed): (usize, usize),
        payload: usize,
    ) -> Result<Reading, GoError> {
        let what = match way {
            Way::Call => "call",
            Way::Lane => "lane",
        };
        let answer = self
            .talk
            .ask(what, &[warm_up as u64, timed as u64, payload as u64])?;
        self.counted.calls += timed as u64;
        self.counted.allocations += answer.number(0)?;
        self.reading(&answer.timings)
    }

    /// Writes records into the ring beside the lanes, `group` of them visible at a time, claimed at
    /// once or appended one by one; gives the ticks of the timed ones.
    pub fn stream(
        &mut self,
        group: u64,
        appends: bool,
        words: usize,
        (warm_up, timed): (u64, u64),
    ) -> Result<u64, GoError> {
        let numbers = [group, words as u64, warm_up, timed, appends.into()];
        self.talk.ask("stream", &numbers)?.number(0)
    }

    /// Requests and replies of a producer whose window is kept full; gives the ticks of the timed
    /// ones.
    pub fn window(&mut self, words: usize, (warm_up, timed): (u64, u64)) -> Result<u64, GoError> {
        let numbers = [words as u64, warm_up, timed];
        self.talk.ask("window", &numbers)?.number(0)
    }

    /// Asks for something else.
    pub fn ask(&mut self, what: &str, numbers: &[u64]) -> Result<Answer, GoError> {
        self.talk.ask(what, numbers)
    }

    /// What these timings amount to.
    pub fn reading(&mut self, timings: &[u32]) -> Result<Reading, GoError> {
        self.samples.clear();
        for ticks in timings {
            self.samples.push(u64::from(*ticks));
        }
        let nothing = || GoError::Said("no timings".to_owned());
        self.samples.reading(&self.clock).ok_or_else(nothing)
    }

    /// Tells the host to detach and to end.
    pub fn end(self) -> Result<(), GoError> {
        self.talk.end()
    }
}
