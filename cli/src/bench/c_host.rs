//! A host written in C: compiled here against the shared library, then driven slice by slice.
//!
//! ```text
//!   c_host.c + ironhoard.h ── cc -O2 ──▶ a program in a directory of its own
//!                                          stdin:  "rtt 2048 1024 48"     one command a line
//!                                          stdout: ticks and sums, little-endian, of known length
//! ```
//!
//! While it works this process waits for its answer, and while this process works it waits for a
//! command: so both can use one core, and none of them is disturbed.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use super::clock::Clock;

/// What the C host is compiled from, as it was when this program was built.
const SOURCES: [(&str, &str); 3] = [
    ("c_host.c", include_str!("c_host.c")),
    ("ironhoard.h", include_str!("../../../include/ironhoard.h")),
    (
        "ironhoard_layout.h",
        include_str!("../../../include/ironhoard_layout.h"),
    ),
];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why there is no host in C.
#[derive(Debug, thiserror::Error)]
pub enum CHostError {
    /// The shared library is not where it should be.
    #[error("libironhoard.so is not in any of {looked:?}; build it with `cargo build --release -p ironhoard`, or name it with --library FILE")]
    NoLibrary {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// A file could not be written or read.
    #[error("cannot use {}: {cause}; point TMPDIR to a directory that can be written", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The reason.
        cause: std::io::Error,
    },
    /// There is no C compiler.
    #[error("cannot run the C compiler {}: {cause}; install one (gcc or clang), or name one with CC", compiler.to_string_lossy())]
    NoCompiler {
        /// What was tried.
        compiler: OsString,
        /// The reason.
        cause: std::io::Error,
    },
    /// It was refused by the compiler.
    #[error("the C compiler refused the benchmark's host ({status}): {reason}")]
    Compile {
        /// How the compiler ended.
        status: ExitStatus,
        /// What it said.
        reason: String,
    },
    /// It ended early.
    #[error("the C host ended early: {reason}")]
    Ended {
        /// Its last words.
        reason: String,
    },
    /// The library is not of this program's version.
    #[error("the library {} is not version {VERSION} but said {found:?}: build it again, or name another with --library", library.display())]
    Version {
        /// Which library.
        library: PathBuf,
        /// What it said.
        found: String,
    },
}

/// The compiled program, and a directory of its own that is removed with it.
#[derive(Debug)]
pub struct CProgram {
    directory: PathBuf,
    /// The shared library it is linked to.
    pub library: PathBuf,
}

impl CProgram {
    /// Compiles the host against `library`, or against the one that was built with this program.
    pub fn compile(library: Option<&Path>) -> Result<CProgram, CHostError> {
        let library = find_library(library)?;
        let directory = std::env::temp_dir().join(format!("ironhoard-c-{}", std::process::id()));
        let program = CProgram { directory, library };
        let file = |path: &Path| {
            let path = path.to_path_buf();
            move |cause| CHostError::File { path, cause }
        };
        std::fs::create_dir(&program.directory).map_err(file(&program.directory))?;
        for (name, text) in SOURCES {
            let path = program.directory.join(name);
            std::fs::write(&path, text).map_err(file(&path))?;
        }
        for name in ["libironhoard.so".to_owned(), soname()] {
            let link = program.directory.join(name);
            symlink(&program.library, &link).map_err(file(&link))?;
        }
        program.run_compiler()?;
        Ok(program)
    }

    /// The program.
    pub fn path(&self) -> PathBuf {
        self.directory.join("c_host")
    }

    fn run_compiler(&self) -> Result<(), CHostError> {
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let output = Command::new(&compiler)
            .current_dir(&self.directory)
            .args(["-std=gnu11", "-O2", "-Wall", "-o", "c_host", "c_host.c"])
            .args(["-L.", "-lironhoard", "-Wl,-rpath,$ORIGIN"])
            .output()
            .map_err(|cause| CHostError::NoCompiler { compiler, cause })?;
        if output.status.success() {
            return Ok(());
        }
        Err(CHostError::Compile {
            status: output.status,
            reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

impl Drop for CProgram {
    fn drop(&mut self) {
        // Fails only if somebody else has removed it, or it was never made.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The name under which a program asks the loader for the library: that of the library's `build.rs`.
fn soname() -> String {
    let (major, minor) = (
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
    );
    match major {
        "0" => format!("libironhoard.so.0.{minor}"),
        major => format!("libironhoard.so.{major}"),
    }
}

/// The library asked for, or the one beside this program: a build leaves it in `deps`, an installation
/// in `lib`.
fn find_library(asked: Option<&Path>) -> Result<PathBuf, CHostError> {
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().unwrap_or(Path::new("."));
    let looked: Vec<PathBuf> = match asked {
        Some(path) => vec![path.to_path_buf()],
        None => ["deps", ".", "../lib"]
            .map(|folder| beside.join(folder).join("libironhoard.so"))
            .into(),
    };
    let found = looked.iter().find_map(|path| path.canonicalize().ok());
    found.ok_or(CHostError::NoLibrary { looked })
}

/// The running host; killed when it is dropped.
#[derive(Debug)]
pub struct CHost {
    process: Child,
    /// Closed to tell it to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl CHost {
    /// Starts `program`, which attaches to `socket` and pins itself to `core`.
    pub fn start(
        program: &CProgram,
        socket: &Path,
        core: usize,
        clock: &Clock,
    ) -> Result<CHost, CHostError> {
        let mut command = Command::new(program.path());
        command.arg(socket).arg(core.to_string()).arg(clock.name());
        let mut host = CHost::spawn(command, &program.path())?;
        let mut line = String::new();
        if host.answers.read_line(&mut line).is_err() || line.is_empty() {
            return Err(host.ended());
        }
        let version = line.trim_end().strip_prefix("ready ").unwrap_or(&line);
        if version != VERSION {
            return Err(CHostError::Version {
                library: program.library.clone(),
                found: version.to_owned(),
            });
        }
        Ok(host)
    }

    fn spawn(mut command: Command, path: &Path) -> Result<CHost, CHostError> {
        let started = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|cause| CHostError::File {
            path: path.to_path_buf(),
            cause,
        })?;
        Ok(CHost {
            commands: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().expect("piped")),
            process,
        })
    }

    /// Sends a command and reads an answer of known length.
    fn ask(&mut self, command: &str, answer: &mut [u8]) -> Result<(), CHostError> {
        let commands = self.commands.as_mut().expect("open until the end");
        let sent = commands.write_all(command.as_bytes());
        let answered = sent.and_then(|()| self.answers.read_exact(answer));
        answered.map_err(|_| self.ended())
    }

    fn ask_word(&mut self, command: &str) -> Result<u64, CHostError> {
        let mut word = [0; 8];
        self.ask(command, &mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    /// Round trips of `payload` bytes after some that are not timed: hands the ticks of each to `each`
    /// and gives the bits in which any reply was wrong.
    pub fn round_trips(
        &mut self,
        rounds: usize,
        warm_up: usize,
        payload: usize,
        mut each: impl FnMut(u64),
    ) -> Result<u64, CHostError> {
        let mut answer = vec![0; 4 * rounds + 8];
        self.ask(&format!("rtt {rounds} {warm_up} {payload}\n"), &mut answer)?;
        let (ticks, wrong) = answer.split_at(4 * rounds);
        for tick in ticks.chunks_exact(4) {
            each(u32::from_le_bytes(tick.try_into().expect("four bytes")).into());
        }
        Ok(u64::from_le_bytes(wrong.try_into().expect("eight bytes")))
    }

    /// Claims and commits so many records; gives the ticks.
    pub fn fill(&mut self, records: usize) -> Result<u64, CHostError> {
        self.ask_word(&format!("fill {records}\n"))
    }

    /// Takes the replies of a fill; gives the bits in which any was wrong.
    pub fn drain(&mut self, records: usize) -> Result<u64, CHostError> {
        self.ask_word(&format!("drain {records}\n"))
    }

    /// Ends it and waits until it has detached.
    pub fn end(mut self) -> Result<(), CHostError> {
        self.commands = None;
        match self.process.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// Its last words, once it has said no more.
    fn ended(&mut self) -> CHostError {
        let _ = self.process.kill();
        let mut reason = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            let _ = stderr.read_to_string(&mut reason);
        }
        let reason = match reason.trim() {
            "" => "it gave no reason".to_owned(),
            words => words.to_owned(),
        };
        CHostError::Ended { reason }
    }
}

impl Drop for CHost {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
