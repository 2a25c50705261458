//! Room for one record without a borrow of the producer: for who keeps claim and producer apart, as
//! the reply to a request and a host's claim do. Same rules as a [`Claim`](super::Claim); that there is
//! one at a time is up to the caller.

use super::claim::{payload_mut, put_u64};
use super::error::ClaimError;
use super::header::record_word;
use super::producer::{Cursor, Producer};
use super::words::{ByteWords, PositionWord, Words};
use crate::layout::{HEADER_BYTES, LINE};

/// Room for one record, taken but not committed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Where the record starts (behind the padding).
    pub(super) start: u64,
    /// The word of the record memory that lies there.
    pub(super) word: usize,
    /// Bytes of padding before it; 0 nearly always.
    pub(super) padding: u64,
    /// Payload bytes claimed.
    pub(super) payload: u32,
}

impl Room {
    /// Payload bytes claimed.
    pub(crate) fn payload_bytes(self) -> usize {
        self.payload as usize
    }

    /// The same room for less payload.
    ///
    /// # Panics
    /// Where `payload` is more than was claimed.
    pub(crate) fn shorter(self, payload: usize) -> Self {
        assert!(
            payload <= self.payload as usize,
            "commit of more than was claimed"
        );
        Self {
            payload: payload as u32,
            ..self
        }
    }
}

impl<W: Words, P: PositionWord> Producer<W, P> {
    /// Room for one record, for who keeps the producer elsewhere than in a claim. Taking room again
    /// gives the first up.
    #[inline(always)]
    pub(crate) fn reserve_room(&mut self, payload: usize) -> Result<Room, ClaimError> {
        if self.batch_open {
            self.bury_forgotten_batch();
        }
        self.reserve(self.end.position, payload)
    }

    /// As [`Producer::reserve_room`] for a record of one line, which needs no padding and soils nothing.
    /// `None` where it is longer, or where room has to be looked for.
    #[inline(always)]
    pub(crate) fn reserve_line(&mut self, payload: usize) -> Option<Room> {
        if self.batch_open {
            return None;
        }
        self.line_at(self.end.position, payload)
    }

    /// The room that [`Producer::reserve_line`] gave, as long as it is neither committed nor given up.
    #[inline(always)]
    pub(crate) fn reserved_line(&self, payload: u32) -> Room {
        self.line_room(self.end.position, payload)
    }

    /// Was the last record a line, and is the one behind the next line not soiled? Then the commit of a
    /// line has nothing to remember and nothing to erase.
    #[inline(always)]
    pub(crate) fn commits_line(&self) -> bool {
        let end = self.end.position.wrapping_add(LINE as u64);
        self.last_bytes == LINE as u64 && !self.soiled.has(end)
    }

    /// Commits the room that [`Producer::reserve_line`] gave, where [`Producer::commits_line`].
    #[inline(always)]
    pub(crate) fn commit_line(&mut self, payload: u32, kind: u16) {
        debug_assert!(payload <= self.one_line && self.commits_line());
        let (Cursor { position, number }, word) = (self.end, self.word_at(self.end.position));
        self.write_second_word(word, kind, 0, number);
        self.words.publish(word, record_word(payload, number));
        self.end = Cursor {
            position: position.wrapping_add(LINE as u64),
            number: number.wrapping_add(1),
        };
    }

    /// Commits `room`, which must be the last that was taken; returns the record's number.
    #[inline(always)]
    pub(crate) fn commit_room(&mut self, room: Room, kind: u16) -> u64 {
        self.commit(room, room.payload, kind, 0)
    }

    /// Writes word `index` of the payload of `room`.
    #[inline(always)]
    pub(crate) fn room_put_u64(&mut self, room: Room, index: usize, value: u64) {
        put_u64(&self.words, room.word, room.payload, index, value);
    }

    /// Writes the beginning of the payload of `room`, 8 bytes at a time: stores as wide as the
    /// reader's loads.
    #[inline(always)]
    pub(crate) fn room_write(&mut self, room: Room, bytes: &[u8]) {
        assert!(
            bytes.len() <= room.payload as usize,
            "more than was claimed"
        );
        let mut index = room.word + HEADER_BYTES / 8;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_ne_bytes(chunk.try_into().expect("eight bytes"));
            self.words.store(index, word);
            index += 1;
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.words.store(index, u64::from_ne_bytes(last));
        }
    }
}

impl<W: ByteWords, P: PositionWord> Producer<W, P> {
    /// The payload of `room`, to be written in place.
    #[inline(always)]
    pub(crate) fn room_payload(&mut self, room: Room) -> &mut [u8] {
        // SAFETY: as in `Claim::payload`: the lines are free and inside the ring, and this producer,
        // their only writer, is borrowed for as long as the slice lives.
        unsafe { payload_mut(&self.words, room.word, room.payload) }
    }
}
