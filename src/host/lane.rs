//! A lane: one thread's own way to the engine and back.
//!
//! `claim` and `commit` send, `poll` receives, `call` does both and waits. Nothing here locks, allocates
//! or makes a system call while the engine is awake. While a call waits it first owns the next lines of
//! its request ring (so that they are here when the next request is written), then spins, then sleeps.

use std::sync::Arc;
use std::time::Duration;

use super::both::{outstanding, Both};
use super::claim::{RequestBatch, RequestClaim};
use super::error::HostError;
use super::reader::Replies;
use super::receiver::{ReceiverParts, ReplyReceiver};
use super::sender::{RequestSender, SenderParts};
use super::shared::HostShared;
use crate::ring::{MemoryWords, Payload};

/// A lane taken from a [`Host`](super::Host). Send, not Sync: one thread at a time.
///
/// Dropping it gives it back to the host's pool; replies that were still to come are dropped and
/// counted when it is taken again.
pub struct Lane {
    sender: RequestSender,
    receiver: ReplyReceiver,
}

/// What a call brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallReply {
    /// The reply's kind: 0 is success.
    pub status: u16,
    /// Bytes of payload copied into the caller's buffer.
    pub copied: usize,
    /// Bytes of payload the reply had.
    pub len: usize,
}

impl Lane {
    pub(super) fn new(
        shared: Arc<HostShared>,
        (index, sender, receiver): (u32, SenderParts, ReceiverParts),
    ) -> Self {
        let sender = RequestSender::new(shared.clone(), index, sender);
        let mut receiver = ReplyReceiver::new(shared, index, receiver);
        receiver.want_from(sender.next_number());
        Self { sender, receiver }
    }

    /// Which of the host's lanes this is.
    pub fn index(&self) -> u32 {
        self.sender.index
    }

    /// The largest request payload, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.sender.payload_limit()
    }

    /// Requests committed whose replies have not been taken.
    #[inline(always)]
    pub fn outstanding(&self) -> u64 {
        outstanding(&self.sender, &self.receiver)
    }

    /// Claims room for a request of `payload` bytes. Never blocks, and looks at nothing but the ring: an
    /// engine that is gone, or has closed this lane, shows when the ring is full or replies are polled.
    ///
    /// # Errors
    /// [`HostError::Full`] (an ordinary answer), [`HostError::TooLarge`], [`HostError::Gone`],
    /// [`HostError::Forked`], [`HostError::Corrupt`], [`HostError::LaneClosed`].
    #[inline]
    pub fn claim(&mut self, payload: usize) -> Result<RequestClaim<'_>, HostError> {
        self.sender.claim(payload)
    }

    /// As [`Lane::claim`], but waits for room until the deadline.
    ///
    /// # Errors
    /// As [`Lane::claim`] without `Full`; [`HostError::NoRoom`] at the deadline;
    /// [`HostError::RepliesWaiting`] where waiting can't end because this lane's own replies wait to be
    /// taken.
    pub fn claim_wait(
        &mut self,
        payload: usize,
        deadline: Duration,
    ) -> Result<RequestClaim<'_>, HostError> {
        self.both().room_wait(payload, deadline)?;
        self.sender.claim(payload)
    }

    /// Opens a batch of requests that become visible in one step.
    ///
    /// # Errors
    /// [`HostError::Forked`], [`HostError::Gone`], [`HostError::LaneClosed`].
    #[inline]
    pub fn batch(&mut self) -> Result<RequestBatch<'_>, HostError> {
        self.sender.batch()
    }

    /// Takes up to `max` replies, in place. Never blocks. Finding none while one request is under way
    /// it owns the next request's lines, once.
    ///
    /// # Errors
    /// [`HostError::Gone`] when the engine is gone for good and all its replies have been taken,
    /// [`HostError::Forked`], [`HostError::Corrupt`], [`HostError::LaneClosed`].
    #[inline(always)]
    pub fn poll(&mut self, max: usize) -> Result<Replies<'_>, HostError> {
        if !self.receiver.has_reply()? && self.outstanding() == 1 {
            self.sender.own_once();
        }
        Ok(self.receiver.take(max))
    }

    /// Waits until there is a reply or the deadline passes; says whether there is one. Spins first,
    /// then sleeps; the spinning is not cut short by the deadline. Where nothing is outstanding it says
    /// no at once.
    ///
    /// # Errors
    /// As [`Lane::poll`].
    #[inline(always)]
    pub fn wait(&mut self, deadline: Duration) -> Result<bool, HostError> {
        self.both().wait(deadline)
    }

    /// Sends a request and waits for its reply: the payload is copied in, the reply's is copied to
    /// `reply` as far as it goes.
    ///
    /// # Errors
    /// As [`Lane::claim_wait`] and [`Lane::poll`]; [`HostError::Outstanding`] while earlier replies are
    /// to come; [`HostError::Deadline`] when the reply did not come in time: the request may have been
    /// executed, and its reply will be dropped and counted.
    ///
    /// ```no_run
    /// # use ironhoard::host::Host;
    /// # use std::time::Duration;
    /// let host = Host::attach("/run/echo.sock")?;
    /// let mut lane = host.lane()?;
    /// let mut answer = [0; 64];
    /// let reply = lane.call(1, b"hello", &mut answer, Duration::from_secs(1))?;
    /// assert_eq!((reply.status, &answer[..reply.copied]), (0, &b"hello"[..]));
    /// # Ok::<(), ironhoard::host::HostError>(())
    /// ```
    #[inline]
    pub fn call(
        &mut self,
        kind: u16,
        payload: &[u8],
        reply: &mut [u8],
        deadline: Duration,
    ) -> Result<CallReply, HostError> {
        self.both().call(kind, payload, reply, deadline)
    }

    /// As [`Lane::call`], without copies: `fill` writes the request in place, `read` reads the reply
    /// where it lies.
    ///
    /// # Errors
    /// As [`Lane::call`].
    #[inline(always)]
    pub fn call_with<R>(
        &mut self,
        kind: u16,
        payload: usize,
        fill: impl FnOnce(&mut RequestClaim<'_>),
        read: impl FnOnce(u16, Payload<'_, MemoryWords>) -> R,
        deadline: Duration,
    ) -> Result<R, HostError> {
        self.both().call_with(kind, payload, fill, read, deadline)
    }

    #[inline(always)]
    fn both(&mut self) -> Both<'_> {
        Both {
            sender: &mut self.sender,
            receiver: &mut self.receiver,
        }
    }

    /// Splits the lane into its two sides, for different threads. Make the sender
    /// [shared](RequestSender::shared) for many threads. The lane goes back to the host's pool when
    /// both are dropped.
    pub fn split(self) -> (RequestSender, ReplyReceiver) {
        (self.sender, self.receiver)
    }
}
