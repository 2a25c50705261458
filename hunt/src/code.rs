//! The codes: what the game answers, each a number that travels as the kind of the reply record.
//!
//! Zero is success. Every other code says which rule a request broke and leaves the state unharmed;
//! [`Code::advice`] says what the sender should do. Numbers are for ever: a code that is not given any
//! more keeps its number.

/// What the game answers to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// It happened.
    Accepted = 0,
    /// The tag is not that of the sender's key over this request.
    BadTag = 1,
    /// The sequence is 64 or more behind the player's highest; whether it was judged before is forgotten.
    TooOld = 2,
    /// No such player.
    UnknownPlayer = 3,
    /// The map has no arc from `from` to `to`.
    UnknownEdge = 4,
    /// The offset is beyond the end of the arc.
    BadOffset = 5,
    /// Nobody is that fast: a teleport.
    TooFast = 6,
    /// The player's clock is behind that of its last accepted move.
    BadTime = 7,
    /// The payload has the wrong size, or carries a kind, a verb or flags that do not exist.
    Malformed = 8,
    /// The player is in no session, or not in the one that was named.
    NoSession = 9,
    /// All sessions are taken by players that are awake.
    SessionsFull = 10,
    /// There is no such treasure, or somebody was faster.
    NoTreasure = 11,
    /// The treasure is farther away than an arm reaches.
    TooFar = 12,
    /// There are as many treasures as the game was started for.
    TreasuresFull = 13,
    /// No such board.
    UnknownBoard = 14,
    /// The board has as many players as it was started for.
    BoardFull = 15,
    /// The player is not on the board.
    NotRanked = 16,
    /// The score would leave the range of 64 bits.
    ScoreRange = 17,
    /// The search would visit more of the map than one request may.
    AreaTooLarge = 18,
    /// The map has no such node.
    UnknownNode = 19,
    /// No such operator.
    UnknownOperator = 20,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Code; 21] = [
        Code::Accepted,
        Code::BadTag,
        Code::TooOld,
        Code::UnknownPlayer,
        Code::UnknownEdge,
        Code::BadOffset,
        Code::TooFast,
        Code::BadTime,
        Code::Malformed,
        Code::NoSession,
        Code::SessionsFull,
        Code::NoTreasure,
        Code::TooFar,
        Code::TreasuresFull,
        Code::UnknownBoard,
        Code::BoardFull,
        Code::NotRanked,
        Code::ScoreRange,
        Code::AreaTooLarge,
        Code::UnknownNode,
        Code::UnknownOperator,
    ];

    /// The code of this number; `None` for numbers that the game never answers.
    pub fn from_number(number: u16) -> Option<Code> {
        Code::ALL.get(usize::from(number)).copied()
    }

    /// The number of this code: the kind of the reply record.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The name of this code in tables, logs and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Code::Accepted => "accepted",
            Code::BadTag => "bad_tag",
            Code::TooOld => "too_old",
            Code::UnknownPlayer => "unknown_player",
            Code::UnknownEdge => "unknown_edge",
            Code::BadOffset => "bad_offset",
            Code::TooFast => "too_fast",
            Code::BadTime => "bad_time",
            Code::Malformed => "malformed",
            Code::NoSession => "no_session",
            Code::SessionsFull => "sessions_full",
            Code::NoTreasure => "no_treasure",
            Code::TooFar => "too_far",
            Code::TreasuresFull => "treasures_full",
            Code::UnknownBoard => "unknown_board",
            Code::BoardFull => "board_full",
            Code::NotRanked => "not_ranked",
            Code::ScoreRange => "score_range",
            Code::AreaTooLarge => "area_too_large",
            Code::UnknownNode => "unknown_node",
            Code::UnknownOperator => "unknown_operator",
        }
    }

    /// What the sender should do about it; for people.
    ///
    /// ```
    /// use ironhoard_hunt::record::Code;
    /// assert!(Code::SessionsFull.advice().contains("later"));
    /// ```
    pub fn advice(self) -> &'static str {
        match self {
            Code::Accepted => "nothing",
            Code::BadTag => "sign with the key of the session, or of the player where it has none",
            Code::TooOld => "resume the session; its reply names the highest sequence",
            Code::UnknownPlayer => {
                "number players below the budget that the engine prints at start"
            }
            Code::UnknownEdge => "use the map that the engine uses",
            Code::BadOffset => "keep the offset within the length of the arc",
            Code::TooFast => "go on from the place in the reply",
            Code::BadTime => "send a clock that does not go back; the reply holds the last time",
            Code::Malformed => "check size, kind, verb and flags; spare bytes are zero",
            Code::NoSession => "join first; the reply to it names the session",
            Code::SessionsFull => "try again later, or start the engine with more sessions",
            Code::NoTreasure => "look for another one",
            Code::TooFar => "walk there first",
            Code::TreasuresFull => "take treasures away, or start the engine with more",
            Code::UnknownBoard => "number boards below the count that the engine prints at start",
            Code::BoardFull => "reset the board, or start the engine with more board entries",
            Code::NotRanked => "score first",
            Code::ScoreRange => "keep scores within 64 bits",
            Code::AreaTooLarge => "ask for less reach",
            Code::UnknownNode => "use the map that the engine uses",
            Code::UnknownOperator => "number operators below 16",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_numbers_and_have_names_of_their_own() {
        let mut names = Vec::new();
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(code.number()), number);
            assert_eq!(Code::from_number(number as u16), Some(code));
            names.push(code.name());
        }
        assert_eq!(Code::from_number(Code::ALL.len() as u16), None);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
