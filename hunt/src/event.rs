//! Events: what the hunt has to tell those who did not ask.
//!
//! ```text
//!   request ──▶ hunt ──▶ reply, to who asked
//!                 └────▶ events, collected while the request is judged ──▶ sink: to whom it concerns
//! ```
//!
//! A request collects its events in a fixed list and the handler hands them to an [`EventSink`] after the
//! reply is written. Each event says whom it concerns: a player, whoever is in an area, whoever follows a
//! board.

use crate::map::Point;

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

/// Where events go.
pub trait EventSink {
    /// Takes one event. Called on the engine's thread: it must not block, and should not allocate.
    fn publish(&mut self, event: &Event);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn publish(&mut self, _event: &Event) {}
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
