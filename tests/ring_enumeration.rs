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

/// Only these commits, given as (claimed, committed); a consumer that takes all there is.
fn few(commits: &[(u64, u64)]) -> Vec<Op> {
    let commits = commits
        .iter()
        .map(|&(claimed, committed)| Op::Commit { claimed, committed });
    let others = [Op::Own, Op::Poll { max: usize::MAX }];
    commits.chain(others).collect()
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

#[test]
fn eight_lines_batches() {
    let operations = [singles(&[1, 3], &[]), batches(&[whole(1), whole(3)], 2)].concat();
    walk("8 lines, batches", 8, 4, operations);
}

#[test]
fn eight_lines_shorter_in_batches() {
    let operations = [
        singles(&[1], &[]),
        batches(&[whole(1), part(3, 1), part(4, 0)], 2),
    ]
    .concat();
    walk(
        "8 lines, shorter commits and aborts in batches",
        8,
        4,
        operations,
    );
}

#[test]
fn eight_lines_long_batches() {
    let operations = [few(&[(1, 1), (3, 3)]), batches(&[whole(2)], 3)].concat();
    walk("8 lines, batches of three", 8, 4, operations);
}

#[test]
fn sixteen_lines_small_and_large() {
    walk("16 lines, small and large", 16, 4, few(&[(1, 1), (4, 4)]));
}

#[test]
fn sixteen_lines_large_batches() {
    let operations = [few(&[(4, 4), (3, 3)]), batches(&[whole(4)], 2)].concat();
    walk("16 lines, large batches", 16, 4, operations);
}

#[test]
fn sixteen_lines_shorter_and_aborted() {
    let aborted = vec![Op::Abort { claimed: 4 }];
    let operations = [few(&[(4, 2)]), aborted, batches(&[whole(4)], 2)].concat();
    walk("16 lines, shorter and aborted", 16, 4, operations);
}

#[test]
fn sixteen_lines_odd_batches() {
    let others = vec![Op::Abort { claimed: 4 }, Op::Poll { max: 1 }];
    let operations = [few(&[(3, 3)]), others, batches(&[whole(3)], 3)].concat();
    walk("16 lines, odd batches", 16, 4, operations);
}
