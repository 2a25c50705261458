//! Single round trips: Rust and Go in one slice, between two floors.

use crate::report::Report;

use super::super::attached::Attached;
use super::super::floor::{TIMED_ROUNDS, WALK_LINES};
use super::super::meter::BothSpins;
use super::super::round_trips;
use super::super::samples::Samples;
use super::super::slices::{collect_steady, median, Reading, Slice};
use super::super::turns::{Turns, TurnsSummary};
use super::host::{GoHost, Way};
use super::GoError;

/// Round trips of a slice that are not timed, as many as in the floor.
const WARM_UP: usize = WALK_LINES;
/// Round trips before the first slice: a lap of the rings.
const FIRST_LAP: usize = 16384;

/// Both hosts.
pub struct Pair<'m> {
    /// The Rust host, which takes the floors too.
    pub attached: Attached<'m>,
    /// The Go host.
    pub go: GoHost,
    /// Bytes of each request and reply.
    pub payload: usize,
    samples: Samples,
    trips: round_trips::RoundTrips,
    go_first: bool,
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
struct Work {
    rust: Reading,
    call: Reading,
    lane: Reading,
}

/// All slices.
#[derive(Default)]
pub struct RoundTrips {
    slices: Vec<(Slice, Work)>,
}

/// The figures drawn from them.
pub struct Figures {
    pub floor_p50_ns: Option<f64>,
    pub rust: [Option<f64>; 2],
    pub call: [Option<f64>; 2],
    pub lane: [Option<f64>; 2],
    pub ratio_call: Option<f64>,
    pub ratio_lane: Option<f64>,
    pub summary: TurnsSummary,
}

impl<'m> Pair<'m> {
    /// Both hosts, warmed up.
    pub fn new(attached: Attached<'m>, go: GoHost, payload: usize) -> Result<Pair<'m>, GoError> {
        let mut pair = Pair {
            attached,
            go,
            payload,
            samples: Samples::with_capacity(FIRST_LAP),
            trips: round_trips::RoundTrips::new(payload),
            go_first: false,
        };
        pair.rust(FIRST_LAP)?;
        for way in [Way::Call, Way::Lane] {
            pair.go.round_trips(way, (FIRST_LAP, 1), payload)?;
        }
        pair.go.counted = Default::default();
        Ok(pair)
    }

    /// Slices until `wanted` are steady, or three times as many were tried.
    pub fn collect(&mut self, wanted: usize, report: &Report) -> Result<RoundTrips, GoError> {
        let slices = collect_steady(
            self,
            (wanted, "steady slices of round trips"),
            report,
            Pair::floor,
            Pair::work,
            |before, work, after| {
                let slice = Slice::of_round_trips(before.floor(), work.rust, after.floor());
                (slice.is_steady(), (slice, work))
            },
        )?;
        Ok(RoundTrips { slices })
    }

    fn floor(&mut self) -> Result<BothSpins, GoError> {
        Ok(self.attached.walking()?)
    }

    /// The three kinds of work; their order turns round from slice to slice.
    fn work(&mut self) -> Result<Work, GoError> {
        self.go_first = !self.go_first;
        if self.go_first {
            let lane = self.go(Way::Lane)?;
            let call = self.go(Way::Call)?;
            let rust = self.timed_rust()?;
            return Ok(Work { rust, call, lane });
        }
        let rust = self.timed_rust()?;
        let call = self.go(Way::Call)?;
        let lane = self.go(Way::Lane)?;
        Ok(Work { rust, call, lane })
    }

    fn go(&mut self, way: Way) -> Result<Reading, GoError> {
        self.go
            .round_trips(way, (WARM_UP, TIMED_ROUNDS), self.payload)
    }

    fn timed_rust(&mut self) -> Result<Reading, GoError> {
        self.rust(WARM_UP)?;
        self.rust(TIMED_ROUNDS)?;
        let reading = self.samples.reading(&self.attached.clock);
        Ok(reading.expect("round trips leave samples"))
    }

    fn rust(&mut self, count: usize) -> Result<(), GoError> {
        let Pair {
            attached,
            samples,
            trips,
            ..
        } = self;
        Ok(trips.timed(attached, count, samples)?)
    }
}

impl RoundTrips {
    /// Medians over the steady slices, and each Go figure divided by the Rust figure of its slice.
    pub fn figures(&self) -> Figures {
        let steady = || self.slices.iter().filter(|(slice, _)| slice.is_steady());
        let over = |pick: fn(&Work) -> Reading| {
            [
                median(steady().map(|(_, work)| pick(work).p50_ns)),
                median(steady().filter_map(|(_, work)| pick(work).p99_ns)),
            ]
        };
        let beside_rust = |pick: fn(&Work) -> Reading| -> Vec<Slice> {
            let slices = self.slices.iter();
            slices
                .map(|(slice, work)| slice.beside(work.rust, pick(work)))
                .collect()
        };
        let kinds = [beside_rust(|work| work.call), beside_rust(|work| work.lane)];
        let turns = Turns::from_slices(["call", "lane"], kinds);
        let ([ratio_call, ratio_lane], mut summary) = turns.summarise();
        // One slice holds both kinds.
        summary.slices = steady().count();
        summary.slices_dropped = self.slices.len() - summary.slices;
        Figures {
            floor_p50_ns: median(steady().map(|(slice, _)| slice.distance_ns)),
            rust: over(|work| work.rust),
            call: over(|work| work.call),
            lane: over(|work| work.lane),
            ratio_call,
            ratio_lane,
            summary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(p50_ns: f64) -> Reading {
        Reading {
            p50_ns,
            p99_ns: Some(2.0 * p50_ns),
        }
    }

    fn taken(floors: [f64; 2], rust: f64, call: f64) -> (Slice, Work) {
        let [before, after] = floors.map(reading);
        let work = Work {
            rust: reading(rust),
            call: reading(call),
            lane: reading(rust),
        };
        (Slice::of_round_trips(before, work.rust, after), work)
    }

    #[test]
    fn go_is_divided_by_rust_and_not_by_the_floor() {
        let slices = vec![taken([140.0, 141.0], 200.0, 210.0); 120];
        let figures = RoundTrips { slices }.figures();
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
        assert!(close(figures.ratio_call, 1.05) && close(figures.ratio_lane, 1.0));
        assert_eq!(figures.floor_p50_ns, Some(140.5));
        assert_eq!(figures.summary.floors[0].class, "100-300 ns");
    }

    #[test]
    fn slices_whose_floors_differ_are_dropped() {
        let mut slices = vec![taken([140.0, 140.0], 200.0, 200.0); 120];
        slices.extend(vec![taken([140.0, 180.0], 200.0, 900.0); 60]);
        let figures = RoundTrips { slices }.figures();
        assert_eq!(figures.ratio_call, Some(1.0));
        assert_eq!(figures.call[0], Some(200.0));
        assert_eq!(
            (figures.summary.slices, figures.summary.slices_dropped),
            (120, 60)
        );
    }
}
