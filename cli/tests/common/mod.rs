//! What the tests of the command share: a folder of their own, the program started in it, and looking
//! at processes from outside.

// Each test program compiles its own copy and uses only a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;

/// A folder that is the program's working and runtime directory, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder with a short path.
    pub fn new(test: &str) -> Folder {
        let path = PathBuf::from(format!("/tmp/ih-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A small generated city in the folder, prepared.
    pub fn city(&self) -> PathBuf {
        let made = self.run("map generate --nodes 2000 --output city.ihmap");
        assert!(made.status.success(), "{}", text(&made.stderr));
        self.path("city.ihmap")
    }

    /// The program, about to be started here.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironhoard"));
        command
            .args(line.split_whitespace())
            .current_dir(&self.0)
            .env("XDG_RUNTIME_DIR", &self.0)
            .env_remove("RUST_LOG");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the binary starts")
    }

    /// Starts the program, with its output to be read later.
    pub fn start(&self, line: &str) -> Running {
        let process = self
            .command(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Running(Some(process))
    }

    /// Starts the program with its log in a file here, to be read while it runs.
    pub fn start_logging(&self, line: &str, log: &str) -> Running {
        let file = std::fs::File::create(self.path(log)).expect("a file for the log");
        let mut command = self.command(line);
        let command = command.stdout(Stdio::null()).stderr(file);
        Running(Some(command.spawn().expect("the binary starts")))
    }

    /// Starts the program for long: nobody reads what it says, and a pipe that is full would stop it.
    pub fn start_unheard(&self, line: &str) -> Running {
        let mut command = self.command(line);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Running(Some(command.spawn().expect("the binary starts")))
    }

    /// Names of the sockets, lock files and temporary files in the folder, sorted.
    pub fn left(&self) -> Vec<String> {
        let is_known = |name: &String| ["city.ihmap", "latency.svg"].contains(&name.as_str());
        let mut names = names(&self.0);
        names.retain(|name| !is_known(name));
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running program; killed if the test fails before it ends.
pub struct Running(Option<Child>);

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.as_ref().expect("present until its end").id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Waits for its end; a minute is too long.
    pub fn end(mut self) -> Output {
        let start = Instant::now();
        let process = self.0.as_mut().expect("present until its end");
        while process.try_wait().expect("a child can be asked").is_none() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the program does not end"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let process = self.0.take().expect("present until its end");
        process.wait_with_output().expect("the program has ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut process) = self.0.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Sends a signal to a process.
pub fn send(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process id");
    kill_process(pid, signal).expect("the process can be signalled");
}

/// The one JSON object on standard output.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "no JSON ({error}): {}\n{}",
            text(&output.stdout),
            text(&output.stderr)
        )
    })
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The child of `parent` whose command line has `word` in it.
pub fn child_with(parent: u32, word: &str) -> Option<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).ok()?;
    let has_word = |child: &u32| {
        let line = std::fs::read_to_string(format!("/proc/{child}/cmdline"));
        line.is_ok_and(|line| line.split('\0').any(|each| each == word))
    };
    children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .find(has_word)
}

/// Whether the process runs; a zombie that nobody has waited for yet does not.
pub fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

/// Waits until something is there.
pub fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "nothing happened for thirty seconds"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Names in /dev/shm that are ours.
pub fn in_shared_memory() -> Vec<String> {
    let mut names = names(Path::new("/dev/shm"));
    names.retain(|name| name.contains("ironhoard"));
    names
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
