//! One walker: where it stands, how it walks on, and how it lies.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use super::hot_spots::HotSpots;
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
    /// Puts a player somewhere on the map, near one of the places that draw players if there are any.
    pub fn new(
        id: u32,
        map: &StreetMap,
        secret: &WorldSecret,
        seed: u64,
        spots: Option<&HotSpots>,
    ) -> Walker {
        // An odd multiplier spreads neighbouring ids over all bits.
        let own_seed = seed ^ u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Pcg32::seed_from_u64(own_seed);
        let near = spots.and_then(|spots| spots.draw(map, &mut random));
        let stand = match near {
            Some(node) => at_start_of_an_arc(map, node),
            None => anywhere(map, &mut random),
        };
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
            Behaviour::TooOld | Behaviour::UnknownPlayer | Behaviour::Malformed => {
                let unjudged = self.unjudged(behaviour, honest)?;
                self.signed(unjudged)
            }
            Behaviour::Teleport => self.teleport(honest, map, max_speed_cm_s)?,
            Behaviour::UnknownEdge | Behaviour::BadOffset | Behaviour::BadTime => {
                let twisted = self.twisted(behaviour, honest, map)?;
                self.judged(twisted)
            }
        };
        Some(Step { bytes, behaviour })
    }

    /// A move that the engine refuses before it looks at the place; its sequence stays unused.
    fn unjudged(&mut self, behaviour: Behaviour, honest: Move) -> Option<Move> {
        let mut step = honest;
        match behaviour {
            Behaviour::UnknownPlayer => {
                step.player = NOBODY | u64::from(self.random.random::<u32>())
            }
            Behaviour::TooOld => {
                let newest = self.sequence.checked_sub(WINDOW)?;
                step.sequence = self.random.random_range(0..=newest);
            }
            _ => match self.random.random_range(1..=u8::MAX) {
                kind if kind % 2 == 0 => step.kind = kind,
                flags => step.flags = flags,
            },
        }
        Some(step)
    }

    /// A move to a place or a time that there is not.
    fn twisted(&mut self, behaviour: Behaviour, honest: Move, map: &StreetMap) -> Option<Move> {
        let mut step = honest;
        match behaviour {
            Behaviour::UnknownEdge => {
                let to = self.random.random_range(0..map.node_count());
                let is_edge = map.arc(honest.from, to).is_some();
                step.to = if is_edge { map.node_count() } else { to };
            }
            Behaviour::BadOffset => {
                let length_dm = map.arc(honest.from, honest.to)?.length_dm;
                step.offset_dm = length_dm.checked_add(1)?;
            }
            _ => {
                let now_ms = self.last.map(|_| self.stand.time_ms)?;
                step.time_ms = self.draw(now_ms.max(1));
                (step.time_ms < now_ms).then_some(())?;
            }
        }
        Some(step)
    }

    /// A move to a place that cannot be reached from here in the time of the honest one.
    fn teleport(
        &mut self,
        honest: Move,
        map: &StreetMap,
        max_speed_cm_s: u32,
    ) -> Option<[u8; MOVE_BYTES]> {
        self.last?;
        let elapsed_ms = honest.time_ms - self.stand.time_ms;
        let here = point(map, &self.stand)?;
        let is_too_far = |there: &Stand| {
            point(map, there)
                .is_some_and(|there| !is_reachable(&here, &there, elapsed_ms, max_speed_cm_s))
        };
        let there = (0..TELEPORT_TRIES)
            .map(|_| anywhere(map, &mut self.random))
            .find(is_too_far)?;
        Some(self.judged(Move {
            from: there.from,
            to: there.to,
            offset_dm: there.offset_dm,
            ..honest
        }))
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
        let at = MOVE_TAG.start + self.draw(MOVE_TAG.len() as u32) as usize;
        bytes[at] ^= 1;
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
}

/// The start of a random arc.
fn anywhere(map: &StreetMap, random: &mut Pcg32) -> Stand {
    at_start_of_an_arc(map, random.random_range(0..map.node_count().max(1)))
}

fn at_start_of_an_arc(map: &StreetMap, from: u32) -> Stand {
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
