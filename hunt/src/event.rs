//! Events: what the hunt has to tell those who did not ask.
//!
//! ```text
//!   request ──▶ hunt ──▶ reply, to who asked
//!                 └────▶ events, collected while the request is judged ──▶ event ring ──▶ every host
//! ```
//!
//! A request collects its events in a fixed list, and the handler publishes them into the engine's event
//! ring [`EVENT_RING`] once the reply is written: one write, however many hosts read. Each event says whom
//! it concerns: a player, whoever is in an area, whoever follows a board. A host picks what concerns its
//! own players with an [`Interest`].

use std::collections::HashSet;

use crate::map::Point;
use crate::record::field;

/// The event ring of the shard that carries them.
pub const EVENT_RING: usize = 0;
/// Bytes of an encoded event.
pub const EVENT_BYTES: usize = 48;
/// The most events of one request.
pub const MOST_EVENTS: usize = 16;

/// Whom an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One player.
    Player(u32),
    /// Whoever is around this node.
    Area(u32),
    /// Whoever follows this board.
    Board(u16),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// A player came onto a street from which treasures are in reach. `subject` is the nearest treasure,
    /// `value` its distance in decimetres.
    Near = 1,
    /// A player took a treasure: `subject` the treasure, `value` its worth.
    Claimed = 2,
    /// A treasure was laid: `subject` the treasure, `value` its worth.
    ClueDrop = 3,
    /// A player's rank among the first ten of a board changed: `subject` the player, `value` the rank.
    RankChange = 4,
    /// A board was reset: `value` is its season.
    BoardReset = 5,
    /// A player said what cannot be: `subject` the code, `value` the strikes.
    Strike = 6,
}

/// An event of the hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Whom it concerns.
    pub audience: Audience,
    /// The player that caused it, or `u32::MAX` for an operator.
    pub cause: u32,
    /// See [`EventKind`].
    pub subject: u32,
    /// See [`EventKind`].
    pub value: i64,
    /// Where, for those who choose by area.
    pub place: Option<Point>,
}

impl Event {
    /// The event as bytes of a record.
    ///
    /// ```text
    ///  0      1          2      4          8       12        16      24  28  32  36   40     48
    ///  ├ kind ┼ audience ┼ zero ┼ to whom ─┼ cause ┼ subject ┼ value ┼ x ┼ y ┼ z ┼ placed ┼ zero ┤
    /// ```
    pub fn encode(&self) -> [u8; EVENT_BYTES] {
        let (audience, whom) = match self.audience {
            Audience::Player(player) => (1, player),
            Audience::Area(node) => (2, node),
            Audience::Board(board) => (3, board.into()),
        };
        let place = self.place.unwrap_or(Point { x: 0, y: 0, z: 0 });
        let mut bytes = [0; EVENT_BYTES];
        (bytes[0], bytes[1]) = (self.kind as u8, audience);
        bytes[4..8].copy_from_slice(&whom.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.cause.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.subject.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.value.to_le_bytes());
        bytes[24..28].copy_from_slice(&place.x.to_le_bytes());
        bytes[28..32].copy_from_slice(&place.y.to_le_bytes());
        bytes[32..36].copy_from_slice(&place.z.to_le_bytes());
        bytes[36] = u8::from(self.place.is_some());
        bytes
    }

    /// The event that a host has read; `None` for bytes that no hunt of this version writes.
    ///
    /// ```
    /// use ironhoard_hunt::event::{Audience, Event, EventKind};
    /// let event = Event {
    ///     kind: EventKind::BoardReset,
    ///     audience: Audience::Board(2),
    ///     cause: u32::MAX,
    ///     subject: 0,
    ///     value: 7,
    ///     place: None,
    /// };
    /// assert_eq!(Event::decode(&event.encode()), Some(event));
    /// assert_eq!(Event::decode(&[0; 48]), None);
    /// ```
    pub fn decode(bytes: &[u8]) -> Option<Event> {
        let bytes: &[u8; EVENT_BYTES] = bytes.try_into().ok()?;
        let word = |at| u32::from_le_bytes(field(bytes, at));
        let whom = word(4);
        let audience = match bytes[1] {
            1 => Audience::Player(whom),
            2 => Audience::Area(whom),
            3 => Audience::Board(u16::try_from(whom).ok()?),
            _ => return None,
        };
        let [x, y, z] = [24, 28, 32].map(|at| i32::from_le_bytes(field(bytes, at)));
        let place = match bytes[36] {
            0 => None,
            1 => Some(Point { x, y, z }),
            _ => return None,
        };
        Some(Event {
            kind: EventKind::from_byte(bytes[0])?,
            audience,
            cause: word(8),
            subject: word(12),
            value: i64::from_le_bytes(field(bytes, 16)),
            place,
        })
    }
}

impl EventKind {
    fn from_byte(byte: u8) -> Option<EventKind> {
        use EventKind::{BoardReset, Claimed, ClueDrop, Near, RankChange, Strike};
        let all = [Near, Claimed, ClueDrop, RankChange, BoardReset, Strike];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What one host wants to hear of: its players, the surroundings of its players, boards.
///
/// ```
/// use ironhoard_hunt::event::{Audience, Event, EventKind, Interest};
/// let interest = Interest::default().player(4).board(0);
/// let mut event = Event {
///     kind: EventKind::Strike,
///     audience: Audience::Player(4),
///     cause: 4,
///     subject: 9,
///     value: 1,
///     place: None,
/// };
/// assert!(interest.wants(&event));
/// event.audience = Audience::Player(5);
/// assert!(!interest.wants(&event));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interest {
    players: HashSet<u32>,
    boards: HashSet<u16>,
    areas: Vec<(Point, i64)>,
}

impl Interest {
    /// And what concerns this player.
    pub fn player(mut self, player: u32) -> Interest {
        self.players.insert(player);
        self
    }

    /// And what concerns those who follow this board.
    pub fn board(mut self, board: u16) -> Interest {
        self.boards.insert(board);
        self
    }

    /// And what happens within `reach` of this place, as the crow flies, in the map's units
    /// (centimetres).
    pub fn area(mut self, middle: Point, reach: u32) -> Interest {
        self.areas.push((middle, i64::from(reach)));
        self
    }

    /// Is this event to be passed on?
    pub fn wants(&self, event: &Event) -> bool {
        let near = |place: Point| self.areas.iter().any(|area| is_within(place, *area));
        match event.audience {
            Audience::Player(player) => self.players.contains(&player),
            Audience::Board(board) => self.boards.contains(&board),
            Audience::Area(_) => event.place.is_some_and(near),
        }
    }
}

fn is_within(place: Point, (middle, reach): (Point, i64)) -> bool {
    let [x, y, z] = [
        (place.x, middle.x),
        (place.y, middle.y),
        (place.z, middle.z),
    ]
    .map(|(a, b)| i128::from(a) - i128::from(b));
    x * x + y * y + z * z <= i128::from(reach) * i128::from(reach)
}

/// The events of one request, in the order in which they happened.
#[derive(Clone, Debug)]
pub struct EventList {
    events: [Event; MOST_EVENTS],
    count: usize,
    /// Events that found no room, ever.
    pub dropped: u64,
}

impl Default for EventList {
    fn default() -> EventList {
        let none = Event {
            kind: EventKind::Near,
            audience: Audience::Player(0),
            cause: 0,
            subject: 0,
            value: 0,
            place: None,
        };
        EventList {
            events: [none; MOST_EVENTS],
            count: 0,
            dropped: 0,
        }
    }
}

impl EventList {
    /// Begins the next request.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    pub(crate) fn add(&mut self, event: Event) {
        match self.events.get_mut(self.count) {
            Some(room) => {
                *room = event;
                self.count += 1;
            }
            None => self.dropped += 1,
        }
    }

    /// What happened.
    pub fn all(&self) -> &[Event] {
        &self.events[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_lies_where_its_ruler_says() {
        let event = Event {
            kind: EventKind::Claimed,
            audience: Audience::Area(4),
            cause: 8,
            subject: 12,
            value: 16,
            place: Some(Point {
                x: 24,
                y: 28,
                z: 32,
            }),
        };
        let mut bytes = [0; 48];
        for at in [4, 8, 12, 16, 24, 28, 32] {
            bytes[at] = at as u8;
        }
        (bytes[0], bytes[1], bytes[36]) = (2, 2, 1);
        assert_eq!(event.encode(), bytes);
        assert_eq!(Event::decode(&bytes), Some(event));
        for at in [0, 1, 36] {
            let mut wrong = bytes;
            wrong[at] = 99;
            assert_eq!(Event::decode(&wrong), None, "byte {at}");
        }
    }

    #[test]
    fn an_area_is_a_ball() {
        let place = |x, y| Some(Point { x, y, z: 0 });
        let interest = Interest::default().area(Point { x: 100, y: 0, z: 0 }, 50);
        let event = |place| Event {
            kind: EventKind::ClueDrop,
            audience: Audience::Area(1),
            cause: 0,
            subject: 0,
            value: -5,
            place,
        };
        for (at, wanted) in [
            (place(100, 50), true),
            (place(130, 41), false),
            (place(i32::MIN, i32::MAX), false),
            (None, false),
        ] {
            assert_eq!(interest.wants(&event(at)), wanted, "{at:?}");
            assert_eq!(Event::decode(&event(at).encode()), Some(event(at)));
        }
    }

    #[test]
    fn a_list_counts_what_it_cannot_hold() {
        let mut list = EventList::default();
        let event = list.events[0];
        for _ in 0..MOST_EVENTS + 2 {
            list.add(event);
        }
        assert_eq!((list.all().len(), list.dropped), (MOST_EVENTS, 2));
        list.clear();
        assert_eq!((list.all().len(), list.dropped), (0, 2));
    }
}
