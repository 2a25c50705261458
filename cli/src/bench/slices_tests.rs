//! Slices whose outcome is known before they are summarised.

use super::*;

fn reading(p50_ns: f64) -> Reading {
    Reading {
        p50_ns,
        p99_ns: Some(p50_ns * 2.0),
    }
}

/// A steady slice at `floor_ns` whose work is `ratio` times its floor, p99 half as much more.
fn slice(floor_ns: f64, ratio: f64) -> Slice {
    let work = Reading {
        p50_ns: floor_ns * ratio,
        p99_ns: Some(floor_ns * 2.0 * ratio * 1.5),
    };
    Slice::of_round_trips(reading(floor_ns), work, reading(floor_ns))
}

fn moved(before_ns: f64, after_ns: f64) -> Slice {
    Slice::of_round_trips(reading(before_ns), reading(before_ns), reading(after_ns))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn one_class_gives_its_median_as_headline() {
    let slices: Vec<Slice> = (0..101)
        .map(|i| slice(140.0, 0.5 + f64::from(i) / 100.0))
        .collect();
    let summary = summarise(&slices);
    assert_eq!((summary.slices, summary.slices_dropped), (101, 0));
    assert!(!summary.too_busy);
    assert!(close(summary.ratio_p50.unwrap(), 1.0));
    assert!(close(summary.ratio_p99.unwrap(), 1.5));
    assert_eq!(summary.floors.len(), 1);
    assert_eq!(summary.floors[0].class, "100-300 ns");
    assert!(close(summary.floors[0].floor_ns, 140.0));
    assert_eq!(summary.note, None);
}

#[test]
fn the_work_is_divided_by_the_mean_of_both_floors() {
    let slices = vec![Slice::of_round_trips(reading(200.0), reading(210.0), reading(220.0)); 100];
    assert!(close(summarise(&slices).ratio_p50.unwrap(), 1.0));
}

#[test]
fn floors_ten_percent_apart_are_kept_and_a_little_more_is_dropped() {
    assert!(moved(100.0, 110.0).is_steady());
    assert!(moved(110.0, 100.0).is_steady());
    assert!(!moved(100.0, 110.1).is_steady());
    assert!(!moved(110.1, 100.0).is_steady());
}

#[test]
fn a_floor_of_zero_or_of_nonsense_is_dropped() {
    assert!(!moved(0.0, 0.0).is_steady());
    assert!(!moved(f64::NAN, 100.0).is_steady());
    assert!(!moved(f64::INFINITY, f64::INFINITY).is_steady());
}

#[test]
fn the_worst_class_that_counts_is_the_headline() {
    let mut slices = vec![slice(140.0, 0.8); 100];
    slices.extend(vec![slice(530.0, 0.9); 30]);
    slices.extend(vec![slice(840.0, 5.0); 29]);
    let summary = summarise(&slices);
    assert!(close(summary.ratio_p50.unwrap(), 0.9));
    let counts: Vec<bool> = summary.floors.iter().map(|class| class.counts).collect();
    assert_eq!(counts, [true, true, false]);
    slices.push(slice(840.0, 5.0));
    assert!(close(summarise(&slices).ratio_p50.unwrap(), 5.0));
}

#[test]
fn each_percentile_has_its_own_worst_class() {
    let mut slices = vec![slice(140.0, 1.0); 50];
    let calm = Reading {
        p50_ns: 636.0,
        p99_ns: Some(636.0),
    };
    slices.extend(vec![
        Slice::of_round_trips(
            reading(530.0),
            calm,
            reading(530.0)
        );
        50
    ]);
    let summary = summarise(&slices);
    assert!(close(summary.ratio_p50.unwrap(), 1.2));
    assert!(close(summary.ratio_p99.unwrap(), 1.5));
}

#[test]
fn below_100_ns_is_reported_but_never_the_headline() {
    let mut slices = vec![slice(65.0, 3.0); 200];
    let alone = summarise(&slices);
    assert!(!alone.too_busy);
    assert_eq!((alone.ratio_p50, alone.ratio_p99), (None, None));
    assert!(alone.note.unwrap().contains("below 100 ns"));
    assert!(close(alone.floors[0].ratio_p50, 3.0));
    assert!(!alone.floors[0].has_bar);
    slices.extend(vec![slice(140.0, 0.7); 30]);
    assert!(close(summarise(&slices).ratio_p50.unwrap(), 0.7));
}

#[test]
fn fewer_than_a_hundred_kept_is_too_busy() {
    let summary = summarise(&vec![slice(140.0, 0.7); 99]);
    assert!(summary.too_busy);
    assert_eq!(summary.ratio_p50, None);
    assert!(summary.note.unwrap().contains("too busy"));
    assert!(!summarise(&vec![slice(140.0, 0.7); 100]).too_busy);
}

#[test]
fn more_dropped_than_kept_is_too_busy() {
    let mut slices = vec![slice(140.0, 0.7); 120];
    slices.extend(vec![moved(140.0, 530.0); 120]);
    assert!(!summarise(&slices).too_busy);
    slices.push(moved(140.0, 530.0));
    let summary = summarise(&slices);
    assert!(summary.too_busy);
    assert_eq!((summary.slices, summary.slices_dropped), (120, 121));
    assert_eq!((summary.ratio_p50, summary.ratio_p99), (None, None));
}

#[test]
fn no_class_with_enough_slices_gives_no_headline() {
    let mut slices = vec![slice(65.0, 1.0); 29];
    for floor_ns in [140.0, 530.0, 840.0] {
        slices.extend(vec![slice(floor_ns, 1.0); 29]);
    }
    let summary = summarise(&slices);
    assert!(!summary.too_busy);
    assert_eq!(summary.ratio_p50, None);
    assert!(summary.note.unwrap().contains("more slices"));
    assert_eq!(
        summary
            .floors
            .iter()
            .map(|class| class.slices)
            .sum::<usize>(),
        116
    );
}

#[test]
fn no_slices_at_all_is_too_busy_and_not_a_panic() {
    let summary = summarise(&[]);
    assert!(summary.too_busy && summary.floors.is_empty());
}

#[test]
fn class_limits_belong_to_the_class_above() {
    let classes: Vec<usize> = [99.9, 100.0, 299.9, 300.0, 649.9, 650.0, 9000.0]
        .map(|floor_ns| slice(floor_ns, 1.0).class())
        .to_vec();
    assert_eq!(classes, [0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn work_without_single_timings_has_no_p99() {
    let per_line = |p50_ns| Reading {
        p50_ns,
        p99_ns: None,
    };
    let stream = Slice {
        before: per_line(10.0),
        work: per_line(11.0),
        after: per_line(10.0),
        distance_ns: 530.0,
    };
    let summary = summarise(&vec![stream; 100]);
    assert!(close(summary.ratio_p50.unwrap(), 1.1));
    assert_eq!(summary.ratio_p99, None);
    assert_eq!(summary.floors[0].class, "300-650 ns");
    assert!(close(summary.floors[0].floor_ns, 530.0));
}

#[test]
fn medians_of_even_and_odd_counts() {
    assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
    assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
    assert_eq!(median(std::iter::empty()), None);
}

#[test]
fn neighbouring_slices_share_a_floor() {
    let mut seen = Vec::new();
    let outcome: Result<(), ()> = alternate(
        &mut (0, 0),
        |counts| {
            counts.0 += 1;
            Ok(counts.0)
        },
        |counts| {
            counts.1 += 10;
            Ok(counts.1)
        },
        |before, work, after| {
            seen.push((*before, work, *after));
            if seen.len() == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    assert_eq!(outcome, Ok(()));
    assert_eq!(seen, [(1, 10, 2), (2, 20, 3), (3, 30, 4)]);
}

#[test]
fn an_error_ends_the_run() {
    let outcome: Result<(), &str> = alternate(
        &mut (),
        |()| Ok(()),
        |()| Err::<(), _>("gone"),
        |(), (), ()| ControlFlow::Continue(()),
    );
    assert_eq!(outcome, Err("gone"));
}
