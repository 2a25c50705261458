//! A host of the treasure hunt: a player joins, walks the streets of a map, now and then claims to have
//! been faster than anybody is, takes the treasures that it comes near, and looks at its rank.
//!
//! ```text
//! ironhoard map generate --nodes 2000 --output city.ihmap
//! ironhoard serve --socket /tmp/hunt.sock --map city.ihmap &
//! cargo run --release -p ironhoard-hunt --example treasure_hunt -- \
//!     /tmp/hunt.sock city.ihmap [MOVES [PLAYER]]
//! ```
//!
//! Each answer is what it must be, or the program ends with an error. An engine remembers its players:
//! for a second run without a fresh engine choose another PLAYER. The same host in the other languages,
//! with bare moves and many of them under way: `examples/c/treasure_hunt.c`,
//! `examples/cpp/treasure_hunt.cpp`, `examples/go/hunt`.

use std::path::Path;
use std::time::Duration;

use ironhoard::attach::Wishes;
use ironhoard::host::{Host, HostOptions, Lane};
use ironhoard_hunt::map::StreetMap;
use ironhoard_hunt::record::{Code, Move, NO_TREASURE};
use ironhoard_hunt::request::{
    BoardQuery, BoardReply, BoardView, Found, PlayReply, PlayVerb, KIND_BOARD, KIND_PLAY,
    LARGEST_REPLY_BYTES,
};
use ironhoard_hunt::tag::{PlayerKey, WorldSecret};

/// An answer that takes longer is not coming.
const DEADLINE: Duration = Duration::from_secs(5);
/// From how near a treasure can be taken, in decimetres along the streets.
const ARM_DM: u32 = 250;
/// On foot: 1.4 m a second, 14 decimetres.
const PACE_DM_S: u32 = 14;

type Failed = Box<dyn std::error::Error>;

/// What a walk came to.
#[derive(Debug, Default)]
pub struct Walked {
    /// Steps that were accepted.
    pub steps: u32,
    /// Lies, every one of which was refused.
    pub lies: u32,
    /// Treasures that were taken.
    pub treasures: u32,
    /// The score at the end, and the rank that goes with it.
    pub score: i64,
    /// One more than the players before this one.
    pub rank: u32,
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, map, numbers @ ..] = &arguments[..] else {
        return Err("usage: treasure_hunt PATH MAP [MOVES [PLAYER]]".into());
    };
    let number = |at: usize, usual| {
        numbers
            .get(at)
            .map_or(Ok(usual), |text: &String| text.parse())
    };
    let walked = hunt(
        Path::new(path),
        Path::new(map),
        number(0, 100_000)?,
        number(1, 0)?,
    )?;
    println!(
        "{} steps, every answer right: {} lies refused, {} treasures; rank {} with {} points",
        walked.steps, walked.lies, walked.treasures, walked.rank, walked.score
    );
    Ok(())
}

/// Attaches, joins, walks, looks at the board, leaves.
pub fn hunt(path: &Path, map: &Path, moves: u32, player: u32) -> Result<Walked, Failed> {
    let map = StreetMap::load(map)?;
    let options = HostOptions {
        wishes: Wishes {
            service: "treasure-hunt".to_owned(),
            ..Wishes::default()
        },
        patience: None, // the players' state dies with the engine: nothing to resume with
        ..HostOptions::default()
    };
    let host = Host::attach_with(path, options)?;
    let mut walker = Walker::join(host.lane()?, player)?;
    let mut walked = Walked::default();
    for step in 1..=moves {
        match step % 8 {
            0 => walker.lie(&map).map(|()| walked.lies += 1)?,
            _ => {
                walked.treasures += walker.step(&map)?;
                walked.steps += 1;
            }
        }
    }
    (walked.rank, walked.score) = walker.look()?;
    walker.leave()?;
    Ok(walked)
}

/// A player in a session.
struct Walker {
    lane: Lane,
    player: u32,
    session: u64,
    key: PlayerKey,
    sequence: u32,
    time_ms: u32,
    node: u32,
}

impl Walker {
    /// Joins: signed with the player's own key. What follows is signed with the session's, which is made
    /// out of the number that the reply brings. The secret is that of `ironhoard serve --seed 1`.
    fn join(lane: Lane, player: u32) -> Result<Walker, Failed> {
        let own = WorldSecret::from_seed(1).player_key(player.into());
        let mut walker = Walker {
            lane,
            player,
            session: 0,
            key: own,
            sequence: 0,
            time_ms: 0,
            node: player,
        };
        let reply = walker.play(PlayVerb::Join, (0, 0, 0), NO_TREASURE, Code::Accepted)?;
        walker.session = reply.session.ok_or("a join without a session")?.session;
        walker.key = own.session_key(walker.session);
        Ok(walker)
    }

    /// Walks a street to its end, and takes the nearest treasure if it can be reached from there.
    fn step(&mut self, map: &StreetMap) -> Result<u32, Failed> {
        self.node %= map.node_count();
        let arcs = map.arcs_from(self.node);
        let arc = arcs[self.sequence as usize * 7 % arcs.len()];
        self.time_ms += 1_000 + u32::from(arc.length_dm) * 1_000 / PACE_DM_S;
        let place = (self.node, arc.to, arc.length_dm);
        let reply = self.play(PlayVerb::Step, place, NO_TREASURE, Code::Accepted)?;
        self.node = arc.to;
        let nearest = reply.treasures.entries().first().copied();
        match nearest.filter(|nearest| nearest.distance_dm <= ARM_DM) {
            None => Ok(0),
            Some(nearest) => self.claim(place, nearest),
        }
    }

    /// Takes a treasure without moving. Somebody else may have been faster.
    fn claim(&mut self, place: (u32, u32, u16), treasure: Found) -> Result<u32, Failed> {
        match self.send(PlayVerb::Claim, place, treasure.id)? {
            (Code::Accepted, _) => Ok(1),
            (Code::NoTreasure, _) => Ok(0),
            (code, _) => Err(format!("a claim was answered with {}", code.name()).into()),
        }
    }

    /// Says that it is at the other end of the map already; nobody is that fast.
    fn lie(&mut self, map: &StreetMap) -> Result<(), Failed> {
        let here = map.point(self.node).ok_or("a node of the map")?;
        let distance = |node: &u32| map.point(*node).map(|point| point.distance_squared(&here));
        let far = (0..map.node_count()).max_by_key(distance).ok_or("a node")?;
        let arc = map.arcs_from(far)[0];
        self.play(PlayVerb::Step, (far, arc.to, 0), NO_TREASURE, Code::TooFast)?;
        Ok(())
    }

    /// Rank and score on board 0. Who never scored is on no board.
    fn look(&mut self) -> Result<(u32, i64), Failed> {
        let query = BoardQuery {
            board: 0,
            view: BoardView::Rank,
            start: 0,
            player: self.player.into(),
            count: 0,
        };
        let mut answer = [0; LARGEST_REPLY_BYTES];
        let reply = self
            .lane
            .call(KIND_BOARD, &query.encode(), &mut answer, DEADLINE)?;
        let board = BoardReply::decode(&answer[..reply.copied]).ok_or("no board")?;
        let standing = board.head.standing.unwrap_or_default();
        Ok((standing.rank, standing.score))
    }

    fn leave(mut self) -> Result<(), Failed> {
        let session = (self.session as u32, (self.session >> 32) as u32, 0);
        self.play(PlayVerb::Leave, session, NO_TREASURE, Code::Accepted)?;
        Ok(())
    }

    /// Sends a request that must be answered with this code.
    fn play(
        &mut self,
        verb: PlayVerb,
        place: (u32, u32, u16),
        treasure: u32,
        expected: Code,
    ) -> Result<PlayReply, Failed> {
        match self.send(verb, place, treasure)? {
            (code, reply) if code == expected => Ok(reply),
            (code, _) => Err(format!(
                "{verb:?} {} of player {} was answered with {}: {}",
                self.sequence,
                self.player,
                code.name(),
                code.advice()
            )
            .into()),
        }
    }

    fn send(
        &mut self,
        verb: PlayVerb,
        (from, to, offset_dm): (u32, u32, u16),
        treasure: u32,
    ) -> Result<(Code, PlayReply), Failed> {
        self.sequence += 1;
        let step = Move {
            player: self.player.into(),
            sequence: self.sequence,
            time_ms: self.time_ms,
            from,
            to,
            offset_dm,
            kind: verb as u8,
            flags: 0,
            treasure,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        self.key.sign(&mut bytes);
        let mut answer = [0; LARGEST_REPLY_BYTES];
        let reply = self.lane.call(KIND_PLAY, &bytes, &mut answer, DEADLINE)?;
        let code = Code::from_number(reply.status).ok_or("an unknown code")?;
        let play = PlayReply::decode(&answer[..reply.copied]).ok_or("no reply to a play")?;
        let is_ours = (play.moved.player, play.moved.sequence) == (step.player, step.sequence);
        match is_ours {
            true => Ok((code, play)),
            false => Err("the answer to another request".into()),
        }
    }
}
