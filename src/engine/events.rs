//! A shard's event rings: what handlers publish to all hosts.
//!
//! ```text
//!   handler: claim ▸ write in place ▸ publish          one store makes it visible to every host
//!   shard, behind the round: does a waiter sleep?      one load for each waiter; if so, one bell for
//!                                                      the control thread, which rings the waiters
//! ```
//!
//! Publishing allocates nothing, makes no system call and waits for nobody, whatever hosts do.

use std::cell::{Cell, RefCell, RefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use thiserror::Error;

use super::park::Bell;
use crate::event::{EventWriter, MemoryEventWriter};
use crate::lane;
use crate::region::Mapping;
use crate::ring::{ClaimError, Cursor, Geometry, Room};
use crate::wait::Doze;

/// Why there is no claim for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EventError {
    /// There is no such event ring.
    #[error("there is no event ring {ring}: each shard of this engine has {rings}; see `EngineOptions::event_rings`")]
    NoRing {
        /// What was asked for.
        ring: usize,
        /// How many each shard has.
        rings: usize,
    },
    /// The payload can never fit.
    #[error("an event of {payload} bytes is too large: the limit of this ring is {limit} bytes")]
    TooLarge {
        /// What was asked for, in bytes.
        payload: usize,
        /// The most that fits, in bytes.
        limit: u32,
    },
    /// Another claim in the same event ring is open.
    #[error("a claim in event ring {ring} is open: publish or drop it first")]
    ClaimOpen {
        /// Which ring.
        ring: usize,
    },
}

/// The event rings of one shard.
#[derive(Default)]
pub(crate) struct Events {
    rings: Vec<RefCell<MemoryEventWriter>>,
    /// Events published so far, in all rings.
    published: Cell<u64>,
    /// Of which the waiters have been looked at behind.
    told: Cell<u64>,
    counted: Cell<u64>,
}

impl Events {
    /// The rings in these regions, all of `capacity` bytes, to be written by the caller's thread alone.
    pub(super) fn new(regions: &[Arc<Mapping>], capacity: u64) -> Self {
        let ring = |region: &Arc<Mapping>| {
            let (words, control) = lane::event_words(region, capacity);
            let geometry = Geometry::new(capacity).expect("checked at the start");
            let writer = EventWriter::new(words, control, geometry, Cursor::START);
            RefCell::new(writer.expect("words and geometry are of one layout"))
        };
        Self {
            rings: regions.iter().map(ring).collect(),
            ..Self::default()
        }
    }

    /// Room for an event of `bytes` bytes in ring `ring`.
    #[inline]
    pub(super) fn claim(&self, ring: usize, bytes: usize) -> Result<EventClaim<'_>, EventError> {
        let rings = self.rings.len();
        let Some(cell) = self.rings.get(ring) else {
            return Err(EventError::NoRing { ring, rings });
        };
        let mut writer = cell
            .try_borrow_mut()
            .map_err(|_| EventError::ClaimOpen { ring })?;
        match writer.reserve(bytes) {
            Ok(room) => Ok(EventClaim {
                writer,
                room,
                published: &self.published,
            }),
            Err(ClaimError::TooLarge { payload, limit }) => {
                Err(EventError::TooLarge { payload, limit })
            }
            Err(ClaimError::Full | ClaimError::Corrupt { .. }) => {
                unreachable!("an event ring has no consumer to wait for or to believe")
            }
        }
    }

    /// Was anything published since this was last asked?
    #[inline(always)]
    pub(super) fn take_news(&self) -> bool {
        let published = self.published.get();
        self.told.replace(published) != published
    }

    /// A host came whose waiters nobody has looked at: as if something had been published just now.
    pub(super) fn renew(&self) {
        self.told.set(self.published.get().wrapping_sub(1));
    }

    /// Events published since this was last asked.
    pub(super) fn take_count(&self) -> u64 {
        let published = self.published.get();
        published.wrapping_sub(self.counted.replace(published))
    }
}

/// Room for one event, lent to a handler. Nothing is visible until [`EventClaim::publish`]; dropping it
/// aborts: no number is used.
///
/// ```
/// use ironhoard::engine::{Handler, Reply, Request, Status};
///
/// /// Tells all hosts what it was asked.
/// struct Herald;
///
/// impl Handler for Herald {
///     fn handle(&mut self, request: &Request<'_>, _reply: &mut Reply<'_>) -> Status {
///         let payload = request.payload();
///         match request.event(0, payload.len()) {
///             Ok(mut event) => {
///                 payload.copy_to(event.payload());
///                 event.publish(request.kind());
///                 Status::OK
///             }
///             Err(_) => Status::code(1),
///         }
///     }
/// }
/// ```
#[must_use = "a claim that is not published is aborted"]
pub struct EventClaim<'a> {
    writer: RefMut<'a, MemoryEventWriter>,
    room: Room,
    published: &'a Cell<u64>,
}

impl EventClaim<'_> {
    /// The number this event will have in its ring.
    pub fn number(&self) -> u64 {
        self.writer.next_number()
    }

    /// The payload, to be written in place; it holds whatever was there before.
    #[inline(always)]
    pub fn payload(&mut self) -> &mut [u8] {
        // SAFETY: the engine reads no event ring; hosts have mappings of their own, also those in this
        // process.
        unsafe { self.writer.payload(self.room) }
    }

    /// Writes the beginning of the payload.
    ///
    /// # Panics
    /// Where `bytes` are more than was claimed.
    #[inline(always)]
    pub fn write(&mut self, bytes: &[u8]) {
        self.writer.write(self.room, bytes);
    }

    /// Publishes the event to all hosts, at once; returns its number. `kind` is the handler's.
    #[inline(always)]
    pub fn publish(mut self, kind: u16) -> u64 {
        self.published.set(self.published.get().wrapping_add(1));
        self.writer.publish(self.room, kind)
    }
}

/// The shards' word to the control thread that a waiter sleeps and there is news for it.
#[derive(Clone)]
pub(super) struct EventBell {
    news: Arc<AtomicBool>,
    control: Bell,
}

impl EventBell {
    pub(super) fn new(control: Bell) -> Self {
        Self {
            news: Arc::default(),
            control,
        }
    }

    /// A shard saw a waiter asleep behind a publish. At most one system call until the control thread
    /// has looked.
    #[cold]
    pub(super) fn ring(&self) {
        // Label `ears`: whoever takes the news down sees the `need_wakeup` that was seen here.
        if !self.news.swap(true, Ordering::Release) {
            self.control.ring();
        }
    }

    /// The control thread, when its bell has been heard: is there news for waiters?
    pub(super) fn hear(&self) -> bool {
        self.news.swap(false, Ordering::Acquire) // `ears`, with `ring`
    }
}

/// No barrier: it was run before, once for many looks.
#[derive(Clone, Copy)]
pub(super) struct Settled;

impl Doze for Settled {
    fn waker(self) {}
    fn sleeper(self) {}
}
