//! What must be true: the committed and unreleased records of a ring, kept as a plain list.

use ironhoard::ring::Cursor;

use super::tape::{Tape, KEPT, WILD};

/// A line in bytes.
pub const LINE: u64 = 64;

/// A committed record that is not yet released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub position: u64,
    pub number: u64,
    pub lines: u64,
}

/// The truth about one ring.
#[derive(Debug, Clone)]
pub struct Oracle {
    pub capacity: u64,
    /// The consumer's published position and the number expected there.
    pub first: Cursor,
    /// The committed end and the number to come.
    pub end: Cursor,
    /// Committed, unreleased, in order.
    pub records: Vec<Kept>,
}

impl Oracle {
    pub fn new(lines: usize, start: Cursor) -> Self {
        Self {
            capacity: lines as u64 * LINE,
            first: start,
            end: start,
            records: Vec::new(),
        }
    }

    pub fn offset(&self, position: u64) -> u64 {
        position % self.capacity
    }

    pub fn free(&self, end: u64) -> u64 {
        self.capacity - end.wrapping_sub(self.first.position)
    }

    /// Padding before a record of `lines` at `end`.
    pub fn padding(&self, end: u64, lines: u64) -> u64 {
        let left = self.capacity - self.offset(end);
        if lines * LINE > left {
            left
        } else {
            0
        }
    }

    /// Does a claim of `lines` behind `end` succeed?
    pub fn fits(&self, end: u64, lines: u64) -> bool {
        self.padding(end, lines) + lines * LINE <= self.free(end)
    }

    /// A record of `committed` lines, claimed with `claimed`, is committed at the end.
    pub fn commit(&mut self, claimed: u64, committed: u64) {
        self.pad(claimed);
        self.records.push(Kept {
            position: self.end.position,
            number: self.end.number,
            lines: committed,
        });
        self.end.position = self.end.position.wrapping_add(committed * LINE);
        self.end.number = self.end.number.wrapping_add(1);
    }

    /// The padding before a claim of `claimed` lines, where there is one, becomes visible.
    pub fn pad(&mut self, claimed: u64) {
        let padding = self.padding(self.end.position, claimed);
        self.end.position = self.end.position.wrapping_add(padding);
    }

    /// The consumer publishes a position behind `count` more records.
    pub fn release(&mut self, count: usize, position: u64) {
        self.records.drain(..count);
        self.first.position = position;
        self.first.number = self.first.number.wrapping_add(count as u64);
    }

    /// Every unreleased payload is still what was written: [`WILD`] in each further line.
    pub fn check_payload(&self, tape: &Tape) -> Result<(), String> {
        for record in &self.records {
            for line in 1..record.lines {
                let offset = self.offset(record.position.wrapping_add(line * LINE));
                let found = tape.kept((offset / LINE) as usize * KEPT);
                if found != WILD {
                    return Err(format!("payload of {record:?} overwritten by {found:#x}"));
                }
            }
        }
        Ok(())
    }
}
