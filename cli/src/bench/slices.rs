//! Slices: how a figure is compared with the floor of its own moment.
//!
//! On a virtual machine the processors change places while one looks: the cost of moving a cache
//! line between "core 0" and "core 1" is 60 ns for a minute and 500 ns for the next. A latency
//! alone says nothing there. So work is measured in slices of a few milliseconds, each between two
//! measurements of the floor by the same two processes:
//!
//! ```text
//!   floor ── work ── floor ── work ── floor ── …
//!   └─── slice 1 ───┘
//!                    └─── slice 2 ───┘
//! ```
//!
//! * A slice whose two floors differ by more than 10 % is dropped: the machine moved under it.
//! * The ratio of a kept slice is its work divided by the mean of its two floors; figures are
//!   medians over slices.
//! * Slices are grouped by class of floor, because the same code may be good at one distance and
//!   bad at another. A class counts from 30 kept slices.
//! * The headline is the ratio of the worst class that counts and has a bar. Fewer than 100 kept
//!   slices, or more dropped than kept, means that the machine is too busy for a headline.
//!
//! This file is arithmetic only; it measures nothing itself.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::report::Report;

/// The most by which the two floors of a slice may differ, as a part of the lower.
pub const FLOOR_TOLERANCE: f64 = 0.10;
/// Kept slices from which a class of floor counts.
pub const CLASS_COUNTS_FROM: usize = 30;
/// Kept slices without which no headline is given.
pub const HEADLINE_NEEDS: usize = 100;
/// Slices are tried at most this many times as often as steady ones are wanted.
pub const TRIES: usize = 3;
/// Upper limits of the classes of floor in nanoseconds; the last class has none.
const CLASS_LIMITS_NS: [f64; 3] = [100.0, 300.0, 650.0];
/// Names of the classes, in the order of their limits.
const CLASS_NAMES: [&str; 4] = ["< 100 ns", "100-300 ns", "300-650 ns", "> 650 ns"];
/// The first class that has a bar. Below it two virtual processors share one core.
const FIRST_CLASS_WITH_BAR: usize = 1;

/// Median and 99th percentile of one measurement, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The median, or the mean per item where single items were not timed.
    pub p50_ns: f64,
    /// The 99th percentile; nothing where single items were not timed.
    pub p99_ns: Option<f64>,
}

impl Reading {
    /// The lower of two readings, percentile by percentile.
    pub fn lower(self, other: Reading) -> Reading {
        Reading {
            p50_ns: self.p50_ns.min(other.p50_ns),
            p99_ns: both(self.p99_ns, other.p99_ns).map(|(a, b)| a.min(b)),
        }
    }

    /// The mean of two readings, percentile by percentile.
    pub fn mean(self, other: Reading) -> Reading {
        Reading {
            p50_ns: (self.p50_ns + other.p50_ns) / 2.0,
            p99_ns: both(self.p99_ns, other.p99_ns).map(|(a, b)| (a + b) / 2.0),
        }
    }
}

fn both(a: Option<f64>, b: Option<f64>) -> Option<(f64, f64)> {
    Some((a?, b?))
}

/// Work between two floors.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The floor measured just before the work.
    pub before: Reading,
    /// The work.
    pub work: Reading,
    /// The floor measured just after the work.
    pub after: Reading,
    /// Walking floor of the moment in nanoseconds, which says how far apart the cores are. For
    /// work that is compared with the walking floor it is the mean of `before` and `after`.
    pub distance_ns: f64,
}

impl Slice {
    /// A slice of work that is compared with the walking floor itself.
    pub fn of_round_trips(before: Reading, work: Reading, after: Reading) -> Slice {
        Slice {
            before,
            work,
            after,
            distance_ns: before.mean(after).p50_ns,
        }
    }

    /// The same slice with `work` divided by `by` instead of by the floor. Whether it is kept, and its
    /// class, stay the floors' affair.
    pub fn beside(self, by: Reading, work: Reading) -> Slice {
        let (before, after) = match self.is_steady() {
            true => (by, by),
            false => (self.before, self.after),
        };
        Slice {
            before,
            work,
            after,
            distance_ns: self.distance_ns,
        }
    }

    /// Whether the machine stood still: both floors are real and differ by at most 10 %.
    pub fn is_steady(&self) -> bool {
        let (before, after) = (self.before.p50_ns, self.after.p50_ns);
        let low = before.min(after);
        low > 0.0 && (before - after).abs() <= FLOOR_TOLERANCE * low
    }

    fn floor(&self) -> Reading {
        self.before.mean(self.after)
    }

    fn ratio_p50(&self) -> f64 {
        self.work.p50_ns / self.floor().p50_ns
    }

    fn ratio_p99(&self) -> Option<f64> {
        both(self.work.p99_ns, self.floor().p99_ns).map(|(work, floor)| work / floor)
    }

    fn class(&self) -> usize {
        CLASS_LIMITS_NS
            .iter()
            .take_while(|limit| self.distance_ns >= **limit)
            .count()
    }
}

/// What was found at one class of floor; every figure is a median over its kept slices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The class, for people.
    pub class: &'static str,
    /// Walking floor, p50, in nanoseconds.
    pub floor_ns: f64,
    /// Kept slices of this class.
    pub slices: usize,
    /// Work divided by floor, medians of both.
    pub ratio_p50: f64,
    /// Work divided by floor, 99th percentiles of both.
    pub ratio_p99: Option<f64>,
    /// The work's own median in nanoseconds.
    pub work_p50_ns: f64,
    /// Whether this class has enough slices to be believed.
    pub counts: bool,
    /// Whether a headline may rest on this class.
    pub has_bar: bool,
}

/// The outcome of a run in slices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Slices kept.
    pub slices: usize,
    /// Slices dropped because their two floors differ.
    pub slices_dropped: usize,
    /// Too few slices kept, or more dropped than kept: there is no headline.
    pub too_busy: bool,
    /// Headline: the worst `ratio_p50` among the classes that count and have a bar.
    pub ratio_p50: Option<f64>,
    /// Headline: the worst `ratio_p99` among the classes that count and have a bar.
    pub ratio_p99: Option<f64>,
    /// The classes of floor that were met, nearest cores first.
    pub floors: Vec<ClassSummary>,
    /// Why there is no headline, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Groups slices by class of floor and draws the headline from them.
pub fn summarise(slices: &[Slice]) -> Summary {
    let kept: Vec<&Slice> = slices.iter().filter(|slice| slice.is_steady()).collect();
    let dropped = slices.len() - kept.len();
    let floors: Vec<ClassSummary> = (0..CLASS_NAMES.len())
        .filter_map(|class| summarise_class(class, &kept))
        .collect();
    let too_busy = kept.len() < HEADLINE_NEEDS || dropped > kept.len();
    let worst = |ratio: fn(&ClassSummary) -> Option<f64>| {
        let believed = floors.iter().filter(|class| class.counts && class.has_bar);
        believed.filter_map(ratio).reduce(f64::max)
    };
    let ratio_p50 = worst(|class| Some(class.ratio_p50)).filter(|_| !too_busy);
    let ratio_p99 = worst(|class| class.ratio_p99).filter(|_| !too_busy);
    let note = match (too_busy, ratio_p50) {
        (true, _) => Some(busy_note(kept.len(), dropped)),
        (false, None) => Some(unbarred_note(&floors)),
        (false, Some(_)) => None,
    };
    Summary {
        slices: kept.len(),
        slices_dropped: dropped,
        too_busy,
        ratio_p50,
        ratio_p99,
        floors,
        note,
    }
}

fn summarise_class(class: usize, kept: &[&Slice]) -> Option<ClassSummary> {
    let members: Vec<&Slice> = kept
        .iter()
        .copied()
        .filter(|slice| slice.class() == class)
        .collect();
    let over = |figure: fn(&Slice) -> f64| median(members.iter().map(|slice| figure(slice)));
    Some(ClassSummary {
        class: CLASS_NAMES[class],
        floor_ns: over(|slice| slice.distance_ns)?,
        slices: members.len(),
        ratio_p50: over(Slice::ratio_p50)?,
        ratio_p99: median(members.iter().filter_map(|slice| slice.ratio_p99())),
        work_p50_ns: over(|slice| slice.work.p50_ns)?,
        counts: members.len() >= CLASS_COUNTS_FROM,
        has_bar: class >= FIRST_CLASS_WITH_BAR,
    })
}

fn busy_note(kept: usize, dropped: usize) -> String {
    let advice = if dropped > kept {
        "Stop other work on these two cores and run again"
    } else {
        "Run again with more slices, and without other work on these two cores"
    };
    format!(
        "no headline: {kept} slices kept, {dropped} dropped because the machine was too busy \
         (at least {HEADLINE_NEEDS} kept are needed, and no more dropped than kept). {advice}"
    )
}

fn unbarred_note(floors: &[ClassSummary]) -> String {
    if floors.iter().any(|class| class.counts) {
        "no headline: only a floor below 100 ns was met (the two cores share one physical core), \
         and it has no bar; see its line in floors"
            .to_owned()
    } else {
        format!(
            "no headline: no class of floor has {CLASS_COUNTS_FROM} kept slices; \
             run again with more slices"
        )
    }
}

/// The median of `values`, or nothing where there are none.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted[sorted.len() / 2 - 1] + upper) / 2.0)
}

/// Alternates floor and work until `each` breaks; the floor after one slice is the floor before
/// the next. `bench` is what both measure with; `each` is given the floor before, the work and the
/// floor after.
///
/// # Errors
///
/// The first error of `floor` or `work` ends the run.
pub fn alternate<B, F, W, E>(
    bench: &mut B,
    mut floor: impl FnMut(&mut B) -> Result<F, E>,
    mut work: impl FnMut(&mut B) -> Result<W, E>,
    mut each: impl FnMut(&F, W, &F) -> ControlFlow<()>,
) -> Result<(), E> {
    let mut before = floor(bench)?;
    loop {
        let done = work(bench)?;
        let after = floor(bench)?;
        if each(&before, done, &after).is_break() {
            return Ok(());
        }
        before = after;
    }
}

/// As [`alternate`], until `wanted` slices are steady or [`TRIES`] times as many were tried. `judge` makes
/// of each slice what is kept of it, and says whether it is steady; `what` is what progress counts.
///
/// # Errors
///
/// The first error of `floor` or `work`.
pub fn collect_steady<B, F, W, M, E>(
    bench: &mut B,
    (wanted, what): (usize, &'static str),
    report: &Report,
    floor: impl FnMut(&mut B) -> Result<F, E>,
    work: impl FnMut(&mut B) -> Result<W, E>,
    mut judge: impl FnMut(&F, W, &F) -> (bool, M),
) -> Result<Vec<M>, E> {
    let progress = report.progress(wanted as u64, what);
    let (mut measured, mut steady) = (Vec::new(), 0);
    alternate(bench, floor, work, |before, work, after| {
        let (is_steady, one) = judge(before, work, after);
        steady += usize::from(is_steady);
        measured.push(one);
        progress.set(steady as u64);
        if steady >= wanted || measured.len() >= TRIES * wanted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(measured)
}

#[cfg(test)]
#[path = "slices_tests.rs"]
mod tests;
