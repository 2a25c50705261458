//! The crowd against sets: who is in which cell, whatever came and went, and whether buckets are lost.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::map::{generate, GenerateOptions};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

impl Crowd {
    /// Everybody who is in a cell, bucket by bucket, by the laws: one alone, or a first bucket that
    /// holds somebody and full ones behind it; each where it says that it is.
    fn members(&self, cell: usize) -> Vec<Vec<u32>> {
        let mut buckets = Vec::new();
        match self.cells[cell].who() {
            Who::Nobody => {}
            Who::One(player) => {
                assert_eq!(self.players[player as usize].bucket, ALONE);
                buckets.push(vec![player]);
            }
            Who::Many(first) => {
                let mut next = Some(first);
                while let Some(bucket) = next {
                    let held: Vec<_> = self.buckets.get(bucket).all().collect();
                    for &(player, place) in &held {
                        let here = &self.players[player as usize];
                        assert_eq!((here.bucket, here.place()), (bucket + 1, place));
                    }
                    buckets.push(held.into_iter().map(|held| held.0).collect());
                    next = self.buckets.next(bucket);
                }
                assert!(buckets[1..].iter().all(|held| held.len() == WIDTH));
                assert!(!buckets[0].is_empty() && (buckets.len() > 1 || buckets[0].len() > 1));
            }
        }
        buckets
    }
}

/// Where on its street a player is, which is all the same to a cell.
const SPOT: Spot = Spot {
    from: 0,
    to: 0,
    offset_dm: 0,
};

fn city() -> StreetMap {
    generate(&GenerateOptions::city(3_000, 1), &mut |_, _| {}).unwrap()
}

/// Few places and many players, so that cells of each size come and go.
#[test]
fn cells_hold_who_is_there_and_no_bucket_is_lost() {
    const PLAYERS: u32 = 301;
    let map = city();
    let mut random = Pcg32::seed_from_u64(11);
    let mut crowd = Crowd::new(&map, PLAYERS).unwrap();
    let mut right: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    let mut largest = 0;
    for round in 0..40_000 {
        let player = random.random_range(0..PLAYERS);
        for cell in right.values_mut() {
            cell.remove(&player);
        }
        let leaves = random.random_range(0..if round % 4_000 < 2_000 { 20 } else { 2 }) == 0;
        if leaves {
            crowd.leave(player);
        } else {
            let few = 1 << random.random_range(0..8_u32);
            let node = random.random_range(0..few);
            let place = map.point(node).unwrap();
            crowd.arrive(player, place, SPOT, 0);
            right
                .entry(crowd.grid.cell(place))
                .or_default()
                .insert(player);
        }
        if round % 16 == 0 {
            let mut used = 0;
            for (&cell, right) in &right {
                let buckets = crowd.members(cell);
                let members: BTreeSet<u32> = buckets.concat().into_iter().collect();
                assert_eq!((&members, buckets.concat().len()), (right, right.len()));
                used += if right.len() > 1 { buckets.len() } else { 0 };
                largest = largest.max(buckets.len());
            }
            assert_eq!(crowd.buckets.taken(), used);
            assert!(used <= PLAYERS as usize / 2);
        }
    }
    assert!(largest > 10, "{largest}");
}

/// Sixteen are looked at, and each cell has its turn: a crowd in one does not hide another's.
#[test]
fn a_crowded_cell_does_not_hide_its_neighbour() {
    let map = city();
    let mut crowd = Crowd::new(&map, 100).unwrap();
    let step = |by: i32| {
        let Point { x, y, z } = map.point(1_500).unwrap();
        let (x, y, z) = (x + by, y + by, z + by);
        Point { x, y, z }
    };
    let other = |by: &i32| crowd.grid.cell(step(*by)) != crowd.grid.cell(step(0));
    let border = (1..20_000).find(other).unwrap();
    for (mine, theirs) in [(border - 1, border + 20), (border, border - 21)] {
        for player in 0..90 {
            crowd.arrive(player, step(theirs), SPOT, 0);
        }
        crowd.arrive(90, step(mine), SPOT, 0);
        let near = crowd.near(91, step(mine), 100);
        assert!(near.is_cut);
        assert_eq!((near.entries()[0].id, near.entries().len()), (90, 8));
    }
}

/// Players in one cell, `way_cm` from its edge inwards, each a bit farther from where they are asked for.
fn in_a_row(players: &[u32], way_cm: i32) -> (Crowd, Point) {
    let map = city();
    let mut crowd = Crowd::new(&map, 6_000).unwrap();
    let middle = map.point(1_500).unwrap();
    for (at, &player) in (0..).zip(players) {
        let place = Point {
            x: middle.x + way_cm + at % 500,
            ..middle
        };
        crowd.arrive(player, place, SPOT, 0);
    }
    (crowd, middle)
}

#[test]
fn up_to_sixteen_all_are_looked_at() {
    for count in 2..=16_u32 {
        let (rising, falling): (Vec<u32>, Vec<u32>) =
            (0..count).map(|at| (at, count - 1 - at)).unzip();
        for players in [rising, falling] {
            let (crowd, place) = in_a_row(&players, 0);
            let mut right: Vec<Found> = (0..)
                .zip(&players)
                .map(|(at, &id)| Found {
                    distance_dm: at / 10,
                    id,
                })
                .collect();
            right.sort_unstable();
            let near = crowd.near(5_999, place, 1_000);
            let told = &right[..right.len().min(8)];
            assert_eq!(
                (near.entries(), near.is_cut),
                (told, count > 8),
                "{players:?}"
            );
        }
    }
}

#[test]
fn of_more_than_sixteen_no_more_are_looked_at_and_the_list_says_so() {
    for (count, is_cut) in [(16, false), (17, true), (5_000, true)] {
        let players: Vec<u32> = (0..count).collect();
        let (mut crowd, place) = in_a_row(&players, 1_500);
        let near = crowd.near(5_999, place, 1_000);
        assert_eq!(
            (near.entries(), near.is_cut),
            (&[][..], is_cut),
            "{count}, none in sight"
        );
        crowd.arrive(0, place, SPOT, 0);
        let seen = crowd.near(5_999, place, 1_000).entries().len();
        assert_eq!(
            seen,
            usize::from(count <= 17),
            "{count}: the first to come, in the last bucket"
        );
    }
}
