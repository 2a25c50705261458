//! An engine's path: who may listen there, and what becomes of the path when its owner dies.
//!
//! ```text
//!  <path>.lock   flock ── held by the living engine, close-on-exec; released by its death alone
//!  <path>.new    bind ─ mode ─ listen ─┐
//!  <path>        ◀────────── rename ───┘   a stale socket is replaced in one step
//! ```
//!
//! The lock decides, nothing else: a socket file says nothing about its owner, and a stopped engine is
//! slow, not dead. The lock file stays for ever; to remove it would let two engines lock two files.
//! Whoever holds the lock clears away what a predecessor left, killed at whatever instruction.
//!
//! All names are used relative to the opened directory, through `/proc/self/fd`: the temporary name may
//! thus be longer than a socket address, and the directory may be renamed meanwhile.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{flock, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    accept_with, bind, connect, listen, socket_with, AddressFamily, SocketAddrUnix, SocketFlags,
    SocketType,
};

use super::error::ListenError;
use super::peer::Peer;

/// The longest path that fits a socket address.
const MOST_PATH: usize = 107;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// The kernel needs a moment to release what a killed engine held: up to 17 ms were measured for
/// 800 MB of small pages. So often, and so long apart, we look before we call it alive.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A path at which this process, and no other, is the engine.
///
/// ```
/// use ironhoard::attach::{ListenError, Listener};
/// # let directory = std::env::temp_dir().join(format!("ih-listener-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let path = directory.join("hunt.sock");
/// let listener = Listener::bind(&path, 0o600)?;
/// assert!(listener.accept()?.is_none()); // nobody waits
/// assert!(matches!(Listener::bind(&path, 0o600), Err(ListenError::Live { .. })));
/// # drop(listener);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    place: Place,
    bound: (u64, u64),
    _lock: OwnedFd,
}

impl Listener {
    /// Takes `path` for this process and listens there. `mode` is the socket's, such as `0o660`: who
    /// may write it may attach.
    ///
    /// # Errors
    /// [`ListenError::Live`] where another engine holds the path, or something listens there;
    /// otherwise what is wrong with the path. Nothing is left behind but the lock file.
    pub fn bind(path: &Path, mode: u32) -> Result<Listener, ListenError> {
        let place = Place::of(path)?;
        let lock = place.lock()?;
        place.check_stale()?;
        let socket = new_socket().map_err(|source| place.os(source))?;
        let bound = place.publish(&socket, mode)?;
        Ok(Listener {
            socket,
            place,
            bound,
            _lock: lock,
        })
    }

    /// The next connection, or `None` if nobody waits. Never blocks.
    ///
    /// # Errors
    /// [`ListenError::Accept`], most often for want of descriptors; the connection then still waits.
    pub fn accept(&self) -> Result<Option<OwnedFd>, ListenError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            match accept_with(&self.socket, flags) {
                Ok(socket) => return Ok(Some(socket)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(source) => return Err(ListenError::Accept { source }),
            }
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.place.path
    }
}

impl AsFd for Listener {
    /// Readable when somebody waits to be accepted.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The lock is still held, so what is ours now stays ours until it is removed. Failing leaves a
        // stale socket, which the next engine replaces.
        if self.place.identity(&self.place.name) == Ok(Some(self.bound)) {
            let _ = self.place.remove(&self.place.name);
        }
    }
}

/// A directory, opened, and the names in it.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    directory: OwnedFd,
    name: OsString,
}

impl Place {
    fn of(path: &Path) -> Result<Place, ListenError> {
        let length = path.as_os_str().len();
        if length > MOST_PATH {
            let path = path.to_owned();
            return Err(ListenError::PathTooLong { path, length });
        }
        let Some(name) = path.file_name() else {
            let path = path.to_owned();
            return Err(ListenError::NoFileName { path });
        };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(|source| {
            ListenError::Directory {
                directory: parent.to_owned(),
                source,
            }
        })?;
        Ok(Place {
            path: path.to_owned(),
            directory,
            name: name.to_owned(),
        })
    }

    fn beside(&self, suffix: &str) -> OsString {
        let mut name = self.name.clone();
        name.push(suffix);
        name
    }

    /// Takes the lock, or names who holds it.
    fn lock(&self) -> Result<OwnedFd, ListenError> {
        let name = self.beside(".lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let file = rustix::fs::openat(&self.directory, &name, flags, mode)
            .map_err(|source| self.not_writable(&name, source))?;
        for attempt in 0..LOCK_TRIES {
            if attempt > 0 {
                std::thread::sleep(LOCK_PAUSE);
            }
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    self.sign(&file)?;
                    return Ok(file);
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(source) => return Err(self.os(source)),
            }
        }
        let pid = signature(&file);
        Err(self.live(pid))
    }

    /// Writes our pid into the lock file: for people, and for the message of who comes too late.
    fn sign(&self, lock: &OwnedFd) -> Result<(), ListenError> {
        let text = format!("{:<20}\n", std::process::id());
        match rustix::io::pwrite(lock, text.as_bytes(), 0) {
            Ok(_) => Ok(()),
            Err(source) => Err(self.os(source)),
        }
    }

    /// Is what lies at the path nothing, or a socket that nobody listens on any more?
    fn check_stale(&self) -> Result<(), ListenError> {
        let stat = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        match stat {
            Err(Errno::NOENT) => return Ok(()),
            Err(source) => return Err(self.os(source)),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Socket => {
                let path = self.path.clone();
                return Err(ListenError::NotASocket { path });
            }
            Ok(_) => {}
        }
        // Somebody may listen there without our lock: another program, or an engine whose lock file
        // was deleted.
        let probe = new_socket().map_err(|source| self.os(source))?;
        let address = self.address(&self.name).map_err(|source| self.os(source))?;
        match connect(&probe, &address) {
            Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
            Ok(()) => {
                let pid = Peer::of(probe.as_fd()).ok().map(|peer| peer.pid);
                Err(self.live(pid))
            }
            Err(Errno::AGAIN | Errno::PROTOTYPE) => Err(self.live(None)),
            Err(source) => Err(self.not_writable(&self.name, source)),
        }
    }

    /// Binds under a temporary name and puts that in the path's place; answers what it is.
    fn publish(&self, socket: &OwnedFd, mode: u32) -> Result<(u64, u64), ListenError> {
        let name = self.beside(".new");
        match self.remove(&name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(source) => return Err(self.not_writable(&name, source)),
        }
        let address = self.address(&name).map_err(|source| self.os(source))?;
        bind(socket, &address).map_err(|source| self.not_writable(&name, source))?;
        let published = self.open(socket, &name, mode);
        if published.is_err() {
            let _ = self.remove(&name); // the first error is the one to tell
        }
        published
    }

    fn open(
        &self,
        socket: &OwnedFd,
        name: &OsString,
        mode: u32,
    ) -> Result<(u64, u64), ListenError> {
        let os = |source| self.os(source);
        // Before `listen` nobody can connect, whatever the mode was at birth.
        let mode = Mode::from_raw_mode(mode);
        rustix::fs::chmodat(&self.directory, name, mode, AtFlags::empty()).map_err(os)?;
        listen(socket, BACKLOG).map_err(os)?;
        let bound = self.identity(name).map_err(os)?;
        rustix::fs::renameat(&self.directory, name, &self.directory, &self.name)
            .map_err(|source| self.not_writable(&self.name, source))?;
        bound.ok_or_else(|| self.os(Errno::NOENT))
    }

    /// Device and inode of the file `name`, if there is one.
    fn identity(&self, name: &OsString) -> Result<Option<(u64, u64)>, Errno> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn remove(&self, name: &OsString) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())
    }

    /// The socket address of the file `name`, short however long the directory's path is.
    fn address(&self, name: &OsString) -> Result<SocketAddrUnix, Errno> {
        let directory = format!("/proc/self/fd/{}", self.directory.as_raw_fd());
        SocketAddrUnix::new(Path::new(&directory).join(name))
    }

    fn live(&self, pid: Option<u32>) -> ListenError {
        ListenError::Live {
            path: self.path.clone(),
            pid: pid.filter(|&pid| pid != 0),
        }
    }

    fn not_writable(&self, name: &OsString, source: Errno) -> ListenError {
        ListenError::NotWritable {
            path: self.path.with_file_name(name),
            source,
        }
    }

    fn os(&self, source: Errno) -> ListenError {
        ListenError::Os {
            path: self.path.clone(),
            source,
        }
    }
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The pid in a lock file, if its holder has signed it.
fn signature(lock: &OwnedFd) -> Option<u32> {
    let mut text = [0; 32];
    let length = rustix::io::pread(lock, &mut text, 0).ok()?;
    std::str::from_utf8(&text[..length])
        .ok()?
        .trim()
        .parse()
        .ok()
}
