//! Numbered places that are taken and given back: sessions and treasures, as a stack of free numbers.
//!
//! A thing's name is its place and how often the place was used. The place that was given back last is
//! taken first; at the beginning they are taken in order.

/// The places, and what is at each.
pub(super) struct Places<T> {
    taken: Vec<Option<T>>,
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl<T> Places<T> {
    pub fn new(budget: u32) -> Places<T> {
        Places {
            taken: (0..budget).map(|_| None).collect(),
            uses: vec![0; budget as usize],
            free: (0..budget).rev().collect(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub fn budget(&self) -> u32 {
        self.uses.len() as u32
    }

    /// Takes a place that is free; returns it and how often it was used by now.
    pub fn take(&mut self, what: T) -> Option<(u32, u32)> {
        let at = self.free.pop()?;
        self.uses[at as usize] += 1;
        self.taken[at as usize] = Some(what);
        Some((at, self.uses[at as usize]))
    }

    /// Gives a place back; returns what was there.
    pub fn give_back(&mut self, at: u32) -> Option<T> {
        let what = self.taken[at as usize].take();
        if what.is_some() {
            self.free.push(at);
        }
        what
    }

    /// What is at a place.
    pub fn at(&self, at: u32) -> Option<&T> {
        self.taken.get(at as usize)?.as_ref()
    }

    /// Everything there is, with its place and how often that was used.
    pub fn all(&self) -> impl Iterator<Item = (u32, u32, &T)> + '_ {
        let there = |(at, what): (usize, &'_ Option<T>)| what.is_some().then_some(at as u32);
        let places = self.taken.iter().enumerate().filter_map(there);
        places.filter_map(|at| Some((at, self.uses[at as usize], self.at(at)?)))
    }
}
