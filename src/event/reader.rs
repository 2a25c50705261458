//! A reading half: copy a bounded length, then look whether it still counts.
//!
//! ```text
//!   header ▸ bounded? ▸ copy ▸ acquire fence ▸ overwritten ≤ my position? ─ yes ─▶ believe
//!                                                  └─ no ─▶ overrun: which numbers, where to go on
//! ```
//!
//! No verdict is believed before that look, *empty* and *corrupt* neither: a reader that was stopped may
//! wake up four billion events later and find the low half of its number. It writes nothing. The
//! writer may be hostile: each word is read once and checked, whatever bytes there are is an answer,
//! and nonsense is an error that stays.

use super::control::{ControlWord, ControlWords};
use super::error::{EventCorrupt, EventFault};
use crate::layout::{record_bytes, LINE};
use crate::ring::{meaning, CorruptKind, Cursor, Geometry, GeometryError, Meaning, Record, Words};

/// Paddings and rejoins that lose nothing in one poll; a sound writer never makes a reader go on for
/// longer.
const LOOKS: usize = 8;
/// Tries to read a pair that changes meanwhile: each eighth of the ring once.
const TRIES: usize = 16;

/// What one poll found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPoll {
    /// The next event; its payload is in the caller's buffer.
    Event(Event),
    /// The writer was faster: these events are lost to this reader. It goes on behind them.
    Overrun(Lost),
    /// Nothing new.
    Empty,
}

/// An event that was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its ordinal in the ring, from 1.
    pub number: u64,
    /// What the handler says it is.
    pub kind: u16,
    /// Flags; all zero today.
    pub flags: u16,
    /// Bytes of payload.
    pub len: usize,
    /// Bytes that were copied: fewer where the buffer is shorter.
    pub copied: usize,
}

/// A range of numbers that a reader has lost.
///
/// ```
/// let lost = ironhoard::event::Lost { first: 8, last: 10 };
/// assert_eq!((lost.count(), lost.to_string()), (3, "events 8 to 10".to_string()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

impl Lost {
    /// How many.
    pub fn count(&self) -> u64 {
        self.last.wrapping_sub(self.first).wrapping_add(1)
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "events {} to {}", self.first, self.last)
    }
}

/// A half of an event ring that reads. One owner; it may move between threads. A clone reads for itself
/// from where this one stands.
#[derive(Clone)]
pub struct EventReader<W, C> {
    words: W,
    control: C,
    geometry: Geometry,
    next: Cursor,
    standing: Standing,
}

/// Whether a reader has a place in the ring.
#[derive(Clone, Copy)]
enum Standing {
    /// Not yet: the place to begin changed at each try to read it.
    Nowhere,
    /// It stands at `next`.
    Placed,
    /// The writer wrote nonsense: for good.
    Corrupt(EventCorrupt),
}

impl<W: Words, C: ControlWords> EventReader<W, C> {
    /// A reader that begins with the oldest events that are offered.
    ///
    /// # Errors
    /// [`GeometryError`] where words and geometry do not fit together. What the writer wrote shows at
    /// the first poll.
    pub fn new(words: W, control: C, geometry: Geometry) -> Result<Self, GeometryError> {
        geometry.check(words.count())?;
        let mut reader = Self {
            words,
            control,
            geometry,
            next: Cursor::START,
            standing: Standing::Nowhere,
        };
        let _ = reader.begin(); // without a place, and with a fault, the first poll says so
        Ok(reader)
    }

    /// The next event, copied into `buffer` as far as it goes; or what was lost; or nothing new. Never
    /// blocks. A buffer of [`EventReader::payload_limit`] bytes takes every event.
    ///
    /// # Errors
    /// [`EventCorrupt`], for good.
    ///
    /// ```
    /// use ironhoard::event::EventPoll;
    /// let (mut writer, mut reader) = ironhoard::event::in_memory(4096)?;
    /// for _ in 0..1000 {
    ///     writer.claim(8)?.publish(1); // far more than 64 lines hold
    /// }
    /// match reader.poll(&mut [])? {
    ///     EventPoll::Overrun(lost) => assert_eq!(lost.last + 1, reader.next_number()),
    ///     other => panic!("{other:?}"),
    /// }
    /// assert!(matches!(reader.poll(&mut [])?, EventPoll::Event(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn poll(&mut self, buffer: &mut [u8]) -> Result<EventPoll, EventCorrupt> {
        if !self.stands()? {
            return Ok(EventPoll::Empty);
        }
        for _ in 0..LOOKS {
            let (found, event) = self.look(buffer);
            self.control.acquire_fence(); // `overrun`, with the writer's fence
            let overwritten = self.control.observe(ControlWord::Overwritten);
            if is_behind(self.next.position, overwritten) {
                match self.rejoin(overwritten)? {
                    None => return Ok(EventPoll::Empty),
                    Some(lost) if lost.count() == 0 => continue,
                    Some(lost) => return Ok(EventPoll::Overrun(lost)),
                }
            }
            match found {
                Meaning::Empty => return Ok(EventPoll::Empty),
                Meaning::Record { payload } => return self.take(payload, event),
                Meaning::Corrupt(what) => return Err(self.fail(what.into())),
                Meaning::Padding { bytes } => {
                    self.next.position = self.next.position.wrapping_add(bytes);
                }
            }
        }
        Ok(EventPoll::Empty)
    }

    /// Is there something for [`EventReader::poll`] to answer: an event, an overrun or an error? A look at
    /// two words; copies nothing. A new reader that has found no place to begin has news: it needs a poll.
    #[inline]
    pub fn has_news(&mut self) -> bool {
        if !matches!(self.standing, Standing::Placed) {
            return true;
        }
        let offset = self.next.position & (self.geometry.capacity - 1);
        let header = self.words.observe((offset / 8) as usize); // `commit`
        self.control.acquire_fence(); // `overrun`, with the writer's fence
        let overwritten = self.control.observe(ControlWord::Overwritten);
        let Geometry {
            capacity,
            payload_limit,
        } = self.geometry;
        let number = self.next.number;
        let found = meaning(header, number, capacity - offset, capacity, payload_limit);
        found != Meaning::Empty || is_behind(self.next.position, overwritten)
    }

    /// Passes over all that is there; what comes from now on is next. Returns how many events were
    /// passed over or lost.
    ///
    /// # Errors
    /// [`EventCorrupt`], for good.
    ///
    /// ```
    /// let (mut writer, mut reader) = ironhoard::event::in_memory(4096)?;
    /// writer.claim(8)?.publish(1);
    /// assert_eq!(reader.skip_to_end()?, 1);
    /// assert_eq!(reader.next_number(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn skip_to_end(&mut self) -> Result<u64, EventCorrupt> {
        if !self.stands()? {
            return Ok(0);
        }
        let before = self.next.number;
        // The writer may be at work meanwhile: twice what a ring can hold is enough.
        for _ in 0..2 * self.geometry.capacity / LINE as u64 {
            if self.poll(&mut [])? == EventPoll::Empty {
                break;
            }
        }
        Ok(self.next.number.wrapping_sub(before))
    }

    /// The number of the event that comes next; 1 while a new reader has found no place to begin.
    pub fn next_number(&self) -> u64 {
        self.next.number
    }

    /// The largest payload of an event, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.geometry.payload_limit
    }

    /// Has this reader a place in the ring? A new one looks for it.
    #[inline(always)]
    fn stands(&mut self) -> Result<bool, EventCorrupt> {
        match self.standing {
            Standing::Placed => Ok(true),
            Standing::Nowhere => self.begin(),
            Standing::Corrupt(fault) => Err(fault),
        }
    }

    /// A new reader goes where one that is overrun goes on, and loses nothing by it. Says whether that
    /// place could be read.
    #[cold]
    fn begin(&mut self) -> Result<bool, EventCorrupt> {
        let Some(at) = self.rejoin_pair() else {
            return Ok(false);
        };
        // No ring comes as far as 2^63 bytes.
        if at.position % LINE as u64 != 0 || (at.position as i64) < 0 {
            return Err(self.fail(rejoin_fault(at)));
        }
        self.next = at;
        self.standing = Standing::Placed;
        Ok(true)
    }

    /// Reads what lies at the next position, a record with a copy of its payload. Believes nothing.
    #[inline(always)]
    fn look(&self, buffer: &mut [u8]) -> (Meaning, (u64, usize)) {
        let Geometry {
            capacity,
            payload_limit,
        } = self.geometry;
        let offset = self.next.position & (capacity - 1);
        let word = (offset / 8) as usize;
        let header = self.words.observe(word); // `commit`, with the writer's publish
        let to_end = capacity - offset;
        let found = meaning(header, self.next.number, to_end, capacity, payload_limit);
        let Meaning::Record { payload } = found else {
            return (found, (0, 0));
        };
        let second = self.words.load(word + 1); // settled by `commit`, and by `overrun` behind it
        let record = Record::new(&self.words, word, payload, second, self.next.number);
        (found, (second, record.payload().copy_to(buffer)))
    }

    /// The copy counts, if the whole number is the one expected.
    #[inline(always)]
    fn take(
        &mut self,
        payload: u32,
        (second, copied): (u64, usize),
    ) -> Result<EventPoll, EventCorrupt> {
        let number = self.next.number;
        if second >> 32 != number >> 32 {
            return Err(self.fail(CorruptKind::NumberHigh.into()));
        }
        self.next = Cursor {
            position: self.next.position.wrapping_add(record_bytes(payload)),
            number: number.wrapping_add(1),
        };
        Ok(EventPoll::Event(Event {
            number,
            kind: second as u16,
            flags: (second >> 16) as u16,
            len: payload as usize,
            copied,
        }))
    }

    /// Goes on where the writer says; answers what is lost by that, or nothing where the place changed
    /// too often while it was read.
    #[cold]
    fn rejoin(&mut self, overwritten: u64) -> Result<Option<Lost>, EventCorrupt> {
        let Some(at) = self.rejoin_pair() else {
            return Ok(None);
        };
        let Cursor { position, number } = self.next;
        let advance = at.position.wrapping_sub(position);
        let lost = at.number.wrapping_sub(number);
        let possible = at.position % LINE as u64 == 0
            && !is_behind(at.position, overwritten)
            && is_behind(position, at.position)
            && lost <= advance / LINE as u64;
        if !possible {
            return Err(self.fail(rejoin_fault(at)));
        }
        self.next = at;
        Ok(Some(Lost {
            first: number,
            last: at.number.wrapping_sub(1),
        }))
    }

    /// The pair that counts, whole; `None` where it changed at each try.
    fn rejoin_pair(&self) -> Option<Cursor> {
        for _ in 0..TRIES {
            let sequence = self.control.observe(ControlWord::Sequence); // `given up`
            let at = Cursor {
                position: self.control.load(ControlWord::Position(sequence & 1)),
                number: self.control.load(ControlWord::Number(sequence & 1)),
            };
            self.control.acquire_fence(); // `overrun`, with the writer's fence
            if self.control.load(ControlWord::Sequence) == sequence {
                return Some(at);
            }
        }
        None
    }

    /// Notes a fault. It stays: nothing is looked at behind it.
    #[cold]
    fn fail(&mut self, what: EventFault) -> EventCorrupt {
        let fault = EventCorrupt {
            position: self.next.position,
            number: self.next.number,
            what,
        };
        self.standing = Standing::Corrupt(fault);
        fault
    }
}

/// Does `position` lie before `other`, as free-running positions?
#[inline(always)]
fn is_behind(position: u64, other: u64) -> bool {
    other.wrapping_sub(position) as i64 > 0
}

fn rejoin_fault(at: Cursor) -> EventFault {
    EventFault::Rejoin {
        position: at.position,
        number: at.number,
    }
}
