//! The writing half: claim room, write in place, publish. It never fails for want of room: it gives
//! old records up instead.
//!
//! ```text
//!   claim ─ is there room behind the committed end?
//!     │        no: publish the place to go on ▸ store `overwritten` ▸ release fence
//!   write in place
//!   publish ─ second word, then the header: one store
//! ```
//!
//! The fence is the heart: whoever sees one byte of the new record sees the new `overwritten`. A release
//! *store* to `overwritten` would not do; it does not order the stores behind it.

use super::control::{ControlWord, ControlWords};
use super::marks::Marks;
use crate::ring::{
    ByteWords, ClaimError, Cursor, Geometry, GeometryError, PositionWord, Producer, Room, Words,
};

/// The consumer that an event ring does not have.
struct Nobody;

impl PositionWord for Nobody {
    fn observe(&self) -> u64 {
        unreachable!("an event writer makes its room before it claims")
    }

    fn publish(&self, _: Cursor) {}
}

/// The half of an event ring that writes. One owner; it may move between threads.
pub struct EventWriter<W, C> {
    producer: Producer<W, Nobody>,
    control: C,
    marks: Marks,
    sequence: u64,
}

impl<W: Words, C: ControlWords> EventWriter<W, C> {
    /// The writer of an event ring in fresh (zeroed) `words`. The first event goes to `start`
    /// ([`Cursor::START`]); the control words are written here, before anybody else may look.
    ///
    /// # Errors
    /// [`GeometryError`] where words and geometry do not fit together.
    pub fn new(
        words: W,
        control: C,
        geometry: Geometry,
        start: Cursor,
    ) -> Result<Self, GeometryError> {
        let producer = Producer::new(words, Nobody, geometry, start)?;
        control.store(ControlWord::Position(0), start.position);
        control.store(ControlWord::Number(0), start.number);
        control.publish(ControlWord::Sequence, 0);
        control.publish(ControlWord::Overwritten, start.position);
        Ok(Self {
            producer,
            control,
            marks: Marks::new(geometry.capacity, start.position),
            sequence: 0,
        })
    }

    /// Claims room for one event of `payload` bytes. Never blocks and never finds the ring full.
    ///
    /// # Errors
    /// [`ClaimError::TooLarge`] above an eighth of the capacity.
    ///
    /// ```
    /// use ironhoard::event::EventPoll;
    /// let (mut writer, mut reader) = ironhoard::event::in_memory(4096)?;
    /// let mut claim = writer.claim(5)?;
    /// claim.write(b"claim");
    /// assert_eq!(claim.publish(7), 1);
    /// let mut buffer = [0; 512];
    /// match reader.poll(&mut buffer)? {
    ///     EventPoll::Event(event) => {
    ///         assert_eq!((event.number, event.kind, &buffer[..event.copied]), (1, 7, &b"claim"[..]));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn claim(&mut self, payload: usize) -> Result<EventClaim<'_, W, C>, ClaimError> {
        let room = self.reserve(payload)?;
        Ok(EventClaim { writer: self, room })
    }

    /// The number of the next event, from 1.
    pub fn next_number(&self) -> u64 {
        self.producer.cursor().number
    }

    /// The largest payload of an event, in bytes.
    pub fn payload_limit(&self) -> u32 {
        self.producer.payload_limit()
    }

    /// Takes room for one event, for who keeps the writer elsewhere than in a claim.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, payload: usize) -> Result<Room, ClaimError> {
        let need = self.producer.need(payload)?;
        if need > self.producer.known_free() {
            self.give_up(need);
        }
        self.producer.reserve_room(payload)
    }

    #[inline(always)]
    pub(crate) fn put_u64(&mut self, room: Room, index: usize, value: u64) {
        self.producer.room_put_u64(room, index, value);
    }

    #[inline(always)]
    pub(crate) fn write(&mut self, room: Room, bytes: &[u8]) {
        self.producer.room_write(room, bytes);
    }

    /// Publishes what was written into `room`, the last that was taken.
    #[inline(always)]
    pub(crate) fn publish(&mut self, room: Room, kind: u16) -> u64 {
        self.marks.note(self.producer.cursor());
        self.producer.commit_room(room, kind)
    }

    /// Gives old records up until `need` bytes fit behind the committed end. Label `given up`: the place
    /// to go on, then `overwritten`; label `overrun`: the fence, and only then the record.
    #[cold]
    fn give_up(&mut self, need: u64) {
        let end = self.producer.cursor().position;
        let from = end
            .wrapping_add(need)
            .wrapping_sub(self.producer.capacity());
        // A record and its padding take a quarter of the ring and a line at most, and the youngest
        // mark is that of an eighth and a record ago at most: it lies behind `from`.
        let oldest = self.marks.take_from(from).expect("a mark behind `from`");
        self.publish_rejoin(self.marks.oldest().unwrap_or(oldest));
        self.control
            .publish(ControlWord::Overwritten, oldest.position);
        self.control.release_fence(); // `overrun`, with the reader's fence
        self.producer.grant(oldest.position);
    }

    /// Publishes the place to go on: into the pair that does not count, then the sequence. The fence
    /// behind the last `overwritten` keeps these stores behind the sequence before (label `overrun`).
    fn publish_rejoin(&mut self, at: Cursor) {
        self.sequence = self.sequence.wrapping_add(1);
        self.control
            .store(ControlWord::Position(self.sequence & 1), at.position);
        self.control
            .store(ControlWord::Number(self.sequence & 1), at.number);
        self.control.publish(ControlWord::Sequence, self.sequence);
    }
}

impl<W: ByteWords, C: ControlWords> EventWriter<W, C> {
    /// The payload of `room`, to be written in place.
    ///
    /// # Safety
    /// Nobody in this process reads the ring through this mapping. Other processes, and other mappings,
    /// may: they believe nothing of what they read there.
    #[inline(always)]
    pub(crate) unsafe fn payload(&mut self, room: Room) -> &mut [u8] {
        self.producer.room_payload(room)
    }
}

/// Room for one event. Nothing is visible until [`EventClaim::publish`]; dropping it aborts: no number is
/// used.
#[must_use = "a claim that is not published is aborted"]
pub struct EventClaim<'a, W, C> {
    writer: &'a mut EventWriter<W, C>,
    room: Room,
}

impl<W: Words, C: ControlWords> EventClaim<'_, W, C> {
    /// The number this event will have.
    pub fn number(&self) -> u64 {
        self.writer.next_number()
    }

    /// Writes the payload's `index`-th 64-bit word (little endian), in place.
    ///
    /// # Panics
    /// Where the word is not inside the payload rounded up to 8 bytes.
    #[inline(always)]
    pub fn put_u64(&mut self, index: usize, value: u64) {
        self.writer.put_u64(self.room, index, value);
    }

    /// Writes the beginning of the payload.
    ///
    /// # Panics
    /// Where `bytes` are more than was claimed.
    #[inline(always)]
    pub fn write(&mut self, bytes: &[u8]) {
        self.writer.write(self.room, bytes);
    }

    /// Publishes the event to all readers; returns its number. `kind` is the handler's.
    #[inline(always)]
    pub fn publish(self, kind: u16) -> u64 {
        self.writer.publish(self.room, kind)
    }
}
