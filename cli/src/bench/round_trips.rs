//! Round trips of the Rust host: what `bench rtt` measures, and what other languages are compared with.

use std::time::Duration;

use ironhoard::host::HostError;

use super::attached::{Attached, BenchError};
use super::engine::ECHO;
use super::samples::Samples;

/// The longest wait for one reply.
const DEADLINE: Duration = Duration::from_secs(5);

/// One request after the other, no two alike.
#[derive(Debug)]
pub struct RoundTrips {
    /// The reply, copied out of the ring.
    reply: Vec<u8>,
    /// Requests so far.
    pub sent: u64,
}

impl RoundTrips {
    /// Round trips of `payload` bytes each way, whole words.
    pub fn new(payload: usize) -> RoundTrips {
        RoundTrips {
            reply: vec![0; payload],
            sent: 0,
        }
    }

    /// So many round trips, each with a sample and each checked.
    ///
    /// # Errors
    ///
    /// [`BenchError::Wrong`] where a reply is not its request, and whatever ends a call.
    pub fn timed(
        &mut self,
        attached: &mut Attached<'_>,
        count: usize,
        samples: &mut Samples,
    ) -> Result<(), BenchError> {
        samples.clear();
        let clock = attached.clock;
        let mut wrong = 0u64;
        let mut last = clock.ticks();
        for _ in 0..count {
            wrong |= round_trip(attached, &mut self.reply, self.sent)?;
            self.sent += 1;
            let now = clock.ticks();
            samples.push(now - last);
            last = now;
        }
        right(wrong)
    }
}

/// An error where replies differ from their requests in `wrong` bits.
pub fn right(wrong: u64) -> Result<(), BenchError> {
    match wrong {
        0 => Ok(()),
        found => Err(BenchError::Wrong {
            what: "replies differ from their requests in these bits",
            expected: 0,
            found,
        }),
    }
}

/// One request and its reply; gives the bits in which they differ.
#[inline(always)]
fn round_trip(attached: &mut Attached<'_>, copy: &mut [u8], number: u64) -> Result<u64, HostError> {
    let word = |index: usize| number.wrapping_add(index as u64).to_le_bytes();
    attached.lane.call_with(
        ECHO,
        copy.len(),
        |claim| {
            for (index, bytes) in claim.payload().chunks_exact_mut(8).enumerate() {
                bytes.copy_from_slice(&word(index));
            }
        },
        |status, reply| {
            let mut wrong = u64::from(status) | (reply.len() ^ copy.len()) as u64;
            reply.copy_to(copy);
            for (index, bytes) in copy.chunks_exact(8).enumerate() {
                let found = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
                wrong |= found ^ u64::from_le_bytes(word(index));
            }
            wrong
        },
        DEADLINE,
    )
}
