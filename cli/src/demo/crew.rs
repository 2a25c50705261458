//! The demo's children, as their parent sees them: started, listened to, told to begin, seen off.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rustix::pipe::{pipe_with, PipeFlags};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::child::{Child, ChildError};
use crate::exit::Ending;

use super::error::DemoError;
use super::wire::{listen, News, Report};

/// How long a child may take to be gone after its last word.
const LEAVING: Duration = Duration::from_secs(10);

/// All children of a demo. Dropping it kills those that still run.
pub struct Crew {
    members: Vec<Member>,
    news: Receiver<News>,
    sender: Sender<News>,
}

struct Member {
    name: &'static str,
    child: Option<Child>,
    orders: Option<File>,
    has_ended: bool,
}

/// What the parent hears.
#[derive(Debug)]
pub enum Event {
    /// A child said something.
    Said(usize, Report),
    /// A child says no more.
    Ended(usize),
}

impl Crew {
    /// An empty crew. From now on SIGINT and SIGTERM are news; a second one ends the program at once.
    pub fn new() -> Result<Crew, DemoError> {
        let (sender, news) = channel();
        let signals = Signals::new([SIGINT, SIGTERM]);
        let mut signals = signals.map_err(DemoError::system("wait for signals"))?;
        let heard = sender.clone();
        let wait = move || {
            for (count, _) in signals.forever().enumerate() {
                if count > 0 || heard.send(News::Signal).is_err() {
                    std::process::exit(Ending::Interrupted as i32);
                }
            }
        };
        spawn("signals", wait)?;
        Ok(Crew {
            members: Vec::new(),
            news,
            sender,
        })
    }

    /// Starts a child with its two pipes and the map; returns its place in the crew.
    pub fn start(
        &mut self,
        name: &'static str,
        words: Vec<OsString>,
        map: &File,
    ) -> Result<usize, DemoError> {
        let new_pipe = || {
            pipe_with(PipeFlags::CLOEXEC)
                .map_err(|errno| DemoError::system("make a pipe")(errno.into()))
        };
        let (reports, their_reports) = new_pipe()?;
        let (their_orders, orders) = new_pipe()?;
        let fds = [map.as_fd(), their_reports.as_fd(), their_orders.as_fd()];
        let named = ["map", "reports", "orders"].into_iter().zip(&fds);
        let paths = named.map(|(name, fd)| format!("--{name}=/proc/self/fd/{}", fd.as_raw_fd()));
        let words = words.into_iter().chain(paths.map(OsString::from));
        let child = Child::spawn(name, words, &fds)?;
        let (place, sender) = (self.members.len(), self.sender.clone());
        spawn("reports", move || listen(place, reports, &sender))?;
        self.members.push(Member {
            name,
            child: Some(child),
            orders: Some(orders.into()),
            has_ended: false,
        });
        Ok(place)
    }

    /// The next thing that happens.
    ///
    /// # Errors
    /// [`DemoError::Interrupted`] when that is a signal.
    pub fn next(&mut self) -> Result<Event, DemoError> {
        match self.news.recv() {
            Ok(News::Said(child, report)) => Ok(Event::Said(child, report)),
            Ok(News::Ended(child)) => {
                self.members[child].has_ended = true;
                Ok(Event::Ended(child))
            }
            // The crew itself holds a sender, so the channel cannot end.
            Ok(News::Signal) | Err(_) => Err(DemoError::Interrupted),
        }
    }

    /// Whether a child has ended its reports, so that nothing more will come from it.
    pub fn has_ended(&self, place: usize) -> bool {
        self.members[place].has_ended
    }

    /// Starts a host's clock.
    pub fn order_start(&mut self, place: usize) -> Result<(), DemoError> {
        match &mut self.members[place].orders {
            Some(orders) => orders
                .write_all(b"start\n")
                .map_err(DemoError::system("start a host")),
            None => Ok(()),
        }
    }

    /// Tells a child to leave, by ending its orders.
    pub fn dismiss(&mut self, place: usize) {
        self.members[place].orders = None;
    }

    /// Waits until a child that has ended its reports is gone.
    ///
    /// # Errors
    /// Its own failure; [`DemoError::Interrupted`] if the terminal's Ctrl-C reached it before us.
    pub fn see_off(&mut self, place: usize) -> Result<(), DemoError> {
        let member = &mut self.members[place];
        let Some(child) = member.child.take() else {
            return Ok(());
        };
        match child.finish(LEAVING) {
            Ok(()) => Ok(()),
            Err(ChildError::Failed { status, .. }) if status.signal() == Some(SIGINT) => {
                Err(DemoError::Interrupted)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why a child ended its reports before its last word.
    pub fn failure(&mut self, place: usize) -> DemoError {
        let name = self.members[place].name;
        self.see_off(place)
            .err()
            .unwrap_or(DemoError::Silent { name })
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), DemoError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread
        .map(drop)
        .map_err(DemoError::system("start a thread"))
}
