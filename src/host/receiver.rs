//! The reply side of a lane: poll, wait, sleep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::error::HostError;
use super::link::{Link, Track, Untold};
use super::reader::{Reader, Replies};
use super::shared::HostShared;
use crate::layout::{record_bytes, LINE};
use crate::lull::{Lull, QUICK_LOOKS};
use crate::ring::{Consumer, MemoryWords, Payload};
use crate::sys::barrier::Barrier;
use crate::sys::clock::deadline_in;
use crate::wait::{Doze, MemoryFlag, Sleeper};

/// What a receiver leaves in the pool.
pub(super) struct ReceiverParts {
    pub(super) reader: Reader,
    sleeper: Sleeper<MemoryFlag>,
}

impl ReceiverParts {
    pub(super) fn fresh(lane: u32, link: &Link, track: &Arc<Track>) -> Self {
        Self {
            reader: Reader::new(lane, link, track),
            sleeper: Sleeper::new(link.regions.host_flag(lane)),
        }
    }
}

/// The reply side of a lane that was [split](super::Lane::split).
///
/// ```no_run
/// # use ironhoard::host::Host;
/// # use std::time::Duration;
/// # let host = Host::attach("/run/hunt.sock")?;
/// let (mut sender, mut receiver) = host.lane()?.split();
/// let receiving = std::thread::spawn(move || receiver.wait(Duration::from_secs(1)));
/// sender.claim(0)?.commit(1); // on this thread
/// assert!(receiving.join().expect("no panic")?);
/// # Ok::<(), ironhoard::host::HostError>(())
/// ```
pub struct ReplyReceiver {
    pub(super) shared: Arc<HostShared>,
    pub(super) index: u32,
    parts: Option<ReceiverParts>,
    pub(super) bell: Bell,
    /// How long a call waits before its first look.
    lull: Lull,
}

impl ReplyReceiver {
    pub(super) fn new(shared: Arc<HostShared>, index: u32, parts: ReceiverParts) -> Self {
        Self {
            bell: Bell::new(shared.clone(), index),
            shared,
            index,
            parts: Some(parts),
            lull: Lull::default(),
        }
    }

    #[inline(always)]
    pub(super) fn reader(&mut self) -> &mut Reader {
        &mut self.parts.as_mut().expect("present until dropped").reader
    }

    /// Takes up to `max` replies, in place. Never blocks.
    ///
    /// # Errors
    /// [`HostError::Gone`] when the engine is gone for good and all its replies have been taken,
    /// [`HostError::Forked`], [`HostError::Corrupt`], [`HostError::LaneClosed`].
    #[inline(always)]
    pub fn poll(&mut self, max: usize) -> Result<Replies<'_>, HostError> {
        self.has_reply()?;
        Ok(self.take(max))
    }

    /// As [`ReplyReceiver::poll`], right after a look. Nothing while the next reply belongs to nobody:
    /// it may come just now.
    #[inline(always)]
    pub(super) fn take(&mut self, max: usize) -> Replies<'_> {
        let parts = self.parts.as_mut().expect("present until dropped");
        let max = if parts.reader.is_behind() { 0 } else { max };
        Replies::new(parts.reader.consumer.poll(max), &mut self.bell)
    }

    /// Waits until there is a reply or the deadline passes; says whether there is one. Spins first,
    /// then sleeps.
    ///
    /// # Errors
    /// As [`ReplyReceiver::poll`].
    #[inline(always)]
    pub fn wait(&mut self, deadline: Duration) -> Result<bool, HostError> {
        self.wait_and(deadline, || ())
    }

    /// As [`ReplyReceiver::wait`], with something to do when the first look found nothing.
    #[inline(always)]
    pub(super) fn wait_and(
        &mut self,
        deadline: Duration,
        first: impl FnOnce(),
    ) -> Result<bool, HostError> {
        if self.has_reply()? {
            return Ok(true);
        }
        first();
        Ok(self.spin()? || self.wait_asleep(deadline)?)
    }

    /// Looks until there is a reply, for as long as the host's options say.
    #[inline(always)]
    fn spin(&mut self) -> Result<bool, HostError> {
        for _ in 0..self.shared.options.spin {
            std::hint::spin_loop();
            if self.has_reply()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until a look for the reply to a call makes sense. `meanwhile` is given a 0 that is there then.
    #[inline(always)]
    pub(super) fn let_lull_pass(&mut self, meanwhile: impl FnOnce(u64)) {
        if let Some(parts) = &mut self.parts {
            let consumer = &mut parts.reader.consumer;
            consumer.look_after(|number| {
                let nothing = self.lull.pass(number);
                meanwhile(nothing);
                nothing
            });
        }
    }

    /// The look right behind the lull: reads the one reply to a call if it is there and nothing stands
    /// in the way. Else nothing was done, and `read` comes back.
    #[inline(always)]
    pub(super) fn read_at_once<R, F>(&mut self, read: F) -> Result<R, F>
    where
        F: FnOnce(u16, Payload<'_, MemoryWords>) -> R,
    {
        let Some(parts) = &mut self.parts else {
            return Err(read);
        };
        let reader = &mut parts.reader;
        if self.shared.mark.is_child() || reader.is_behind() {
            return Err(read);
        }
        // A corrupt ring stays corrupt: the next look says it.
        let Ok(Some(reply)) = reader.consumer.take() else {
            return Err(read);
        };
        let result = read(reply.kind(), reply.payload());
        if reader.consumer.settle(false) {
            self.bell.after_publish();
        }
        self.lull.found_with(0);
        Ok(result)
    }

    /// Reads the reply that a look has just found.
    pub(super) fn read_one<R>(
        &mut self,
        read: impl FnOnce(u16, Payload<'_, MemoryWords>) -> R,
    ) -> Result<R, HostError> {
        match self.take(1).next()? {
            Some(reply) => Ok(read(reply.kind(), reply.payload())),
            None => Err(HostError::Corrupt("a reply vanished".into())),
        }
    }

    /// The look right behind the lull: is the reply to a call there?
    #[inline(always)]
    pub(super) fn has_reply_at_once(&mut self) -> Result<bool, HostError> {
        let found = self.has_reply()?;
        if found {
            self.lull.found_with(0);
        }
        Ok(found)
    }

    /// Waits for a reply that was not there behind the lull, or the deadline.
    #[inline(always)]
    pub(super) fn wait_for_late(&mut self, deadline: Duration) -> Result<bool, HostError> {
        for look in 1..=self.shared.options.spin {
            if look > QUICK_LOOKS {
                std::hint::spin_loop();
            }
            if self.has_reply()? {
                self.lull.found_with(look);
                return Ok(true);
            }
        }
        self.wait_asleep(deadline)
    }

    #[cold]
    fn wait_asleep(&mut self, deadline: Duration) -> Result<bool, HostError> {
        let until = deadline_in(deadline);
        while !self.has_reply()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.sleep(until, |receiver| receiver.has_reply().unwrap_or(true));
        }
        Ok(true)
    }

    /// Sleeps until the engine rings, unless `ready` (label `doze`: raise, barrier, look, sleep).
    pub(super) fn sleep(&mut self, until: Instant, ready: impl FnOnce(&mut Self) -> bool) {
        // Before the link and before the look: news of either counts as a wake.
        let ticket = self.shared.nap.ticket();
        let link = self.shared.newest_link();
        self.sleeper().raise();
        Barrier::agreed(link.terms.membarrier).sleeper();
        if !ready(self) {
            self.shared.nap.sleep(&link.doorbells, until, ticket);
        }
        self.sleeper().lower();
    }

    pub(super) fn sleeper(&mut self) -> &mut Sleeper<MemoryFlag> {
        &mut self.parts.as_mut().expect("present until dropped").sleeper
    }

    /// The number of the next reply that somebody waits for.
    #[inline]
    pub(super) fn next_number(&self) -> u64 {
        let reader = &self.parts.as_ref().expect("present until dropped").reader;
        reader.consumer.cursor().number.max(reader.first_wanted)
    }

    /// Replies below `number` are to be dropped when they come.
    pub(super) fn want_from(&mut self, number: u64) {
        self.reader().first_wanted = number;
    }

    /// Is there a reply to take? Drops those that nobody waits for, and follows the engine to its
    /// successor.
    #[inline(always)]
    pub(super) fn has_reply(&mut self) -> Result<bool, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        let reader = &mut self.parts.as_mut().expect("present until dropped").reader;
        if reader.is_behind() {
            let (dropped, published) = reader.drop_unwanted()?;
            self.shared.count_late(dropped);
            if published {
                self.bell.after_publish();
            }
        }
        if reader.consumer.peek()?.is_some() {
            return Ok(!reader.is_behind());
        }
        if reader.consumer.release() {
            self.bell.after_publish();
        }
        if self.shared.epoch() != reader.epoch || self.shared.has_trouble() {
            return self.follow();
        }
        Ok(false)
    }

    /// Do replies that nobody took fill the reply ring so far that the engine waits for room? Walks the
    /// ring; for who is about to wait.
    pub(super) fn is_choked(&mut self) -> Result<bool, HostError> {
        self.has_reply()?;
        if self.reader().consumer.release() {
            self.bell.after_publish();
        }
        let reader = self.reader();
        if reader.is_behind() {
            return Ok(false); // what comes first is dropped at the next look
        }
        let geometry = reader.geometry;
        let start = reader.consumer.cursor();
        let mut walker = Consumer::new(reader.words.clone(), Untold, geometry, start)
            .expect("words and geometry are of one layout");
        let mut polled = walker.poll(geometry.capacity as usize / LINE);
        while polled.next()?.is_some() {}
        drop(polled);
        let waiting = walker.cursor().position.wrapping_sub(start.position);
        let largest = 2 * record_bytes(geometry.payload_limit);
        // An engine that breaks the rules may show more than a ringful.
        Ok(geometry.capacity.saturating_sub(waiting) < largest)
    }

    /// The present reply ring is empty and its engine is dead: go on with the next one's.
    #[cold]
    fn follow(&mut self) -> Result<bool, HostError> {
        let shared = self.shared.clone();
        let reader = self.reader();
        if let Some(next) = shared.link_after(reader.epoch) {
            if reader.follow(&next) {
                return self.has_reply();
            }
        }
        shared.check(self.index)?;
        Ok(false)
    }
}

impl Drop for ReplyReceiver {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            self.shared.give_receiver_back(self.index, parts);
        }
    }
}
