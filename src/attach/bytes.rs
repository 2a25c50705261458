//! Reading and writing a message's bytes: bounds are checked, reserved bytes are found by elimination.
//!
//! A [`Reader`] remembers which bytes were asked for. What nobody asked for is reserved, and
//! [`Reader::finish`] demands that it is zero: a field can't be forgotten there.

use super::message::*;

/// Why bytes are not the message they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Too short to carry even the common header.
    #[error("a message of {found} bytes is too short: each starts with a header of 16")]
    TooShort {
        /// Bytes received.
        found: usize,
    },
    /// The magic word is another.
    #[error(
        "the magic word is {found:#010x} and must be {MESSAGE_MAGIC:#010x}: this is not Ironhoard"
    )]
    Magic {
        /// The word found.
        found: u32,
    },
    /// The length word, the kind's length and what was received do not agree.
    #[error(
        "the message says that it has {stated} bytes, {found} came and {expected} are right: send \
         exactly what the layout version says"
    )]
    Length {
        /// What the length word says.
        stated: u32,
        /// What the socket delivered.
        found: usize,
        /// What version and kind demand.
        expected: usize,
    },
    /// Another message than this step of the conversation has.
    #[error("a message of kind {found} came where {expected} was expected")]
    Kind {
        /// The kind found.
        found: u32,
        /// The name of the one expected.
        expected: &'static str,
    },
    /// A version nobody agreed on.
    #[error("the message is of layout version {found} and {expected} was agreed")]
    Version {
        /// The version found.
        found: u32,
        /// The version agreed.
        expected: u32,
    },
    /// A reserved byte is not zero.
    #[error("the reserved byte at offset {offset} is not zero: set what this version does not name to 0")]
    Reserved {
        /// Where.
        offset: usize,
    },
    /// A name is no name.
    #[error("the name at offset {offset} must be UTF-8 without control characters, filled up with zeros")]
    Name {
        /// Where.
        offset: usize,
    },
    /// A number that has no meaning there.
    #[error("the field `{field}` is {found}, which means nothing in this version")]
    Value {
        /// The field's name.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// Descriptors came where none belong, or not as many as belong there, or were cut off.
    #[error("{found} came with the message and {expected} belong to it")]
    Descriptors {
        /// What came, in words.
        found: String,
        /// How many belong there.
        expected: usize,
    },
}

/// The common header of a message, taken from its first 16 bytes.
///
/// ```
/// use ironhoard::attach::{Head, MessageError};
/// assert!(matches!(Head::of(b"GET / HTTP/1.1\r\n\r\n"), Err(MessageError::Magic { .. })));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the message is, one of the `KIND_` constants.
    pub kind: u32,
    /// The layout version of its form.
    pub version: u32,
    /// Its length, as it says itself.
    pub length: u32,
}

impl Head {
    /// The header of `message`.
    ///
    /// # Errors
    /// [`MessageError::TooShort`], [`MessageError::Magic`].
    pub fn of(message: &[u8]) -> Result<Head, MessageError> {
        let found = message.len();
        let Some((head, _)) = message.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
            return Err(MessageError::TooShort { found });
        };
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let magic = word(MESSAGE_MAGIC_OFFSET);
        if magic != MESSAGE_MAGIC {
            return Err(MessageError::Magic { found: magic });
        }
        Ok(Head {
            kind: word(MESSAGE_KIND),
            version: word(MESSAGE_VERSION),
            length: word(MESSAGE_LENGTH),
        })
    }
}

/// A message being read.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    named: Vec<bool>,
}

impl<'a> Reader<'a> {
    /// A message that must have exactly `expected` bytes.
    pub(super) fn new(message: &'a [u8], expected: usize) -> Result<Self, MessageError> {
        let head = Head::of(message)?;
        let found = message.len();
        if found != expected || head.length as usize != expected {
            return Err(MessageError::Length {
                stated: head.length,
                found,
                expected,
            });
        }
        let mut named = vec![false; expected];
        named[..MESSAGE_HEADER_BYTES].fill(true);
        Ok(Self { message, named })
    }

    /// `bytes` bytes at `at`, which the length checked by [`Reader::new`] covers.
    pub(super) fn bytes(&mut self, at: usize, bytes: usize) -> &'a [u8] {
        self.named[at..at + bytes].fill(true);
        &self.message[at..at + bytes]
    }

    fn array<const N: usize>(&mut self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(at, N));
        array
    }

    pub(super) fn u16(&mut self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    pub(super) fn u32(&mut self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    pub(super) fn u64(&mut self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    /// A word that is 0 or 1.
    pub(super) fn flag(&mut self, at: usize, field: &'static str) -> Result<bool, MessageError> {
        match self.u32(at) {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(MessageError::Value {
                field,
                found: found.into(),
            }),
        }
    }

    pub(super) fn name(&mut self, at: usize) -> Result<String, MessageError> {
        let bytes = self.bytes(at, NAME_BYTES);
        let end = bytes
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(NAME_BYTES);
        let (name, rest) = bytes.split_at(end);
        match std::str::from_utf8(name) {
            Ok(name) if is_name(name) && rest.iter().all(|&byte| byte == 0) => Ok(name.to_owned()),
            _ => Err(MessageError::Name { offset: at }),
        }
    }

    /// Demands that each byte nobody asked for is zero.
    pub(super) fn finish(self) -> Result<(), MessageError> {
        let mut reserved = self.message.iter().zip(&self.named);
        match reserved.position(|(&byte, &named)| !named && byte != 0) {
            None => Ok(()),
            Some(offset) => Err(MessageError::Reserved { offset }),
        }
    }
}

/// A message being written; reserved bytes are zero by themselves.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: u32, version: u32, length: usize) -> Self {
        let mut writer = Self(vec![0; length]);
        writer.u32(MESSAGE_MAGIC_OFFSET, MESSAGE_MAGIC);
        writer.u32(MESSAGE_KIND, kind);
        writer.u32(MESSAGE_VERSION, version);
        writer.u32(MESSAGE_LENGTH, length as u32);
        writer
    }

    pub(super) fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn u16(&mut self, at: usize, value: u16) {
        self.bytes(at, &value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, at: usize, value: u32) {
        self.bytes(at, &value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, at: usize, value: u64) {
        self.bytes(at, &value.to_le_bytes());
    }

    /// Writes a name that [`fits`](fits_name).
    pub(super) fn name(&mut self, at: usize, name: &str) {
        self.bytes(at, &name.as_bytes()[..name.len().min(NAME_BYTES)]);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

fn is_name(name: &str) -> bool {
    !name.chars().any(char::is_control)
}

/// Can `name` be said in a message: at most 64 bytes, no control characters?
pub(super) fn fits_name(name: &str) -> bool {
    name.len() <= NAME_BYTES && is_name(name)
}
