//! Record memory that notes every store.
//!
//! A [`Tape`] keeps the first two words of each line: the only ones a consumer looks at before it
//! believes a header. The other words can never be taken for one and are dropped.
//!
//! [`WILD`] stands for payload of the worst kind. Whoever observes it as a header is shown a perfect
//! header with exactly the number expected there; so one symbol covers every number an end user
//! could have guessed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ironhoard::ring::{Cursor, PositionWord, Words};

pub use super::wild::WILD;

/// Words of a line that a tape keeps.
pub const KEPT: usize = 2;

/// The memory of one ring, and what was stored since the log was last taken.
pub struct Tape {
    lines: usize,
    words: RefCell<Vec<u64>>,
    log: RefCell<Vec<Store>>,
    position: Cell<u64>,
    expected: Cell<u64>,
}

/// One store: which kept word, and what.
#[derive(Debug, Clone, Copy)]
pub struct Store {
    pub kept: usize,
    pub value: u64,
}

impl Tape {
    /// `lines` zeroed lines and a consumer position.
    pub fn new(lines: usize, position: u64) -> Rc<Self> {
        Self::with(lines, vec![0; lines * KEPT], position)
    }

    /// A copy of this memory with an empty log.
    pub fn copy(&self) -> Rc<Self> {
        Self::with(self.lines, self.words.borrow().clone(), self.position.get())
    }

    fn with(lines: usize, words: Vec<u64>, position: u64) -> Rc<Self> {
        Rc::new(Self {
            lines,
            words: RefCell::new(words),
            log: RefCell::new(Vec::new()),
            position: Cell::new(position),
            expected: Cell::new(0),
        })
    }

    /// The kept word `kept` of the memory.
    pub fn kept(&self, kept: usize) -> u64 {
        self.words.borrow()[kept]
    }

    /// The first word of line `line`.
    pub fn first_word(&self, line: usize) -> u64 {
        self.kept(line * KEPT)
    }

    /// Does one store again, outside the ring's code.
    pub fn replay(&self, store: Store) {
        self.words.borrow_mut()[store.kept] = store.value;
    }

    /// Every store since the last call.
    pub fn take_log(&self) -> Vec<Store> {
        self.log.take()
    }

    /// Where the consumer says it is.
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    /// The number that [`WILD`] pretends to carry from now on.
    pub fn expect(&self, number: u64) {
        self.expected.set(number);
    }
}

fn kept(word: usize) -> Option<usize> {
    (word % 8 < KEPT).then_some(word / 8 * KEPT + word % 8)
}

/// A tape as the ring's words.
#[derive(Clone)]
pub struct TapeWords(pub Rc<Tape>);

impl Words for TapeWords {
    fn count(&self) -> usize {
        self.0.lines * 8
    }

    fn observe(&self, word: usize) -> u64 {
        match self.load(word) {
            WILD => self.0.expected.get() << 32 | 16,
            value => value,
        }
    }

    fn publish(&self, word: usize, value: u64) {
        self.store(word, value);
    }

    fn load(&self, word: usize) -> u64 {
        kept(word).map_or(0, |kept| self.0.kept(kept))
    }

    fn store(&self, word: usize, value: u64) {
        if let Some(kept) = kept(word) {
            let store = Store { kept, value };
            self.0.replay(store);
            self.0.log.borrow_mut().push(store);
        }
    }
}

/// The tape's position word.
#[derive(Clone)]
pub struct TapePosition(pub Rc<Tape>);

impl PositionWord for TapePosition {
    fn observe(&self) -> u64 {
        self.0.position.get()
    }

    fn publish(&self, next: Cursor) {
        self.0.position.set(next.position);
    }
}
