//! Who is at the other end: what the kernel says, and a handle that shows its death.
//!
//! `SO_PEERCRED` names the process that called `connect` (seen by the engine) or `listen` (seen by
//! the host). Two caveats follow, and both are the kernel's:
//!
//! * An engine must call `listen` itself: a socket that it inherited from another process names that
//!   one, and its death is watched instead. [`Listener`](super::Listener) does.
//! * `SO_PEERPIDFD` (Linux 6.5) is exact. Before, `pidfd_open` takes a bare pid: if the peer dies and
//!   its pid is given to another process between the two calls, the wrong one is watched. Nothing
//!   false follows from it but a death noticed late, by hang-up; that always ends a lane as well.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::{pidfd_open, Pid, PidfdFlags};

/// The other end's process, as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// Process id in our pid namespace; 0 where it has none there.
    pub(super) pid: u32,
    /// User id in our user namespace.
    pub(super) uid: u32,
}

impl Peer {
    /// Asks the kernel about the peer of `socket`.
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
        let mut found = libc::ucred {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        socket_option(socket, libc::SO_PEERCRED, &mut found)?;
        Ok(Peer {
            pid: u32::try_from(found.pid).unwrap_or(0),
            uid: found.uid,
        })
    }

    /// A descriptor that becomes readable when the peer is dead; `None` where the kernel gives none,
    /// and hang-up is all there is.
    pub(super) fn pidfd(self, socket: BorrowedFd<'_>) -> Option<OwnedFd> {
        exact_pidfd(socket).or_else(|| {
            let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
            pidfd_open(pid, PidfdFlags::empty()).ok()
        })
    }
}

fn exact_pidfd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut found: libc::c_int = -1;
    socket_option(socket, libc::SO_PEERPIDFD, &mut found).ok()?;
    // SAFETY: the kernel has just opened this descriptor for us (close-on-exec), and nobody else knows
    // its number.
    (found >= 0).then(|| unsafe { OwnedFd::from_raw_fd(found) })
}

/// Plain integers that the kernel may fill.
trait Plain: Copy {}
impl Plain for libc::ucred {}
impl Plain for libc::c_int {}

fn socket_option<T: Plain>(
    socket: BorrowedFd<'_>,
    option: libc::c_int,
    value: &mut T,
) -> io::Result<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `length` bytes to
    // `value`, which is that large and valid for any bit pattern (`Plain`).
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_mut(value).cast(),
            &mut length,
        )
    };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn our_own_socket_names_us() {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(near.as_fd()).unwrap();
        assert_eq!(peer.pid, std::process::id());
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        assert!(peer.pidfd(near.as_fd()).is_some());
    }
}
