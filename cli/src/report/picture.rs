//! The latency curve as an SVG picture.
//!
//! ```text
//!  latency, logarithmic
//!   │            ╭───
//!   │      ╭─────╯
//!   │ ─────╯ - - - - - - floor
//!   └──┬─────┬─────┬────
//!     0 %   90 %  99 %  99.9 %      logarithmic in 1 / (1 - percentile)
//! ```
//!
//! Each step to the right is ten times rarer, so the tail takes as much room as the crowd.

use std::path::Path;

use hdrhistogram::Histogram;
use plotters::prelude::*;

use super::ReportError;

const SIZE: (u32, u32) = (960, 540);
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(23, 190, 207),
];
/// Font of everything but the caption.
const TEXT: (&str, u32) = ("sans-serif", 16);
/// Points of a curve for each tenfold step to the right.
const POINTS_PER_STEP: u32 = 50;

/// One line of the picture.
#[derive(Clone, Copy)]
pub struct Curve<'h> {
    /// Its name in the legend.
    pub name: &'h str,
    /// Latencies in nanoseconds.
    pub latencies: &'h Histogram<u64>,
}

/// A level drawn across the picture, such as a floor.
#[derive(Clone, Copy, Debug)]
pub struct Level<'n> {
    /// Its name in the legend.
    pub name: &'n str,
    /// Its height in nanoseconds.
    pub ns: f64,
}

/// Draws `curves` and `levels` to an SVG file at `path`. Empty curves are left out.
pub fn draw_latency(
    path: &Path,
    title: &str,
    curves: &[Curve<'_>],
    levels: &[Level<'_>],
) -> Result<(), ReportError> {
    let curves: Vec<Curve<'_>> = curves
        .iter()
        .copied()
        .filter(|curve| !curve.latencies.is_empty())
        .collect();
    let mut svg = String::new();
    draw(&mut svg, title, &curves, levels)
        .map_err(|error| error.to_string())
        .and_then(|()| std::fs::write(path, svg).map_err(|error| error.to_string()))
        .map_err(|reason| ReportError::Picture {
            path: path.to_owned(),
            reason,
        })
}

fn draw(
    svg: &mut String,
    title: &str,
    curves: &[Curve<'_>],
    levels: &[Level<'_>],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (low, high) = heights(curves, levels);
    let right = curves
        .iter()
        .map(|curve| rarity_end(curve.latencies))
        .fold(10.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d((1.0..right).log_scale(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("percentile")
        .y_desc("latency")
        .x_label_formatter(&|rarity| percentile_label(*rarity))
        .y_label_formatter(&|ns| super::nanoseconds(*ns))
        .light_line_style(WHITE.mix(0.0))
        .label_style(TEXT)
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        chart
            .draw_series(LineSeries::new(
                points(curve.latencies),
                colour.stroke_width(2),
            ))?
            .label(curve.name)
            .legend(key(*colour));
    }
    for (level, colour) in levels.iter().zip(COLOURS.iter().rev().cycle()) {
        let ends = [(1.0, level.ns), (right, level.ns)];
        chart
            .draw_series(LineSeries::new(ends, colour.stroke_width(1)))?
            .label(level.name)
            .legend(key(*colour));
    }
    chart
        .configure_series_labels()
        .label_font(TEXT)
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

fn key(colour: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
}

/// A curve's points: (1 / (1 - percentile), latency in nanoseconds).
fn points(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = (rarity_end(latencies).log10() * f64::from(POINTS_PER_STEP)).ceil() as u32;
    (0..=steps)
        .map(|step| {
            let rarity = 10f64.powf(f64::from(step) / f64::from(POINTS_PER_STEP));
            let quantile = 1.0 - 1.0 / rarity;
            (rarity, latencies.value_at_quantile(quantile).max(1) as f64)
        })
        .collect()
}

/// The rarest percentile that ten values stand for.
fn rarity_end(latencies: &Histogram<u64>) -> f64 {
    (latencies.len() as f64 / 10.0).max(10.0)
}

fn heights(curves: &[Curve<'_>], levels: &[Level<'_>]) -> (f64, f64) {
    let latencies = curves.iter().flat_map(|curve| points(curve.latencies));
    let all = latencies
        .map(|(_, ns)| ns)
        .chain(levels.iter().map(|level| level.ns));
    let (low, high) = all.fold((f64::MAX, 1.0), |(low, high): (f64, f64), ns| {
        (low.min(ns), high.max(ns))
    });
    (low.min(high).max(1.0) * 0.8, high * 1.25)
}

fn percentile_label(rarity: f64) -> String {
    let nines = rarity.log10();
    let digits = (nines.round() as usize).saturating_sub(2);
    format!("{:.digits$} %", 100.0 - 100.0 / rarity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples::histogram;

    #[test]
    fn percentiles_are_labelled_with_their_nines() {
        let labels = [1.0, 10.0, 100.0, 1000.0, 100_000.0].map(percentile_label);
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %", "99.999 %"]);
    }

    #[test]
    fn a_picture_shows_every_series_and_leaves_empty_ones_out() {
        let (mut full, empty) = (histogram(), histogram());
        (1..=10_000).for_each(|ns| full.record(ns).unwrap());
        let path =
            std::env::temp_dir().join(format!("ironhoard-picture-{}.svg", std::process::id()));
        let curves = [
            Curve {
                name: "full curve",
                latencies: &full,
            },
            Curve {
                name: "empty curve",
                latencies: &empty,
            },
        ];
        draw_latency(
            &path,
            "title",
            &curves,
            &[Level {
                name: "level",
                ns: 140.0,
            }],
        )
        .unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(svg.contains("full curve") && svg.contains("level") && svg.contains("99.9 %"));
        assert!(!svg.contains("empty curve"));
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn nothing_measured_is_still_a_picture() {
        let mut svg = String::new();
        draw(&mut svg, "nothing", &[], &[]).unwrap();
        assert!(svg.contains("nothing"));
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let path = Path::new("/nonexistent/picture.svg");
        let error = draw_latency(path, "title", &[], &[]).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/picture.svg"));
    }
}
