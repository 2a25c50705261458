//! Children: the same program again as another process, in a hidden subcommand; or another program
//! that is spoken to through pipes.
//!
//! A child dies with its parent, whatever kills the parent, and gets only the descriptors it is
//! handed. What it writes to its standard error is kept in memory: when it fails, that is the
//! reason which the parent reports.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{memfd_create, MemfdFlags};

/// The most bytes of a child's standard error that are reported: the last ones.
const REASON_BYTES: u64 = 4096;
/// How often the end of a child is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Why a child process is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("cannot start the {name} process: {cause}; check the limits on processes and memory")]
    Start {
        /// Which process.
        name: &'static str,
        /// The reason.
        cause: io::Error,
    },
    /// It ended with a failure.
    #[error("the {name} process ended early ({status}): {reason}")]
    Failed {
        /// Which process.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its standard error.
        reason: String,
    },
    /// It was told to end and did not.
    #[error("the {name} process did not end when told to and was killed; run again with RUST_LOG=debug to see what it waited for")]
    Stuck {
        /// Which process.
        name: &'static str,
    },
}

/// A running child; dropping it kills the process.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    process: std::process::Child,
    stderr: File,
}

impl Child {
    /// Starts this program with `arguments`; the child inherits `fds` under their numbers.
    ///
    /// Call it from a thread that lives as long as the child shall: the kernel ends the child when
    /// the *thread* that started it is gone.
    pub fn spawn(
        name: &'static str,
        arguments: impl IntoIterator<Item = OsString>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Child, ChildError> {
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("ironhoard")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Child::start(name, command, fds)
    }

    /// Starts another `program` in the same way, and gives what its standard input and output are
    /// connected to.
    pub fn spawn_program(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Child, ChildStdin, ChildStdout), ChildError> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Child::start(name, command, fds)?;
        let pipes = (child.process.stdin.take(), child.process.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            unreachable!("both were asked for just above");
        };
        Ok((child, input, output))
    }

    fn start(
        name: &'static str,
        mut command: Command,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Child, ChildError> {
        let start = |cause| ChildError::Start { name, cause };
        let stderr: File = memfd_create("ironhoard-child-stderr", MemfdFlags::CLOEXEC)
            .map_err(|errno| start(errno.into()))?
            .into();
        command.stderr(stderr.try_clone().map_err(start)?);
        let handed: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let parent = std::process::id();
        // SAFETY: between fork and exec `prepare` makes plain system calls only; it allocates
        // nothing and takes no lock. `handed` was allocated here, before the fork.
        unsafe { command.pre_exec(move || prepare(parent, &handed)) };
        let process = command.spawn().map_err(start)?;
        Ok(Child {
            name,
            process,
            stderr,
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The reason why the child is gone, or nothing while it runs or after a success.
    pub fn failure(&mut self) -> Option<ChildError> {
        let status = self.process.try_wait().ok()??;
        (!status.success()).then(|| self.failed(status))
    }

    /// Waits until the child is `ready`, looking every `again`.
    ///
    /// # Errors
    ///
    /// What `ready` says, [`ChildError::Failed`] if the child ends with a failure, `late` where `patience` is
    /// over.
    pub fn wait_until<E: From<ChildError>>(
        &mut self,
        (again, patience): (Duration, Duration),
        late: E,
        mut ready: impl FnMut(&Child) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = Instant::now();
        while !ready(self)? {
            if let Some(failure) = self.failure() {
                return Err(failure.into());
            }
            if start.elapsed() > patience {
                return Err(late);
            }
            std::thread::sleep(again);
        }
        Ok(())
    }

    /// Waits for the child's own end.
    ///
    /// # Errors
    ///
    /// [`ChildError::Failed`] if it ends with a failure, [`ChildError::Stuck`] if not within
    /// `patience`.
    pub fn finish(mut self, patience: Duration) -> Result<(), ChildError> {
        let start = Instant::now();
        while start.elapsed() < patience {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.failed(status)),
                _ => std::thread::sleep(LOOK_AGAIN),
            }
        }
        Err(ChildError::Stuck { name: self.name })
    }

    fn failed(&self, status: ExitStatus) -> ChildError {
        ChildError::Failed {
            name: self.name,
            status,
            reason: self.last_words(),
        }
    }

    fn last_words(&self) -> String {
        let length = self.stderr.metadata().map_or(0, |metadata| metadata.len());
        let from = length.saturating_sub(REASON_BYTES);
        let mut bytes = vec![0; (length - from) as usize];
        let read = self.stderr.read_at(&mut bytes, from).unwrap_or(0);
        let words = String::from_utf8_lossy(&bytes[..read]).trim().to_owned();
        if words.is_empty() {
            "it gave no reason".to_owned()
        } else {
            words
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs in the child before the program is loaded: die with the parent, keep the handed fds.
fn prepare(parent: u32, handed: &[RawFd]) -> io::Result<()> {
    // SAFETY: this prctl option takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: getppid cannot fail. Another parent means that ours died before the prctl.
    if unsafe { libc::getppid() } as u32 != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    for fd in handed {
        // SAFETY: setting the flags of a descriptor touches no memory.
        if unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
