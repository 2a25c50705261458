//! All distances along the streets of a small map, each pair computed once, by relaxing all arcs until
//! nothing changes (Bellman, Ford). Quadratic in the nodes: for maps of some hundred.

use crate::map::StreetMap;
use crate::near::treasures::Spot;
use crate::request::Found;

/// How far it is from each node to each other.
pub struct Paths {
    distances: Vec<Vec<Option<u32>>>,
}

impl Paths {
    /// Computes all distances.
    pub fn new(map: &StreetMap) -> Paths {
        Paths {
            distances: (0..map.node_count())
                .map(|node| from_one(map, node))
                .collect(),
        }
    }

    /// Decimetres from one node to another; `None` where no way leads there, or a node is unknown.
    pub fn between(&self, from: u32, to: u32) -> Option<u32> {
        let row = self.distances.get(from as usize)?;
        row.get(to as usize).copied().flatten()
    }

    /// Decimetres from a place on an arc of the map to a node: ahead, or back where the street can be
    /// walked back.
    pub fn from_spot(&self, map: &StreetMap, spot: &Spot, node: u32) -> Option<u32> {
        let length = map.arc(spot.from, spot.to)?.length_dm;
        let ahead = u32::from(length.checked_sub(spot.offset_dm)?);
        let onwards = self.between(spot.to, node).map(|way| way + ahead);
        let back = map.arc(spot.to, spot.from).and_then(|_| {
            let way = self.between(spot.from, node)?;
            Some(way + u32::from(spot.offset_dm))
        });
        onwards.into_iter().chain(back).min()
    }

    /// Of these treasures (number, node), those within reach of a place, nearest first.
    pub fn near(
        &self,
        map: &StreetMap,
        spot: &Spot,
        treasures: impl Iterator<Item = (u32, u32)>,
        reach_dm: u32,
    ) -> Vec<Found> {
        let found = |(id, node)| {
            let distance_dm = self.from_spot(map, spot, node)?;
            (distance_dm <= reach_dm).then_some(Found { distance_dm, id })
        };
        let mut found: Vec<Found> = treasures.filter_map(found).collect();
        found.sort_unstable();
        found
    }
}

fn from_one(map: &StreetMap, start: u32) -> Vec<Option<u32>> {
    let mut best: Vec<Option<u32>> = vec![None; map.node_count() as usize];
    best[start as usize] = Some(0);
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for from in 0..map.node_count() {
            let Some(distance) = best[from as usize] else {
                continue;
            };
            for arc in map.arcs_from(from) {
                let way = distance + u32::from(arc.length_dm);
                if best[arc.to as usize].is_none_or(|best| way < best) {
                    best[arc.to as usize] = Some(way);
                    has_changed = true;
                }
            }
        }
    }
    best
}
