//! What needs both halves of a lane: waiting for room, waiting for the reply of a call.
//!
//! While a call waits it first owns the next lines of its request ring (so that they are here when the
//! next request is written), then lets a lull pass, then spins, then sleeps.

use std::time::{Duration, Instant};

use super::claim::RequestClaim;
use super::error::HostError;
use super::lane::CallReply;
use super::receiver::ReplyReceiver;
use super::sender::RequestSender;
use crate::ring::{MemoryWords, Payload, Room};
use crate::sys::clock::deadline_in;

/// Both halves of one lane.
pub(crate) struct Both<'a> {
    pub(crate) sender: &'a mut RequestSender,
    pub(crate) receiver: &'a mut ReplyReceiver,
}

/// Requests committed whose replies have not been taken.
#[inline(always)]
pub(crate) fn outstanding(sender: &RequestSender, receiver: &ReplyReceiver) -> u64 {
    sender.next_number().wrapping_sub(receiver.next_number())
}

impl Both<'_> {
    /// Waits until there is room for a request of `payload` bytes, and takes it.
    pub(crate) fn room_wait(
        &mut self,
        payload: usize,
        deadline: Duration,
    ) -> Result<Room, HostError> {
        let until = deadline_in(deadline);
        loop {
            match self.sender.room(payload) {
                Err(HostError::Full) => {}
                room => return room,
            }
            if self.receiver.is_choked()? {
                return Err(HostError::RepliesWaiting);
            }
            if Instant::now() >= until {
                return Err(HostError::NoRoom);
            }
            let sender = &mut *self.sender;
            self.receiver.sleep(until, |receiver| {
                receiver.is_choked().unwrap_or(true)
                    || !matches!(sender.has_room(payload), Err(HostError::Full))
            });
        }
    }

    /// Waits until there is a reply or the deadline passes, owning the next request's lines meanwhile.
    #[inline(always)]
    pub(crate) fn wait(&mut self, deadline: Duration) -> Result<bool, HostError> {
        if outstanding(self.sender, self.receiver) == 0 {
            return self.receiver.has_reply();
        }
        let sender = &mut *self.sender;
        self.receiver.wait_and(deadline, || sender.own_once())
    }

    /// As [`Lane::call`](super::Lane::call).
    #[inline(always)]
    pub(crate) fn call(
        &mut self,
        kind: u16,
        payload: &[u8],
        reply: &mut [u8],
        deadline: Duration,
    ) -> Result<CallReply, HostError> {
        let fill = |claim: &mut RequestClaim<'_>| claim.write(payload);
        let read = |status, payload: Payload<'_, MemoryWords>| CallReply {
            status,
            copied: payload.copy_to(reply),
            len: payload.len(),
        };
        self.call_with(kind, payload.len(), fill, read, deadline)
    }

    /// As [`Lane::call_with`](super::Lane::call_with).
    #[inline(always)]
    pub(crate) fn call_with<R>(
        &mut self,
        kind: u16,
        payload: usize,
        fill: impl FnOnce(&mut RequestClaim<'_>),
        read: impl FnOnce(u16, Payload<'_, MemoryWords>) -> R,
        deadline: Duration,
    ) -> Result<R, HostError> {
        // Without an error to carry, the room stays in registers.
        let room = match self.call_room_at_once(payload) {
            Some(room) => room,
            None => self.call_room(payload, deadline)?,
        };
        let mut claim = self.sender.claim_in(room);
        fill(&mut claim);
        let number = claim.commit(kind);
        self.let_lull_pass();
        match self.receiver.read_at_once(read) {
            Ok(result) => Ok(result),
            Err(read) => {
                self.await_late_reply(number, deadline)?;
                self.receiver.read_one(read)
            }
        }
    }

    /// No call while earlier replies are to come.
    #[inline(always)]
    pub(crate) fn check_call(&self) -> Result<(), HostError> {
        match outstanding(self.sender, self.receiver) {
            0 => Ok(()),
            outstanding => Err(HostError::Outstanding { outstanding }),
        }
    }

    /// Room for a call's request where nothing stands in the way.
    #[inline(always)]
    fn call_room_at_once(&mut self, payload: usize) -> Option<Room> {
        match outstanding(self.sender, self.receiver) {
            0 => self.sender.room_at_once(payload),
            _ => None,
        }
    }

    /// Room for a call's request, or what stands in the way.
    #[cold]
    #[inline(never)]
    fn call_room(&mut self, payload: usize, deadline: Duration) -> Result<Room, HostError> {
        self.check_call()?;
        match self.sender.room(payload) {
            Err(HostError::Full) => self.room_wait(payload, deadline),
            room => room,
        }
    }

    /// Waits for the one reply under way, right after request `number` was committed.
    #[inline(always)]
    pub(crate) fn await_reply(&mut self, number: u64, deadline: Duration) -> Result<(), HostError> {
        self.let_lull_pass();
        match self.receiver.has_reply_at_once()? {
            true => Ok(()),
            false => self.await_late_reply(number, deadline),
        }
    }

    /// Right after a commit: owns the next request's lines, and waits until a look for the reply makes
    /// sense. In this order, because a look for the reply takes as long as a line's way here, and stores
    /// behind it would wait for it. Side by side with the look the lines are asked for again: the engine
    /// may have looked for the next request too early, and have taken them away.
    #[inline(always)]
    fn let_lull_pass(&mut self) {
        let producer = self.sender.producer();
        producer.own_next_lines();
        self.receiver
            .let_lull_pass(|nothing| producer.keep_next_lines(nothing));
    }

    /// The reply was not there yet behind the lull.
    #[inline(always)]
    fn await_late_reply(&mut self, number: u64, deadline: Duration) -> Result<(), HostError> {
        if !self.receiver.wait_for_late(deadline)? {
            self.receiver.want_from(number.wrapping_add(1));
            return Err(HostError::Deadline { number });
        }
        Ok(())
    }
}
