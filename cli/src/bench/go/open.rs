//! Calls at a steady rate while the same process makes garbage.
//!
//! Latency runs from the intended send time, so a pause of the collector counts for every call that it
//! holds up. The calling goroutine needs a processor of its own beside the ones that allocate and
//! collect: with the engine on one of two cores there is none, and the figure says so.

use crate::cores::CorePair;

use super::super::slices::median;
use super::turns::Pair;
use super::GoError;

/// Calls a second.
pub const RATE: u64 = 50_000;
/// Milliseconds of one measurement.
const MILLISECONDS: u64 = 400;
/// Bytes of garbage a second.
const GARBAGE: u64 = 1_000_000_000;
/// How often each is measured; figures are medians.
const TURNS: usize = 5;

/// What garbage does to calls.
#[derive(Clone, Debug, Default)]
pub struct OpenFigures {
    /// p50 and p99 from the intended send time, without garbage.
    pub quiet_ns: [Option<f64>; 2],
    /// The same with garbage.
    pub garbage_ns: [Option<f64>; 2],
    /// The two p99 divided.
    pub ratio: Option<f64>,
    /// Bytes of garbage that were made a second.
    pub garbage_rate: Option<f64>,
    /// Processors that Go had.
    pub processors: u64,
    /// Why the ratio may be what it is.
    pub note: Option<String>,
}

/// Both by turns, on all cores but the engine's.
pub fn measure(
    pair: &mut Pair<'_>,
    allowed: &[usize],
    cores: CorePair,
) -> Result<OpenFigures, GoError> {
    let free: Vec<u64> = allowed
        .iter()
        .filter(|core| **core != cores.engine)
        .map(|core| *core as u64)
        .collect();
    let processors = pair.go.ask("cores", &free)?.number(0)?;
    let (mut quiet, mut loud, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        quiet.push(open(pair, 0)?.0);
        let (percentiles, bytes) = open(pair, GARBAGE)?;
        loud.push(percentiles);
        made.push(1e3 * bytes as f64 / MILLISECONDS as f64);
    }
    let over = |turns: &[[f64; 2]], place: usize| median(turns.iter().map(|turn| turn[place]));
    let (quiet_ns, garbage_ns) = (
        [over(&quiet, 0), over(&quiet, 1)],
        [over(&loud, 0), over(&loud, 1)],
    );
    let both = quiet_ns[1].zip(garbage_ns[1]);
    Ok(OpenFigures {
        quiet_ns,
        garbage_ns,
        ratio: both.map(|(quiet, loud)| loud / quiet),
        garbage_rate: median(made.into_iter()),
        processors,
        note: (processors < 2).then(|| {
            "Go has one processor here: the call waits while that same processor allocates and collects; \
             give the host a third core to see what the collector itself costs"
                .to_owned()
        }),
    })
}

fn open(pair: &mut Pair<'_>, garbage: u64) -> Result<([f64; 2], u64), GoError> {
    let answer = pair.go.ask("open", &[RATE, MILLISECONDS, garbage])?;
    Ok((pair.percentiles(&answer.timings)?, answer.number(0)?))
}
