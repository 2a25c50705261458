//! The meter: takes one floor after the other, with `PAUSE` and without.
//!
//! It does not know how the other side learns of an assignment: a caller passes `tell`, which
//! hands it over, be it through a shared line or as a request to an engine.

use hdrhistogram::Histogram;

use super::clock::Clock;
use super::floor::{drive, Assignment, Assignments, FloorError, Kind, Lines, TIMED_ROUNDS};
use super::samples::Samples;
use super::slices::Reading;
use super::stream_floor::timed_lines;

/// The driving side's state over many measurements.
pub struct Meter<'m> {
    lines: &'m Lines,
    clock: Clock,
    assignments: Assignments,
    samples: Samples,
}

/// A responder that waits to be let go; after three seconds it gives up.
#[must_use = "the responder waits"]
pub struct Held(Assignment);

/// One floor measured with both ways to spin.
#[derive(Clone, Copy, Debug)]
pub struct BothSpins {
    /// Spinning with `PAUSE` on both sides.
    pub pause: Reading,
    /// Spinning without.
    pub no_pause: Reading,
}

impl BothSpins {
    /// The floor: the lower of both.
    pub fn floor(&self) -> Reading {
        self.pause.lower(self.no_pause)
    }
}

impl<'m> Meter<'m> {
    /// A meter on shared lines that are still all zero.
    pub fn new(lines: &'m Lines, clock: Clock) -> Meter<'m> {
        Meter {
            lines,
            clock,
            assignments: Assignments::new(),
            samples: Samples::with_capacity(TIMED_ROUNDS),
        }
    }

    /// Measures `kind` once; `tell` starts the responder on the assignment.
    ///
    /// # Errors
    ///
    /// Those of [`drive`] and of `tell`.
    pub fn measure<E: From<FloorError>>(
        &mut self,
        kind: Kind,
        pause: bool,
        tell: &mut impl FnMut(&Assignment) -> Result<(), E>,
    ) -> Result<Reading, E> {
        let assignment = self.assignments.next(kind, pause);
        self.samples.clear();
        tell(&assignment)?;
        drive(self.lines, &assignment, &self.clock, &mut self.samples)?;
        let reading = self.samples.reading(&self.clock);
        let reading = reading.expect("a completed assignment leaves samples");
        Ok(match kind {
            Kind::Walking | Kind::Warm => reading,
            Kind::Stream => Reading {
                p50_ns: reading.p50_ns / timed_lines(&assignment) as f64,
                p99_ns: None,
            },
        })
    }

    /// Holds the responder where it is, until [`Meter::let_go`]; `tell` starts it on the assignment.
    ///
    /// # Errors
    ///
    /// Those of [`drive`] and of `tell`.
    pub fn hold<E: From<FloorError>>(
        &mut self,
        tell: &mut impl FnMut(&Assignment) -> Result<(), E>,
    ) -> Result<Held, E> {
        let [whole, first, second] = self.assignments.hold();
        tell(&whole)?;
        drive(self.lines, &first, &self.clock, &mut self.samples)?;
        Ok(Held(second))
    }

    /// Lets the responder go.
    ///
    /// # Errors
    ///
    /// Those of [`drive`].
    pub fn let_go(&mut self, held: Held) -> Result<(), FloorError> {
        drive(self.lines, &held.0, &self.clock, &mut self.samples)
    }

    /// Adds the timings of the last measurement, in nanoseconds, to `histogram`.
    pub fn add_samples_to(&self, histogram: &mut Histogram<u64>) {
        self.samples.add_to(histogram, &self.clock);
    }
}
