//! How fast the whole hunt is, without rings: steps of players in sessions on a large map.
//!
//! ```text
//!   cargo run --release -p ironhoard-hunt --example hunt_speed -- [players] [nodes] [moves]
//! ```
//!
//! Each move goes all the way: tag, sequence, street, speed, crowd, treasures, score, rank, reply. Moves
//! are made before the clock starts, one for each player in a random order. The rate comes from a run
//! without a clock reading per move, the percentiles from the next moves, with one around each.

use std::sync::Arc;
use std::time::Instant;

use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::record::{Code, Move, NO_TREASURE};
use ironhoard_hunt::request::{PlayReply, PlayVerb, KIND_PLAY, LARGEST_REPLY_BYTES};
use ironhoard_hunt::statistics::Statistics;
use ironhoard_hunt::tag::{PlayerKey, WorldSecret};
use ironhoard_hunt::world::{Hunt, HuntOptions};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// A player on its way.
struct Walker {
    key: PlayerKey,
    from: u32,
    to: u32,
    offset_dm: u16,
    sequence: u32,
}

fn main() {
    let number = |at: usize, other: u32| {
        let text = std::env::args().nth(at);
        text.and_then(|text| text.parse().ok()).unwrap_or(other)
    };
    let (players, nodes, moves) = (number(1, 600_000), number(2, 2_300_000), number(3, 600_000));
    // Three arcs leave a node, as in the largest cities.
    let options = GenerateOptions {
        nodes,
        streets: nodes / 2 * 3,
        seed: 1,
    };
    let map = Arc::new(generate(&options, &mut |_, _| {}).expect("a city"));
    let secret = WorldSecret::from_seed(1);
    let game = GameOptions {
        players,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: secret.clone(),
    };
    let options = HuntOptions {
        treasures: 120_000,
        scattered: 100_000,
        ..HuntOptions::new(game)
    };
    let start = Instant::now();
    let mut hunt = Hunt::new(map.clone(), &options).expect("a hunt");
    println!(
        "{} nodes, {} arcs; started in {:?}",
        map.node_count(),
        map.arc_count(),
        start.elapsed()
    );

    let mut random = Pcg64::seed_from_u64(2);
    let mut walkers: Vec<Walker> = (0..players)
        .map(|player| {
            let from = random.random_range(0..nodes);
            let to = map.arcs_from(from)[0].to;
            let key = secret.player_key(player.into());
            let mut walker = Walker {
                key,
                from,
                to,
                offset_dm: 0,
                sequence: 0,
            };
            let (_, reply) = send(&mut hunt, &walker.next(player, PlayVerb::Join));
            walker.key = key.session_key(reply.session.expect("a session").session);
            walker
        })
        .collect();
    for (player, walker) in (0..).zip(&mut walkers) {
        send(&mut hunt, &walker.next(player, PlayVerb::Step));
    }
    let mut load = || -> Vec<[u8; 48]> {
        let step = |_| {
            let player = random.random_range(0..players);
            walkers[player as usize].walk(&map, random.random_range(7..56));
            walkers[player as usize].next(player, PlayVerb::Step)
        };
        (0..moves).map(step).collect()
    };
    let (first, second) = (load(), load());

    let mut out = [0; LARGEST_REPLY_BYTES];
    let start = Instant::now();
    let accepted = first
        .iter()
        .filter(|bytes| answer(&mut hunt, bytes, &mut out) == Code::Accepted)
        .count();
    let rate = f64::from(moves) / start.elapsed().as_secs_f64();
    let mut latencies: Vec<u64> = Vec::with_capacity(moves as usize);
    for bytes in &second {
        let start = Instant::now();
        answer(&mut hunt, bytes, &mut out);
        latencies.push(start.elapsed().as_nanos() as u64);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[(share * latencies.len() as f64) as usize];
    println!(
        "{players} players, {accepted} of {moves} accepted: {rate:.0} moves/s; p50 {} ns, p99 {} ns, p99.9 {} ns",
        at(0.5), at(0.99), at(0.999),
    );
    let statistics = hunt.statistics();
    for (name, stage) in Statistics::STAGE_NAMES.iter().zip(statistics.stages) {
        println!(
            "  {name}: {} ns on average",
            stage.sum_ns / statistics.samples.max(1)
        );
    }
    println!(
        "  {} treasures, {} beside the index, {} bytes",
        statistics.treasures, statistics.treasures_alone, statistics.bytes
    );
}

impl Walker {
    fn walk(&mut self, map: &StreetMap, way_dm: u16) {
        let length_dm = map.arc(self.from, self.to).map_or(0, |arc| arc.length_dm);
        self.offset_dm = self.offset_dm.saturating_add(way_dm);
        if self.offset_dm > length_dm {
            let arcs = map.arcs_from(self.to);
            let next = arcs[self.sequence as usize % arcs.len()].to;
            (self.from, self.to, self.offset_dm) = (self.to, next, 0);
        }
    }

    fn next(&mut self, player: u32, verb: PlayVerb) -> [u8; 48] {
        self.sequence += 1;
        let step = Move {
            player: player.into(),
            sequence: self.sequence,
            time_ms: self.sequence * 4_000,
            from: self.from,
            to: self.to,
            offset_dm: self.offset_dm,
            kind: verb as u8,
            flags: 0,
            treasure: NO_TREASURE,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        self.key.sign(&mut bytes);
        bytes
    }
}

fn send(hunt: &mut Hunt, bytes: &[u8; 48]) -> (Code, PlayReply) {
    let mut out = [0; LARGEST_REPLY_BYTES];
    let (code, answer) = hunt.answer(1, KIND_PLAY, bytes, LARGEST_REPLY_BYTES);
    let bytes = answer.bytes();
    answer.encode_into(&mut out[..bytes]);
    (code, PlayReply::decode(&out[..bytes]).expect("a reply"))
}

fn answer(hunt: &mut Hunt, bytes: &[u8; 48], out: &mut [u8; LARGEST_REPLY_BYTES]) -> Code {
    let (code, answer) = hunt.answer(1, KIND_PLAY, bytes, LARGEST_REPLY_BYTES);
    let length = answer.bytes();
    answer.encode_into(&mut out[..length]);
    std::hint::black_box(&out);
    code
}
