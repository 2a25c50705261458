//! The handler: what an engine does with a request.
//!
//! Deterministic by contract: time reaches it as an input, and nothing else may. So a recorded input
//! can be replayed to the same state.

use super::arena::Arena;
use super::events::{EventClaim, EventError, Events};
use crate::layout::{ENGINE_STATUS_FIRST, STATUS_OK};
use crate::ring::{ClaimError, MemoryProducer, MemoryWords, Payload, Record, Room};

/// The kind of a reply: 0 is success, below 0xff00 the handler's own codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub(crate) u16);

impl Status {
    /// Success.
    pub const OK: Status = Status(STATUS_OK);

    /// A code of the handler's own.
    ///
    /// # Panics
    /// From 0xff00 on: those are the engine's (at compile time where it is a constant).
    ///
    /// ```
    /// use ironhoard::engine::Status;
    /// const UNKNOWN_PLAYER: Status = Status::code(7);
    /// assert_ne!(UNKNOWN_PLAYER, Status::OK);
    /// ```
    pub const fn code(code: u16) -> Status {
        assert!(
            code < ENGINE_STATUS_FIRST,
            "codes from 0xff00 on are the engine's"
        );
        Status(code)
    }

    /// The code as it travels.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What an engine is built around. One handler for each shard, used by that shard's thread alone.
///
/// ```
/// use ironhoard::engine::{Handler, Reply, Request, Status};
///
/// /// Answers every request with its own payload.
/// struct Echo;
///
/// impl Handler for Echo {
///     fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
///         match reply.payload(request.payload().len()) {
///             Ok(bytes) => {
///                 request.payload().copy_to(bytes);
///                 Status::OK
///             }
///             Err(_) => Status::code(1),
///         }
///     }
///
///     fn resumable(&self) -> Result<(), String> {
///         Ok(()) // no state that could die with the engine
///     }
/// }
/// ```
pub trait Handler {
    /// Answers one request. Whatever is written to `reply` travels with the status returned; a reply
    /// may be empty. A panic becomes an error reply to this request and a counter.
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status;

    /// The largest payload a reply can have, in bytes; `None` for all that a ring allows. The engine
    /// takes no request from a lane without room for such a reply, so a small bound lets a reply
    /// ring be used to its end.
    fn largest_reply(&self) -> Option<usize> {
        None
    }

    /// May hosts of a dead engine resume with this one? `Err` carries the reason they are told.
    ///
    /// # Errors
    /// The default: a handler has state, and it died with the engine. A stateless handler says `Ok`.
    fn resumable(&self) -> Result<(), String> {
        Err("the handler's state died with the engine: attach again".to_string())
    }
}

/// What all requests of one visit have around them.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: u64,
    pub(crate) arena: &'a Arena,
    pub(crate) events: &'a Events,
}

/// A request, in place.
pub struct Request<'a> {
    pub(crate) record: Record<'a, MemoryWords>,
    pub(crate) around: &'a Surroundings<'a>,
}

impl<'a> Request<'a> {
    /// What the host asks for; the meaning is the handler's.
    #[inline]
    pub fn kind(&self) -> u16 {
        self.record.kind()
    }

    /// The request's number in its lane, from 1; its name for ever.
    #[inline]
    pub fn number(&self) -> u64 {
        self.record.number()
    }

    /// When it was taken, in nanoseconds of CLOCK_MONOTONIC. Read once in a while and not for each
    /// message: it may be late by the time of 256 messages.
    #[inline]
    pub fn now(&self) -> u64 {
        self.around.now
    }

    /// The payload, in memory the host can still write: each read is a copy.
    #[inline]
    pub fn payload(&self) -> Payload<'a, MemoryWords> {
        self.record.payload()
    }

    /// A copy of the payload in the shard's scratch arena; `None` where the arena has no room left.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        let payload = self.payload();
        let copy = self.around.arena.take(payload.len())?;
        payload.copy_to(copy);
        Some(copy)
    }

    /// Room for an event of `bytes` bytes in this shard's event ring `ring`, to be written in place and
    /// published to all hosts. What is published before the handler returns is visible before the reply.
    ///
    /// # Errors
    /// [`EventError::NoRing`], [`EventError::TooLarge`], [`EventError::ClaimOpen`].
    #[inline(always)]
    pub fn event(&self, ring: usize, bytes: usize) -> Result<EventClaim<'a>, EventError> {
        self.around.events.claim(ring, bytes)
    }

    /// The shard's scratch arena, reset after each batch.
    pub fn arena(&self) -> &'a Arena {
        self.around.arena
    }
}

/// The reply to one request, written straight into the reply ring.
///
/// It holds its length and nothing else: what a ring's producer says of the room for so many bytes is the
/// same each time it is asked, until a record is committed.
pub struct Reply<'a> {
    producer: &'a mut MemoryProducer,
    payload: u32,
    largest: usize,
}

impl<'a> Reply<'a> {
    #[inline(always)]
    pub(crate) fn new(producer: &'a mut MemoryProducer, largest: usize) -> Self {
        Self {
            producer,
            payload: 0,
            largest,
        }
    }

    /// The most this reply can carry, in bytes.
    pub fn limit(&self) -> usize {
        self.largest
    }

    /// `bytes` bytes of reply payload, to be written in place; they hold whatever was there before.
    /// A second call gives the first up.
    ///
    /// # Errors
    /// [`ClaimError::TooLarge`] above [`Reply::limit`].
    #[inline(always)]
    pub fn payload(&mut self, bytes: usize) -> Result<&mut [u8], ClaimError> {
        if bytes > self.largest {
            return Err(ClaimError::TooLarge {
                payload: bytes,
                limit: self.largest as u32,
            });
        }
        let room = match self.producer.reserve_line(bytes) {
            Some(line) => line,
            None => long_room(self.producer, bytes)?,
        };
        self.payload = bytes as u32; // a ring's record at most
        Ok(self.producer.room_payload(room))
    }

    /// Writes a whole payload.
    ///
    /// # Errors
    /// As [`Reply::payload`].
    #[inline(always)]
    pub fn write(&mut self, payload: &[u8]) -> Result<(), ClaimError> {
        self.payload(payload.len())?.copy_from_slice(payload);
        Ok(())
    }

    /// Commits what was written, or an empty reply, with `status` as its kind.
    #[inline(always)]
    pub(crate) fn commit(self, status: Status) -> Result<(), ClaimError> {
        let Self {
            producer, payload, ..
        } = self;
        if producer.reserve_line(payload as usize).is_some() && producer.commits_line() {
            producer.commit_line(payload, status.0);
            return Ok(());
        }
        commit_long(producer, payload, status)
    }
}

/// Room for a payload of more than a line, or where room has to be looked for. It gets no reply, so that
/// one need not be in memory.
#[inline(never)]
fn long_room(producer: &mut MemoryProducer, bytes: usize) -> Result<Room, ClaimError> {
    producer.reserve_room(bytes)
}

/// The commit of a reply in the room that [`long_room`] gave, or of one behind which something must be
/// erased or remembered.
#[inline(never)]
fn commit_long(
    producer: &mut MemoryProducer,
    payload: u32,
    status: Status,
) -> Result<(), ClaimError> {
    let room = producer.reserve_room(payload as usize)?;
    producer.commit_room(room, status.0);
    Ok(())
}
