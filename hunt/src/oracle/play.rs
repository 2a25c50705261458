//! What players do, on paper: the table of `world/play.rs` read a second time.

use sha2::{Digest, Sha256};

use super::hunt::{spot, HuntOracle, Person};
use super::{distance_squared, is_signed, player_key, stranger, word};
use crate::board::Change;
use crate::event::{Audience, Event, EventKind};
use crate::map::Point;
use crate::near::treasures::Spot;
use crate::record::{Code, Reply};
use crate::request::{Found, Standing};

/// How many entries a list holds.
const MOST: usize = 8;

/// A reply to play before it is bytes.
#[derive(Default)]
struct Answer {
    moved: Reply,
    standing: Option<Standing>,
    /// The session and the highest sequence.
    note: Option<(u64, u32)>,
    treasures: Vec<Found>,
    players: Vec<Found>,
}

impl HuntOracle {
    /// A play of 48 bytes.
    pub(super) fn play(&mut self, payload: &[u8]) -> (Code, Vec<u8>) {
        let (code, answer) = self.judge_play(payload);
        (code, answer.bytes())
    }

    fn judge_play(&mut self, payload: &[u8]) -> (Code, Answer) {
        let moved = stranger(payload);
        let nobody = Answer {
            moved,
            ..Answer::default()
        };
        let (player, verb) = (moved.player as usize, payload[26]);
        let Some(person) = self.people.get(player) else {
            return (Code::UnknownPlayer, nobody);
        };
        let own_key = player_key(self.options.game.secret.bytes(), moved.player);
        let is_join = verb == 16;
        let key = if is_join { &own_key } else { &person.known.key };
        if !is_signed(payload, key) {
            return (Code::BadTag, nobody);
        }
        let is_move = verb <= 1;
        if !(is_move || (16..=18).contains(&verb)) || payload[27] != 0 {
            return (Code::Malformed, self.state(payload));
        }
        if person.known.is_too_old(moved.sequence) {
            return (Code::TooOld, self.noted(payload));
        }
        if let Some(&first) = person.known.results.get(&moved.sequence) {
            let mut answer = match is_move {
                true => self.state(payload),
                false => self.noted(payload),
            };
            answer.moved.is_duplicate = true;
            return (first, answer);
        }
        match (is_move, person.session) {
            (true, None) => (Code::NoSession, self.state(payload)),
            (true, Some(_)) => self.step(payload),
            (false, _) => self.attend(payload, &own_key),
        }
    }

    fn person(&mut self, payload: &[u8]) -> (u32, &mut Person) {
        let player = stranger(payload).player as u32;
        (player, &mut self.people[player as usize])
    }

    /// What a player that has signed is told at least.
    fn state(&mut self, payload: &[u8]) -> Answer {
        let (player, person) = self.person(payload);
        Answer {
            moved: person.known.state(stranger(payload)),
            standing: self.boards[0].standing(player),
            ..Answer::default()
        }
    }

    /// The same, and its session.
    fn noted(&mut self, payload: &[u8]) -> Answer {
        let (_, person) = self.person(payload);
        let note = Some((person.session.unwrap_or(0), person.known.highest()));
        Answer {
            note,
            ..self.state(payload)
        }
    }

    fn step(&mut self, payload: &[u8]) -> (Code, Answer) {
        let (here, tick, city) = (spot(payload), self.tick(), self.city.clone());
        let max_speed = self.options.game.max_speed_cm_s;
        let sequence = word(payload, 8);
        let (player, person) = self.person(payload);
        let (before, last) = (person.spot, person.known.last);
        let code = person.known.walk(payload, &city, max_speed);
        if code != Code::Accepted {
            person.known.remember(sequence, code);
            self.strike(player, code);
            return (code, self.state(payload));
        }
        (person.spot, person.seen) = (Some(here), tick);
        let Some((place, _)) = person.known.last else {
            return (code, self.state(payload));
        };
        let walked = last.map_or(0, |(last, _)| root(distance_squared(last, place)) / 10);
        let (code, worth) = match payload[26] {
            1 => self.claim(player, &here, word(payload, 28), place),
            _ => (Code::Accepted, 0),
        };
        let treasures = self.treasures_near(&here);
        let players = self.players_near(player, place);
        let points = i64::try_from(i128::from(walked) + i128::from(worth));
        let standing = self.score(player, points.unwrap_or(i64::MAX));
        let is_new_street = before.is_none_or(|old| (old.from, old.to) != (here.from, here.to));
        if let (true, Some(nearest)) = (is_new_street, treasures.first()) {
            self.events.push(Event {
                kind: EventKind::Near,
                audience: Audience::Player(player),
                cause: player,
                subject: nearest.id,
                value: nearest.distance_dm.into(),
                place: Some(place),
            });
        }
        self.people[player as usize].known.remember(sequence, code);
        let answer = Answer {
            standing,
            treasures,
            players,
            ..self.state(payload)
        };
        (code, answer)
    }

    fn claim(&mut self, player: u32, here: &Spot, treasure: u32, place: Point) -> (Code, i64) {
        let Some(at) = self.find(treasure) else {
            return (Code::NoTreasure, 0);
        };
        let arm = self.options.arm_dm.min(self.options.reach_dm);
        let node = self.treasures.at(at).map_or(0, |treasure| treasure.node);
        let distance = self.paths.from_spot(&self.map, here, node);
        let lifted = match distance.is_some_and(|distance| distance <= arm) {
            true => self.treasures.give_back(at),
            false => None,
        };
        let Some(lifted) = lifted else {
            self.strike(player, Code::TooFar);
            return (Code::TooFar, 0);
        };
        self.scatter(lifted.value);
        self.counts.claims += 1;
        if let Some(board) = self.boards.get_mut(1) {
            let _ = board.change(player, Change::Increment(lifted.value));
        }
        self.events.push(Event {
            kind: EventKind::Claimed,
            audience: Audience::Area(lifted.node),
            cause: player,
            subject: treasure,
            value: lifted.value,
            place: Some(place),
        });
        (Code::Accepted, lifted.value)
    }

    /// Counts a lie, and tells its player.
    fn strike(&mut self, player: u32, code: Code) {
        let known = &mut self.people[player as usize].known;
        known.strikes += 1;
        self.events.push(Event {
            kind: EventKind::Strike,
            audience: Audience::Player(player),
            cause: player,
            subject: code.number().into(),
            value: known.strikes.min(65_535).into(),
            place: known.last.map(|(place, _)| place),
        });
    }

    fn score(&mut self, player: u32, points: i64) -> Option<Standing> {
        match self.boards[0].change(player, Change::Increment(points)) {
            Ok(changed) => {
                self.tell_rank(0, player, changed);
                Some(changed.standing)
            }
            Err(_) => {
                self.counts.unranked += 1;
                self.boards[0].standing(player)
            }
        }
    }

    fn treasures_near(&self, here: &Spot) -> Vec<Found> {
        let reach = self.options.reach_dm;
        self.paths.near(&self.map, here, self.lying(), reach)
    }

    /// The other players in sight, nearest first.
    fn players_near(&self, player: u32, place: Point) -> Vec<Found> {
        let sight = u128::from(self.options.sight_cm).pow(2);
        let seen = |(other, person): (usize, &Person)| {
            let (there, _) = person.spot.and(person.known.last)?;
            let distance = distance_squared(place, there);
            (other != player as usize && distance <= sight).then(|| Found {
                distance_dm: (root(distance) / 10) as u32,
                id: other as u32,
            })
        };
        let mut found: Vec<Found> = self.people.iter().enumerate().filter_map(seen).collect();
        found.sort_unstable();
        found
    }

    /// Joins, resumes or leaves.
    fn attend(&mut self, payload: &[u8], own_key: &[u8]) -> (Code, Answer) {
        let (verb, tick) = (payload[26], self.tick());
        let named = u64::from(word(payload, 20)) << 32 | u64::from(word(payload, 16));
        let (player, person) = self.person(payload);
        let is_it = person.session == Some(named);
        let code = match verb {
            16 => self.join(player, own_key),
            _ if !is_it => Code::NoSession,
            18 => {
                self.leave(player);
                Code::Accepted
            }
            _ => Code::Accepted,
        };
        if code == Code::Accepted {
            let (_, person) = self.person(payload);
            person.seen = tick;
            person.known.remember(word(payload, 8), code);
        }
        let mut answer = self.noted(payload);
        let here = self.people[player as usize].spot;
        if let (17, Code::Accepted, Some(here)) = (verb, code, here) {
            answer.treasures = self.treasures_near(&here);
        }
        (code, answer)
    }

    fn join(&mut self, player: u32, own_key: &[u8]) -> Code {
        if let Some(session) = self.people[player as usize].session.take() {
            self.sessions.give_back(session as u32);
        }
        if self.sessions.is_full() && !self.evict() {
            return Code::SessionsFull;
        }
        let Some((at, uses)) = self.sessions.take(player) else {
            return Code::SessionsFull;
        };
        let session = u64::from(uses) << 32 | u64::from(at);
        let label: &[u8] = b"ironhoard session key";
        let hash = Sha256::digest([label, own_key, &session.to_le_bytes()].concat());
        let person = &mut self.people[player as usize];
        person.session = Some(session);
        person.known.key = hash[..16].to_vec();
        Code::Accepted
    }

    /// Ends the session of somebody asleep, if one is found among the next 64.
    fn evict(&mut self) -> bool {
        let idle = u64::from(self.options.idle_seconds / 16).min(30_000);
        for _ in 0..self.sessions.budget().min(64) {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.sessions.budget();
            let Some(&player) = self.sessions.at(at) else {
                continue;
            };
            if self.tick() - self.people[player as usize].seen > idle {
                self.leave(player);
                self.counts.sessions_evicted += 1;
                return true;
            }
        }
        false
    }

    /// Ends a player's session; it is nowhere then.
    fn leave(&mut self, player: u32) {
        let secret = self.options.game.secret.bytes();
        let person = &mut self.people[player as usize];
        if let Some(session) = person.session.take() {
            self.sessions.give_back(session as u32);
        }
        person.spot = None;
        person.known.key = player_key(secret, player.into());
    }
}

impl Answer {
    /// The reply by its ruler: marks are 1 again, 2 placed, 4 and 8 cut, 16 session, 32 ranked.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.moved.encode().to_vec();
        let treasures = &self.treasures[..self.treasures.len().min(MOST)];
        let players = &self.players[..self.players.len().min(MOST)];
        let marks = [
            (self.treasures.len() > MOST, 4),
            (self.players.len() > MOST, 8),
            (self.note.is_some(), 16),
            (self.standing.is_some(), 32),
        ];
        bytes[30] += marks
            .iter()
            .map(|(is_set, mark)| u8::from(*is_set) * mark)
            .sum::<u8>();
        bytes[31] = (treasures.len() + 16 * players.len()) as u8;
        let standing = self.standing.unwrap_or_default();
        bytes.extend(standing.score.to_le_bytes());
        bytes.extend(standing.rank.to_le_bytes());
        bytes.extend(standing.shared_rank.to_le_bytes());
        if let Some((session, highest)) = self.note {
            bytes.extend(session.to_le_bytes());
            bytes.extend(u64::from(highest).to_le_bytes());
        }
        for found in treasures.iter().chain(players) {
            bytes.extend(found.id.to_le_bytes());
            bytes.extend(found.distance_dm.to_le_bytes());
        }
        bytes
    }
}

fn root(square: u128) -> u64 {
    square.isqrt() as u64
}
