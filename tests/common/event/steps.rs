//! Memory in which each access of one half is a step, before which the other half may be at work.
#![allow(dead_code)] // each test binary uses its own part

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ironhoard::event::{ControlWord, ControlWords};
use ironhoard::ring::Words;

/// Called before each access, with its ordinal.
pub type Hook = Box<dyn FnMut(u64)>;

/// One ring's words, and the control words behind them.
pub struct Memory {
    words: Vec<Cell<u64>>,
    ring: usize,
}

impl Memory {
    /// Zeroed, for a ring of `lines` lines.
    pub fn new(lines: usize) -> Rc<Self> {
        let words = (0..lines * 8 + 6).map(|_| Cell::new(0)).collect();
        Rc::new(Self {
            words,
            ring: lines * 8,
        })
    }

    pub fn set(&self, word: usize, value: u64) {
        self.words[word].set(value);
    }

    pub fn count(&self) -> usize {
        self.words.len()
    }

    fn control(&self, word: ControlWord) -> &Cell<u64> {
        let index = match word {
            ControlWord::Overwritten => 0,
            ControlWord::Sequence => 1,
            ControlWord::Position(parity) => 2 + parity as usize * 2,
            ControlWord::Number(parity) => 3 + parity as usize * 2,
        };
        &self.words[self.ring + index]
    }
}

/// One half's view of the memory.
#[derive(Clone)]
pub struct Steps {
    memory: Rc<Memory>,
    taken: Rc<Cell<u64>>,
    hook: Rc<RefCell<Option<Hook>>>,
}

impl Steps {
    pub fn new(memory: &Rc<Memory>) -> Self {
        Self {
            memory: memory.clone(),
            taken: Rc::default(),
            hook: Rc::default(),
        }
    }

    /// From now on `hook` is called before each access, which are counted from 0 again.
    pub fn before_each(&self, hook: impl FnMut(u64) + 'static) {
        self.taken.set(0);
        *self.hook.borrow_mut() = Some(Box::new(hook));
    }

    /// No hook any more; how many accesses there were.
    pub fn quietly(&self) -> u64 {
        *self.hook.borrow_mut() = None;
        self.taken.get()
    }

    fn step(&self) {
        let step = self.taken.replace(self.taken.get() + 1);
        let hook = self.hook.borrow_mut().take(); // it does not step into itself
        if let Some(mut hook) = hook {
            hook(step);
            *self.hook.borrow_mut() = Some(hook);
        }
    }

    fn get(&self, cell: &Cell<u64>) -> u64 {
        self.step();
        cell.get()
    }

    fn put(&self, cell: &Cell<u64>, value: u64) {
        self.step();
        cell.set(value);
    }
}

impl Words for Steps {
    fn count(&self) -> usize {
        self.memory.ring
    }

    fn observe(&self, word: usize) -> u64 {
        self.get(&self.memory.words[word])
    }

    fn publish(&self, word: usize, value: u64) {
        self.put(&self.memory.words[word], value)
    }

    fn load(&self, word: usize) -> u64 {
        self.get(&self.memory.words[word])
    }

    fn store(&self, word: usize, value: u64) {
        self.put(&self.memory.words[word], value)
    }
}

impl ControlWords for Steps {
    fn observe(&self, word: ControlWord) -> u64 {
        self.get(self.memory.control(word))
    }

    fn publish(&self, word: ControlWord, value: u64) {
        self.put(self.memory.control(word), value)
    }

    fn load(&self, word: ControlWord) -> u64 {
        self.get(self.memory.control(word))
    }

    fn store(&self, word: ControlWord, value: u64) {
        self.put(self.memory.control(word), value)
    }

    fn release_fence(&self) {}

    fn acquire_fence(&self) {}
}
