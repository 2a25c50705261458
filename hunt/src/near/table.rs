//! The table of treasures and the lists of entries at the nodes, in fixed arenas.
//!
//! ```text
//!   first[node] ─▶ entry ─▶ entry ─▶ 0        an entry: which treasure, how far away
//!   slots[t]      worth, node, how often the place was used (so that old numbers name nothing)
//! ```

use std::io::Error;

use bytemuck::Zeroable;

use crate::arena::{prefetch, Arena};
use crate::settling::Settling;

/// Entries in the pool for each treasure.
const ENTRIES_EACH: usize = 24;

/// How a treasure is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Each node in reach has an entry.
    Indexed,
    /// Only its own node has one.
    Alone,
}

/// A place in the table.
#[derive(Clone, Copy, Zeroable)]
pub(super) struct Slot {
    pub value: i64,
    /// Where it lies; of a place that was given back, the next such one's number plus one.
    pub node: u32,
    /// How often the place was used in the upper byte, the state in the lowest.
    uses_and_state: u32,
}

const FREE: u8 = 0;
const INDEXED: u8 = 1;
const ALONE: u8 = 2;

/// An entry of a node's list.
#[derive(Clone, Copy, Zeroable)]
struct Entry {
    slot: u32,
    distance_dm: u32,
    /// The next entry's number plus one; 0 ends the list.
    next: u32,
}

/// See above.
pub(super) struct Table {
    slots: Arena<Slot>,
    /// The place that was given back last, its number plus one; 0 for none.
    free_slot: u32,
    /// Places from here on were never used, and so not touched either.
    used_slots: u32,
    /// Of each node, its first entry's number plus one.
    first: Arena<u32>,
    entries: Arena<Entry>,
    /// The first entry's number plus one that was given back; 0 for none.
    free_entry: u32,
    /// Entries from here on were never used.
    used_entries: u32,
    free_entries: u32,
    pub live: u32,
    pub alone: u32,
}

impl Table {
    pub fn new(nodes: u32, budget: u32) -> Result<Table, Error> {
        let (slots, entries) = (budget as usize, budget as usize * ENTRIES_EACH);
        Ok(Table {
            slots: Arena::new(slots)?,
            free_slot: 0,
            used_slots: 0,
            first: Arena::new(nodes as usize)?,
            entries: Arena::new(entries)?,
            free_entry: 0,
            used_entries: 0,
            free_entries: entries as u32,
            live: 0,
            alone: 0,
        })
    }

    /// Bytes for so many treasures on a map of so many nodes.
    pub fn bytes(nodes: u32, budget: u32) -> u64 {
        let each = size_of::<Slot>() + ENTRIES_EACH * size_of::<Entry>();
        u64::from(nodes) * 4 + u64::from(budget) * each as u64
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        settling.add(&self.slots);
        settling.add(&self.first);
        settling.add(&self.entries);
    }

    /// Takes a free place for a treasure, or nothing where none is left.
    pub fn take(&mut self, node: u32, value: i64) -> Option<u32> {
        let given_back = self.free_slot.checked_sub(1);
        let at = given_back.unwrap_or(self.used_slots);
        let slot = self.slots.get_mut(at as usize)?;
        match given_back {
            Some(_) => self.free_slot = slot.node,
            None => self.used_slots += 1,
        }
        let uses = (slot.uses_and_state >> 24).wrapping_add(1) << 24;
        (slot.node, slot.value) = (node, value);
        slot.uses_and_state = uses | u32::from(INDEXED);
        self.live += 1;
        Some(at)
    }

    /// Puts the entries of a new treasure down: all that are given, or where they do not fit, one at
    /// its own node. Each treasure still to come keeps one entry reserved.
    pub fn put(&mut self, at: u32, reached: Option<&[(u32, u32)]>) {
        let reserved = self.slots.len() as u64 - u64::from(self.live);
        let fits = |reached: &&[(u32, u32)]| {
            reached.len() as u64 + reserved <= u64::from(self.free_entries)
        };
        match reached.filter(fits) {
            Some(reached) => {
                for &(node, distance_dm) in reached {
                    self.link(node, at, distance_dm);
                }
            }
            None => {
                let slot = &mut self.slots[at as usize];
                slot.uses_and_state = slot.uses_and_state & !0xff | u32::from(ALONE);
                self.alone += 1;
                let node = slot.node;
                self.link(node, at, 0);
            }
        }
    }

    /// The place of a treasure's number, if it is there now.
    #[inline]
    pub fn find(&self, treasure: u32) -> Option<u32> {
        let at = treasure & 0x00ff_ffff;
        let slot = self.slots.get(at as usize)?;
        let is_it =
            slot.uses_and_state >> 24 == treasure >> 24 && slot.uses_and_state as u8 != FREE;
        is_it.then_some(at)
    }

    /// The number of the treasure at a place.
    #[inline]
    pub fn number(&self, at: u32) -> u32 {
        self.slots[at as usize].uses_and_state & 0xff00_0000 | at
    }

    /// What lies at a place that is taken, and how it is found.
    pub fn slot(&self, at: u32) -> (Slot, Kept) {
        let slot = self.slots[at as usize];
        match slot.uses_and_state as u8 {
            ALONE => (slot, Kept::Alone),
            _ => (slot, Kept::Indexed),
        }
    }

    /// Frees a place whose entries are gone.
    pub fn free(&mut self, at: u32) {
        let slot = &mut self.slots[at as usize];
        self.alone -= u32::from(slot.uses_and_state as u8 == ALONE);
        slot.uses_and_state = slot.uses_and_state & !0xff | u32::from(FREE);
        slot.node = self.free_slot;
        self.free_slot = at + 1;
        self.live -= 1;
    }

    /// Asks the cache for the list of a node.
    #[inline]
    pub fn prefetch(&self, node: u32) {
        prefetch(&self.first, node as usize);
    }

    /// The treasures in reach of a node, and how far each is: (place, decimetres).
    #[inline]
    pub fn entries(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut next = self.first.get(node as usize).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let entry = self.entries.get(next.checked_sub(1)? as usize)?;
            next = entry.next;
            Some((entry.slot, entry.distance_dm))
        })
    }

    /// The treasures that lie at a node.
    #[inline]
    pub fn lying_at(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let here = move |at: &u32| self.slots[*at as usize].node == node;
        self.entries(node).map(|(at, _)| at).filter(here)
    }

    /// Each treasure that is there: (number, node, worth).
    pub fn all(&self) -> impl Iterator<Item = (u32, u32, i64)> + '_ {
        let taken = |(_, slot): &(usize, &Slot)| slot.uses_and_state as u8 != FREE;
        let told = |(at, slot): (usize, &Slot)| (self.number(at as u32), slot.node, slot.value);
        let used = &self.slots[..self.used_slots as usize];
        used.iter().enumerate().filter(taken).map(told)
    }

    fn link(&mut self, node: u32, slot: u32, distance_dm: u32) {
        let number = match self.free_entry {
            0 => self.used_entries + 1,
            free => free,
        };
        let entry = &mut self.entries[number as usize - 1];
        if self.free_entry == number {
            self.free_entry = entry.next;
        } else {
            self.used_entries = number;
        }
        self.free_entries -= 1;
        let first = &mut self.first[node as usize];
        *entry = Entry {
            slot,
            distance_dm,
            next: *first,
        };
        *first = number;
    }

    /// Takes a treasure's entry out of a node's list.
    pub fn unlink(&mut self, node: u32, slot: u32) {
        let (mut before, mut number) = (0, self.first[node as usize]);
        while number != 0 && self.entries[number as usize - 1].slot != slot {
            (before, number) = (number, self.entries[number as usize - 1].next);
        }
        if number == 0 {
            return;
        }
        let entry = &mut self.entries[number as usize - 1];
        let next = std::mem::replace(&mut entry.next, self.free_entry);
        self.free_entry = number;
        self.free_entries += 1;
        match before {
            0 => self.first[node as usize] = next,
            before => self.entries[before as usize - 1].next = next,
        }
    }
}

const _: () = assert!(size_of::<Slot>() == 16 && size_of::<Entry>() == 12);
