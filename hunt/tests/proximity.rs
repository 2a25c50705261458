//! What is near, against brute force: every distance along the streets by relaxing all arcs until
//! nothing changes, every player by looking at all of them.

#[path = "common/town.rs"]
mod town;

use std::collections::BTreeMap;

use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::near::crowd::{Crowd, FARTHEST_CM};
use ironhoard_hunt::near::search::{Search, TooLarge, Turned, Ways};
use ironhoard_hunt::near::treasures::{Spot, Treasures};
use ironhoard_hunt::oracle::Paths;
use ironhoard_hunt::request::{Found, List};
use ironhoard_hunt::validate::place_on_arc;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use town::{driven, one_way_city, street};

const REACH_DM: u32 = 1_500;

fn two_way_city() -> StreetMap {
    generate(&GenerateOptions::city(400, 3), &mut |_, _| {}).unwrap()
}

/// A world on paper.
struct Paper<'m> {
    map: &'m StreetMap,
    paths: Paths,
    treasures: BTreeMap<u32, u32>,
}

impl<'m> Paper<'m> {
    fn new(map: &'m StreetMap) -> Paper<'m> {
        Paper {
            map,
            paths: Paths::new(map),
            treasures: BTreeMap::new(),
        }
    }

    /// All treasures within reach, nearest first.
    fn near(&self, spot: &Spot) -> Vec<Found> {
        let treasures = self.treasures.iter().map(|(&id, &node)| (id, node));
        self.paths.near(self.map, spot, treasures, REACH_DM)
    }
}

fn anywhere(map: &StreetMap, random: &mut Pcg64) -> Spot {
    let from = random.random_range(0..map.node_count());
    let arcs = map.arcs_from(from);
    let arc = arcs[random.random_range(0..arcs.len() as u64) as usize];
    Spot {
        from,
        to: arc.to,
        offset_dm: random.random_range(0..=arc.length_dm),
    }
}

fn assert_list(list: &List, right: &[Found]) {
    assert_eq!(list.entries(), &right[..right.len().min(8)]);
    assert_eq!(list.is_cut, right.len() > 8);
}

/// Lays, lifts and asks at random; returns how many questions had an answer.
fn compare(map: &StreetMap, budget: u32, questions: u32) -> u32 {
    let mut random = Pcg64::seed_from_u64(u64::from(budget));
    let mut paper = Paper::new(map);
    let mut treasures = Treasures::new(map, budget, REACH_DM).unwrap();
    let mut answered = 0;
    for _ in 0..questions {
        for _ in 0..2 {
            let node = random.random_range(0..map.node_count());
            match treasures.lay(map, node, 5) {
                Some(id) => assert_eq!(paper.treasures.insert(id, node), None),
                None => assert_eq!(paper.treasures.len() as u32, budget),
            }
        }
        if random.random_range(0..8) < 7 || paper.treasures.len() as u32 == budget {
            let at = random.random_range(0..paper.treasures.len() as u64) as usize;
            let (&id, &node) = paper.treasures.iter().nth(at).unwrap();
            paper.treasures.remove(&id);
            let lifted = treasures.lift(map, id).unwrap();
            assert_eq!((lifted.node, lifted.value), (node, 5));
            assert_eq!(
                (treasures.lift(map, id), treasures.is_live(id)),
                (None, false)
            );
        }
        let spot = anywhere(map, &mut random);
        let right = paper.near(&spot);
        assert_list(&treasures.near(map, &spot), &right);
        answered += u32::from(!right.is_empty());
        for within_dm in [0, 250, REACH_DM] {
            if let Some(last) = right.last() {
                let distance = treasures.distance(map, &spot, last.id, within_dm);
                assert_eq!(
                    distance,
                    Some(last.distance_dm).filter(|&found| found <= within_dm)
                );
            }
        }
    }
    assert_eq!(treasures.live() as usize, paper.treasures.len());
    answered
}

#[test]
fn ten_thousand_questions_are_answered_as_by_brute_force() {
    let map = two_way_city();
    assert!(compare(&map, 40, 6_000) > 1_000);
    assert!(compare(&one_way_city(), 20, 4_000) > 1_000);
}

#[test]
fn treasures_that_the_index_cannot_hold_are_found_by_search() {
    let map = two_way_city();
    let mut treasures = Treasures::new(&map, 60, 6_000).unwrap();
    let mut laid = Vec::new();
    while let Some(id) = treasures.lay(&map, laid.len() as u32, 1) {
        laid.push(id);
    }
    assert_eq!(laid.len(), 60);
    assert!(treasures.alone() > 30, "{}", treasures.alone());
    let mut paper = Paper::new(&map);
    paper.treasures = laid.iter().copied().zip(0..).collect();
    let mut random = Pcg64::seed_from_u64(1);
    for _ in 0..200 {
        let spot = anywhere(&map, &mut random);
        for &id in &laid {
            let right = paper.near_within(&spot, id, 6_000);
            assert_eq!(treasures.distance(&map, &spot, id, 6_000), right);
        }
    }
    for id in laid {
        assert!(treasures.lift(&map, id).is_some());
    }
    assert_eq!((treasures.live(), treasures.alone()), (0, 0));
    for node in 0..30 {
        assert!(treasures.lay(&map, node, 1).is_some());
    }
}

impl Paper<'_> {
    fn near_within(&self, spot: &Spot, id: u32, within_dm: u32) -> Option<u32> {
        let distance = self.paths.from_spot(self.map, spot, self.treasures[&id]);
        distance.filter(|&distance| distance <= within_dm)
    }
}

#[test]
fn an_old_number_names_no_new_treasure() {
    let map = two_way_city();
    let mut treasures = Treasures::new(&map, 1, REACH_DM).unwrap();
    let mut numbers = Vec::new();
    for node in 0..200 {
        let id = treasures.lay(&map, node, 1).unwrap();
        assert_eq!(treasures.lay(&map, node, 1), None);
        assert!(numbers.iter().all(|&old| !treasures.is_live(old)));
        numbers.push(id);
        treasures.lift(&map, id).unwrap();
    }
    assert_eq!(treasures.lay(&map, map.node_count(), 1), None);
    assert!(!treasures.is_live(u32::MAX));
}

#[test]
fn a_search_settles_what_brute_force_finds_in_both_directions() {
    for map in [two_way_city(), one_way_city()] {
        let (mut search, turned) = (Search::new(), Turned::new(&map));
        let paths = Paths::new(&map);
        for start in (0..map.node_count()).step_by(7) {
            let mut found = BTreeMap::new();
            search
                .within(Ways::Forward(&map), start, REACH_DM, |node, dm| {
                    assert_eq!(found.insert(node, dm), None);
                })
                .unwrap();
            let right: BTreeMap<u32, u32> = (0..map.node_count())
                .filter_map(|node| Some((node, paths.between(start, node)?)))
                .filter(|&(_, dm)| dm <= REACH_DM)
                .collect();
            assert_eq!(found, right);
            for (&node, &dm) in &right {
                let mut back = None;
                search
                    .within(
                        Ways::Backward(&map, &turned),
                        node,
                        REACH_DM,
                        |from, way| {
                            if from == start {
                                back = Some(way);
                            }
                        },
                    )
                    .unwrap();
                assert_eq!(back, Some(dm));
            }
        }
    }
}

#[test]
fn an_area_that_is_too_large_is_refused_and_the_next_search_is_right() {
    let map = generate(&GenerateOptions::city(20_000, 3), &mut |_, _| {}).unwrap();
    let mut search = Search::new();
    let mut count = 0;
    assert_eq!(
        search.within(Ways::Forward(&map), 1, u32::MAX, |_, _| count += 1),
        Err(TooLarge)
    );
    assert!(count > 1_000);
    let mut found = Vec::new();
    search
        .within(Ways::Forward(&map), 1, 500, |node, dm| {
            found.push((dm, node))
        })
        .unwrap();
    let mut anew = Vec::new();
    Search::new()
        .within(Ways::Forward(&map), 1, 500, |node, dm| {
            anew.push((dm, node))
        })
        .unwrap();
    assert_eq!(found, anew);
    assert_eq!(
        search.within(Ways::Forward(&map), u32::MAX, 500, |_, _| panic!("nowhere")),
        Ok(())
    );
}

#[test]
fn players_near_by_are_those_that_all_looked_at_gives() {
    let map = two_way_city();
    let mut random = Pcg64::seed_from_u64(5);
    let mut crowd = Crowd::new(&map, 60).unwrap();
    let mut places = BTreeMap::new();
    let mut seen = 0;
    for _ in 0..20_000 {
        let player = random.random_range(0..60_u32);
        if random.random_range(0..20) == 0 {
            crowd.leave(player);
            places.remove(&player);
            assert_eq!(crowd.spot(player), None);
            continue;
        }
        let spot = anywhere(&map, &mut random);
        let arc = map.arc(spot.from, spot.to).unwrap();
        let ends = (map.point(spot.from).unwrap(), map.point(spot.to).unwrap());
        let place = place_on_arc(ends.0, ends.1, arc, spot.offset_dm);
        crowd.arrive(player, place, spot, 3);
        places.insert(player, place);
        assert_eq!((crowd.spot(player), crowd.seen(player)), (Some(spot), 3));
        let radius = [100, 3_000, FARTHEST_CM][random.random_range(0..3_u64) as usize];
        let mut right: Vec<Found> = places
            .iter()
            .map(|(&id, other)| (id, place.distance_squared(other)))
            .filter(|&(id, square)| id != player && square <= u64::from(radius).pow(2))
            .map(|(id, square)| Found {
                distance_dm: (square.isqrt() / 10) as u32,
                id,
            })
            .collect();
        right.sort_unstable();
        assert_list(&crowd.near(player, place, radius), &right);
        seen += right.len();
    }
    assert!(seen > 1_000, "{seen}");
}

#[test]
fn a_crowd_costs_the_same_however_large_and_says_that_it_was_cut() {
    let map = two_way_city();
    let mut crowd = Crowd::new(&map, 5_000).unwrap();
    let place = map.point(9).unwrap();
    let spot = Spot {
        from: 9,
        to: map.arcs_from(9)[0].to,
        offset_dm: 0,
    };
    for player in 0..5_000 {
        crowd.arrive(player, place, spot, 0);
    }
    let near = crowd.near(17, place, 100);
    assert_eq!((near.entries().len(), near.is_cut), (8, true));
    for player in 0..5_000 {
        crowd.leave(player);
        crowd.leave(player);
    }
    assert_eq!(crowd.near(17, place, FARTHEST_CM), List::default());
}

/// One street of a ring leads one way only; which of its two arcs is missing differs.
#[test]
fn arcs_are_turned_round_as_soon_as_one_has_none_back() {
    let ring = |one_way: usize, is_backward: bool| {
        let corners = ["[0,0]", "[0.01,0]", "[0.01,0.01]", "[0,0.01]"];
        let streets: Vec<String> = (0..corners.len())
            .map(|at| {
                let (one, other) = (corners[at], corners[(at + 1) % corners.len()]);
                match is_backward {
                    true => street(at == one_way, other, one),
                    false => street(at == one_way, one, other),
                }
            })
            .collect();
        driven(&streets)
    };
    for is_backward in [false, true] {
        assert_eq!(Turned::new(&ring(9, is_backward)).bytes(), 0);
        for one_way in 0..4 {
            let map = ring(one_way, is_backward);
            assert_eq!(map.arc_count(), 7);
            assert!(Turned::new(&map).bytes() > 0, "{one_way} {is_backward}");
        }
    }
}
