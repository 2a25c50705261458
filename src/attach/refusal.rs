//! No, and why: a code for programs, a sentence for people, and the number that would have fitted.

use super::bytes::{MessageError, Reader, Writer};
use super::message::*;
use crate::layout::LAYOUT_VERSION;

/// Why the engine refused, for programs. The numbers are those of the REFUSED message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum RefusalCode {
    /// A message was not what its version says.
    Malformed = 1,
    /// No layout version in common.
    Version = 2,
    /// A feature that must be understood is not.
    Feature = 3,
    /// A role that this engine does not attach.
    Role = 4,
    /// Another service, or another version of it.
    Service = 5,
    /// A uid that is not on the allow-list.
    Uid = 6,
    /// The engine serves as many hosts as it may.
    Hosts = 7,
    /// This uid has as many hosts as it may.
    HostsPerUid = 8,
    /// This uid has as much memory as it may.
    MemoryPerUid = 9,
    /// No lanes, or more than a host may have.
    Lanes = 10,
    /// A capacity that is not possible or above the limit.
    Capacity = 11,
    /// A page mode nobody knows, or 2 MiB pages that could not be had.
    Pages = 12,
    /// Event rings, which this engine has not.
    EventRings = 13,
    /// The host said nothing for too long.
    Silence = 14,
    /// The engine is leaving.
    Draining = 15,
    /// The engine could not get memory, descriptors or the like.
    Resources = 16,
    /// The request region is not as it was handed out: seals, holes, header.
    Region = 17,
    /// Resume: the state of the engine's handler died with the engine.
    ResumeDeclined = 18,
    /// Resume: this request region is being served already.
    ResumeServed = 19,
    /// Resume: the descriptor is not a request region of these sizes with the exact seals.
    ResumeRegion = 20,
    /// Resume: no request can stand at the position that a lane names.
    ResumeRecord = 21,
    /// A defect of the engine itself.
    Internal = 22,
    /// The host hung up in the middle of the conversation. Nobody is left to be told.
    Gone = 23,
    /// After READY: the engine closed one lane, whose number is the limit, because the host wrote
    /// nonsense to it.
    LaneClosed = 24,
    /// A code that this version does not know.
    Unknown = 0,
}

impl RefusalCode {
    const ALL: [RefusalCode; 24] = [
        RefusalCode::Malformed,
        RefusalCode::Version,
        RefusalCode::Feature,
        RefusalCode::Role,
        RefusalCode::Service,
        RefusalCode::Uid,
        RefusalCode::Hosts,
        RefusalCode::HostsPerUid,
        RefusalCode::MemoryPerUid,
        RefusalCode::Lanes,
        RefusalCode::Capacity,
        RefusalCode::Pages,
        RefusalCode::EventRings,
        RefusalCode::Silence,
        RefusalCode::Draining,
        RefusalCode::Resources,
        RefusalCode::Region,
        RefusalCode::ResumeDeclined,
        RefusalCode::ResumeServed,
        RefusalCode::ResumeRegion,
        RefusalCode::ResumeRecord,
        RefusalCode::Internal,
        RefusalCode::Gone,
        RefusalCode::LaneClosed,
    ];

    /// The number in the message.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The code that a number stands for; [`RefusalCode::Unknown`] for one from the future.
    pub fn from_code(code: u32) -> RefusalCode {
        let known = Self::ALL.into_iter().find(|known| known.code() == code);
        known.unwrap_or(RefusalCode::Unknown)
    }
}

/// A refused conversation.
///
/// ```
/// use ironhoard::attach::{Refusal, RefusalCode};
/// let refusal = Refusal::new(RefusalCode::Lanes, "2000 lanes are wanted: ask for fewer");
/// assert_eq!((refusal.code as u32, refusal.limit), (10, 0));
/// assert_eq!(RefusalCode::from_code(10), RefusalCode::Lanes);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// Why, for programs.
    pub code: RefusalCode,
    /// Why, and what to do, for people.
    pub text: String,
    /// The number that would have been accepted; 0 where there is none.
    pub limit: u64,
}

impl Refusal {
    /// A refusal without a limit.
    pub fn new(code: RefusalCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            limit: 0,
        }
    }

    /// The same with the number that would have been accepted.
    pub(super) fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let text = shortened(&self.text);
        let length = REFUSED_TEXT + text.len();
        let mut writer = Writer::new(KIND_REFUSED, LAYOUT_VERSION, length);
        writer.u32(REFUSED_CODE, self.code.code());
        writer.u32(REFUSED_TEXT_BYTES, text.len() as u32);
        writer.u64(REFUSED_LIMIT, self.limit);
        writer.bytes(REFUSED_TEXT, text.as_bytes());
        writer.finish()
    }

    /// Any version: the form of REFUSED never changes.
    pub(super) fn decode(message: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(message, message.len().max(REFUSED_BYTES))?;
        let code = reader.u32(REFUSED_CODE);
        let stated = reader.u32(REFUSED_TEXT_BYTES);
        let limit = reader.u64(REFUSED_LIMIT);
        let bytes = message.len() - REFUSED_TEXT;
        if stated as usize != bytes || bytes > REFUSED_MOST_TEXT {
            return Err(MessageError::Value {
                field: "text bytes",
                found: stated.into(),
            });
        }
        let text = String::from_utf8_lossy(reader.bytes(REFUSED_TEXT, bytes));
        Ok(Self {
            code: RefusalCode::from_code(code),
            text: text.replace(char::is_control, " "),
            limit,
        })
    }
}

impl From<MessageError> for Refusal {
    fn from(error: MessageError) -> Self {
        Self::new(RefusalCode::Malformed, error.to_string())
    }
}

/// As much of `text` as REFUSED may carry, cut between characters.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(REFUSED_MOST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_survives_the_wire() {
        for code in RefusalCode::ALL {
            let said = Refusal::new(code, "too many: ask for fewer").with_limit(7);
            assert_eq!(Refusal::decode(&said.encode()), Ok(said));
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let said = Refusal::new(RefusalCode::Hosts, "ä".repeat(400) + "x");
        let heard = Refusal::decode(&said.encode()).unwrap();
        assert_eq!(heard.text, "ä".repeat(256));
    }

    #[test]
    fn a_code_from_the_future_is_unknown_and_its_text_is_kept() {
        let mut bytes = Refusal::new(RefusalCode::Uid, "no").encode();
        bytes[REFUSED_CODE] = 200;
        let heard = Refusal::decode(&bytes).unwrap();
        assert_eq!(
            (heard.code, heard.text.as_str()),
            (RefusalCode::Unknown, "no")
        );
    }

    #[test]
    fn a_text_cannot_forge_lines_in_a_log() {
        let bytes = Refusal::new(RefusalCode::Uid, "no\nyes\x1b[2J").encode();
        assert_eq!(Refusal::decode(&bytes).unwrap().text, "no yes [2J");
    }

    #[test]
    fn every_wrong_length_is_an_error() {
        let bytes = Refusal::new(RefusalCode::Uid, "no").encode();
        for length in 0..bytes.len() {
            assert!(Refusal::decode(&bytes[..length]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Refusal::decode(&longer).is_err());
    }
}
