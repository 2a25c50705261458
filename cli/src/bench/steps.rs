//! How many instructions a claim and a commit take: counted one by one.
//!
//! ```text
//!   traced process:   TRACEME ─ stop ─ claim, write, commit × n ─ stop ─ leave
//!   this process:               └────── step, step, step … ───────┘
//! ```
//!
//! Virtual machines seldom let one read the processor's own counters, and those count interrupts too.
//! Stepping counts exactly what the program executes. What surrounds the loop is the same for every `n`, so
//! two runs and a subtraction leave the loop alone.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use ironhoard::host::{Host, HostError, Lane};

use super::attached::{BenchError, PATIENCE};
use super::engine::ECHO;

/// Records of the shorter and of the longer run.
const RECORDS: [usize; 2] = [64, 192];
/// Words of each record: 48 bytes, one line.
const WORDS: usize = 6;

/// Why nothing could be counted.
#[derive(Debug, thiserror::Error)]
pub enum StepsError {
    /// The kernel refused.
    #[error("cannot trace a process of our own: {0}; check that ptrace is allowed here")]
    Trace(#[from] std::io::Error),
    /// The traced process ended before it was counted.
    #[error("the process whose instructions were counted ended early ({0})")]
    Ended(ExitStatus),
}

/// Instructions of one claim, six stores and one commit in the host that is started as
/// `program role SOCKET RECORDS`. Where processes cannot be traced there is no count; the log says why.
pub fn counted(socket: &Path, program: &Path, role: &str) -> Option<f64> {
    let [short, long] = RECORDS.map(|records| {
        let mut command = Command::new(program);
        command.arg(role).arg(socket).arg(records.to_string());
        count(command).inspect_err(|error| tracing::error!("no instruction counts: {error}"))
    });
    let between = long.ok()?.saturating_sub(short.ok()?);
    Some(between as f64 / (RECORDS[1] - RECORDS[0]) as f64)
}

fn count(mut command: Command) -> Result<u64, StepsError> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = quiet.spawn()?;
    let counted = step_through(child.id() as libc::pid_t);
    if counted.is_err() {
        // Fails only if it is gone already, which is what is wanted.
        let _ = child.kill();
    }
    let status = child.wait()?;
    match counted {
        Ok(steps) if status.success() => Ok(steps),
        Ok(_) => Err(StepsError::Ended(status)),
        Err(error) => Err(error),
    }
}

/// Steps the process from its first stop to its second, then lets it go.
fn step_through(pid: libc::pid_t) -> Result<u64, StepsError> {
    wait_for_stop(pid)?;
    let mut steps = 0;
    loop {
        resume(libc::PTRACE_SINGLESTEP, pid)?;
        if wait_for_stop(pid)? != libc::SIGTRAP {
            break;
        }
        steps += 1;
    }
    resume(libc::PTRACE_DETACH, pid)?;
    Ok(steps)
}

/// Waits until the process stops, and says by which signal.
fn wait_for_stop(pid: libc::pid_t) -> Result<i32, StepsError> {
    let mut status = 0;
    // SAFETY: `status` is a live integer; `pid` is a child of this process that nobody else waits for.
    if unsafe { libc::waitpid(pid, &mut status, 0) } != pid {
        return Err(std::io::Error::last_os_error().into());
    }
    let status = ExitStatus::from_raw(status);
    status.stopped_signal().ok_or(StepsError::Ended(status))
}

fn resume(request: libc::c_uint, pid: libc::pid_t) -> Result<(), StepsError> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests read no memory of ours; the address is ignored and the signal is none.
    if unsafe { libc::ptrace(request, pid, nothing, nothing) } == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error().into())
    }
}

/// The traced process in Rust: what `c_host steps PATH RECORDS` is in C.
pub fn traced(socket: &Path, records: usize) -> Result<(), BenchError> {
    let host = Host::attach(socket)?;
    let mut lane = host.lane()?;
    fill(&mut lane, 0, 1)?;
    drain(&mut lane, 1)?;
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: TRACEME touches no memory; from here on signals stop this thread for its parent.
    if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, nothing, nothing) } != 0 {
        return Err(StepsError::from(std::io::Error::last_os_error()).into());
    }
    stop();
    fill(&mut lane, 1, records)?;
    stop();
    drain(&mut lane, records)
}

fn stop() {
    // SAFETY: raising a signal touches no memory; the parent goes on with us.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Claims, writes and commits so many records.
#[inline(never)]
pub fn fill(lane: &mut Lane, first: u64, records: usize) -> Result<(), HostError> {
    for number in first..first + records as u64 {
        let mut claim = lane.claim(8 * WORDS)?;
        for index in 0..WORDS {
            claim.put_u64(index, number.wrapping_add(index as u64));
        }
        claim.commit(ECHO);
    }
    Ok(())
}

/// Takes so many replies.
pub fn drain(lane: &mut Lane, records: usize) -> Result<(), BenchError> {
    let mut taken = 0;
    while taken < records {
        if !lane.wait(PATIENCE)? {
            let number = lane.outstanding();
            return Err(HostError::Deadline { number }.into());
        }
        let mut replies = lane.poll(64)?;
        while let Some(reply) = replies.next().map_err(HostError::from)? {
            if reply.kind() != 0 {
                let status = reply.kind();
                return Err(BenchError::Status { status });
            }
            taken += 1;
        }
    }
    Ok(())
}
