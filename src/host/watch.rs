//! A lane's consumer in an event loop of the program's own: a descriptor to sleep on.
//!
//! Doorbells change when another engine takes over, and other threads of the host may sleep on the same
//! ones. So what the event loop gets is an epoll instance, which lasts as long as the lane:
//!
//! ```text
//!   the program's epoll, poll, libuv …
//!     └─ watch: an epoll instance
//!          ├─ the doorbell of the lane's shard, in this epoch
//!          └─ news: an event counter of this process
//! ```
//!
//! Whoever takes a byte from a doorbell tells all the others: sleeping threads through the nap, other
//! watches through their news. An engine that hung up, and one that took over, are news as well.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::event::{epoll, eventfd, EventfdFlags};
use rustix::net::{recv, RecvFlags};

use super::error::HostError;
use super::link::Link;
use super::receiver::ReplyReceiver;
use crate::sys::barrier::Barrier;
use crate::wait::Doze;

/// What an event loop sleeps on.
pub(crate) struct Watch {
    epoll: OwnedFd,
    news: Arc<OwnedFd>,
    /// The link whose doorbell is in the instance.
    link: Arc<Link>,
    lane: u32,
}

impl Watch {
    fn new(lane: u32, link: Arc<Link>) -> std::io::Result<Self> {
        let news = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let watch = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            news: Arc::new(news),
            link,
            lane,
        };
        let any = epoll::EventData::new_u64(0);
        epoll::add(&watch.epoll, &*watch.news, any, epoll::EventFlags::IN)?;
        watch.listen()?;
        Ok(watch)
    }

    /// The descriptor.
    pub(crate) fn fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    fn listen(&self) -> std::io::Result<()> {
        let doorbell = self.link.doorbell(self.lane);
        let any = epoll::EventData::new_u64(0);
        Ok(epoll::add(
            &self.epoll,
            doorbell,
            any,
            epoll::EventFlags::IN,
        )?)
    }

    /// A doorbell that is hung up would ring for ever; what follows is told by the tender.
    fn forget(&self) {
        let _ = epoll::delete(&self.epoll, self.link.doorbell(self.lane));
    }

    /// Listens to the doorbell of `newest` from now on.
    fn follow(&mut self, newest: Arc<Link>) -> std::io::Result<()> {
        if newest.epoch() == self.link.epoch() {
            return Ok(());
        }
        self.forget();
        self.link = newest;
        self.listen()
    }
}

impl ReplyReceiver {
    /// Something for an event loop to sleep on; ends with [`ReplyReceiver::unwatch`].
    ///
    /// # Errors
    /// [`HostError::Forked`]; [`HostError::Kernel`] where there are no descriptors left.
    pub(crate) fn watch(&self) -> Result<Watch, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        let watch = Watch::new(self.index, self.shared.newest_link())
            .map_err(HostError::kernel("an epoll instance"))?;
        self.shared.nap.add_watch(watch.news.clone());
        Ok(watch)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&self, watch: &Watch) {
        if !self.shared.mark.is_child() {
            self.shared.nap.remove_watch(&watch.news);
        }
    }

    /// Asks to be rung (label `doze`: raise, barrier, look), unless there is a reply, or an end that the
    /// next look will tell: then it says so.
    ///
    /// # Errors
    /// [`HostError::Forked`]; [`HostError::Kernel`] where a new engine's doorbell can't be watched.
    pub(crate) fn arm(&mut self, watch: &mut Watch) -> Result<bool, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        let newest = self.shared.newest_link();
        let membarrier = newest.terms.membarrier;
        watch
            .follow(newest)
            .map_err(HostError::kernel("to watch a doorbell"))?;
        self.sleeper().raise();
        Barrier::agreed(membarrier).sleeper();
        let ready = self.has_reply().unwrap_or(true);
        if ready {
            self.sleeper().lower();
        }
        Ok(ready)
    }

    /// Silences the descriptor, and tells whoever else the ring may have been for.
    ///
    /// # Errors
    /// [`HostError::Forked`].
    pub(crate) fn disarm(&mut self, watch: &mut Watch) -> Result<(), HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        self.sleeper().lower();
        let _ = rustix::io::read(&*watch.news, &mut [0u8; 8]);
        let mut bytes = [0u8; 64];
        match recv(
            watch.link.doorbell(watch.lane),
            &mut bytes,
            RecvFlags::DONTWAIT,
        ) {
            Ok((0, _)) => watch.forget(),
            Ok(_) => self.shared.nap.tell_others(&watch.news),
            Err(_) => {}
        }
        Ok(())
    }
}
