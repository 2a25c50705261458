//! Bounded search: all nodes within a distance along the streets, nearest first.
//!
//! ```text
//!   heap ──▶ nearest unsettled node ──▶ settled: told to the caller ──▶ its arcs relax its neighbours
//!              table: node → best distance so far; a small hash table that stays in the cache
//! ```
//!
//! Dijkstra's algorithm, except that everything it needs lies in a few fixed arrays, and that it gives up
//! when it has met more nodes than one request may cost. Around a player it settles some ten nodes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use crate::map::StreetMap;

/// Slots of the table; a power of two.
const SLOTS: usize = 1 << 14;
/// The most nodes that a search may meet.
pub const MOST_NODES: usize = SLOTS / 2;
/// The most entries that may wait in the heap.
const MOST_WAITING: usize = SLOTS;

/// The search would meet more nodes than one request may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the area has more than {MOST_NODES} nodes; ask for less reach")]
pub struct TooLarge;

/// Which way arcs are followed.
#[derive(Clone, Copy)]
pub enum Ways<'m> {
    /// As players walk: what can be reached from the start.
    Forward(&'m StreetMap),
    /// Against the arcs: from where the start can be reached.
    Backward(&'m StreetMap, &'m Turned),
}

/// The arcs of a map turned round; empty where every street can be walked both ways.
#[derive(Default)]
pub struct Turned {
    first: Vec<u32>,
    arcs: Vec<(u32, u16)>,
}

/// The memory of searches; one serves any number of them, one after the other.
pub struct Search {
    nodes: Box<[u32]>,
    best: Box<[u32]>,
    met: Vec<u32>,
    waiting: BinaryHeap<Reverse<(u32, u32)>>,
}

/// A slot of the table that holds no node.
const EMPTY: u32 = u32::MAX;

impl Turned {
    /// Turns the arcs of a map round, unless it has none that lead one way only.
    pub fn new(map: &StreetMap) -> Turned {
        let nodes = map.node_count();
        if is_two_way(map) {
            return Turned::default();
        }
        let mut first = vec![0_u32; nodes as usize + 2];
        let all =
            || (0..nodes).flat_map(|from| map.arcs_from(from).iter().map(move |arc| (from, arc)));
        for (_, arc) in all() {
            first[arc.to as usize + 2] += 1;
        }
        for node in 2..first.len() {
            first[node] += first[node - 1];
        }
        let mut arcs = vec![(0, 0); map.arc_count() as usize];
        for (from, arc) in all() {
            let at = &mut first[arc.to as usize + 1];
            arcs[*at as usize] = (from, arc.length_dm);
            *at += 1;
        }
        first.pop();
        Turned { first, arcs }
    }

    /// Bytes that the turned arcs take.
    pub fn bytes(&self) -> u64 {
        (size_of_val(&self.first[..]) + size_of_val(&self.arcs[..])) as u64
    }

    fn arcs_into(&self, node: u32) -> &[(u32, u16)] {
        let node = node as usize;
        &self.arcs[self.first[node] as usize..self.first[node + 1] as usize]
    }
}

/// Whether each arc has one of its length that leads back. Those that lead up (to a larger number) are looked
/// back from, and only counted against those that lead down: no two have the same one back. An engine that
/// boots waits for this, so two threads do it.
fn is_two_way(map: &StreetMap) -> bool {
    let (middle, end) = (map.node_count() / 2, map.node_count());
    let (low, high) = std::thread::scope(|scope| {
        let low = scope.spawn(|| surplus_up(map, 0..middle));
        let high = surplus_up(map, middle..end);
        (low.join().unwrap_or_default(), high)
    });
    low.zip(high).is_some_and(|(low, high)| low + high == 0)
}

/// How many more arcs lead up from these nodes than down; nothing where one has none back.
fn surplus_up(map: &StreetMap, nodes: Range<u32>) -> Option<i64> {
    let mut surplus = 0;
    for from in nodes {
        for arc in map.arcs_from(from) {
            if arc.to < from {
                surplus -= 1;
                continue;
            }
            surplus += i64::from(arc.to > from);
            map.arc(arc.to, from)
                .filter(|back| back.length_dm == arc.length_dm)?;
        }
    }
    Some(surplus)
}

impl Default for Search {
    fn default() -> Search {
        Search::new()
    }
}

impl Search {
    /// Takes the memory.
    pub fn new() -> Search {
        Search {
            nodes: vec![EMPTY; SLOTS].into(),
            best: vec![0; SLOTS].into(),
            met: Vec::with_capacity(MOST_NODES),
            waiting: BinaryHeap::with_capacity(MOST_WAITING),
        }
    }

    /// Tells `settled` each node within `reach_dm` of `start`, nearest first, with its distance in
    /// decimetres. An unknown start is near nothing.
    ///
    /// # Errors
    /// [`TooLarge`]; `settled` has been told a part then.
    ///
    /// ```
    /// use ironhoard_hunt::map::{generate, GenerateOptions};
    /// use ironhoard_hunt::near::search::{Search, Ways};
    /// let map = generate(&GenerateOptions::city(500, 1), &mut |_, _| {}).unwrap();
    /// let mut found = Vec::new();
    /// Search::new().within(Ways::Forward(&map), 7, 1_000, |node, dm| found.push((dm, node))).unwrap();
    /// assert_eq!(found[0], (0, 7));
    /// assert!(found.is_sorted_by_key(|&(dm, _)| dm));
    /// ```
    pub fn within(
        &mut self,
        ways: Ways<'_>,
        start: u32,
        reach_dm: u32,
        mut settled: impl FnMut(u32, u32),
    ) -> Result<(), TooLarge> {
        self.forget();
        let (Ways::Forward(map) | Ways::Backward(map, _)) = ways;
        if start >= map.node_count() {
            return Ok(());
        }
        self.meet(start, 0)?;
        while let Some(Reverse((distance, node))) = self.waiting.pop() {
            if self.best[self.slot(node)] < distance {
                continue;
            }
            settled(node, distance);
            let mut relax = |to: u32, length_dm: u16| match distance.checked_add(length_dm.into()) {
                Some(distance) if distance <= reach_dm => self.meet(to, distance),
                _ => Ok(()),
            };
            match ways {
                Ways::Backward(_, turned) if !turned.first.is_empty() => {
                    for &(from, length_dm) in turned.arcs_into(node) {
                        relax(from, length_dm)?;
                    }
                }
                _ => {
                    for arc in map.arcs_from(node) {
                        relax(arc.to, arc.length_dm)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes a way to a node, if none as short is known.
    #[inline]
    fn meet(&mut self, node: u32, distance: u32) -> Result<(), TooLarge> {
        let slot = self.slot(node);
        if self.nodes[slot] == EMPTY {
            if self.met.len() == MOST_NODES {
                return Err(TooLarge);
            }
            self.met.push(slot as u32);
            self.nodes[slot] = node;
        } else if self.best[slot] <= distance {
            return Ok(());
        }
        if self.waiting.len() == MOST_WAITING {
            return Err(TooLarge);
        }
        self.best[slot] = distance;
        self.waiting.push(Reverse((distance, node)));
        Ok(())
    }

    /// The slot of a node, or the free one where it belongs. Half of the slots are always free.
    #[inline]
    fn slot(&self, node: u32) -> usize {
        // An odd multiplier spreads neighbours; its upper bits are the good ones.
        let mut slot = (node.wrapping_mul(0x9e37_79b9) >> 18) as usize % SLOTS;
        while self.nodes[slot] != node && self.nodes[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    fn forget(&mut self) {
        self.waiting.clear();
        for slot in self.met.drain(..) {
            self.nodes[slot as usize] = EMPTY;
        }
    }
}

const _: () = assert!(1 << (32 - 18) == SLOTS);
