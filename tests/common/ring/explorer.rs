//! Every state that a small ring can reach, one store at a time.
//!
//! A breadth-first walk over the real code. From each state every operation is tried; its stores are
//! then replayed one by one on a copy of the memory as it was, and after each of them the whole ring
//! is read as a consumer would read it at that moment, which is also what it reads after a producer
//! that died there and what a new consumer reads after a resume. States are compared with numbers
//! and positions relative to the committed end, so their number is finite and the walk closes.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use ironhoard::ring::{Consumer, Cursor, Geometry, Producer};

use super::operations::{run, Effect, Op};
use super::oracle::{Oracle, LINE};
use super::reader::{read, Seen};
use super::tape::{Tape, TapePosition, TapeWords, KEPT, WILD};

/// What to walk.
pub struct Config {
    pub lines: usize,
    /// The largest record, in lines.
    pub largest: u64,
    pub operations: Vec<Op>,
}

impl Config {
    pub fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.lines as u64 * LINE,
            payload_limit: (self.largest * LINE) as u32 - 16,
        }
    }
}

/// What was walked.
#[derive(Debug, Default, Clone, Copy)]
pub struct Walked {
    pub states: usize,
    pub operations: usize,
    pub stores: usize,
}

/// One state: the real producer, its memory, and the truth.
pub struct State {
    pub producer: Producer<TapeWords, TapePosition>,
    pub tape: Rc<Tape>,
    pub oracle: Oracle,
    /// A batch was forgotten and the producer has not been used since.
    pub forgotten: bool,
}

impl State {
    fn start(config: &Config) -> Self {
        // Numbers and positions pass their limits while the walk is young.
        let start = Cursor {
            position: 0u64.wrapping_sub(config.lines as u64 * LINE * 2),
            number: (1 << 32) - 3,
        };
        let tape = Tape::new(config.lines, start.position);
        let (words, position) = (TapeWords(tape.clone()), TapePosition(tape.clone()));
        Self {
            producer: Producer::new(words, position, config.geometry(), start)
                .expect("a possible shape"),
            tape,
            oracle: Oracle::new(config.lines, start),
            forgotten: false,
        }
    }

    pub fn fork(&self) -> Self {
        let tape = self.tape.copy();
        let (words, position) = (TapeWords(tape.clone()), TapePosition(tape.clone()));
        Self {
            producer: self.producer.fork(words, position),
            tape,
            oracle: self.oracle.clone(),
            forgotten: self.forgotten,
        }
    }

    /// Everything that decides what can happen from here, and nothing else.
    fn key(&self) -> Vec<u8> {
        let (end, limit, soiled) = self.producer.state();
        let lines = |bytes: u64| (bytes / LINE) as u8;
        let mut key = vec![
            lines(self.oracle.offset(end.position)),
            lines(limit.wrapping_sub(end.position)),
            lines(end.position.wrapping_sub(self.oracle.first.position)),
            self.forgotten as u8,
        ];
        let map_bytes = (self.oracle.capacity / LINE).div_ceil(8) as usize;
        key.extend(&soiled[0].to_le_bytes()[..map_bytes]);
        let unreleased = end.number.wrapping_sub(self.oracle.first.number) as i32;
        for line in 0..(self.oracle.capacity / LINE) as usize {
            key.extend(class(self.tape.first_word(line), end.number, unreleased));
        }
        key
    }
}

/// A first word, relative to the number to come: harmless, wild, or a header that still matters.
fn class(word: u64, number: u64, unreleased: i32) -> [u8; 2] {
    let age = ((word >> 32) as u32).wrapping_sub(number as u32) as i32;
    match word {
        0 => [0, 0],
        WILD => [0, 1],
        _ if age < -unreleased => [0, 0],
        _ => [
            128u8.wrapping_add(age as u8),
            (word as u32).div_ceil(64) as u8 | ((word >> 31 & 1) << 7) as u8,
        ],
    }
}

/// Walks until nothing new is found.
///
/// # Errors
/// What went wrong first, with the shortest list of operations that leads there.
pub fn explore(config: &Config) -> Result<Walked, String> {
    let mut walked = Walked::default();
    let mut seen = HashSet::new();
    let mut paths: Vec<(u32, u16)> = vec![(0, 0)];
    let start = State::start(config);
    seen.insert(start.key());
    let mut frontier = VecDeque::from([(start, 0u32)]);
    while let Some((state, path)) = frontier.pop_front() {
        walked.states += 1;
        for (index, operation) in config.operations.iter().enumerate() {
            let mut next = state.fork();
            let effect = run(&mut next, operation, config);
            let Some(effect) = effect.transpose() else {
                continue; // not possible from here
            };
            walked.operations += 1;
            let verdict = effect.and_then(|effect| judge(config, &state, &next, &effect));
            walked.stores += verdict.map_err(|what| {
                let trail = trail(config, &paths, path, index);
                format!("{what}\nafter {trail:#?}\nin {} lines", config.lines)
            })?;
            if seen.insert(next.key()) {
                paths.push((path, index as u16));
                frontier.push_back((next, paths.len() as u32 - 1));
            }
        }
    }
    Ok(walked)
}

fn trail<'a>(config: &'a Config, paths: &[(u32, u16)], mut path: u32, last: usize) -> Vec<&'a Op> {
    let mut trail = vec![&config.operations[last]];
    while path != 0 {
        let (before, index) = paths[path as usize];
        trail.push(&config.operations[index as usize]);
        path = before;
    }
    trail.reverse();
    trail
}

/// Replays the stores of one operation and looks at the ring after each; returns their number.
fn judge(config: &Config, before: &State, after: &State, effect: &Effect) -> Result<usize, String> {
    let end = after.producer.cursor();
    if end != after.oracle.end {
        return Err(format!(
            "the end is {end:?}, should be {:?}",
            after.oracle.end
        ));
    }
    after.oracle.check_payload(&after.tape)?;
    let memory = before.tape.copy();
    let stores = after.tape.take_log();
    let mut visible = visible(config, &memory, after)?;
    for (step, &store) in stores.iter().enumerate() {
        memory.replay(store);
        let now = self::visible(config, &memory, after)
            .map_err(|what| format!("{what}\nat store {step} of {stores:x?}"))?;
        if now < visible || !effect.steps.contains(&now) {
            return Err(format!(
                "{now} records visible after store {step} of {stores:x?}, {visible} before; allowed: {:?}",
                effect.steps
            ));
        }
        visible = now;
    }
    if visible != after.oracle.records.len() {
        return Err(format!(
            "{visible} records visible of {}",
            after.oracle.records.len()
        ));
    }
    Ok(stores.len())
}

/// How many unreleased records a consumer finds, by both readers; an error where one of them sees
/// anything but these records, in this order, and then nothing.
fn visible(config: &Config, memory: &Rc<Tape>, truth: &State) -> Result<usize, String> {
    let found = walk(config, memory, &truth.oracle)?;
    let by_ring = poll_all(config, memory, &truth.oracle)?;
    if found != by_ring {
        return Err(format!(
            "the readers disagree: {found} and {by_ring} records"
        ));
    }
    Ok(found)
}

fn walk(config: &Config, memory: &Tape, oracle: &Oracle) -> Result<usize, String> {
    let limit = config.geometry().payload_limit as u64;
    let mut at = oracle.first;
    let mut found = 0;
    loop {
        let offset = oracle.offset(at.position);
        let word = memory.kept((offset / LINE) as usize * KEPT);
        match read(word, offset, oracle.capacity, limit, at.number) {
            Seen::Empty => return Ok(found),
            Seen::Padding(bytes) => at.position = at.position.wrapping_add(bytes),
            Seen::Record(payload) => {
                let lines = (payload + 16).div_ceil(LINE);
                let kept = oracle.records.get(found);
                if kept.is_none_or(|kept| (kept.position, kept.lines) != (at.position, lines)) {
                    return Err(format!(
                        "record {found} at {at:?} is {kept:?}, read {lines} lines"
                    ));
                }
                at.position = at.position.wrapping_add(lines * LINE);
                at.number = at.number.wrapping_add(1);
                found += 1;
            }
            nonsense => return Err(format!("{nonsense:x?} behind {found} records at {at:?}")),
        }
    }
}

fn poll_all(config: &Config, memory: &Rc<Tape>, oracle: &Oracle) -> Result<usize, String> {
    let (words, position) = (TapeWords(memory.clone()), TapePosition(memory.clone()));
    let mut consumer = Consumer::new(words, position, config.geometry(), oracle.first)
        .map_err(|error| error.to_string())?;
    let mut polled = consumer.poll(usize::MAX);
    let mut found = 0;
    loop {
        let number = oracle.first.number.wrapping_add(found as u64);
        memory.expect(number);
        let kept = oracle
            .records
            .get(found)
            .map(|kept| (kept.number, kept.lines));
        match polled.next().map_err(|corrupt| corrupt.to_string())? {
            None => break,
            Some(record) => {
                let lines = (record.payload().len() as u64 + 16).div_ceil(LINE);
                if kept != Some((record.number(), lines)) {
                    return Err(format!("polled {lines} lines, should be {kept:?}"));
                }
                found += 1;
            }
        }
    }
    std::mem::forget(polled); // this look releases nothing
    Ok(found)
}
