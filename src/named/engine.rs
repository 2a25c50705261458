//! The engine's side of a pair of named segments: serves by polling, on whatever thread calls it.

use super::{NamedAttachError, NamedServeError, NamedShape, Pair};
use crate::engine::{Arena, Events, Handler, Reply, Request, Status, Surroundings};
use crate::lane::{position, ring_words};
use crate::layout::{
    lane_control_offset, reply_position_offset, FLAGS_MUST_UNDERSTAND, LANE_REQUEST_POSITION,
    STATUS_PANIC, STATUS_UNKNOWN_FLAG,
};
use crate::region::NamedRegion;
use crate::ring::{
    ClaimError, Consumer, Corrupt, Cursor, MemoryConsumer, MemoryProducer, Producer,
};
use crate::sys::clock::monotonic_ns;
use crate::sys::fork::ForkMark;

/// Bytes of the scratch arena.
const ARENA_BYTES: usize = 1 << 20;

/// An engine over a pair of named segments. Removes their names when dropped.
pub struct NamedEngine {
    lanes: Vec<EngineEnd>,
    arena: Arena,
    /// None: hosts of a named segment have no event rings.
    events: Events,
    mark: ForkMark,
}

/// The engine's end of one lane.
struct EngineEnd {
    requests: MemoryConsumer,
    replies: MemoryProducer,
    /// A reply was committed since lines were last owned.
    may_own: bool,
}

/// What ended a visit.
enum Fault {
    Request(Corrupt),
    Reply(ClaimError),
}

impl From<Corrupt> for Fault {
    fn from(source: Corrupt) -> Self {
        Fault::Request(source)
    }
}

impl From<ClaimError> for Fault {
    fn from(source: ClaimError) -> Self {
        Fault::Reply(source)
    }
}

impl NamedEngine {
    /// Creates the two segments of `name`, for one host.
    ///
    /// # Safety
    /// While any of the two processes uses them, the segments are opened by nobody but one
    /// [`NamedHost`](super::NamedHost) (or a program that writes only what a host may write), and
    /// truncated by nobody.
    ///
    /// # Errors
    /// [`NamedAttachError`]; nothing is left behind.
    pub unsafe fn create(name: &str, shape: NamedShape) -> Result<Self, NamedAttachError> {
        let mark = ForkMark::new()?;
        let pair = Pair::new(name, shape, NamedRegion::create)?;
        let ends = (0..shape.lanes).map(|lane| EngineEnd::new(&pair, shape, lane));
        Ok(Self {
            lanes: ends.collect(),
            arena: Arena::new(ARENA_BYTES),
            events: Events::default(),
            mark,
        })
    }

    /// Visits each lane once and answers up to `budget` of its requests; returns how many were
    /// answered in all. Never blocks, allocates nothing. A lane without room for the largest reply is
    /// passed over until its host takes replies.
    ///
    /// A panic in the handler reaches the caller. If that one goes on, the request in question is
    /// answered with [`STATUS_PANIC`] at the next visit.
    ///
    /// # Errors
    /// [`NamedServeError`] for the last lane whose host wrote nonsense; such a lane is never served
    /// again, the others have been served all the same.
    pub fn serve_once(
        &mut self,
        handler: &mut impl Handler,
        budget: usize,
    ) -> Result<u64, NamedServeError> {
        if self.mark.is_child() {
            return Err(NamedServeError::Forked);
        }
        let now = monotonic_ns();
        let mut outcome = Ok(0);
        for (lane, end) in self.lanes.iter_mut().enumerate() {
            match end.visit(handler, &self.arena, &self.events, now, budget) {
                Ok(count) => outcome = outcome.map(|sum| sum + count),
                Err(Fault::Request(source)) => {
                    outcome = Err(NamedServeError::Request { lane, source });
                }
                Err(Fault::Reply(source)) => outcome = Err(NamedServeError::Reply { lane, source }),
            }
            self.arena.reset();
        }
        outcome
    }
}

impl EngineEnd {
    fn new(pair: &Pair, shape: NamedShape, lane: u32) -> Self {
        let request_position = lane_control_offset(lane) + LANE_REQUEST_POSITION as u64;
        let requests = Consumer::new(
            ring_words(&pair.requests, shape.lanes, lane, shape.request_capacity),
            position(&pair.replies, request_position),
            pair.request_geometry,
            Cursor::START,
        );
        let replies = Producer::new(
            ring_words(&pair.replies, shape.lanes, lane, shape.reply_capacity),
            position(&pair.requests, reply_position_offset(lane, 1)),
            pair.reply_geometry,
            Cursor::START,
        );
        Self {
            requests: requests.expect("words and geometry are of one layout"),
            replies: replies.expect("words and geometry are of one layout"),
            may_own: false,
        }
    }

    /// Answers up to `budget` requests.
    fn visit(
        &mut self,
        handler: &mut impl Handler,
        arena: &Arena,
        events: &Events,
        now: u64,
        budget: usize,
    ) -> Result<u64, Fault> {
        let limit = self.replies.payload_limit() as usize;
        let largest = handler
            .largest_reply()
            .map_or(limit, |most| most.min(limit));
        let mut answered = 0;
        if self.requests.cursor().number != self.replies.cursor().number {
            // The handler panicked on the request before this one.
            Reply::new(&mut self.replies, 0).commit(Status(STATUS_PANIC))?;
            answered += 1;
        }
        let around = Surroundings { now, arena, events };
        let mut polled = self.requests.poll(budget);
        loop {
            match self.replies.has_room(largest) {
                Ok(()) => {}
                Err(ClaimError::Full) => break,
                Err(fault) => return Err(fault.into()),
            }
            let Some(record) = polled.next()? else { break };
            let flags = record.flags();
            let request = Request {
                record,
                around: &around,
            };
            let mut reply = Reply::new(&mut self.replies, largest);
            let status = match flags & FLAGS_MUST_UNDERSTAND {
                0 => handler.handle(&request, &mut reply),
                _ => Status(STATUS_UNKNOWN_FLAG),
            };
            reply.commit(status)?;
            answered += 1;
            if arena.is_half_full() {
                break;
            }
        }
        drop(polled);
        if answered == 0 {
            // The host may be waiting for room: who finds nothing to do says how far it is.
            self.requests.release();
            if std::mem::take(&mut self.may_own) {
                self.replies.own_next_lines();
            }
        }
        self.may_own |= answered != 0;
        Ok(answered)
    }
}
