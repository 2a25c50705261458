//! Play: what players do. The request has the shape of a [`Move`](crate::record::Move); its kind byte is
//! the verb.
//!
//! ```text
//!  reply: 48 bytes, then a session note where marks say so, then treasures, then players
//!  0         32      40       44         48
//!  ├─ as the ┼ score ┼─ rank ─┼─ shared ─┼─ session u64 ┼ highest u32 ┼ zero u32 ┼─ (id u32, dm u32) × n ─┤
//!  │ reply   │ i64   │ u32    │ rank u32 │ only with MARK_SESSION                │ treasures, players     │
//!  │ to a move; byte 30 the marks, byte 31 treasures in the low half and players in the high one
//! ```
//!
//! Rank and shared rank are those of the player on board 0 *after* this action. Two players with equal
//! scores share a rank (1, 2, 2, 4); by the plain rank, who came to the score first is before the other.

use crate::record::{field, Reply, MARK_DUPLICATE, MARK_PLACED, REPLY_BYTES};

/// Bytes of a reply to play before its lists.
pub const PLAY_HEAD_BYTES: usize = 48;
/// Bytes of a [`SessionNote`].
pub const SESSION_BYTES: usize = 16;
/// Bytes of an entry of a list.
pub const FOUND_BYTES: usize = 8;
/// The most entries of one list of a reply.
pub const MOST_FOUND: usize = 8;
/// The most bytes of a reply to play.
pub const PLAY_REPLY_LIMIT: usize = PLAY_HEAD_BYTES + SESSION_BYTES + 2 * MOST_FOUND * FOUND_BYTES;

/// Mark of a reply: more treasures were in reach than the list holds.
pub const MARK_TREASURES_CUT: u8 = 4;
/// Mark of a reply: more players were near than the list holds, or than were looked at.
pub const MARK_PLAYERS_CUT: u8 = 8;
/// Mark of a reply: a session note follows the head.
pub const MARK_SESSION: u8 = 16;
/// Mark of a reply: the player is on board 0, and score and ranks are its own. Else they are zero.
pub const MARK_RANKED: u8 = 32;

/// What a player does: the kind byte of the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PlayVerb {
    /// The player says where it is.
    Step = 0,
    /// A step, and the treasure that it names is taken.
    Claim = 1,
    /// Begins a session. Signed with the player's own key; what follows is signed with the session's.
    Join = 16,
    /// Goes on with the session named in bytes 16..24, from wherever its host is now.
    Resume = 17,
    /// Ends the session named in bytes 16..24.
    Leave = 18,
}

impl PlayVerb {
    /// The verb of this number.
    pub fn from_number(number: u8) -> Option<PlayVerb> {
        match number {
            0 => Some(PlayVerb::Step),
            1 => Some(PlayVerb::Claim),
            16 => Some(PlayVerb::Join),
            17 => Some(PlayVerb::Resume),
            18 => Some(PlayVerb::Leave),
            _ => None,
        }
    }
}

/// Where a player stands on a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The score.
    pub score: i64,
    /// One more than the players before it; of equal scores, who came first is before.
    pub rank: u32,
    /// One more than the players with a higher score.
    pub shared_rank: u32,
}

/// What a client needs to go on with a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionNote {
    /// The number of the session; its key comes from it: [`crate::tag`].
    pub session: u64,
    /// The highest sequence that was judged; the next one is larger.
    pub highest_sequence: u32,
}

/// An entry of a list: a treasure or a player, and how far away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Decimetres: along the streets to a treasure, through the air to a player.
    pub distance_dm: u32,
    /// The number of the treasure or of the player.
    pub id: u32,
}

/// The reply to play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayReply {
    /// What a bare move is answered with.
    pub moved: Reply,
    /// Where the player stands on board 0; `None` where it is not on it.
    pub standing: Option<Standing>,
    /// After joining, resuming and leaving.
    pub session: Option<SessionNote>,
    /// Treasures in reach, nearest first, by number where equally far.
    pub treasures: List,
    /// Players near by, in the same order.
    pub players: List,
}

/// A short list that says when it was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    entries: [Found; MOST_FOUND],
    count: u8,
    /// There were more, or not all that might be were looked at.
    pub is_cut: bool,
}

impl List {
    /// The entries, in their order.
    pub fn entries(&self) -> &[Found] {
        &self.entries[..usize::from(self.count)]
    }

    /// Adds an entry where there is room, and says that the list is cut where there is none. The
    /// nearest stay: an entry pushes a farther one out.
    #[inline]
    pub fn add(&mut self, found: Found) {
        let mut at = usize::from(self.count);
        if at == MOST_FOUND {
            self.is_cut = true;
            if self.entries[MOST_FOUND - 1] <= found {
                return;
            }
            at -= 1;
        } else {
            self.count += 1;
        }
        while at > 0 && self.entries[at - 1] > found {
            self.entries[at] = self.entries[at - 1];
            at -= 1;
        }
        self.entries[at] = found;
    }
}

impl List {
    /// As [`List::add`]; but where the list holds the same thing already, the nearer one stays alone.
    #[inline]
    pub fn add_once(&mut self, found: Found) {
        let count = usize::from(self.count);
        let same = self.entries().iter().position(|entry| entry.id == found.id);
        if let Some(at) = same {
            if self.entries[at] <= found {
                return;
            }
            self.entries.copy_within(at + 1..count, at);
            self.count -= 1;
        }
        self.add(found);
    }
}

impl PlayReply {
    /// How many bytes the reply takes.
    #[inline]
    pub fn bytes(&self) -> usize {
        let note = if self.session.is_some() {
            SESSION_BYTES
        } else {
            0
        };
        let lists = usize::from(self.treasures.count) + usize::from(self.players.count);
        PLAY_HEAD_BYTES + note + lists * FOUND_BYTES
    }

    /// Writes the reply to where it is to lie; `out` has exactly [`PlayReply::bytes`] bytes.
    ///
    /// # Panics
    /// Where `out` is shorter.
    #[inline]
    pub fn encode_into(&self, out: &mut [u8]) {
        let (head, mut rest) = out.split_at_mut(PLAY_HEAD_BYTES);
        if let Some(moved) = head.first_chunk_mut() {
            self.moved.encode_into(moved);
        }
        head[30] |= self.marks();
        head[31] = self.treasures.count | self.players.count << 4;
        let standing = self.standing.unwrap_or_default();
        head[32..40].copy_from_slice(&standing.score.to_le_bytes());
        head[40..44].copy_from_slice(&standing.rank.to_le_bytes());
        head[44..48].copy_from_slice(&standing.shared_rank.to_le_bytes());
        if let Some(note) = &self.session {
            rest[0..8].copy_from_slice(&note.session.to_le_bytes());
            rest[8..12].copy_from_slice(&note.highest_sequence.to_le_bytes());
            rest[12..16].fill(0);
            rest = &mut rest[SESSION_BYTES..];
        }
        let found = self
            .treasures
            .entries()
            .iter()
            .chain(self.players.entries());
        for (entry, room) in found.zip(rest.chunks_exact_mut(FOUND_BYTES)) {
            room[0..4].copy_from_slice(&entry.id.to_le_bytes());
            room[4..8].copy_from_slice(&entry.distance_dm.to_le_bytes());
        }
    }

    fn marks(&self) -> u8 {
        let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
        mark(self.treasures.is_cut, MARK_TREASURES_CUT)
            | mark(self.players.is_cut, MARK_PLAYERS_CUT)
            | mark(self.session.is_some(), MARK_SESSION)
            | mark(self.standing.is_some(), MARK_RANKED)
    }

    /// The reply in these bytes; `None` where they are none.
    ///
    /// ```
    /// use ironhoard_hunt::request::{PlayReply, Standing};
    /// let standing = Some(Standing { score: -5, rank: 2, shared_rank: 1 });
    /// let reply = PlayReply { standing, ..PlayReply::default() };
    /// let mut bytes = vec![0xff; reply.bytes()];
    /// reply.encode_into(&mut bytes);
    /// assert_eq!(PlayReply::decode(&bytes), Some(reply));
    /// assert_eq!(PlayReply::decode(&bytes[1..]), None);
    /// ```
    pub fn decode(bytes: &[u8]) -> Option<PlayReply> {
        let (head, mut rest) = bytes.split_first_chunk::<PLAY_HEAD_BYTES>()?;
        let marks = head[30];
        let mut moved: [u8; REPLY_BYTES] = field(head, 0);
        moved[30] &= MARK_DUPLICATE | MARK_PLACED;
        moved[31] = 0;
        let standing = Standing {
            score: i64::from_le_bytes(field(head, 32)),
            rank: u32::from_le_bytes(field(head, 40)),
            shared_rank: u32::from_le_bytes(field(head, 44)),
        };
        let mut session = None;
        if marks & MARK_SESSION != 0 {
            let (note, behind) = rest.split_first_chunk::<SESSION_BYTES>()?;
            session = Some(SessionNote {
                session: u64::from_le_bytes(field(note, 0)),
                highest_sequence: u32::from_le_bytes(field(note, 8)),
            });
            rest = behind;
        }
        let counts = [head[31] & 15, head[31] >> 4].map(usize::from);
        let is_whole = rest.len() == (counts[0] + counts[1]) * FOUND_BYTES;
        if !is_whole || counts.iter().any(|&count| count > MOST_FOUND) || marks >= 64 {
            return None;
        }
        let (treasures, players) = rest.split_at(counts[0] * FOUND_BYTES);
        Some(PlayReply {
            moved: Reply::decode(&moved)?,
            standing: (marks & MARK_RANKED != 0).then_some(standing),
            session,
            treasures: list(treasures, marks & MARK_TREASURES_CUT != 0),
            players: list(players, marks & MARK_PLAYERS_CUT != 0),
        })
    }
}

/// Reads one list; `bytes` holds at most [`MOST_FOUND`] whole entries.
fn list(bytes: &[u8], is_cut: bool) -> List {
    let mut list = List {
        is_cut,
        ..List::default()
    };
    for (entry, room) in list.entries.iter_mut().zip(bytes.chunks_exact(FOUND_BYTES)) {
        let word =
            |at: usize| u32::from_le_bytes([room[at], room[at + 1], room[at + 2], room[at + 3]]);
        *entry = Found {
            id: word(0),
            distance_dm: word(4),
        };
        list.count += 1;
    }
    list
}

const _: () = assert!(PLAY_REPLY_LIMIT <= super::LARGEST_REPLY_BYTES && MOST_FOUND < 16);

#[cfg(test)]
mod tests {
    use super::*;

    fn found(distance_dm: u32, id: u32) -> Found {
        Found { distance_dm, id }
    }

    #[test]
    fn a_list_keeps_the_nearest_and_says_when_it_is_cut() {
        let mut list = List::default();
        for distance in [90, 10, 50, 30, 70, 20, 80, 60] {
            list.add(found(distance, 1));
        }
        assert!(!list.is_cut);
        assert!(list.entries().is_sorted());
        list.add(found(95, 2));
        assert!(list.is_cut && list.entries()[7] == found(90, 1));
        list.add(found(10, 0));
        assert_eq!(list.entries()[..2], [found(10, 0), found(10, 1)]);
        assert_eq!(list.entries()[7], found(80, 1));
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let mut reply = PlayReply {
            moved: Reply {
                player: 3,
                strikes: 2,
                is_duplicate: true,
                ..Reply::default()
            },
            standing: Some(Standing {
                score: i64::MIN,
                rank: 7,
                shared_rank: 5,
            }),
            session: Some(SessionNote {
                session: 1 << 40,
                highest_sequence: 9,
            }),
            ..PlayReply::default()
        };
        for id in 0..11 {
            reply.treasures.add(found(id * 10, id));
            if id < 3 {
                reply.players.add(found(id, id));
            }
        }
        let mut bytes = vec![0xaa; reply.bytes()];
        reply.encode_into(&mut bytes);
        assert_eq!(PlayReply::decode(&bytes), Some(reply));
        assert_eq!(PlayReply::decode(&bytes[..bytes.len() - 1]), None);
        bytes[31] = 9;
        assert_eq!(PlayReply::decode(&bytes), None);
    }
}
