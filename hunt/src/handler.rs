//! The hunt as an engine's handler: a request becomes a reply with its code, and perhaps events.
//!
//! ```text
//!   request ring ─ copied once ─▶ hunt ─▶ answer, written where it will be read ─▶ reply ring
//!                      └─▶ recorder, if there is one        └─▶ events ─▶ event ring
//! ```
//!
//! The request is copied out of the ring once, then judged: the host may still write the memory it lies
//! in. All state of a hunt dies with its engine, so resuming is declined. And all requests of a player
//! must meet the same state: serve a hunt from one shard, or give each shard players of its own.

use ironhoard::engine::{Handler, Reply, Request, Status};

use crate::event::{EVENT_BYTES, EVENT_RING};
use crate::record::{Code, MOVE_BYTES};
use crate::recording::{Input, Recorder};
use crate::request::LARGEST_REPLY_BYTES;
use crate::world::Hunt;

/// A [`Hunt`] that an engine can be built around. Its events go to the engine's event ring
/// [`EVENT_RING`]; without one (see [`event_rings`](ironhoard::engine::EngineOptions::event_rings)) it
/// counts them and tells nobody.
pub struct HuntHandler {
    hunt: Hunt,
    recorder: Option<Recorder>,
}

impl HuntHandler {
    /// Serves this hunt.
    pub fn new(hunt: Hunt) -> HuntHandler {
        HuntHandler {
            hunt,
            recorder: None,
        }
    }

    /// Records all requests, for replaying them: [`crate::recording`].
    pub fn record_to(mut self, recorder: Option<Recorder>) -> HuntHandler {
        self.recorder = recorder;
        self
    }

    /// Publishes the events of the request that was just judged.
    fn tell(&self, request: &Request<'_>) {
        for event in self.hunt.events().all() {
            let Ok(mut claim) = request.event(EVENT_RING, EVENT_BYTES) else {
                return; // an engine without event rings has nobody to tell
            };
            claim.payload().copy_from_slice(&event.encode());
            claim.publish(event.kind as u16);
        }
    }
}

impl Handler for HuntHandler {
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let mut buffer = [0; MOVE_BYTES];
        let payload = request.payload();
        let bytes = match payload.array::<MOVE_BYTES>() {
            Some(whole) => {
                buffer = whole;
                &buffer[..]
            }
            // No request is larger than a move; what is gets an answer that says so.
            None if payload.len() > MOVE_BYTES => &[][..],
            None => {
                let copied = payload.copy_to(&mut buffer);
                &buffer[..copied]
            }
        };
        let kind = if payload.len() > MOVE_BYTES {
            u16::MAX
        } else {
            request.kind()
        };
        let limit = reply.limit();
        let (code, answer) = self.hunt.answer(request.now(), kind, bytes, limit);
        // Always there: the smallest ring carries 512 bytes. The code alone would be an answer too.
        if let Ok(room) = reply.payload(answer.bytes().min(limit)) {
            answer.encode_into(room);
            if let Some(recorder) = &mut self.recorder {
                let input = Input {
                    now_ns: request.now(),
                    kind,
                    limit,
                    payload: bytes,
                };
                recorder.add(&input, code, room, self.hunt.events());
            }
        }
        self.tell(request);
        status(code)
    }

    fn largest_reply(&self) -> Option<usize> {
        Some(LARGEST_REPLY_BYTES)
    }

    fn resumable(&self) -> Result<(), String> {
        Err("the players' places and sequences died with the engine: attach again".to_string())
    }
}

impl Drop for HuntHandler {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            // An engine that leaves cannot mend it; the replay will say that the end is missing.
            let _ = recorder.finish(&self.hunt);
        }
    }
}

/// The code as a reply's status: zero is success in both.
fn status(code: Code) -> Status {
    Status::code(code.number())
}
