//! From loose segments to a map: cut what is too long, keep the largest part, number along the curve.
//!
//! Importers and the generator only name nodes and join them; everything that makes a network a
//! [`StreetMap`] happens here, so that maps from all sources keep the same promises.

use super::hilbert::hilbert_index;
use super::image::{Content, Image};
use super::part::largest_part;
use super::{
    great_circle_metres, LonLat, MapError, Point, StreetArc, StreetMap, MAX_ARC_LENGTH_DM,
};

/// The most nodes and arcs of a map: what 32-bit numbers can name, with room for one past the end.
const MAX_NODES: u64 = u32::MAX as u64 - 1;
const MAX_ARCS: u64 = u32::MAX as u64;

/// An arc under way, between nodes as the source numbered them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RawArc {
    pub from: u32,
    pub to: u32,
    pub length_dm: u16,
    pub speed_kmh: u8,
}

/// Which way a segment can be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Both,
    Forward,
    Backward,
}

/// A map under construction.
#[derive(Default)]
pub(super) struct MapBuilder {
    places: Vec<LonLat>,
    arcs: Vec<RawArc>,
}

impl MapBuilder {
    /// Adds a node and returns its number for [`MapBuilder::join`].
    pub fn node(&mut self, place: LonLat) -> Result<u32, MapError> {
        let found = self.places.len() as u64 + 1;
        if found > MAX_NODES {
            return Err(MapError::TooLarge {
                what: "nodes",
                found,
                limit: MAX_NODES,
            });
        }
        self.places.push(place);
        Ok(found as u32 - 1)
    }

    /// Joins two different nodes by a street. A segment longer than a move's offset can name is cut
    /// into equal pieces by nodes of its own.
    pub fn join(
        &mut self,
        from: u32,
        to: u32,
        direction: Direction,
        speed_kmh: u8,
    ) -> Result<(), MapError> {
        let (start, end) = (self.places[from as usize], self.places[to as usize]);
        let decimetres = great_circle_metres(start, end) * 10.0;
        let pieces = (decimetres / f64::from(MAX_ARC_LENGTH_DM)).ceil().max(1.0) as u32;
        let length_dm = (decimetres / f64::from(pieces)).round().max(1.0) as u16;

        let mut last = from;
        for piece in 1..=pieces {
            let next = match piece == pieces {
                true => to,
                false => self.node(between(start, end, f64::from(piece) / f64::from(pieces)))?,
            };
            self.join_piece(last, next, direction, length_dm, speed_kmh);
            last = next;
        }
        Ok(())
    }

    fn join_piece(&mut self, from: u32, to: u32, way: Direction, length_dm: u16, speed_kmh: u8) {
        if way != Direction::Backward {
            self.arcs.push(RawArc {
                from,
                to,
                length_dm,
                speed_kmh,
            });
        }
        if way != Direction::Forward {
            self.arcs.push(RawArc {
                from: to,
                to: from,
                length_dm,
                speed_kmh,
            });
        }
    }

    /// Number of nodes so far.
    pub fn node_count(&self) -> usize {
        self.places.len()
    }

    /// Makes the map: the largest part, in Hilbert order, without doubled arcs.
    ///
    /// # Errors
    /// [`MapError::NoStreets`] where no two nodes reach each other, [`MapError::TooLarge`].
    pub fn finish(self, name: String, attribution: String) -> Result<StreetMap, MapError> {
        let kept = largest_part(self.places.len(), &self.arcs);
        let order = hilbert_order(&self.places, &kept);
        if order.len() < 2 {
            return Err(MapError::NoStreets {
                found: format!(
                    "{} places, no two of them reach each other",
                    self.places.len()
                ),
            });
        }
        let arcs = renumbered(self.arcs, &kept, &order);
        if arcs.len() as u64 > MAX_ARCS {
            return Err(MapError::TooLarge {
                what: "arcs",
                found: arcs.len() as u64,
                limit: MAX_ARCS,
            });
        }
        let places: Vec<LonLat> = order.iter().map(|&old| self.places[old as usize]).collect();
        let points: Vec<Point> = places.iter().map(LonLat::point).collect();
        let image = Image::new(&Content {
            name: &name,
            attribution: &attribution,
            places: &places,
            points: &points,
            first_arc: &first_arcs(places.len(), &arcs),
            arcs: &arcs.iter().map(compressed).collect::<Vec<_>>(),
        })?;
        Ok(StreetMap { image })
    }
}

/// The place at `share` of the way from one place to another, the short way round the earth.
fn between(start: LonLat, end: LonLat, share: f64) -> LonLat {
    let mut east = end.lon_degrees() - start.lon_degrees();
    if east.abs() > 180.0 {
        east -= 360.0 * east.signum();
    }
    let mut lon = start.lon_degrees() + east * share;
    if lon.abs() > 180.0 {
        lon -= 360.0 * lon.signum();
    }
    let lat = start.lat_degrees() + (end.lat_degrees() - start.lat_degrees()) * share;
    LonLat {
        lon_e7: (lon * 1e7).round() as i32,
        lat_e7: (lat * 1e7).round() as i32,
    }
}

/// The kept nodes, as the source numbered them, in their new order.
fn hilbert_order(places: &[LonLat], kept: &[bool]) -> Vec<u32> {
    // Both coordinates moved to start at zero and halved: 31 bits hold every place on earth.
    let along_curve = |place: &LonLat| {
        let x = (i64::from(place.lon_e7) + 1_800_000_000) / 2;
        let y = (i64::from(place.lat_e7) + 900_000_000) / 2;
        hilbert_index(x as u32, y as u32)
    };
    let mut keyed: Vec<(u64, LonLat, u32)> = (0..places.len() as u32)
        .filter(|&node| kept[node as usize])
        .map(|node| {
            (
                along_curve(&places[node as usize]),
                places[node as usize],
                node,
            )
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, node)| node).collect()
}

/// Arcs between kept nodes under their new numbers, sorted; of doubled ones the shortest, then the
/// fastest, is kept.
fn renumbered(arcs: Vec<RawArc>, kept: &[bool], order: &[u32]) -> Vec<RawArc> {
    let mut number = vec![u32::MAX; kept.len()];
    for (new, &old) in order.iter().enumerate() {
        number[old as usize] = new as u32;
    }
    let mut arcs: Vec<RawArc> = arcs
        .into_iter()
        .filter(|arc| kept[arc.from as usize] && kept[arc.to as usize])
        .map(|arc| RawArc {
            from: number[arc.from as usize],
            to: number[arc.to as usize],
            ..arc
        })
        .collect();
    arcs.sort_unstable_by_key(|arc| {
        (
            arc.from,
            arc.to,
            arc.length_dm,
            std::cmp::Reverse(arc.speed_kmh),
        )
    });
    arcs.dedup_by_key(|arc| (arc.from, arc.to));
    arcs
}

/// Where each node's arcs begin, and behind the last node where all end.
fn first_arcs(nodes: usize, arcs: &[RawArc]) -> Vec<u32> {
    let mut first = vec![0_u32; nodes + 1];
    for arc in arcs {
        first[arc.from as usize + 1] += 1;
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    first
}

fn compressed(arc: &RawArc) -> StreetArc {
    StreetArc {
        to: arc.to,
        length_dm: arc.length_dm,
        speed_kmh: arc.speed_kmh,
        spare: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(lon: f64, lat: f64) -> LonLat {
        LonLat::from_degrees(lon, lat).unwrap()
    }

    fn street(ends: [LonLat; 2]) -> StreetMap {
        let mut builder = MapBuilder::default();
        let [a, b] = ends.map(|end| builder.node(end).unwrap());
        builder.join(a, b, Direction::Both, 50).unwrap();
        builder.finish("street".into(), String::new()).unwrap()
    }

    #[test]
    fn a_street_longer_than_an_offset_can_name_is_cut() {
        let ends = [place(12.0, 57.0), place(12.0, 57.2)];
        let map = street(ends);
        assert_eq!(map.node_count(), 5);
        let expected = great_circle_metres(ends[0], ends[1]) / 1000.0;
        assert!((map.info().street_km - expected).abs() < 0.001);
    }

    #[test]
    fn a_long_street_across_the_date_line_stays_there() {
        let map = street([place(179.9, 0.0), place(-179.9, 0.0)]);
        assert!((map.info().street_km - 22.24).abs() < 0.01);
        let all = (0..map.node_count()).map(|node| map.place(node).unwrap());
        assert!(all.clone().all(|place| place.lon_degrees().abs() > 179.8));
    }

    #[test]
    fn equal_places_are_a_decimetre_apart() {
        let map = street([place(1.0, 1.0), place(1.0, 1.0)]);
        assert_eq!(map.arc(0, 1).unwrap().length_dm, 1);
    }

    #[test]
    fn of_doubled_arcs_the_shortest_is_kept() {
        let arc = |length_dm, speed_kmh| RawArc {
            from: 0,
            to: 1,
            length_dm,
            speed_kmh,
        };
        let kept = renumbered(
            vec![arc(9, 50), arc(7, 30), arc(7, 40)],
            &[true; 2],
            &[0, 1],
        );
        assert_eq!(kept, [arc(7, 40)]);
    }
}
