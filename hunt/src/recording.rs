//! Recordings: the input of a hunt in a file, and its replay to the same answers and the same state.
//!
//! ```text
//!  head, 136 bytes                     each request                                  end
//!  ├─ IRONREC1 ┼ 16 words: what the ─┼─ clock u64 ┼ kind u16 ┼ length u16 ┼ limit ─┼ payload … ┼ length 64:
//!  │           │ hunt was started with             │          │            │ u32    │           │ 2 hashes
//! ```
//!
//! A handler is deterministic: its clock is an input. So requests, in the order in which they were
//! answered, with the clock that each was answered at, are the whole story. The end holds a hash of all
//! codes, replies and events and [`Hunt::state_hash`]; a replay, on this machine or another, must come to
//! both. Replies to statistics requests hold measured times and are left out.
//!
//! Recording is for finding out what happened, and for proof. It writes a file from the engine's thread
//! (through a buffer of 1 MiB) and hashes each reply: some hundred nanoseconds a request. It is no
//! journal: what is in the buffer dies with the engine, and then the replay says that the end is missing.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::event::{Event, EventList};
use crate::game::GameOptions;
use crate::map::StreetMap;
use crate::record::Code;
use crate::request::{KIND_STATISTICS, LARGEST_REPLY_BYTES};
use crate::tag::WorldSecret;
use crate::world::{Hunt, HuntError, HuntOptions};

/// The first bytes of a recording.
pub const MAGIC: [u8; 8] = *b"IRONREC1";
const WORDS: usize = 16;
const BUFFER_BYTES: usize = 1 << 20;
/// Length of the end; no request is as long.
const END_BYTES: u16 = 64;

/// Writes a recording.
pub struct Recorder {
    file: BufWriter<File>,
    told: Sha256,
    requests: u64,
    /// The first write that failed; nothing is written after it.
    failed: Option<Error>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read the recording: {0}; check the path and its permissions")]
    File(#[from] Error),
    /// It is something else.
    #[error("this is no recording: {0}")]
    Foreign(&'static str),
    /// It was made with another map or another secret.
    #[error("the recording was made with another {0}: give the one that the engine used")]
    Other(&'static str),
    /// Its hunt takes more memory than there is: a damaged head can ask for anything.
    #[error("the recording asks for {bytes} bytes of memory, and may have {most}: replay it where there is more, or check that it is whole")]
    Memory {
        /// What the hunt would take.
        bytes: u64,
        /// What it may take.
        most: u64,
    },
    /// The hunt cannot be started.
    #[error(transparent)]
    Hunt(#[from] HuntError),
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Requests that were answered again.
    pub requests: u64,
    /// Whether codes, replies and events were the same; `None` where the recording has no end.
    pub same_answers: Option<bool>,
    /// Whether the state is the same; `None` where the recording has no end.
    pub same_state: Option<bool>,
    /// The hash of the state after the last request.
    pub state_hash: [u8; 32],
}

impl Recorder {
    /// Begins a recording of a hunt that is started with these options.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn create(path: &Path, options: &HuntOptions, map: &StreetMap) -> Result<Recorder, Error> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        file.write_all(&MAGIC)?;
        for word in head(options, map) {
            file.write_all(&word.to_le_bytes())?;
        }
        file.flush()?;
        Ok(Recorder {
            file,
            told: Sha256::new(),
            requests: 0,
            failed: None,
        })
    }

    /// Writes a request down, and takes note of what it was answered with.
    pub fn add(&mut self, input: &Input<'_>, code: Code, reply: &[u8], events: &EventList) {
        tell(&mut self.told, input.kind, code, reply, events.all());
        self.requests += 1;
        self.write(input.now_ns, input.kind, input.limit as u32, input.payload);
    }

    /// Writes the end. What went wrong before is in the result.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn finish(mut self, hunt: &Hunt) -> Result<u64, Error> {
        let told: [u8; 32] = self.told.clone().finalize().into();
        let end = [told, hunt.state_hash()].concat();
        self.write(self.requests, u16::MAX, 0, &end);
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.flush().map(|()| self.requests),
        }
    }

    fn write(&mut self, now_ns: u64, kind: u16, limit: u32, payload: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let mut head = [0; 16];
        head[0..8].copy_from_slice(&now_ns.to_le_bytes());
        head[8..10].copy_from_slice(&kind.to_le_bytes());
        head[10..12].copy_from_slice(&(payload.len() as u16).to_le_bytes());
        head[12..16].copy_from_slice(&limit.to_le_bytes());
        let written = self
            .file
            .write_all(&head)
            .and_then(|()| self.file.write_all(payload));
        self.failed = written.err();
    }
}

/// A request as it reached the hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// The engine's clock.
    pub now_ns: u64,
    /// The kind of the request record.
    pub kind: u16,
    /// The most bytes that the reply could carry.
    pub limit: usize,
    /// The payload.
    pub payload: &'a [u8],
}

/// Plays a recording again on a new hunt that takes `most_bytes` at most.
///
/// # Errors
/// [`ReplayError`]. A recording that stops in the middle is replayed as far as it goes.
pub fn replay(
    mut recording: impl Read,
    map: Arc<StreetMap>,
    secret: WorldSecret,
    most_bytes: u64,
) -> Result<Replayed, ReplayError> {
    let options = read_head(&mut recording, &map, secret)?;
    let bytes = options.budget(&map).iter().map(|line| line.bytes).sum();
    if bytes > most_bytes {
        return Err(ReplayError::Memory {
            bytes,
            most: most_bytes,
        });
    }
    let mut hunt = Hunt::new(map, &options)?;
    let mut replayed = Replayed {
        requests: 0,
        same_answers: None,
        same_state: None,
        state_hash: [0; 32],
    };
    let mut told = Sha256::new();
    let (mut out, mut payload) = ([0; LARGEST_REPLY_BYTES], [0; END_BYTES as usize]);
    let mut head = [0; 16];
    while read_whole(&mut recording, &mut head)? {
        let part = |at: usize, end: usize| {
            head[at..end]
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        };
        let length = part(10, 12) as usize;
        let room = payload.get_mut(..length);
        let payload = room.ok_or(ReplayError::Foreign("a request is too long"))?;
        if !read_whole(&mut recording, payload)? {
            break;
        }
        if length == usize::from(END_BYTES) {
            let answers: [u8; 32] = told.clone().finalize().into();
            replayed.same_answers =
                Some(payload[..32] == answers && part(0, 8) == replayed.requests);
            replayed.same_state = Some(payload[32..] == hunt.state_hash());
            break;
        }
        let (kind, limit) = (part(8, 10) as u16, part(12, 16) as usize);
        let (code, answer) = hunt.answer(part(0, 8), kind, payload, limit);
        let bytes = answer.bytes().min(limit).min(out.len());
        answer.encode_into(&mut out[..bytes]);
        tell(&mut told, kind, code, &out[..bytes], hunt.events().all());
        replayed.requests += 1;
    }
    replayed.state_hash = hunt.state_hash();
    Ok(replayed)
}

fn tell(told: &mut Sha256, kind: u16, code: Code, reply: &[u8], events: &[Event]) {
    told.update(code.number().to_le_bytes());
    if kind != KIND_STATISTICS {
        told.update((reply.len() as u32).to_le_bytes());
        told.update(reply);
    }
    for event in events {
        told.update(event.encode());
    }
}

/// What a hunt was started with, as words.
fn head(options: &HuntOptions, map: &StreetMap) -> [u64; WORDS] {
    let HuntOptions { game, .. } = options;
    [
        game.players.into(),
        game.max_speed_cm_s.into(),
        options.sessions.into(),
        options.idle_seconds.into(),
        options.treasures.into(),
        options.scattered.into(),
        options.treasure_value as u64,
        options.seed,
        options.boards.into(),
        options.board_entries.into(),
        options.reach_dm.into(),
        options.arm_dm.into(),
        options.sight_cm.into(),
        map.node_count().into(),
        map.arc_count().into(),
        fingerprint(&game.secret),
    ]
}

fn read_head(
    recording: &mut impl Read,
    map: &StreetMap,
    secret: WorldSecret,
) -> Result<HuntOptions, ReplayError> {
    let mut bytes = [0; 8 + 8 * WORDS];
    if !read_whole(recording, &mut bytes)? || bytes[..8] != MAGIC {
        return Err(ReplayError::Foreign("it does not begin like one"));
    }
    let word = |at: usize| {
        let bytes = &bytes[8 + 8 * at..16 + 8 * at];
        bytes
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    };
    let small = |at: usize| {
        let number = u32::try_from(word(at));
        number.map_err(|_| ReplayError::Foreign("a number in its head is too large"))
    };
    let game = GameOptions {
        players: small(0)?,
        max_speed_cm_s: small(1)?,
        secret,
    };
    let options = HuntOptions {
        sessions: small(2)?,
        idle_seconds: small(3)?,
        treasures: small(4)?,
        scattered: small(5)?,
        treasure_value: word(6) as i64,
        seed: word(7),
        boards: small(8)?.min(u16::MAX.into()) as u16,
        board_entries: small(9)?,
        reach_dm: small(10)?,
        arm_dm: small(11)?,
        sight_cm: small(12)?,
        game,
    };
    if (word(13), word(14)) != (map.node_count().into(), map.arc_count().into()) {
        return Err(ReplayError::Other("map"));
    }
    if word(15) != fingerprint(&options.game.secret) {
        return Err(ReplayError::Other("secret"));
    }
    Ok(options)
}

/// Tells secrets apart, and nothing else about them.
fn fingerprint(secret: &WorldSecret) -> u64 {
    let hash = Sha256::new()
        .chain_update(b"ironhoard recording fingerprint")
        .chain_update(secret.bytes())
        .finalize();
    hash[..8]
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Fills `bytes`; false where the recording ends before.
fn read_whole(recording: &mut impl Read, bytes: &mut [u8]) -> Result<bool, Error> {
    match recording.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
