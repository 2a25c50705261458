//! One walker: where it stands, how it walks on, and how it lies.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use super::{Behaviour, Step};
use crate::map::{Point, StreetMap};
use crate::record::{Move, MOVE_BYTES, MOVE_KIND_STEP, MOVE_TAG, NO_TREASURE};
use crate::tag::{PlayerKey, WorldSecret};
use crate::validate::{is_reachable, place_on_arc, WINDOW};

/// Walking speed in decimetres a second.
const WALK_DM_S: u32 = 14;
/// Milliseconds between two moves of one player.
const STEP_MS: Range<u32> = 500..4_000;
/// How often a teleport looks for a place that is far enough, before it gives up.
const TELEPORT_TRIES: u32 = 8;
/// Ids from here on belong to no player of any game.
const NOBODY: u64 = 1 << 63;

/// A player of this host.
pub(super) struct Walker {
    id: u32,
    key: PlayerKey,
    random: Pcg32,
    stand: Stand,
    /// The highest sequence that the engine has judged; 0 before the first.
    sequence: u32,
    /// The move that used it.
    last: Option<[u8; MOVE_BYTES]>,
}

/// Where somebody is, and when.
#[derive(Clone, Copy)]
struct Stand {
    from: u32,
    to: u32,
    offset_dm: u16,
    time_ms: u32,
}

impl Walker {
    /// Puts a player somewhere on the map.
    pub fn new(id: u32, map: &StreetMap, secret: &WorldSecret, seed: u64) -> Walker {
        // An odd multiplier spreads neighbouring ids over all bits.
        let own_seed = seed ^ u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Pcg32::seed_from_u64(own_seed);
        let stand = anywhere(map, &mut random);
        Walker {
            id,
            key: secret.player_key(id.into()),
            random,
            stand,
            sequence: 0,
            last: None,
        }
    }

    /// A random number below `bound`, which must not be 0.
    pub fn draw(&mut self, bound: u32) -> u32 {
        self.random.random_range(0..bound)
    }

    /// The honest move: some seconds on, along the streets.
    pub fn walk(&mut self, map: &StreetMap) -> Step {
        self.stand = self.some_seconds_on(map);
        self.sequence = self.sequence.saturating_add(1);
        let bytes = self.signed(self.step(self.stand));
        self.last = Some(bytes);
        Step {
            bytes,
            behaviour: Behaviour::Honest,
        }
    }

    /// A lie of this kind; nothing where it cannot be told (now).
    pub fn lie(
        &mut self,
        behaviour: Behaviour,
        map: &StreetMap,
        max_speed_cm_s: u32,
    ) -> Option<Step> {
        let stand = self.some_seconds_on(map);
        let sequence = self.sequence.checked_add(1)?;
        let honest = Move {
            sequence,
            ..self.step(stand)
        };
        let bytes = match behaviour {
            Behaviour::Honest => return None,
            Behaviour::Duplicate => self.last?,
            Behaviour::BadTag => self.forged(honest),
            Behaviour::UnknownPlayer => {
                let player = NOBODY | u64::from(self.random.random::<u32>());
                self.signed(Move { player, ..honest })
            }
            Behaviour::Malformed => match self.random.random_range(1..=u8::MAX) {
                kind if kind % 2 == 0 => self.signed(Move { kind, ..honest }),
                flags => self.signed(Move { flags, ..honest }),
            },
            Behaviour::TooOld => {
                let oldest = self.sequence.checked_sub(WINDOW)?;
                let sequence = self.random.random_range(0..=oldest);
                self.signed(Move { sequence, ..honest })
            }
            Behaviour::Teleport => {
                let place = self.out_of_reach(map, honest.time_ms, max_speed_cm_s)?;
                self.judged(Move {
                    from: place.from,
                    to: place.to,
                    offset_dm: place.offset_dm,
                    ..honest
                })
            }
            Behaviour::UnknownEdge => {
                let to = self.random.random_range(0..map.node_count());
                let is_edge = map.arc(honest.from, to).is_some();
                self.judged(Move {
                    to: if is_edge { map.node_count() } else { to },
                    ..honest
                })
            }
            Behaviour::BadOffset => {
                let length_dm = map.arc(honest.from, honest.to)?.length_dm;
                self.judged(Move {
                    offset_dm: length_dm.checked_add(1)?,
                    ..honest
                })
            }
            Behaviour::BadTime => {
                self.last?;
                let time_ms = self.random.random_range(0..self.stand.time_ms.max(1));
                (time_ms < self.stand.time_ms).then(|| self.judged(Move { time_ms, ..honest }))?
            }
        };
        Some(Step { bytes, behaviour })
    }

    /// Signs a lie that the engine will judge, so that its sequence is used up.
    fn judged(&mut self, lie: Move) -> [u8; MOVE_BYTES] {
        self.sequence = lie.sequence;
        let bytes = self.signed(lie);
        self.last = Some(bytes);
        bytes
    }

    fn signed(&self, step: Move) -> [u8; MOVE_BYTES] {
        let mut bytes = step.encode();
        self.key.sign(&mut bytes);
        bytes
    }

    fn forged(&mut self, step: Move) -> [u8; MOVE_BYTES] {
        let mut bytes = self.signed(step);
        bytes[self
            .random
            .random_range(MOVE_TAG.start as u32..MOVE_TAG.end as u32) as usize] ^= 1;
        bytes
    }

    fn step(&self, stand: Stand) -> Move {
        Move {
            player: self.id.into(),
            sequence: self.sequence,
            time_ms: stand.time_ms,
            from: stand.from,
            to: stand.to,
            offset_dm: stand.offset_dm,
            kind: MOVE_KIND_STEP,
            flags: 0,
            treasure: NO_TREASURE,
            tag: [0; 16],
        }
    }

    /// Where walking on leads. A clock at its end stands still, and so does its walker.
    fn some_seconds_on(&mut self, map: &StreetMap) -> Stand {
        let elapsed_ms = self
            .random
            .random_range(STEP_MS)
            .min(u32::MAX - self.stand.time_ms);
        let mut stand = Stand {
            time_ms: self.stand.time_ms + elapsed_ms,
            ..self.stand
        };
        let mut way_dm = u32::from(stand.offset_dm) + elapsed_ms * WALK_DM_S / 1000;
        while let Some(arc) = map.arc(stand.from, stand.to) {
            let length_dm = u32::from(arc.length_dm);
            if way_dm <= length_dm {
                stand.offset_dm = way_dm as u16;
                break;
            }
            way_dm -= length_dm;
            (stand.from, stand.to) = (stand.to, self.turn_at(map, stand.from, stand.to));
        }
        stand
    }

    /// The next node after `at`: any but the one it came from, except at a dead end.
    fn turn_at(&mut self, map: &StreetMap, came_from: u32, at: u32) -> u32 {
        let arcs = map.arcs_from(at);
        let back = arcs.iter().position(|arc| arc.to == came_from);
        match (arcs.len() as u32, back) {
            (0, _) => came_from,
            (1, _) => arcs[0].to,
            (count, None) => arcs[self.random.random_range(0..count) as usize].to,
            (count, Some(back)) => {
                let choice = self.random.random_range(0..count - 1) as usize;
                arcs[choice + usize::from(choice >= back)].to
            }
        }
    }

    /// Some place that cannot be reached from here until `time_ms`.
    fn out_of_reach(
        &mut self,
        map: &StreetMap,
        time_ms: u32,
        max_speed_cm_s: u32,
    ) -> Option<Stand> {
        self.last?;
        let elapsed_ms = time_ms - self.stand.time_ms;
        let here = point(map, &self.stand)?;
        (0..TELEPORT_TRIES)
            .map(|_| anywhere(map, &mut self.random))
            .find(|there| {
                point(map, there)
                    .is_some_and(|there| !is_reachable(&here, &there, elapsed_ms, max_speed_cm_s))
            })
    }
}

/// The start of a random arc.
fn anywhere(map: &StreetMap, random: &mut Pcg32) -> Stand {
    let from = random.random_range(0..map.node_count().max(1));
    let to = map.arcs_from(from).first().map_or(from, |arc| arc.to);
    Stand {
        from,
        to,
        offset_dm: 0,
        time_ms: 0,
    }
}

fn point(map: &StreetMap, stand: &Stand) -> Option<Point> {
    let arc = map.arc(stand.from, stand.to)?;
    Some(place_on_arc(
        map.point(stand.from)?,
        map.point(stand.to)?,
        arc,
        stand.offset_dm,
    ))
}
