//! The stream floor: whole cache lines one way, as fast as two cores can hand them over.
//!
//! ```text
//!  writer: 7 words, then the sequence word ──▶ [ seq | w1 … w7 ] [ seq | …       ] ─▶ reader
//!  writer ◀── lines read so far, once each eighth of the buffer ─────────────────── reader
//! ```
//!
//! Every word of every line is written by the one side and used by the other: a stream that only
//! touches the sequence words would be a floor nobody can stand on. The reader sums all words and
//! the writer compares the sum with the one it must be. The buffer is 1 MiB; its first lap is not
//! timed, because cold lines cost twice. The clock runs from an empty buffer to an empty buffer.

use std::sync::atomic::Ordering;

use super::clock::Clock;
use super::floor::{wait, wait_until, Assignment, FloorError, Line, Lines, STREAM_LINES};
use super::samples::Samples;

/// Lines after which the reader says how far it is.
const EIGHTH: u64 = STREAM_LINES as u64 / 8;
/// `PAUSE` instructions between two looks of a reader that backs off from an empty line. A reader
/// that looks again at once can stay on the writer's heels for long, taking each line away while
/// it is being written, and a line then costs four times as much.
pub(super) const BACK_OFF: u32 = 32;
/// Lines of one lap.
const LAP: u64 = STREAM_LINES as u64;

/// Lines of an assignment that are timed: all but the first lap.
pub fn timed_lines(assignment: &Assignment) -> u64 {
    assignment.rounds.saturating_sub(LAP)
}

/// The writing half: adds one sample, the time of all lines after the first lap.
pub(super) fn write<const PAUSES: u32>(
    lines: &Lines,
    assignment: &Assignment,
    clock: &Clock,
    samples: &mut Samples,
) -> Result<(), FloorError> {
    let end = assignment.first + assignment.rounds;
    let warm_end = end - timed_lines(assignment);
    write_lines::<PAUSES>(lines, assignment.first, warm_end)?;
    let start = clock.ticks();
    write_lines::<PAUSES>(lines, warm_end, end)?;
    samples.push(clock.ticks() - start);
    check_sum(lines, assignment)
}

/// The reading half.
pub(super) fn read<const PAUSES: u32>(
    lines: &Lines,
    assignment: &Assignment,
) -> Result<(), FloorError> {
    let mut sum = 0u64;
    for number in assignment.first..assignment.first + assignment.rounds {
        sum = sum.wrapping_add(read_line::<PAUSES>(lines, number)?);
        if (number + 1) % EIGHTH == 0 {
            // Relaxed: made visible by the release store of the position.
            lines.stream_sum.0[0].store(sum, Ordering::Relaxed);
            // Release: the lines were read before the writer may use them again; partner of the
            // acquire load in `wait_until`.
            lines.stream_position.0[0].store(number + 1, Ordering::Release);
        }
    }
    Ok(())
}

/// Writes the lines `from..to` into an empty buffer and waits until all of them are read.
fn write_lines<const PAUSES: u32>(lines: &Lines, from: u64, to: u64) -> Result<(), FloorError> {
    let position = &lines.stream_position.0[0];
    for number in from..to {
        if number % EIGHTH == 0 {
            let free_from = (number + EIGHTH).saturating_sub(LAP);
            wait_until::<PAUSES>(position, |read| read >= free_from)?;
        }
        write_line(&lines.stream[number as usize % STREAM_LINES], number);
    }
    wait::<PAUSES>(position, to)
}

#[inline(always)]
fn write_line(line: &Line, number: u64) {
    for word in 1..8 {
        // Relaxed: made visible by the release store of the sequence word.
        line.0[word].store(word_value(number, word), Ordering::Relaxed);
    }
    // Release: partner of the acquire load in `wait`, called by `read_line`.
    line.0[0].store(word_value(number, 0), Ordering::Release);
}

#[inline(always)]
fn read_line<const PAUSES: u32>(lines: &Lines, number: u64) -> Result<u64, FloorError> {
    let line = &lines.stream[number as usize % STREAM_LINES];
    wait::<PAUSES>(&line.0[0], word_value(number, 0))?;
    let mut sum = word_value(number, 0);
    for word in 1..8 {
        // Relaxed: ordered by the acquire load of the sequence word.
        sum = sum.wrapping_add(line.0[word].load(Ordering::Relaxed));
    }
    Ok(sum)
}

/// What the words of a line hold; no two lines and no two words of a line hold the same, and the
/// sequence word is never 0.
fn word_value(number: u64, word: usize) -> u64 {
    (number + 1).wrapping_add((word as u64) << 48)
}

fn check_sum(lines: &Lines, assignment: &Assignment) -> Result<(), FloorError> {
    // Relaxed: ordered by the acquire load of the position just before.
    let found = lines.stream_sum.0[0].load(Ordering::Relaxed);
    let expected = expected_sum(assignment);
    if found == expected {
        Ok(())
    } else {
        Err(FloorError::Torn { expected, found })
    }
}

fn expected_sum(assignment: &Assignment) -> u64 {
    (assignment.first..assignment.first + assignment.rounds).fold(0, |sum, number| {
        (0..8).fold(sum, |sum: u64, word| {
            sum.wrapping_add(word_value(number, word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::floor::{Assignments, Kind};
    use super::*;

    #[test]
    fn only_the_first_lap_is_not_timed() {
        let assignment = Assignments::new().next(Kind::Stream, true);
        assert_eq!(timed_lines(&assignment), assignment.rounds - LAP);
    }

    #[test]
    fn an_assignment_ends_where_the_reader_publishes() {
        let assignment = Assignments::new().next(Kind::Stream, false);
        assert_eq!((assignment.first + assignment.rounds) % EIGHTH, 0);
    }

    #[test]
    fn the_words_of_neighbouring_lines_differ() {
        let mut seen = std::collections::HashSet::new();
        for number in 0..3 {
            for word in 0..8 {
                assert!(seen.insert(word_value(number, word)));
            }
        }
    }
}
