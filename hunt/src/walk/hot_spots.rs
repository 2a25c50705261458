//! Places that draw players: a few of them nearly everybody, as in a real city.
//!
//! The n-th place has the weight 1 / n^exponent (Zipf). A player begins at a place drawn so, some streets
//! away from it, so that a crowd has room and its members still meet the same treasures.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use crate::map::StreetMap;

/// How far from its place a player begins: at most so many streets.
const STREETS_AROUND: u32 = 12;

/// Which places draw players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotSpotOptions {
    /// How many places; 0: players begin anywhere.
    pub count: u32,
    /// A thousand times the exponent of their weights; 0: all draw alike.
    pub exponent_thousandths: u32,
}

/// The places, with their weights summed up.
pub(super) struct HotSpots {
    nodes: Vec<u32>,
    /// Weights of a place and all before it, on a scale that ends at `u32::MAX`.
    sums: Vec<u32>,
}

impl HotSpots {
    /// Draws the places from a seed.
    pub fn new(map: &StreetMap, options: HotSpotOptions, seed: u64) -> HotSpots {
        let mut random = Pcg32::seed_from_u64(seed ^ 0x686f_7473_706f_7473);
        let exponent = f64::from(options.exponent_thousandths) / 1000.0;
        let weights = (1..=options.count).map(|rank| f64::from(rank).powf(-exponent));
        let all: f64 = weights.clone().sum();
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some((*sum / all * f64::from(u32::MAX)) as u32)
        });
        HotSpots {
            sums: sums.collect(),
            nodes: (0..options.count)
                .map(|_| random.random_range(0..map.node_count().max(1)))
                .collect(),
        }
    }

    /// A node near one of the places; nothing where there are no places.
    pub fn draw(&self, map: &StreetMap, random: &mut Pcg32) -> Option<u32> {
        let draw = random.random::<u32>();
        let place = self.sums.partition_point(|&sum| sum < draw);
        let mut node = *self.nodes.get(place).or(self.nodes.last())?;
        for _ in 0..random.random_range(0..=STREETS_AROUND) {
            let arcs = map.arcs_from(node);
            if arcs.is_empty() {
                break;
            }
            node = arcs[random.random_range(0..arcs.len() as u64) as usize].to;
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{generate, GenerateOptions};

    fn spots(count: u32, exponent_thousandths: u32) -> (StreetMap, HotSpots) {
        let map = generate(&GenerateOptions::city(5_000, 1), &mut |_, _| {}).unwrap();
        let options = HotSpotOptions {
            count,
            exponent_thousandths,
        };
        let spots = HotSpots::new(&map, options, 3);
        (map, spots)
    }

    /// How often each place is drawn, the walk around it left out.
    fn draws(spots: &HotSpots) -> Vec<u32> {
        let mut random = Pcg32::seed_from_u64(9);
        let mut counts = vec![0; spots.nodes.len()];
        for _ in 0..100_000 {
            let draw = random.random::<u32>();
            let place = spots.sums.partition_point(|&sum| sum < draw);
            let last = counts.len() - 1;
            counts[place.min(last)] += 1;
        }
        counts
    }

    #[test]
    fn the_second_place_draws_half_as_many_as_the_first() {
        let counts = draws(&spots(50, 1000).1);
        let share = f64::from(counts[1]) / f64::from(counts[0]);
        assert!((0.45..0.55).contains(&share), "{share}");
        let share = f64::from(counts[9]) / f64::from(counts[0]);
        assert!((0.08..0.12).contains(&share), "{share}");
    }

    #[test]
    fn without_an_exponent_all_draw_alike() {
        let counts = draws(&spots(10, 0).1);
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn without_places_nobody_is_drawn_and_with_them_everybody_is_on_the_map() {
        let mut random = Pcg32::seed_from_u64(1);
        let (map, none) = spots(0, 1000);
        assert_eq!(none.draw(&map, &mut random), None);
        let (map, some) = spots(7, 1500);
        assert!((0..1000).all(|_| some.draw(&map, &mut random).unwrap() < map.node_count()));
    }
}
