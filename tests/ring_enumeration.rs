//! The ring's invariant, enumerated: every state that small rings can reach, every store of every
//! operation, read after each store by the real consumer and by an independent one.
//!
//! What a consumer reads between two stores is also what it reads for ever if the producer dies
//! there, and what its successor reads after a resume at the first unreleased record.

#[path = "common/ring/mod.rs"]
mod common;

use common::explorer::{explore, Config};
use common::operations::{Ending, Op, Part};

/// Every claim of one of `sizes` with every shorter commit, aborts, and what the consumer does.
fn singles(sizes: &[u64], polls: &[usize]) -> Vec<Op> {
    let mut operations = vec![Op::Own, Op::Look];
    for &claimed in sizes {
        operations.push(Op::Abort { claimed });
        operations.extend((1..=claimed).map(|committed| Op::Commit { claimed, committed }));
    }
    operations.extend(polls.iter().map(|&max| Op::Poll { max }));
    operations.push(Op::Poll { max: usize::MAX });
    operations
}

/// Every batch of up to `most` of these parts, with every ending.
fn batches(parts: &[Part], most: usize) -> Vec<Op> {
    let mut lists: Vec<Vec<Part>> = vec![vec![]];
    let mut operations = Vec::new();
    for _ in 0..most {
        lists = lists
            .iter()
            .flat_map(|list| {
                parts
                    .iter()
                    .map(|&part| [list.as_slice(), &[part]].concat())
            })
            .collect();
        for parts in &lists {
            for ending in [Ending::Publish, Ending::Drop, Ending::Forget] {
                let parts = parts.clone();
                operations.push(Op::Batch { parts, ending });
            }
        }
    }
    operations
}

fn whole(lines: u64) -> Part {
    part(lines, lines)
}

fn part(claimed: u64, committed: u64) -> Part {
    Part { claimed, committed }
}

fn walk(name: &str, lines: usize, largest: u64, operations: Vec<Op>) {
    let config = Config {
        lines,
        largest,
        operations,
    };
    let started = std::time::Instant::now();
    match explore(&config) {
        Ok(walked) => println!("{name}: {walked:?} in {:?}", started.elapsed()),
        Err(what) => panic!("{name}: {what}"),
    }
}

#[test]
fn four_lines_everything() {
    let parts = [whole(1), whole(2), part(2, 1), part(1, 0), part(2, 0)];
    let operations = [singles(&[1, 2], &[1, 2, 3]), batches(&parts, 3)].concat();
    walk("4 lines, everything", 4, 2, operations);
}

#[test]
fn eight_lines_singles() {
    walk(
        "8 lines, singles",
        8,
        4,
        singles(&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6, 7]),
    );
}
