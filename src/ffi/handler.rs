//! A handler in C: a function pointer with a context.
//!
//! It gets a private copy of each payload, in memory of its shard that is used over and over: 48 bytes are
//! copied in the time of a few loads, and what it reads cannot change under its hands. A handler that
//! knows better asks for the payload in place.

use std::ffi::c_void;
use std::panic::resume_unwind;

use super::border::{border, value_border, Outcome};
use super::handle::{exclusive, Handle, Mark};
use super::input::{bytes, give, output};
use super::status::ih_status::{self, IH_ERROR_HANDLE, IH_ERROR_NO_CLAIM};
use crate::engine::{EventClaim, Handler, Reply, Request, Status};
use crate::layout::{ENGINE_STATUS_FIRST, STATUS_PANIC, STATUS_TOO_LARGE};

/// The reply to the request in hand, written straight into the reply ring.
#[repr(C)] // begins with its mark
pub struct ih_reply {
    mark: Mark,
    /// The reply in hand; NULL between two requests.
    reply: *mut Reply<'static>,
    /// The request in hand; NULL with it.
    request: *const Request<'static>,
    /// The event that was claimed for it; none between two requests.
    event: Option<EventClaim<'static>>,
}

impl ih_reply {
    /// From now on these are in hand.
    fn begin(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) {
        self.request = std::ptr::from_ref(request).cast();
        self.reply = std::ptr::from_mut(reply).cast();
    }

    /// Nothing is in hand; an event that was not published never was.
    fn end(&mut self) {
        self.event = None;
        self.request = std::ptr::null();
        self.reply = std::ptr::null_mut();
    }
}

impl Handle for ih_reply {
    const KIND: u32 = u32::from_le_bytes(*b"repl");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

/// A request, lent to the handler until it returns.
#[repr(C)]
pub struct ih_request {
    /// Its number in its lane, from 1; its name for ever.
    pub number: u64,
    /// When it was taken, in nanoseconds of CLOCK_MONOTONIC; read now and then, not for each message.
    pub now_ns: u64,
    /// The payload, aligned to 16 bytes: a private copy. In place: memory that the host can still write.
    pub payload: *const c_void,
    pub payload_bytes: u32,
    /// What the host asks for; the meaning is the handler's.
    pub kind: u16,
    /// The shard that serves it.
    pub shard: u16,
}

/// Answers one request: its return value is the reply's kind, 0 for success, below 0xff00 codes of its own
/// (or IH_STATUS_TOO_LARGE). What it wrote to `reply` travels along. It must return: no longjmp, no
/// exception. Its inputs are the request and `context`, so that a recorded input replays to the same state.
pub type ih_handler = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        request: *const ih_request,
        reply: *mut ih_reply,
    ) -> u16,
>;

/// Makes the context of a shard's handler, on that shard's pinned thread, so that its memory lies near by.
/// NULL: it could not, and ih_engine_run answers IH_ERROR_SHARD_LOST.
pub type ih_make_shard =
    Option<unsafe extern "C" fn(context: *mut c_void, shard: u32) -> *mut c_void>;

/// Frees it, on the same thread, when the shard ends.
pub type ih_free_shard = Option<unsafe extern "C" fn(shard_context: *mut c_void)>;

/// A handler as the options describe it.
pub(super) struct CHandler {
    pub(super) handler: unsafe extern "C" fn(*mut c_void, *const ih_request, *mut ih_reply) -> u16,
    pub(super) context: *mut c_void,
    pub(super) make: ih_make_shard,
    pub(super) free: ih_free_shard,
    pub(super) largest_reply: Option<usize>,
    pub(super) stateless: bool,
    pub(super) in_place: bool,
}

// SAFETY: the context is the program's; the header says which threads its functions run on.
unsafe impl Send for CHandler {}
// SAFETY: as above.
unsafe impl Sync for CHandler {}

impl CHandler {
    /// The handler of one shard, made on its thread.
    pub(super) fn shard(&self, shard: usize) -> ShardHandler {
        let context = match self.make {
            None => self.context,
            // SAFETY: the program's function, called as the header says.
            Some(make) => unsafe { make(self.context, shard as u32) },
        };
        if self.make.is_some() && context.is_null() {
            resume_unwind(Box::new("make_shard gave NULL")); // a shard that could not be made is lost
        }
        ShardHandler {
            handler: self.handler,
            context,
            free: self.make.and(self.free),
            largest_reply: self.largest_reply,
            stateless: self.stateless,
            in_place: self.in_place,
            shard: shard as u16,
            copy: vec![0; FIRST_WORDS],
            reply: Box::new(ih_reply {
                mark: Mark::live::<ih_reply>(),
                reply: std::ptr::null_mut(),
                request: std::ptr::null(),
                event: None,
            }),
        }
    }
}

/// Words of 16 bytes that a shard has for copies at first; larger payloads make it grow, once.
const FIRST_WORDS: usize = 256;

/// A shard's handler.
pub(super) struct ShardHandler {
    handler: unsafe extern "C" fn(*mut c_void, *const ih_request, *mut ih_reply) -> u16,
    context: *mut c_void,
    free: ih_free_shard,
    largest_reply: Option<usize>,
    stateless: bool,
    in_place: bool,
    shard: u16,
    copy: Vec<u128>,
    reply: Box<ih_reply>,
}

impl ShardHandler {
    /// A private copy of the payload; `None` where there is no memory for it.
    #[inline(always)]
    fn copied(&mut self, request: &Request<'_>) -> Option<*const u8> {
        let payload = request.payload();
        if payload.len() > self.copy.len() * 16 {
            self.grow(payload.len())?;
        }
        let start = self.copy.as_mut_ptr().cast::<u8>();
        // SAFETY: the vector has that many bytes, they are initialised, and nobody else uses them.
        payload.copy_to(unsafe { std::slice::from_raw_parts_mut(start, payload.len()) });
        Some(start)
    }

    #[cold]
    fn grow(&mut self, bytes: usize) -> Option<()> {
        let words = bytes.div_ceil(16).next_power_of_two();
        self.copy.try_reserve_exact(words - self.copy.len()).ok()?;
        self.copy.resize(words, 0);
        Some(())
    }
}

impl Handler for ShardHandler {
    #[inline]
    fn handle(&mut self, request: &Request<'_>, reply: &mut Reply<'_>) -> Status {
        let payload = match self.in_place {
            true => Some(request.payload().pointer()),
            false => self.copied(request),
        };
        let Some(payload) = payload else {
            return Status(STATUS_TOO_LARGE);
        };
        let asked = ih_request {
            number: request.number(),
            now_ns: request.now(),
            payload: payload.cast(),
            payload_bytes: request.payload().len() as u32,
            kind: request.kind(),
            shard: self.shard,
        };
        self.reply.begin(request, reply);
        // SAFETY: the program's function, called as the header says: request and reply live until it
        // returns, and the reply is in nobody else's hands meanwhile.
        let code = unsafe { (self.handler)(self.context, &asked, &mut *self.reply) };
        self.reply.end();
        match code {
            code if code < ENGINE_STATUS_FIRST || code == STATUS_TOO_LARGE => Status(code),
            _ => Status(STATUS_PANIC),
        }
    }

    fn largest_reply(&self) -> Option<usize> {
        self.largest_reply
    }

    fn resumable(&self) -> Result<(), String> {
        match self.stateless {
            true => Ok(()),
            false => Err("the handler's state died with the engine: attach again".to_owned()),
        }
    }
}

impl Drop for ShardHandler {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the program's function, on the thread that made the context, once.
            unsafe { free(self.context) };
        }
    }
}

/// The reply to the request in hand.
///
/// # Safety
/// What the header asks for: called by the handler, while it has it.
#[inline(always)]
unsafe fn in_hand<'a>(reply: *mut ih_reply) -> Outcome<&'a mut Reply<'static>> {
    // SAFETY: by the contract.
    let reply = unsafe { exclusive(reply)? };
    // SAFETY: set while the handler runs, and only then.
    unsafe { reply.reply.as_mut() }.ok_or_else(|| IH_ERROR_HANDLE.into())
}

/// ---- In a handler ----------------------------------------------------------------------------
/// Claims `payload_bytes` bytes of reply, to be written in place. A second claim gives the first up; what is
/// not claimed is an empty reply. IH_ERROR_TOO_LARGE above ih_reply_limit.
#[no_mangle]
pub unsafe extern "C" fn ih_reply_claim(
    reply: *mut ih_reply,
    payload_bytes: usize,
    payload: *mut *mut c_void,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let reply = unsafe { in_hand(reply)? };
        let place = output(payload)?;
        let bytes = reply.payload(payload_bytes)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(bytes.as_mut_ptr().cast()) };
        Ok(())
    })
}

/// Writes a whole reply. `payload` may be NULL where `payload_bytes` is 0.
#[no_mangle]
pub unsafe extern "C" fn ih_reply_write(
    reply: *mut ih_reply,
    payload: *const c_void,
    payload_bytes: usize,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let (reply, payload) = unsafe { (in_hand(reply)?, bytes(payload, payload_bytes)?) };
        reply.write(payload)?;
        Ok(())
    })
}

/// The most this reply can carry, in bytes; 0 outside of the handler.
#[no_mangle]
pub unsafe extern "C" fn ih_reply_limit(reply: *const ih_reply) -> usize {
    value_border(0, || {
        // SAFETY: what the header asks for.
        Ok(unsafe { in_hand(reply.cast_mut())? }.limit())
    })
}

/// The handle of the reply in hand, with its request.
///
/// # Safety
/// As [`in_hand`].
#[inline(always)]
unsafe fn handle_in_hand<'a>(reply: *mut ih_reply) -> Outcome<&'a mut ih_reply> {
    // SAFETY: by the contract.
    let handle = unsafe { exclusive(reply)? };
    match handle.request.is_null() {
        true => Err(IH_ERROR_HANDLE.into()),
        false => Ok(handle),
    }
}

/// Claims an event in the shard's event ring `ring`, from 0, to be written in place and published to all
/// hosts. Never full. A second claim gives the first up, and so does the handler's return.
/// IH_ERROR_ARGUMENT where there is no such ring, IH_ERROR_TOO_LARGE above an eighth of it.
#[no_mangle]
pub unsafe extern "C" fn ih_event_claim(
    reply: *mut ih_reply,
    ring: u32,
    payload_bytes: usize,
    payload: *mut *mut c_void,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let handle = unsafe { handle_in_hand(reply)? };
        let place = output(payload)?;
        // Before the next claim, which may be in the same ring.
        handle.event = None;
        // SAFETY: not null, so the handler runs and its request lives; the claim ends when it returns.
        let request = unsafe { &*handle.request };
        let claim = handle
            .event
            .insert(request.event(ring as usize, payload_bytes)?);
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(claim.payload().as_mut_ptr().cast()) };
        Ok(())
    })
}

/// Publishes the claimed event, at once: hosts see it before the reply. `number` may be NULL; else it gets
/// the event's number in its ring.
#[no_mangle]
pub unsafe extern "C" fn ih_event_publish(
    reply: *mut ih_reply,
    kind: u16,
    number: *mut u64,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let claim = unsafe { handle_in_hand(reply)? }.event.take();
        let published = claim.ok_or(IH_ERROR_NO_CLAIM)?.publish(kind);
        // SAFETY: what the header asks for.
        unsafe { give(number, published) };
        Ok(())
    })
}
