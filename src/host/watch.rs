//! A lane's consumer, or a receiver of events, in an event loop of the program's own: a descriptor to
//! sleep on.
//!
//! Doorbells change when another engine takes over, and other threads of the host may sleep on the same
//! ones. So what the event loop gets is an epoll instance, which lasts as long as the lane or the receiver:
//!
//! ```text
//!   the program's epoll, poll, libuv …
//!     └─ watch: an epoll instance
//!          ├─ the doorbell of the lane's or the event ring's shard, in this epoch
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
use super::events::EventReceiver;
use super::link::Link;
use super::receiver::ReplyReceiver;
use super::shared::HostShared;
use crate::sys::barrier::Barrier;
use crate::wait::{Doze, MemoryFlag, Sleeper};

/// Whose doorbell it is.
#[derive(Clone, Copy)]
enum Source {
    Lane(u32),
    EventRing(u32),
}

/// What an event loop sleeps on.
pub(crate) struct Watch {
    epoll: OwnedFd,
    news: Arc<OwnedFd>,
    /// The link whose doorbell is in the instance.
    link: Arc<Link>,
    source: Source,
}

impl Watch {
    fn new(source: Source, shared: &HostShared) -> Result<Self, HostError> {
        living(shared)?;
        let watch = Self::listening(source, shared.newest_link())
            .map_err(HostError::kernel("an epoll instance"))?;
        shared.nap.add_watch(watch.news.clone());
        Ok(watch)
    }

    fn listening(source: Source, link: Arc<Link>) -> std::io::Result<Self> {
        let news = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let watch = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            news: Arc::new(news),
            link,
            source,
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

    /// The doorbell; none where this engine has no such event ring, which the next poll will tell.
    fn doorbell(&self) -> Option<&OwnedFd> {
        match self.source {
            Source::Lane(lane) => Some(self.link.doorbell(lane)),
            Source::EventRing(ring) => self.link.event_doorbell(ring),
        }
    }

    fn listen(&self) -> std::io::Result<()> {
        let any = epoll::EventData::new_u64(0);
        if let Some(doorbell) = self.doorbell() {
            epoll::add(&self.epoll, doorbell, any, epoll::EventFlags::IN)?;
        }
        Ok(())
    }

    /// A doorbell that is hung up would ring for ever; what follows is told by the tender.
    fn forget(&self) {
        if let Some(doorbell) = self.doorbell() {
            let _ = epoll::delete(&self.epoll, doorbell);
        }
    }

    /// Listens to the doorbell of the newest engine from now on; returns its link.
    fn follow(&mut self, shared: &HostShared) -> Result<Arc<Link>, HostError> {
        living(shared)?;
        let newest = shared.newest_link();
        if newest.epoch() != self.link.epoch() {
            self.forget();
            self.link = newest.clone();
            self.listen()
                .map_err(HostError::kernel("to watch a doorbell"))?;
        }
        Ok(newest)
    }

    /// Asks to be rung (label `doze`: raise, barrier, look), unless there is something already: then it says
    /// so.
    fn arm(&mut self, waiter: &mut impl Waiter) -> Result<bool, HostError> {
        let newest = self.follow(waiter.host())?;
        waiter.sleeper().raise();
        Barrier::agreed(newest.terms.membarrier).sleeper();
        let ready = waiter.is_ready();
        if ready {
            waiter.sleeper().lower();
        }
        Ok(ready)
    }

    /// Silences the descriptor, and tells whoever else the ring may have been for.
    fn disarm(&mut self, waiter: &mut impl Waiter) -> Result<(), HostError> {
        living(waiter.host())?;
        waiter.sleeper().lower();
        let _ = rustix::io::read(&*self.news, &mut [0u8; 8]);
        let mut bytes = [0u8; 64];
        let doorbell = self.doorbell();
        match doorbell.map(|bell| recv(bell, &mut bytes, RecvFlags::DONTWAIT)) {
            Some(Ok((0, _))) => self.forget(),
            Some(Ok(_)) => waiter.host().nap.tell_others(&self.news),
            Some(Err(_)) | None => {}
        }
        Ok(())
    }

    fn end(&self, shared: &HostShared) {
        if !shared.mark.is_child() {
            shared.nap.remove_watch(&self.news);
        }
    }
}

fn living(shared: &HostShared) -> Result<(), HostError> {
    match shared.mark.is_child() {
        true => Err(HostError::Forked),
        false => Ok(()),
    }
}

/// Who sleeps in an event loop.
trait Waiter {
    fn host(&self) -> &HostShared;
    fn sleeper(&mut self) -> &mut Sleeper<MemoryFlag>;
    /// Is there something for the next look to tell, an end too?
    fn is_ready(&mut self) -> bool;
}

impl Waiter for ReplyReceiver {
    fn host(&self) -> &HostShared {
        &self.shared
    }

    fn sleeper(&mut self) -> &mut Sleeper<MemoryFlag> {
        ReplyReceiver::sleeper(self)
    }

    fn is_ready(&mut self) -> bool {
        self.has_reply().unwrap_or(true)
    }
}

impl Waiter for EventReceiver {
    fn host(&self) -> &HostShared {
        &self.shared
    }

    fn sleeper(&mut self) -> &mut Sleeper<MemoryFlag> {
        &mut self.sleeper
    }

    fn is_ready(&mut self) -> bool {
        self.has_news().unwrap_or(true)
    }
}

impl ReplyReceiver {
    /// Something for an event loop to sleep on; ends with [`ReplyReceiver::unwatch`].
    ///
    /// # Errors
    /// [`HostError::Forked`]; [`HostError::Kernel`] where there are no descriptors left.
    pub(crate) fn watch(&self) -> Result<Watch, HostError> {
        Watch::new(Source::Lane(self.index), &self.shared)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&self, watch: &Watch) {
        watch.end(&self.shared);
    }

    /// Asks to be rung, unless there is a reply, or an end that the next look will tell: then it says so.
    ///
    /// # Errors
    /// [`HostError::Forked`]; [`HostError::Kernel`] where a new engine's doorbell can't be watched.
    pub(crate) fn arm(&mut self, watch: &mut Watch) -> Result<bool, HostError> {
        watch.arm(self)
    }

    /// Silences the descriptor.
    ///
    /// # Errors
    /// [`HostError::Forked`].
    pub(crate) fn disarm(&mut self, watch: &mut Watch) -> Result<(), HostError> {
        watch.disarm(self)
    }
}

impl EventReceiver {
    /// As [`ReplyReceiver::watch`]; ends with [`EventReceiver::unwatch`].
    ///
    /// # Errors
    /// The same.
    pub(crate) fn watch(&self) -> Result<Watch, HostError> {
        Watch::new(Source::EventRing(self.ring), &self.shared)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&self, watch: &Watch) {
        watch.end(&self.shared);
    }

    /// Asks to be rung, unless there is something to poll.
    ///
    /// # Errors
    /// As [`ReplyReceiver::arm`].
    pub(crate) fn arm(&mut self, watch: &mut Watch) -> Result<bool, HostError> {
        watch.arm(self)
    }

    /// Silences the descriptor.
    ///
    /// # Errors
    /// [`HostError::Forked`].
    pub(crate) fn disarm(&mut self, watch: &mut Watch) -> Result<(), HostError> {
        watch.disarm(self)
    }
}
