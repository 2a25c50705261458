//! What players do: join, step, claim, resume, leave.
//!
//! A play is judged like a bare move ([`crate::validate`]), with these steps more:
//!
//! | after step | rule | code | sequence used | strike |
//! |---|---|---|---|---|
//! | 2 | the tag: a join by the player's own key, all else by the session's, if any | `BadTag` | no | no |
//! | 6 | a step or claim needs a session; resume and leave must name it | `NoSession` | no | no |
//! | 6 | a join finds a place | `SessionsFull` | no | no |
//! | 10 | the claimed treasure is there | `NoTreasure` | yes | no |
//! | 10 | it is within an arm's length along the streets | `TooFar` | yes | yes |
//!
//! A claim that fails is still a step that happened: the player is where it says. A repeated sequence
//! is answered with the code of the first time; place, score and ranks in that reply are today's, and
//! it lists nothing.

use super::Hunt;
use crate::arena::prefetch;
use crate::board::Change;
use crate::event::{Audience, Event, EventKind};
use crate::map::Point;
use crate::near::treasures::Spot;
use crate::record::{Code, Move, Reply, MOVE_BYTES};
use crate::request::{PlayReply, PlayVerb, SessionNote, Standing};
use crate::statistics::Stage;
use crate::validate::Seen;

/// Changes among so many first ranks of a board are events.
const TOP: u32 = 10;

impl Hunt {
    /// Judges a play and brings about what follows from it.
    #[inline]
    pub(super) fn play(&mut self, bytes: &[u8; MOVE_BYTES]) -> (Code, PlayReply) {
        self.watch.start();
        let step = Move::decode(bytes);
        let Some(index) = self.game.index(step.player) else {
            return (Code::UnknownPlayer, stranger(&step));
        };
        self.foresee(index, &step);
        let verb = PlayVerb::from_number(step.kind);
        let is_signed = match verb {
            Some(PlayVerb::Join) => self.game.own_key(index).has_signed(bytes),
            _ => self.game.has_signed(index, bytes),
        };
        if !is_signed {
            return (Code::BadTag, stranger(&step));
        }
        let Some(verb) = verb.filter(|_| step.flags == 0) else {
            return (Code::Malformed, self.known(index, &step));
        };
        match self.game.player(index).window.look(step.sequence) {
            Seen::New => {}
            Seen::Before(first) => {
                let mut reply = self.known(index, &step);
                reply.moved.is_duplicate = true;
                reply.session = is_about_session(verb).then(|| self.note(index));
                return (first, reply);
            }
            Seen::TooOld => {
                let mut reply = self.known(index, &step);
                reply.session = Some(self.note(index));
                return (Code::TooOld, reply);
            }
        }
        match verb {
            PlayVerb::Step | PlayVerb::Claim if !self.game.player(index).is_in_session() => {
                (Code::NoSession, self.known(index, &step))
            }
            PlayVerb::Step | PlayVerb::Claim => self.step(index, &step, verb),
            PlayVerb::Join | PlayVerb::Resume | PlayVerb::Leave => self.attend(index, &step, verb),
        }
    }

    /// Asks the cache for all that a step will read, while the tag is computed. A wrong tag wastes that.
    #[inline]
    fn foresee(&self, index: u32, step: &Move) {
        self.game.prefetch(index);
        self.crowd.prefetch(index);
        self.boards[0].prefetch(index);
        self.treasures.prefetch(&spot(step));
        prefetch(self.map.arcs_from(step.from), 0);
        // Read and not used: nothing waits for it before the step does.
        std::hint::black_box((self.map.point(step.from), self.map.point(step.to)));
    }

    /// A step of a player in a session, perhaps with a claim.
    #[inline]
    fn step(&mut self, index: u32, step: &Move, verb: PlayVerb) -> (Code, PlayReply) {
        let arrived = self.game.arrive(index, step);
        self.watch.lap(Stage::Validation);
        let place = match arrived {
            Ok(place) => place,
            Err(lie) => {
                self.strike(index, lie);
                self.game.player(index).window.remember(step.sequence, lie);
                return (lie, self.known(index, step));
            }
        };
        let (spot, tick) = (spot(step), self.tick());
        let player = self.game.player(index);
        let walked_dm = player
            .place()
            .map_or(0, |last| last.distance_squared(&place).isqrt() / 10);
        player.stand(place, step.time_ms);
        let before = self.crowd.spot(index);
        self.crowd.arrive(index, place, spot, tick);
        let (code, worth) = match verb {
            PlayVerb::Claim => self.claim(index, &spot, step.treasure, place),
            _ => (Code::Accepted, 0),
        };
        let treasures = self.treasures.near(&self.map, &spot);
        let players = self.crowd.near(index, place, self.rules.sight_cm);
        self.watch.lap(Stage::Proximity);
        let standing = self.score(index, (walked_dm as i64).saturating_add(worth));
        self.watch.lap(Stage::Board);
        let is_new_street =
            before.is_none_or(|before| (before.from, before.to) != (spot.from, spot.to));
        if let (true, Some(nearest)) = (is_new_street, treasures.entries().first()) {
            self.events.add(Event {
                kind: EventKind::Near,
                audience: Audience::Player(index),
                cause: index,
                subject: nearest.id,
                value: nearest.distance_dm.into(),
                place: Some(place),
            });
        }
        self.watch.lap(Stage::FanOut);
        let player = self.game.player(index);
        player.window.remember(step.sequence, code);
        let reply = PlayReply {
            moved: player.reply(step, false),
            standing,
            session: None,
            treasures,
            players,
        };
        (code, reply)
    }

    /// Takes a treasure, if it is there and near; says what it was worth.
    fn claim(&mut self, index: u32, spot: &Spot, treasure: u32, place: Point) -> (Code, i64) {
        if !self.treasures.is_live(treasure) {
            return (Code::NoTreasure, 0);
        }
        let distance = self
            .treasures
            .distance(&self.map, spot, treasure, self.rules.arm_dm);
        let lifted = distance.and_then(|_| self.treasures.lift(&self.map, treasure));
        let Some(lifted) = lifted else {
            self.strike(index, Code::TooFar);
            return (Code::TooFar, 0);
        };
        self.scatter(lifted.value);
        self.counts.claims += 1;
        if let Some(board) = self.boards.get_mut(1) {
            // A board that is full or at its end keeps what it has; board 0 says so in the reply.
            let _ = board.change(index, Change::Increment(lifted.value));
        }
        self.events.add(Event {
            kind: EventKind::Claimed,
            audience: Audience::Area(lifted.node),
            cause: index,
            subject: treasure,
            value: lifted.value,
            place: Some(place),
        });
        (Code::Accepted, lifted.value)
    }

    /// Adds points on board 0; where the player stands then.
    #[inline]
    fn score(&mut self, index: u32, points: i64) -> Option<Standing> {
        match self.boards[0].change(index, Change::Increment(points)) {
            Ok(changed) => {
                let rank = changed.standing.rank;
                if rank <= TOP && changed.rank_before != Some(rank) {
                    self.rank_changed(0, index, rank);
                }
                Some(changed.standing)
            }
            Err(_) => {
                self.counts.unranked += 1;
                self.boards[0].standing(index)
            }
        }
    }

    /// Tells who follows a board that a player is among the first now.
    pub(super) fn rank_changed(&mut self, board: u16, player: u32, rank: u32) {
        self.events.add(Event {
            kind: EventKind::RankChange,
            audience: Audience::Board(board),
            cause: player,
            subject: player,
            value: rank.into(),
            place: None,
        });
    }

    fn strike(&mut self, index: u32, code: Code) {
        let player = self.game.player(index);
        player.strike();
        let (strikes, place) = (player.strikes, player.place());
        self.events.add(Event {
            kind: EventKind::Strike,
            audience: Audience::Player(index),
            cause: index,
            subject: code.number().into(),
            value: strikes.into(),
            place,
        });
    }

    /// Joins, resumes or leaves.
    fn attend(&mut self, index: u32, step: &Move, verb: PlayVerb) -> (Code, PlayReply) {
        let named = u64::from(step.to) << 32 | u64::from(step.from);
        let is_it = self.sessions.of(index) == Some(named);
        let tick = self.tick();
        let code = match verb {
            PlayVerb::Join => self.join(index, tick),
            _ if !is_it => Code::NoSession,
            PlayVerb::Leave => {
                self.end_session(index);
                Code::Accepted
            }
            _ => Code::Accepted,
        };
        if code == Code::Accepted {
            self.crowd.see(index, tick);
            self.game.player(index).window.remember(step.sequence, code);
        }
        let mut reply = self.known(index, step);
        reply.session = Some(self.note(index));
        if let (PlayVerb::Resume, Code::Accepted, Some(spot)) = (verb, code, self.crowd.spot(index))
        {
            reply.treasures = self.treasures.near(&self.map, &spot);
        }
        (code, reply)
    }

    fn join(&mut self, index: u32, tick: u16) -> Code {
        let (crowd, idle) = (&self.crowd, self.rules.idle_ticks);
        let is_asleep = |player: u32| tick.wrapping_sub(crowd.seen(player)) > idle;
        let Some(joined) = self.sessions.join(index, is_asleep) else {
            return Code::SessionsFull;
        };
        if let Some(evicted) = joined.evicted {
            self.end_session(evicted);
        }
        let key = self.game.own_key(index).session_key(joined.session);
        self.game.give_key(index, Some(key));
        Code::Accepted
    }

    /// The player is in no session now, and nowhere to be seen.
    fn end_session(&mut self, index: u32) {
        self.sessions.leave(index);
        self.crowd.leave(index);
        self.game.give_key(index, None);
    }

    /// What is said to a player that has signed, where nothing happened.
    fn known(&mut self, index: u32, step: &Move) -> PlayReply {
        PlayReply {
            moved: self.game.player(index).reply(step, false),
            standing: self.boards[0].standing(index),
            ..PlayReply::default()
        }
    }

    fn note(&mut self, index: u32) -> SessionNote {
        SessionNote {
            session: self.sessions.of(index).unwrap_or(0),
            highest_sequence: self.game.player(index).window.highest(),
        }
    }
}

/// Where a step says that its player is.
#[inline]
pub(super) fn spot(step: &Move) -> Spot {
    Spot {
        from: step.from,
        to: step.to,
        offset_dm: step.offset_dm,
    }
}

fn is_about_session(verb: PlayVerb) -> bool {
    !matches!(verb, PlayVerb::Step | PlayVerb::Claim)
}

/// What is said to somebody who cannot sign.
fn stranger(step: &Move) -> PlayReply {
    PlayReply {
        moved: Reply {
            player: step.player,
            sequence: step.sequence,
            ..Reply::default()
        },
        ..PlayReply::default()
    }
}
