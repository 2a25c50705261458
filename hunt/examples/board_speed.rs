//! How fast a board is: updates with their exact rank, on a board that is full.
//!
//! ```text
//!   cargo run --release -p ironhoard-hunt --example board_speed -- [entries] [updates]
//! ```
//!
//! Players and increments are drawn before the clock starts. The rate comes from a run without a clock
//! reading per update; the percentiles from a second one that reads it around each.

use std::time::Instant;

use ironhoard_hunt::board::{Board, Change};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

fn main() {
    let number = |at: usize, other: u32| {
        let text = std::env::args().nth(at);
        text.and_then(|text| text.parse().ok()).unwrap_or(other)
    };
    let (entries, updates) = (number(1, 200_000), number(2, 2_000_000));
    let mut random = Pcg64::seed_from_u64(1);
    let mut board = Board::new(entries, entries).expect("memory");
    for player in 0..entries {
        let score = random.random_range(0..1_000_000);
        board.change(player, Change::Set(score)).expect("room");
    }
    let drawn: Vec<(u32, i64)> = (0..updates)
        .map(|_| (random.random_range(0..entries), random.random_range(1..100)))
        .collect();

    let start = Instant::now();
    let mut ranks = 0_u64;
    for &(player, by) in &drawn {
        let changed = board.change(player, Change::Increment(by)).expect("room");
        ranks += u64::from(changed.standing.rank + changed.standing.shared_rank);
    }
    let rate = f64::from(updates) / start.elapsed().as_secs_f64();

    let mut latencies: Vec<u64> = drawn
        .iter()
        .map(|&(player, by)| {
            let start = Instant::now();
            let changed = board.change(player, Change::Decrement(by)).expect("room");
            ranks += u64::from(changed.standing.rank);
            start.elapsed().as_nanos() as u64
        })
        .collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies[(share * latencies.len() as f64) as usize];
    println!(
        "{entries} entries, {} bytes: {rate:.0} updates with rank/s; p50 {} ns, p99 {} ns, p99.9 {} ns ({ranks})",
        Board::bytes(entries, entries),
        at(0.5),
        at(0.99),
        at(0.999),
    );
}
