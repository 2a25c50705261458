//! A load over time as an SVG picture: its rate above, its latencies below.
//!
//! ```text
//!  moves/s │     ╱╲___            linear
//!          │ ___╱     ╲____
//!          ├───────────────▶ s
//!  latency │     ╭╮               logarithmic: median, 99th percentile, the latest
//!          │ ────╯╰────────
//!          └───────────────▶ s
//! ```

use std::path::Path;

use plotters::prelude::*;

use crate::load::result::{Bin, BIN_NS};

use super::ReportError;

const SIZE: (u32, u32) = (960, 720);
const TEXT: (&str, u32) = ("sans-serif", 16);
const BLUE_LINE: RGBColor = RGBColor(31, 119, 180);
/// The latencies' lines: name, which one, colour.
type Line = (&'static str, fn(&Bin) -> u64, RGBColor);
const LINES: [Line; 3] = [
    ("p50", |bin| bin.p50_ns, BLUE_LINE),
    ("p99", |bin| bin.p99_ns, RGBColor(255, 127, 14)),
    ("latest", |bin| bin.max_ns, RGBColor(214, 39, 40)),
];

/// Draws `bins` to an SVG file at `path`.
pub fn draw_timeline(path: &Path, title: &str, bins: &[Bin]) -> Result<(), ReportError> {
    let mut svg = String::new();
    draw(&mut svg, title, bins)
        .map_err(|error| error.to_string())
        .and_then(|()| std::fs::write(path, svg).map_err(|error| error.to_string()))
        .map_err(|reason| ReportError::Picture {
            path: path.to_owned(),
            reason,
        })
}

fn draw(svg: &mut String, title: &str, bins: &[Bin]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(SIZE.1 / 3);
    let seconds = |bin: &Bin| bin.start_ns as f64 / 1e9;
    let end = bins.last().map_or(1.0, |bin| seconds(bin) + 0.1);
    let rate = |bin: &Bin| bin.moves as f64 * 1e9 / BIN_NS as f64;
    let top = bins.iter().map(rate).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&above)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(28)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end, 0.0..top * 1.1)?;
    chart
        .configure_mesh()
        .y_desc("moves a second")
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .light_line_style(WHITE.mix(0.0))
        .label_style(TEXT)
        .draw()?;
    let rates = bins.iter().map(|bin| (seconds(bin), rate(bin)));
    chart.draw_series(LineSeries::new(rates, BLUE_LINE.stroke_width(2)))?;

    let met = || bins.iter().filter(|bin| bin.moves > 0);
    let low = met().map(|bin| bin.p50_ns).min().unwrap_or(1).max(1) as f64 * 0.8;
    let high = (met().map(|bin| bin.max_ns).max().unwrap_or(1) as f64 * 1.25).max(low * 10.0);
    let mut chart = ChartBuilder::on(&below)
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end, (low..high).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("second in which a move was due")
        .y_desc("latency")
        .y_label_formatter(&|ns| super::nanoseconds(*ns))
        .light_line_style(WHITE.mix(0.0))
        .label_style(TEXT)
        .draw()?;
    for (name, pick, colour) in LINES {
        let line = met().map(|bin| (seconds(bin), pick(bin).max(1) as f64));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .label_font(TEXT)
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_drawn_and_nothing_measured_is_still_a_picture() {
        let bins: Vec<Bin> = (0..30)
            .map(|at| Bin {
                start_ns: at * BIN_NS,
                moves: 10 * (at % 7),
                p50_ns: 500 + at,
                p99_ns: 4000,
                max_ns: 9000 * at,
            })
            .collect();
        let mut svg = String::new();
        draw(&mut svg, "a day", &bins).unwrap();
        for text in ["a day", "p50", "p99", "latest", "moves a second"] {
            assert!(svg.contains(text), "{text}");
        }
        let mut svg = String::new();
        draw(&mut svg, "nothing", &[]).unwrap();
        assert!(svg.contains("nothing"));
    }
}
