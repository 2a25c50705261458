//! What walkers do, honest and otherwise, and how often.

/// What a walker did in a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Walked on.
    Honest,
    /// Signed with a wrong tag.
    BadTag,
    /// Sent its last move again.
    Duplicate,
    /// Claimed to be where nobody could get in that time.
    Teleport,
    /// Named an arc that the map does not have.
    UnknownEdge,
    /// Named a place beyond the end of its arc.
    BadOffset,
    /// Turned its clock back.
    BadTime,
    /// Used a sequence from before the window.
    TooOld,
    /// Spoke for a player that does not exist.
    UnknownPlayer,
    /// Sent a kind or flags that do not exist.
    Malformed,
}

impl Behaviour {
    /// All lies, in the order in which [`BadRates`] lists them.
    pub const LIES: [Behaviour; 9] = [
        Behaviour::BadTag,
        Behaviour::Duplicate,
        Behaviour::Teleport,
        Behaviour::UnknownEdge,
        Behaviour::BadOffset,
        Behaviour::BadTime,
        Behaviour::TooOld,
        Behaviour::UnknownPlayer,
        Behaviour::Malformed,
    ];

    /// The name of this behaviour in tables, logs and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::Honest => "honest",
            Behaviour::BadTag => "bad_tag",
            Behaviour::Duplicate => "duplicate",
            Behaviour::Teleport => "teleport",
            Behaviour::UnknownEdge => "unknown_edge",
            Behaviour::BadOffset => "bad_offset",
            Behaviour::BadTime => "bad_time",
            Behaviour::TooOld => "too_old",
            Behaviour::UnknownPlayer => "unknown_player",
            Behaviour::Malformed => "malformed",
        }
    }
}

/// How many moves in a million are lies, by kind. Where they sum up to more than a million, the last
/// kinds come short. A lie that cannot be told yet (a repeat before the first move) is an honest move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BadRates {
    /// Wrong tags.
    pub bad_tag: u32,
    /// Repeats.
    pub duplicate: u32,
    /// Teleports.
    pub teleport: u32,
    /// Unknown edges.
    pub unknown_edge: u32,
    /// Places beyond the end of the arc.
    pub bad_offset: u32,
    /// Clocks turned back.
    pub bad_time: u32,
    /// Sequences from before the window.
    pub too_old: u32,
    /// Players that do not exist.
    pub unknown_player: u32,
    /// Kinds or flags that do not exist.
    pub malformed: u32,
}

impl BadRates {
    /// No lies.
    pub const NONE: BadRates = BadRates::each(0);

    /// The same rate for each of the nine lies.
    pub const fn each(rate: u32) -> BadRates {
        BadRates {
            bad_tag: rate,
            duplicate: rate,
            teleport: rate,
            unknown_edge: rate,
            bad_offset: rate,
            bad_time: rate,
            too_old: rate,
            unknown_player: rate,
            malformed: rate,
        }
    }

    /// What the demo sends: one move in a hundred is a wrong tag, a repeat, a teleport or an unknown
    /// edge each, one in a thousand each of the other lies.
    pub const DEMO: BadRates = BadRates {
        bad_tag: 10_000,
        duplicate: 10_000,
        teleport: 10_000,
        unknown_edge: 10_000,
        ..BadRates::each(1_000)
    };

    /// Bounds that cut 0..1,000,000 into the lies, in the order of [`Behaviour::LIES`].
    pub(super) fn bounds(&self) -> [u32; 9] {
        let rates = [
            self.bad_tag,
            self.duplicate,
            self.teleport,
            self.unknown_edge,
            self.bad_offset,
            self.bad_time,
            self.too_old,
            self.unknown_player,
            self.malformed,
        ];
        let mut sum = 0_u32;
        rates.map(|rate| {
            sum = sum.saturating_add(rate);
            sum
        })
    }
}
