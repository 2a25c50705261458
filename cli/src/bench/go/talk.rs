//! Speaking with a program in Go: one line asks, one line answers, timings follow as bytes.
//!
//! ```text
//!   we:    call 1024 2048 48                              a word and whole numbers
//!   it:    ok 0 2048            + 2048 × u32              numbers, the last says how many timings follow
//!     or   error the engine is gone
//!     or   wrong a reply differs from its request
//! ```
//!
//! Between two questions the program sleeps in a read, so that the core is ours; while it works we
//! sleep in a poll. Timings are ticks of the clock which it was told to read.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::child::Child;

use super::GoError;

/// The longest silence.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a program may take to end.
const END: Duration = Duration::from_secs(5);
/// The most timings of one answer; more are nonsense.
const MOST_TIMINGS: u64 = 1 << 24;

/// A running program in Go.
pub struct Talk {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    /// The numbers, without that of the timings.
    pub numbers: Vec<u64>,
    /// The timings, in ticks.
    pub timings: Vec<u32>,
}

impl Answer {
    /// The number at `place`.
    pub fn number(&self, place: usize) -> Result<u64, GoError> {
        let numbers = &self.numbers;
        let missing = || GoError::Said(format!("{numbers:?} without a number {place}"));
        numbers.get(place).copied().ok_or_else(missing)
    }
}

impl Talk {
    /// Starts `program` on the cores of this thread and waits for its first answer.
    pub fn start(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Talk, Answer), GoError> {
        let (child, to, from) = Child::spawn_program(name, program, arguments, fds)?;
        let mut talk = Talk {
            child,
            to,
            from: BufReader::new(from),
        };
        let first = talk.answer()?;
        Ok((talk, first))
    }

    /// Asks for something and waits for the answer.
    pub fn ask(&mut self, what: &str, numbers: &[u64]) -> Result<Answer, GoError> {
        self.tell(what, numbers)?;
        self.answer()
    }

    fn tell(&mut self, what: &str, numbers: &[u64]) -> Result<(), GoError> {
        let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let line = format!("{what} {}\n", words.join(" "));
        match self.to.write_all(line.as_bytes()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.gone()),
        }
    }

    fn answer(&mut self) -> Result<Answer, GoError> {
        self.wait()?;
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) | Err(_) => return Err(self.gone()),
            Ok(_) => {}
        }
        let mut answer = parse(line.trim_end())?;
        let count = answer.numbers.pop().unwrap_or(0);
        if count > MOST_TIMINGS {
            return Err(GoError::Said(line));
        }
        let mut bytes = vec![0; 4 * count as usize];
        if self.from.read_exact(&mut bytes).is_err() {
            return Err(self.gone());
        }
        let ticks = bytes.chunks_exact(4);
        answer.timings = ticks
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        Ok(answer)
    }

    /// Waits until it has said something, or is gone.
    fn wait(&mut self) -> Result<(), GoError> {
        if !self.from.buffer().is_empty() {
            return Ok(());
        }
        let patience = Timespec {
            tv_sec: PATIENCE.as_secs() as i64,
            tv_nsec: 0,
        };
        let output = self.from.get_ref().as_fd();
        loop {
            let mut fds = [PollFd::from_borrowed_fd(output, PollFlags::IN)];
            match poll(&mut fds, Some(&patience)) {
                Ok(0) => return Err(GoError::Silent(PATIENCE.as_secs())),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(cause) => return Err(super::BenchError::kernel("a poll")(cause).into()),
            }
        }
    }

    /// Why it has hung up.
    fn gone(&mut self) -> GoError {
        let start = std::time::Instant::now();
        while start.elapsed() < END {
            if let Some(failure) = self.child.failure() {
                return failure.into();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        GoError::Said("nothing any more".to_owned())
    }

    /// Tells it to end, and waits for that.
    pub fn end(self) -> Result<(), GoError> {
        drop(self.to); // the end of its input
        Ok(self.child.finish(END)?)
    }
}

fn parse(line: &str) -> Result<Answer, GoError> {
    let said = || GoError::Said(line.to_owned());
    if let Some(reason) = line.strip_prefix("error ") {
        return Err(GoError::Failed(reason.to_owned()));
    }
    if let Some(what) = line.strip_prefix("wrong ") {
        return Err(GoError::Wrong(what.to_owned()));
    }
    let mut words = line.split(' ');
    if words.next() != Some("ok") {
        return Err(said());
    }
    let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
    Ok(Answer {
        numbers: numbers.map_err(|_| said())?,
        timings: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_numbers_or_reasons() {
        assert_eq!(parse("ok 3 0").unwrap().numbers, [3, 0]);
        assert!(
            matches!(parse("error no engine"), Err(GoError::Failed(reason)) if reason == "no engine")
        );
        for nonsense in ["", "ok x", "ok 1 -2", "hello 3", "ok  1"] {
            assert!(
                matches!(parse(nonsense), Err(GoError::Said(_))),
                "{nonsense}"
            );
        }
        assert!(parse("ok 7").unwrap().number(1).is_err());
    }

    fn shell(script: &str) -> Result<(Talk, Answer), GoError> {
        let arguments = ["-c".into(), script.into()];
        Talk::start("shell", Path::new("/bin/sh"), arguments, &[])
    }

    #[test]
    fn timings_follow_their_line() {
        let script = r"read line; echo $line >&2; printf 'ok 1 0\nok 5 2\n\001\000\000\000\000\001\000\000'; cat";
        let script = format!("echo ok 0; {script}");
        let (mut talk, first) = shell(&script).unwrap();
        assert!(first.numbers.is_empty() && first.timings.is_empty());
        assert_eq!(talk.ask("once", &[]).unwrap().numbers, [1]);
        let answer = talk.answer().unwrap();
        assert_eq!((answer.numbers, answer.timings), (vec![5], vec![1, 256]));
        talk.end().unwrap();
    }

    #[test]
    fn a_program_that_ends_early_gives_its_reason() {
        let Err(error) = shell("echo it broke >&2; exit 7") else {
            panic!("it said nothing, and was believed");
        };
        assert!(error.to_string().contains("it broke"), "{error}");
    }
}
