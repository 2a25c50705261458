//! Engines and hosts as real processes: the test binary starts itself again with a role.
//!
//! A role is an ordinary test that does nothing unless the environment names a path for it. The child
//! says `ready` on its standard output when it is, and ends when it is killed or its input closes.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The path a role is asked to work at; `None` in an ordinary test run.
pub fn role_path() -> Option<PathBuf> {
    std::env::var_os("IRONHOARD_TEST_PATH").map(PathBuf::from)
}

/// What else the role was told.
pub fn role_word() -> String {
    std::env::var("IRONHOARD_TEST_WORD").unwrap_or_default()
}

/// Says that this child is ready.
pub fn say_ready() {
    println!("\nready");
}

/// Ends this process when whoever started it closes its input.
pub fn end_with_input(end: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        end();
    });
}

/// A child in a role; killed when dropped.
pub struct Role {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Role {
    /// Starts this test binary in `role` and waits until it is ready.
    pub fn start(role: &str, path: &Path, word: &str) -> Role {
        let mut role = Self::start_unready(role, path, word);
        role.read_until("ready");
        role
    }

    /// As [`Role::start`], without waiting.
    pub fn start_unready(role: &str, path: &Path, word: &str) -> Role {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args([role, "--exact", "--nocapture", "--test-threads=1"])
            .env("IRONHOARD_TEST_PATH", path)
            .env("IRONHOARD_TEST_WORD", word)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the test binary starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Role { child, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads lines until one is `word`.
    pub fn read_until(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            let read = self.output.read_line(&mut line).expect("its output");
            assert_ne!(read, 0, "the child ended before it said {word:?}");
        }
    }

    /// Reads lines until one begins with `word`; the number behind it.
    pub fn read_line_after(&mut self, word: &str) -> u64 {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("its output");
            assert_ne!(read, 0, "the child ended before it said {word:?}");
            if let Some(number) = line.trim().strip_prefix(word) {
                return number.parse().expect("a number");
            }
        }
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Waits for its end, whatever it is. Its input stays open: it is not asked to end.
    pub fn wait(&mut self) {
        let _input = self.child.stdin.take(); // waiting would close it
        self.child.wait().expect("it is ours");
    }

    /// Closes its input and waits for its end.
    pub fn halt(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it is ours");
    }

    /// Closes its input and waits for its end; says whether it succeeded.
    pub fn finish(mut self) -> bool {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.output, &mut std::io::sink()).expect("its output");
        self.child.wait().expect("it is ours").success()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of this test's own, removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let directory = std::env::temp_dir().join(format!("ih-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).expect("a scratch directory");
        Scratch(directory)
    }

    /// The socket path in it.
    pub fn socket(&self) -> PathBuf {
        self.0.join("engine.sock")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
