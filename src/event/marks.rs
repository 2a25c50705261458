//! Marks: the first record that starts in each eighth of the ring, as far as it is retained. What is
//! given up is given up to a mark, and readers rejoin at one: so nobody needs to know where every
//! record starts.

use crate::ring::Cursor;

/// More than a ring can have: one for each eighth, and some that are about to be given up.
const MOST: usize = 16;

/// The writer's private marks, oldest first.
pub(super) struct Marks {
    cursors: [Cursor; MOST],
    first: usize,
    count: usize,
    eighth: u64,
    /// From this position on the next record is marked.
    due: u64,
}

impl Marks {
    pub(super) fn new(capacity: u64, start: u64) -> Self {
        Self {
            cursors: [Cursor::START; MOST],
            first: 0,
            count: 0,
            eighth: capacity / 8,
            due: start,
        }
    }

    /// A record, or the padding before it, is about to be published at `start`.
    #[inline(always)]
    pub(super) fn note(&mut self, start: Cursor) {
        if start.position.wrapping_sub(self.due) as i64 >= 0 {
            self.mark(start);
        }
    }

    #[cold]
    fn mark(&mut self, start: Cursor) {
        self.due = (start.position & !(self.eighth - 1)).wrapping_add(self.eighth);
        assert!(self.count < MOST, "a mark for each eighth of the ring");
        self.cursors[(self.first + self.count) % MOST] = start;
        self.count += 1;
    }

    /// Takes the first mark that does not lie before `from` off the list, and all before it.
    pub(super) fn take_from(&mut self, from: u64) -> Option<Cursor> {
        while let Some(oldest) = self.oldest() {
            self.first = (self.first + 1) % MOST;
            self.count -= 1;
            if oldest.position.wrapping_sub(from) as i64 >= 0 {
                return Some(oldest);
            }
        }
        None
    }

    /// The oldest mark on the list.
    pub(super) fn oldest(&self) -> Option<Cursor> {
        (self.count > 0).then(|| self.cursors[self.first])
    }
}
