//! What a producer and a consumer can do, run on the real code and on the oracle at once.

use ironhoard::ring::{ClaimError, Consumer};

use super::explorer::{Config, State};
use super::oracle::LINE;
use super::tape::{TapePosition, TapeWords, WILD};

/// One operation. Sizes are in lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Claim `claimed`, fill it with the worst, commit `committed` of it.
    Commit { claimed: u64, committed: u64 },
    /// Claim, fill, give up.
    Abort { claimed: u64 },
    /// A batch of these parts.
    Batch { parts: Vec<Part>, ending: Ending },
    /// Own the next lines.
    Own,
    /// Look at the consumer's position.
    Look,
    /// The consumer takes up to so many records and releases them.
    Poll { max: usize },
}

/// One claim of a batch; `committed` 0 aborts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub claimed: u64,
    pub committed: u64,
}

/// How a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Publish,
    Drop,
    Forget,
}

/// The numbers of visible records that an operation may pass through, first and last included.
pub struct Effect {
    pub steps: Vec<usize>,
}

/// Runs `operation`. `Ok(None)` where it makes no sense in this state.
pub fn run(state: &mut State, operation: &Op, config: &Config) -> Result<Option<Effect>, String> {
    let steps = vec![state.oracle.records.len()];
    let effect = match operation {
        Op::Commit { claimed, committed } => commit(state, *claimed, *committed)?,
        Op::Abort { claimed } => abort(state, *claimed)?,
        Op::Batch { parts, ending } => return batch(state, parts, *ending).map(Some),
        Op::Own => {
            state.producer.own_next_lines();
            return Ok(Some(Effect { steps }));
        }
        Op::Look => look(state)?,
        Op::Poll { max } => {
            if *max != usize::MAX && *max > state.oracle.records.len() {
                return Ok(None);
            }
            let before = poll(state, *max, config)?;
            return Ok(Some(Effect {
                steps: vec![before],
            }));
        }
    };
    Ok(effect.then(|| Effect {
        steps: vec![steps[0], state.oracle.records.len()],
    }))
}

/// Payload bytes of a record of `lines` lines, and the words of its payload that start a line.
fn payload(lines: u64) -> (usize, impl Iterator<Item = usize>) {
    let bytes = (lines * LINE) as usize - 16;
    (bytes, (1..lines as usize).map(|line| line * 8 - 2))
}

fn commit(state: &mut State, claimed: u64, committed: u64) -> Result<bool, String> {
    let fits = state.oracle.fits(state.oracle.end.position, claimed);
    state.forgotten = false;
    let (bytes, starts) = payload(claimed);
    match state.producer.claim(bytes) {
        Ok(mut claim) => {
            starts.for_each(|word| claim.put_u64(word, WILD));
            claim.commit_shorter(1, payload(committed).0);
            state.oracle.commit(claimed, committed);
            expect(fits, "a claim that should find the ring full")?;
        }
        Err(error) => refused(error, fits)?,
    }
    Ok(true)
}

fn abort(state: &mut State, claimed: u64) -> Result<bool, String> {
    let fits = state.oracle.fits(state.oracle.end.position, claimed);
    state.forgotten = false;
    let (bytes, starts) = payload(claimed);
    match state.producer.claim(bytes) {
        Ok(mut claim) => {
            starts.for_each(|word| claim.put_u64(word, WILD));
            claim.abort();
            expect(fits, "a claim that should find the ring full")?;
        }
        Err(error) => refused(error, fits)?,
    }
    Ok(true)
}

fn batch(state: &mut State, parts: &[Part], ending: Ending) -> Result<Effect, String> {
    let oracle = &mut state.oracle;
    let mut steps = vec![oracle.records.len()];
    let mut pending: Vec<Part> = Vec::new();
    let mut end = oracle.end.position;
    let mut batch = state.producer.batch();
    for &part in parts {
        let fits = oracle.fits(end, part.claimed);
        if !fits || oracle.padding(end, part.claimed) != 0 {
            for part in pending.drain(..) {
                oracle.commit(part.claimed, part.committed);
            }
            steps.push(oracle.records.len());
        }
        let (bytes, starts) = payload(part.claimed);
        match batch.claim(bytes) {
            Ok(mut claim) => {
                expect(fits, "a batch that should meet a full ring")?;
                starts.for_each(|word| claim.put_u64(word, WILD));
                if pending.is_empty() {
                    oracle.pad(part.claimed);
                    end = oracle.end.position;
                }
                if part.committed != 0 {
                    claim.commit_shorter(1, payload(part.committed).0);
                    end = end.wrapping_add(part.committed * LINE);
                    pending.push(part);
                }
            }
            Err(error) => {
                refused(error, fits)?;
                break;
            }
        }
    }
    match ending {
        Ending::Publish => {
            batch.publish();
            for part in pending.drain(..) {
                oracle.commit(part.claimed, part.committed);
            }
            steps.push(oracle.records.len());
        }
        Ending::Drop => drop(batch),
        Ending::Forget => std::mem::forget(batch),
    }
    state.forgotten = ending == Ending::Forget;
    Ok(Effect { steps })
}

/// Makes the producer learn the consumer's position.
fn look(state: &mut State) -> Result<bool, String> {
    let backlog = state
        .producer
        .backlog()
        .map_err(|error| error.to_string())?;
    let truth = state
        .oracle
        .end
        .position
        .wrapping_sub(state.oracle.first.position);
    expect(backlog == truth, "the backlog is wrong")?;
    Ok(true)
}

/// The real consumer polls; returns how many records were visible and are, for the look, no more.
fn poll(state: &mut State, max: usize, config: &Config) -> Result<usize, String> {
    let (words, position) = (
        TapeWords(state.tape.clone()),
        TapePosition(state.tape.clone()),
    );
    let mut consumer = Consumer::new(words, position, config.geometry(), state.oracle.first)
        .map_err(|error| error.to_string())?;
    let mut taken = 0;
    let mut polled = consumer.poll(max);
    loop {
        let number = state.oracle.first.number.wrapping_add(taken as u64);
        state.tape.expect(number);
        match polled.next().map_err(|corrupt| corrupt.to_string())? {
            Some(record) => expect(record.number() == number, "a number is missing")?,
            None => break,
        }
        taken += 1;
    }
    drop(polled);
    consumer.release();
    expect(
        taken == max.min(state.oracle.records.len()),
        "a record is missing",
    )?;
    state.oracle.release(taken, state.tape.position());
    Ok(state.oracle.records.len())
}

fn refused(error: ClaimError, fits: bool) -> Result<(), String> {
    expect(error == ClaimError::Full, "only full is an answer here")?;
    expect(!fits, "a claim was refused though there is room")
}

fn expect(holds: bool, otherwise: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| otherwise.to_owned())
}
