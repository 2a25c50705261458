//! Several kinds of work taking turns beside one floor.
//!
//! ```text
//!   floor ── first ── floor ── second ── floor ── third ── floor ── first …
//! ```
//!
//! Each kind has slices of its own and is compared with the floors around them. The class of a slice
//! is that of the walking floor of the moment, whatever the work is divided by.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::report::Report;

use super::slices::{alternate, median, summarise, Reading, Slice, Summary, TRIES};

/// The floors of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Walking floor: how far apart the cores are, in nanoseconds.
    pub distance_ns: f64,
    /// What the work is divided by, in nanoseconds.
    pub floor_ns: f64,
}

/// The slices of each kind of work, in the order of `names`.
#[derive(Debug)]
pub struct Turns<const N: usize> {
    names: [&'static str; N],
    slices: [Vec<Slice>; N],
}

/// What is reported about all turns together.
#[derive(Debug, Serialize)]
pub struct TurnsSummary {
    /// Kept slices of all kinds.
    pub slices: usize,
    /// Dropped slices of all kinds.
    pub slices_dropped: usize,
    /// One kind at least gives no headline for want of slices.
    pub too_busy: bool,
    /// The classes of floor that were met.
    pub floors: Vec<TurnsClass>,
    /// Why there is no headline, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was found at one class of floor.
#[derive(Debug, Serialize)]
pub struct TurnsClass {
    /// The class, for people.
    pub class: &'static str,
    /// Walking floor, p50, in nanoseconds.
    pub floor_ns: f64,
    /// Kept slices of the kind that has fewest.
    pub slices: usize,
    /// Whether each kind has enough slices to be believed.
    pub counts: bool,
    /// Whether a headline may rest on this class.
    pub has_bar: bool,
    /// `ratio_…` of each kind.
    #[serde(flatten)]
    pub ratios: BTreeMap<String, Option<f64>>,
}

impl<const N: usize> Turns<N> {
    /// Slices that were taken in another way, in the order of `names`.
    pub fn from_slices(names: [&'static str; N], slices: [Vec<Slice>; N]) -> Turns<N> {
        Turns { names, slices }
    }

    /// Slices until each kind has `wanted` steady ones, or three times as many were tried. `work` is
    /// told whose turn it is and gives nanoseconds.
    ///
    /// # Errors
    ///
    /// The first error of `floor` or `work`.
    pub fn collect<B, E>(
        names: [&'static str; N],
        bench: &mut B,
        wanted: usize,
        report: &Report,
        floor: impl FnMut(&mut B) -> Result<Moment, E>,
        mut work: impl FnMut(&mut B, usize) -> Result<f64, E>,
    ) -> Result<Turns<N>, E> {
        let progress = report.progress(wanted as u64, "steady slices of each kind");
        let mut slices = [(); N].map(|()| Vec::new());
        let mut steady = [0; N];
        let (mut turn, mut tried) = (0, 0);
        let take_turn = |bench: &mut B| {
            let kind = turn;
            turn = (turn + 1) % N;
            work(bench, kind).map(|ns| (kind, ns))
        };
        alternate(bench, floor, take_turn, |before, (kind, ns), after| {
            let slice = slice(before, ns, after);
            steady[kind] += usize::from(slice.is_steady());
            slices[kind].push(slice);
            tried += 1;
            let fewest = steady.iter().copied().min().unwrap_or(wanted);
            progress.set(fewest as u64);
            if fewest >= wanted || tried >= TRIES * N * wanted {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(Turns::from_slices(names, slices))
    }

    /// Median of what a kind's work cost, over its steady slices, in nanoseconds.
    pub fn work_ns(&self, kind: usize) -> Option<f64> {
        let steady = self.slices[kind].iter().filter(|slice| slice.is_steady());
        median(steady.map(|slice| slice.work.p50_ns))
    }

    /// Median of the floor beside all kinds, over steady slices, in nanoseconds.
    pub fn floor_ns(&self) -> Option<f64> {
        let steady = self
            .slices
            .iter()
            .flatten()
            .filter(|slice| slice.is_steady());
        median(steady.map(|slice| slice.before.mean(slice.after).p50_ns))
    }

    /// The headline of each kind, and what is reported about all of them.
    pub fn summarise(&self) -> ([Option<f64>; N], TurnsSummary) {
        let summaries = self.slices.each_ref().map(|slices| summarise(slices));
        let ratios = summaries.each_ref().map(|summary| summary.ratio_p50);
        let all = TurnsSummary {
            slices: summaries.iter().map(|summary| summary.slices).sum(),
            slices_dropped: summaries.iter().map(|summary| summary.slices_dropped).sum(),
            too_busy: summaries.iter().any(|summary| summary.too_busy),
            floors: self.classes(&summaries),
            note: summaries.iter().find_map(|summary| summary.note.clone()),
        };
        (ratios, all)
    }

    /// The classes that any kind met, nearest cores first.
    fn classes(&self, summaries: &[Summary; N]) -> Vec<TurnsClass> {
        let met = summaries.iter().flat_map(|summary| &summary.floors);
        let mut met: Vec<_> = met.map(|class| (class.floor_ns, class.class)).collect();
        met.sort_by(|a, b| a.0.total_cmp(&b.0));
        met.dedup_by_key(|(_, name)| *name);
        met.into_iter()
            .map(|(floor_ns, name)| self.class(floor_ns, name, summaries))
            .collect()
    }

    fn class(&self, floor_ns: f64, name: &'static str, summaries: &[Summary; N]) -> TurnsClass {
        let found = summaries.each_ref().map(|summary| {
            let mut classes = summary.floors.iter();
            classes.find(|class| class.class == name)
        });
        let slices = found.map(|class| class.map_or(0, |class| class.slices));
        let ratios = self.names.iter().zip(found);
        TurnsClass {
            class: name,
            floor_ns,
            slices: slices.into_iter().min().unwrap_or(0),
            counts: found
                .iter()
                .all(|class| class.is_some_and(|class| class.counts)),
            has_bar: found.iter().flatten().all(|class| class.has_bar),
            ratios: ratios
                .map(|(name, class)| (format!("ratio_{name}"), class.map(|class| class.ratio_p50)))
                .collect(),
        }
    }
}

fn slice(before: &Moment, ns: f64, after: &Moment) -> Slice {
    let plain = |p50_ns| Reading {
        p50_ns,
        p99_ns: None,
    };
    Slice {
        before: plain(before.floor_ns),
        work: plain(ns),
        after: plain(after.floor_ns),
        distance_ns: (before.distance_ns + after.distance_ns) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(wanted: usize, distance_ns: f64) -> Turns<2> {
        let moment = Moment {
            distance_ns,
            floor_ns: 10.0,
        };
        let collected: Result<_, ()> = Turns::collect(
            ["one", "two"],
            &mut (),
            wanted,
            &Report::new(true),
            |()| Ok(moment),
            |(), kind| Ok([15.0, 40.0][kind]),
        );
        collected.unwrap()
    }

    #[test]
    fn each_kind_has_its_own_ratio() {
        let turns = turns(100, 140.0);
        let (ratios, summary) = turns.summarise();
        assert_eq!(ratios, [Some(1.5), Some(4.0)]);
        assert_eq!(
            (turns.work_ns(1), turns.floor_ns()),
            (Some(40.0), Some(10.0))
        );
        assert!((199..=200).contains(&summary.slices) && !summary.too_busy);
        assert_eq!(summary.floors[0].class, "100-300 ns");
        assert_eq!(summary.floors[0].ratios["ratio_two"], Some(4.0));
    }

    #[test]
    fn too_few_slices_of_one_kind_are_too_few() {
        let (ratios, summary) = turns(99, 140.0).summarise();
        assert!(summary.too_busy && summary.note.is_some());
        assert_eq!(ratios[0], None);
    }

    #[test]
    fn near_cores_have_figures_and_no_headline() {
        let (ratios, summary) = turns(100, 65.0).summarise();
        assert_eq!(ratios, [None, None]);
        assert!(!summary.floors[0].has_bar && summary.floors[0].counts);
    }
}
