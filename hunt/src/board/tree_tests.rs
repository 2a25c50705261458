//! The counted tree against a sorted vector, with its own laws checked after every step.

use proptest::prelude::*;

use super::key::Key;
use super::node::{LEAST, WIDTH};
use super::tree::Tree;

const BUDGET: u32 = 6_000;

fn key(score: i64) -> Key {
    Key::new(score, 7)
}

/// A tree and the sorted vector that it must equal.
struct Pair {
    tree: Tree,
    sorted: Vec<(Key, u32)>,
}

impl Pair {
    fn new() -> Pair {
        Pair {
            tree: Tree::new(BUDGET).unwrap(),
            sorted: Vec::new(),
        }
    }

    /// Takes the entry out if it is there, else puts it in.
    fn toggle(&mut self, score: i64) {
        match self
            .sorted
            .binary_search_by_key(&key(score), |entry| entry.0)
        {
            Ok(at) => {
                self.sorted.remove(at);
                assert_eq!(self.tree.remove(key(score)) as usize, at);
            }
            Err(at) => {
                self.sorted.insert(at, (key(score), score as u32));
                let inserted = self.tree.insert(key(score), score as u32);
                assert_eq!(inserted.before as usize, at);
                if let Some(neighbour) = inserted.neighbour {
                    assert_eq!(neighbour, self.sorted[at - 1].0);
                }
            }
        }
        self.tree.check();
    }

    fn compare(&self) {
        assert_eq!(self.tree.len() as usize, self.sorted.len());
        assert!(self.tree.from(0).eq(self.sorted.iter().copied()));
        for at in [
            0,
            1.min(self.sorted.len()),
            self.sorted.len() / 2,
            self.sorted.len(),
        ] {
            assert!(self
                .tree
                .from(at as u32)
                .eq(self.sorted[at..].iter().copied()));
        }
        for (at, entry) in self.sorted.iter().enumerate() {
            assert_eq!(self.tree.before(entry.0) as usize, at);
        }
    }
}

/// How a long run of changes is drawn.
#[derive(Clone, Copy, Debug)]
enum Order {
    Rising,
    Falling,
    Anywhere,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_tree_equals_a_sorted_vector(
        runs in prop::collection::vec(
            (prop_oneof![Just(Order::Rising), Just(Order::Falling), Just(Order::Anywhere)],
             0..3_000_i64, 0..900_usize, any::<u32>()),
            1..8,
        ),
    ) {
        let mut pair = Pair::new();
        for (order, start, steps, salt) in runs {
            for step in 0..steps as i64 {
                pair.toggle(match order {
                    Order::Rising => start + step,
                    Order::Falling => start - step,
                    Order::Anywhere => (step * i64::from(salt) + start) % 3_000,
                });
            }
            pair.compare();
        }
        pair.tree.clear();
        pair.sorted.clear();
        pair.compare();
        pair.toggle(5);
        pair.compare();
    }
}

#[test]
fn the_arena_suffices_for_the_worst_order() {
    let mut pair = Pair::new();
    // Rising keys leave every leaf half full behind them; then most entries of each leaf go.
    for score in 0..i64::from(BUDGET) {
        pair.toggle(score);
    }
    for round in 0..6 {
        for score in (0..i64::from(BUDGET)).filter(|score| score % 6 != round) {
            if pair
                .sorted
                .binary_search_by_key(&key(score), |entry| entry.0)
                .is_ok()
            {
                pair.toggle(score);
            }
        }
        for score in (0..i64::from(BUDGET)).rev() {
            if pair
                .sorted
                .binary_search_by_key(&key(score), |entry| entry.0)
                .is_err()
            {
                pair.toggle(score);
            }
        }
        pair.compare();
    }
    assert!(LEAST * 2 < WIDTH && pair.tree.len() == BUDGET);
}
