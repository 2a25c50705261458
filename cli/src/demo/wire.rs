//! What the processes of a demo say to each other, outside of the rings: lines of JSON in pipes.
//!
//! ```text
//!  parent ◀── reports: bound, served │ ready, progress, result ──  engine │ hosts
//!  parent ─── orders: a line starts the clock; the pipe's end means: leave ──▶
//! ```
//!
//! A pipe ends when its last holder dies, so nobody needs a deadline to notice that.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;

use serde::{Deserialize, Serialize};

use crate::load::result::Found;
use crate::serve::Served;
use crate::usage::Usage;

use super::args::WireArguments;
use super::error::DemoError;
use super::result::HostResult;

/// One line of a report.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Engine: hosts may attach.
    Bound,
    /// Engine: what it has done; its last word.
    Served(Served),
    /// Host: attached, and the first moves are prepared.
    Ready,
    /// Host: moves prepared and moves sent so far, added up.
    Progress(u64),
    /// Host: its last word.
    Result(Box<HostResult>),
    /// Engine of a load: what it has taken of the machine so far; its answer to each order.
    Usage(Usage),
    /// Host of a load: its last word.
    Found(Box<Found>),
}

/// A child's end of the report pipe.
pub struct Reporter(File);

impl Reporter {
    /// Opens the pipe to the parent.
    pub fn open(wire: &WireArguments) -> Result<Reporter, DemoError> {
        let pipe = File::options().write(true).open(&wire.reports);
        Ok(Reporter(
            pipe.map_err(DemoError::system("open the reports"))?,
        ))
    }

    /// Says one line.
    pub fn say(&mut self, report: &Report) -> Result<(), DemoError> {
        let mut line = serde_json::to_vec(report)
            .map_err(|error| DemoError::system("write a report")(error.into()))?;
        line.push(b'\n');
        self.0
            .write_all(&line)
            .map_err(DemoError::system("report to the parent"))
    }
}

/// Opens the pipe from the parent.
pub fn open_orders(wire: &WireArguments) -> Result<File, DemoError> {
    File::open(&wire.orders).map_err(DemoError::system("open the orders"))
}

/// Waits for the order to start; says whether it came. The end of the pipe is the end of the parent.
pub fn wait_for_order(orders: File) -> bool {
    matches!(
        BufReader::new(orders).read_line(&mut String::new()),
        Ok(1..)
    )
}

/// What reaches the parent, and from which of its children.
#[derive(Debug)]
pub enum News {
    /// A child said something.
    Said(usize, Report),
    /// A child's pipe has ended.
    Ended(usize),
    /// SIGINT or SIGTERM.
    Signal,
}

/// Passes on what comes from a child until its pipe ends. What is no report ends it too.
pub fn listen(child: usize, pipe: OwnedFd, news: &Sender<News>) {
    for line in BufReader::new(File::from(pipe)).lines() {
        let report = line.ok().and_then(|line| serde_json::from_str(&line).ok());
        let Some(report) = report else { break };
        if news.send(News::Said(child, report)).is_err() {
            return;
        }
    }
    // Nobody left to hear it is fine.
    let _ = news.send(News::Ended(child));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn reports_arrive_in_order_and_nonsense_ends_them() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut reporter = Reporter(writer.into());
        reporter.say(&Report::Bound).unwrap();
        reporter.say(&Report::Progress(7)).unwrap();
        reporter.0.write_all(b"nonsense\n").unwrap();
        drop(reporter);
        let (sender, receiver) = channel();
        listen(3, reader, &sender);
        drop(sender);
        let news: Vec<News> = receiver.iter().collect();
        assert!(matches!(
            news[..],
            [
                News::Said(3, Report::Bound),
                News::Said(3, Report::Progress(7)),
                News::Ended(3)
            ]
        ));
    }
}
