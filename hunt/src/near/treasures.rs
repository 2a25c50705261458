//! Treasures, and an index from each node to those in reach of it.
//!
//! ```text
//!   lay(t) ── search backwards from its node ──▶ each node that reaches t gets an entry (t, distance)
//!   near   ── entries of `to` + what is ahead, entries of `from` + what is behind ──▶ nearest first
//! ```
//!
//! Treasures change rarely and are looked for with each step, so the search is done when one is laid or
//! lifted, and looking is a walk through two short lists. A treasure lies at a node. Its distance from a
//! place is that of the shortest walk: ahead along the arc, or back along it where the street can be
//! walked back.
//!
//! The pool of entries is fixed. Where it runs out (treasures crowd in a dense part of the map), a
//! treasure gets one entry, at its own node, and while there is such a treasure, looking is a bounded
//! search. So the answers are the same, and dearer; a counter tells.

use super::search::{Search, TooLarge, Turned, Ways, MOST_NODES};
use super::table::{Kept, Table};
use crate::map::StreetMap;
use crate::request::{Found, List};
use crate::settling::Settling;

/// The most treasures there can be: the lower 24 bits of a treasure's number name its place in the table.
pub const MOST_TREASURES: u32 = (1 << 24) - 1;

/// Somewhere on an arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The node that the arc leaves.
    pub from: u32,
    /// The node that it reaches.
    pub to: u32,
    /// Decimetres along it.
    pub offset_dm: u16,
}

/// A treasure that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// Where it lay.
    pub node: u32,
    /// What it is worth.
    pub value: i64,
}

/// All treasures of a game.
pub struct Treasures {
    table: Table,
    turned: Turned,
    search: Search,
    reached: Vec<(u32, u32)>,
    reach_dm: u32,
}

impl Treasures {
    /// Room for `budget` treasures on this map, [`MOST_TREASURES`] at most, each found from `reach_dm`
    /// away.
    ///
    /// # Errors
    /// Where the memory cannot be had.
    pub fn new(map: &StreetMap, budget: u32, reach_dm: u32) -> Result<Treasures, std::io::Error> {
        Ok(Treasures {
            table: Table::new(map.node_count(), budget.min(MOST_TREASURES))?,
            turned: Turned::new(map),
            search: Search::new(),
            reached: Vec::with_capacity(MOST_NODES),
            reach_dm,
        })
    }

    /// Bytes for so many treasures on a map of so many nodes.
    pub fn bytes(nodes: u32, budget: u32) -> u64 {
        Table::bytes(nodes, budget.min(MOST_TREASURES))
    }

    /// Its memory, for when the engine has booted.
    pub(crate) fn enlist(&self, settling: &mut Settling) {
        self.table.enlist(settling);
    }

    /// How many treasures lie about.
    pub fn live(&self) -> u32 {
        self.table.live
    }

    /// How many of them the index had no room for.
    pub fn alone(&self) -> u32 {
        self.table.alone
    }

    /// Lays a treasure at a node of the map; returns its number, or nothing where there is no room or no
    /// such node.
    pub fn lay(&mut self, map: &StreetMap, node: u32, value: i64) -> Option<u32> {
        if node >= map.node_count() {
            return None;
        }
        let at = self.table.take(node, value)?;
        let is_whole = self.reach(map, node).is_ok();
        self.table.put(at, is_whole.then_some(&self.reached));
        Some(self.table.number(at))
    }

    /// Takes a treasure out; `None` where there is no such treasure (any more).
    pub fn lift(&mut self, map: &StreetMap, treasure: u32) -> Option<Lifted> {
        let at = self.table.find(treasure)?;
        let (slot, kept) = self.table.slot(at);
        if kept == Kept::Indexed && self.reach(map, slot.node).is_ok() {
            for &(node, _) in &self.reached {
                self.table.unlink(node, at);
            }
        } else {
            self.table.unlink(slot.node, at);
        }
        self.table.free(at);
        Some(Lifted {
            node: slot.node,
            value: slot.value,
        })
    }

    /// Asks the cache for what lies near a place.
    #[inline]
    pub(crate) fn prefetch(&self, spot: &Spot) {
        self.table.prefetch(spot.from);
        self.table.prefetch(spot.to);
    }

    /// The treasures within reach of a place, nearest first.
    #[inline]
    pub fn near(&mut self, map: &StreetMap, spot: &Spot) -> List {
        let mut list = List::default();
        let is_whole = self.each_within(map, spot, self.reach_dm, |table, at, distance_dm| {
            list.add_once(Found {
                distance_dm,
                id: table.number(at),
            });
        });
        list.is_cut |= !is_whole;
        list
    }

    /// How far a treasure is from a place; `None` where it is beyond `within_dm`, which is at most the
    /// reach, or where there is no such treasure.
    pub fn distance(
        &mut self,
        map: &StreetMap,
        spot: &Spot,
        treasure: u32,
        within_dm: u32,
    ) -> Option<u32> {
        let wanted = self.table.find(treasure)?;
        let mut best: Option<u32> = None;
        self.each_within(
            map,
            spot,
            within_dm.min(self.reach_dm),
            |_, at, distance_dm| {
                if at == wanted {
                    best = Some(best.map_or(distance_dm, |best| best.min(distance_dm)));
                }
            },
        );
        best
    }

    /// Whether there is such a treasure.
    pub fn is_live(&self, treasure: u32) -> bool {
        self.table.find(treasure).is_some()
    }

    /// Each treasure that lies about: (number, node, worth), in the order of their places.
    pub fn all(&self) -> impl Iterator<Item = (u32, u32, i64)> + '_ {
        self.table.all()
    }

    /// All treasures within any reach of a node, told nearest first, by a search.
    ///
    /// # Errors
    /// [`TooLarge`]; a part was told then.
    pub fn around(
        &mut self,
        map: &StreetMap,
        node: u32,
        reach_dm: u32,
        mut found: impl FnMut(Found),
    ) -> Result<(), TooLarge> {
        let table = &self.table;
        self.search
            .within(Ways::Forward(map), node, reach_dm, |node, distance_dm| {
                for at in table.lying_at(node) {
                    found(Found {
                        distance_dm,
                        id: table.number(at),
                    });
                }
            })
    }

    /// The nodes from which a node is in reach, into `reached`.
    fn reach(&mut self, map: &StreetMap, node: u32) -> Result<(), TooLarge> {
        let reached = &mut self.reached;
        reached.clear();
        let ways = Ways::Backward(map, &self.turned);
        self.search
            .within(ways, node, self.reach_dm, |node, distance_dm| {
                reached.push((node, distance_dm));
            })
    }

    /// Tells each treasure within `within_dm` of a place, some of them twice, with its distance. False
    /// where that was too much for a search, and not all were told.
    #[inline]
    fn each_within(
        &mut self,
        map: &StreetMap,
        spot: &Spot,
        within_dm: u32,
        mut found: impl FnMut(&Table, u32, u32),
    ) -> bool {
        let mut is_whole = true;
        let Some(arc) = map.arc(spot.from, spot.to) else {
            return true;
        };
        let ahead = u32::from(arc.length_dm.saturating_sub(spot.offset_dm));
        let back = map.arc(spot.to, spot.from);
        let behind = back.map(|back| way_back(spot.offset_dm, arc.length_dm, back.length_dm));
        let starts = [(spot.to, Some(ahead)), (spot.from, behind)];
        for (node, way) in starts
            .into_iter()
            .filter_map(|(node, way)| Some((node, way?)))
        {
            let Some(left) = within_dm.checked_sub(way) else {
                continue;
            };
            let table = &self.table;
            if table.alone == 0 {
                for (at, distance_dm) in table.entries(node).filter(|entry| entry.1 <= left) {
                    found(table, at, way + distance_dm);
                }
                continue;
            }
            let searched =
                self.search
                    .within(Ways::Forward(map), node, left, |node, distance_dm| {
                        for at in table.lying_at(node) {
                            found(table, at, way + distance_dm);
                        }
                    });
            is_whole &= searched.is_ok();
        }
        is_whole
    }
}

/// How long the way back to the start of an arc is. The other direction is as long as this one, except
/// where a map says otherwise; then it is the same share of it.
#[inline]
fn way_back(offset_dm: u16, length_dm: u16, back_length_dm: u16) -> u32 {
    if length_dm == back_length_dm {
        return offset_dm.into();
    }
    let offset = u32::from(offset_dm.min(length_dm));
    offset * u32::from(back_length_dm) / u32::from(length_dm)
}
