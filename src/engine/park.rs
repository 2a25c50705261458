//! Where a shard sleeps: its doorbells, and a bell of the control thread's.
//!
//! One reader for each doorbell: the shard. The control thread has an event counter of its own, which
//! never leaves this process (a peer could fill one that it shared, and block whoever writes it).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{epoll, eventfd, EventfdFlags};
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};

use super::host_link::ShardHost;
use crate::sys::barrier::Barrier;
use crate::wait::Doze;

/// Events taken at one wake-up; more wait for the next round.
const EVENTS: usize = 64;
/// The tag of the control thread's bell; doorbells carry their descriptor's number.
const MAIL: u64 = u64::MAX;

/// A bell between threads of this process.
#[derive(Clone)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn new() -> std::io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self(Arc::new(fd)))
    }

    /// Rings it. Only fails when it has been rung four billion times unheard; it is then rung.
    pub(super) fn ring(&self) {
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Silences it.
    pub(super) fn hear(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0u8; 8]);
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

/// A shard's bed.
pub(super) struct Parker {
    epoll: OwnedFd,
    mail: Bell,
    control: Bell,
    /// Tags of what rang and was not silenced yet.
    rang: Vec<u64>,
}

impl Parker {
    /// A parker that the control thread wakes with `mail`, and that tells it news with `control`.
    pub(super) fn new(mail: Bell, control: Bell) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(MAIL);
        epoll::add(&epoll, mail.fd(), data, epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            mail,
            control,
            rang: Vec::with_capacity(EVENTS),
        })
    }

    /// Listens to this host's doorbell from now on.
    pub(super) fn watch(&self, host: &ShardHost) {
        let data = epoll::EventData::new_u64(host.doorbell.as_raw_fd() as u64);
        if let Err(error) = epoll::add(&self.epoll, &*host.doorbell, data, epoll::EventFlags::IN) {
            tracing::error!(%error, "a doorbell can't be watched: the shard will not park soundly");
        }
    }

    /// No longer.
    pub(super) fn forget(&self, host: &ShardHost) {
        let _ = epoll::delete(&self.epoll, &*host.doorbell);
    }

    /// The sleeper's barrier: the system call where any host relies on it, a fence in any case.
    pub(super) fn barrier(&self, hosts: &[ShardHost]) {
        let relied_on = hosts.iter().any(|host| host.barrier == Barrier::Membarrier);
        Barrier::agreed(relied_on).sleeper();
    }

    /// Sleeps until something rings. What a panic kept from being silenced rings again by itself.
    pub(super) fn sleep(&mut self) {
        self.rang.clear();
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
        match epoll::wait(&self.epoll, &mut space, None) {
            Ok((events, _)) => self
                .rang
                .extend(events.iter().map(|event| event.data.u64())),
            Err(Errno::INTR) => {}
            Err(error) => tracing::error!(%error, "epoll failed"),
        }
    }

    /// Silences what rang. A hung-up doorbell rings until the control thread takes the host away, so
    /// it is forgotten here.
    pub(super) fn drain(&mut self, hosts: &[ShardHost]) {
        for tag in self.rang.drain(..) {
            if tag == MAIL {
                self.mail.hear();
            } else if let Some(host) = hosts
                .iter()
                .find(|host| host.doorbell.as_raw_fd() as u64 == tag)
            {
                let mut bytes = [0u8; 64];
                let heard = recv(&*host.doorbell, &mut bytes, RecvFlags::DONTWAIT);
                if !matches!(heard, Ok((1.., _)) | Err(Errno::AGAIN | Errno::INTR)) {
                    let _ = epoll::delete(&self.epoll, &*host.doorbell);
                }
            }
        }
    }

    /// Tells the control thread that there is mail for it.
    pub(super) fn tell_control(&self) {
        self.control.ring();
    }
}
