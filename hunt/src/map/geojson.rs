//! Import of streets from GeoJSON: each LineString is a street, equal coordinates are one crossing.
//!
//! ```text
//!  {"type": "FeatureCollection",
//!   "copyright": "…",                                       shown as the map's attribution
//!   "features": [{"properties": {"highway": "residential", "oneway": "yes", "maxspeed": "30"},
//!                 "geometry": {"type": "LineString",
//!                              "coordinates": [[11.97, 57.70], [11.98, 57.70], …]}}, …]}
//! ```
//!
//! Features are read one at a time, so memory follows the map and not the text. A feature that is no
//! street is left out and counted; one whose coordinates are broken too, and the first such is named
//! in the report: a city is not lost for one bad line, and nothing is dropped silently.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;

use super::build::{Direction, MapBuilder};
use super::geojson_tags::{direction, is_walkable, speed_kmh};
use super::{great_circle_metres, LonLat, MapError, StreetMap};

/// A segment longer than this is a broken coordinate, not a street.
const MAX_SEGMENT_METRES: f64 = 100_000.0;

/// Bytes between two reports of progress.
const PROGRESS_STEP: u64 = 256 * 1024;

/// Who travels, and so which tags bind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Travel {
    /// Players on foot: every street, both ways.
    #[default]
    Foot,
    /// Vehicles: one-way tags, roundabouts and motorways lead one way.
    Vehicle,
}

/// How to read a GeoJSON file.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The map's name; without it the file's `name` member, else `map`.
    pub name: Option<String>,
    /// The map's attribution; without it the file's `copyright` or `attribution` member.
    pub attribution: Option<String>,
    /// Who travels.
    pub travel: Travel,
}

/// What an import found in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Features in the file.
    pub features: u64,
    /// Features that became streets.
    pub streets: u64,
    /// Features left out because they are no lines or not open to travel.
    pub other: u64,
    /// Features left out because their coordinates are broken.
    pub broken: u64,
    /// The first broken feature, counted from 1, and what is wrong with it.
    pub first_broken: Option<String>,
    /// Places left out because they are not connected with the largest part of the network.
    pub unconnected_places: u64,
}

/// Imports the GeoJSON file at `path`; without a name in `options` or in the file, the map is named
/// after the file. `progress` is told bytes done and bytes in all.
///
/// # Errors
/// [`MapError::File`], and all that [`import_geojson`] answers.
pub fn import_geojson_file(
    path: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(StreetMap, ImportReport), MapError> {
    let file = std::fs::File::open(path).map_err(MapError::file("open", path))?;
    let total = file.metadata().map_err(MapError::file("read", path))?.len();
    let (mut map, report) = import_geojson(file, total, options, progress)?;
    if map.name == UNNAMED {
        map.name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
    }
    Ok((map, report))
}

/// Imports GeoJSON from `reader`, which will give about `total` bytes (only `progress` needs it).
///
/// # Errors
/// [`MapError::GeoJson`] where the text is no JSON or no FeatureCollection, [`MapError::NoStreets`]
/// where it holds no two connected places, [`MapError::TooLarge`].
///
/// ```
/// use ironhoard_hunt::map::{import_geojson, ImportOptions};
/// let text = r#"{"type": "FeatureCollection", "features": [{"geometry":
///     {"type": "LineString", "coordinates": [[12.0, 57.7], [12.001, 57.7]]}}]}"#;
/// let (map, report) =
///     import_geojson(text.as_bytes(), text.len() as u64, &ImportOptions::default(), &mut |_, _| {})
///         .unwrap();
/// assert_eq!((map.node_count(), map.arc_count(), report.streets), (2, 2, 1));
/// ```
pub fn import_geojson(
    reader: impl Read,
    total: u64,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(StreetMap, ImportReport), MapError> {
    let counted = Counted {
        reader,
        done: 0,
        reported: 0,
        total,
        progress,
    };
    let mut text =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, counted));
    let mut import = Import {
        travel: options.travel,
        ..Import::default()
    };
    let read = text
        .deserialize_map(Collection(&mut import))
        .and_then(|()| text.end());
    if let Some(failure) = import.failure {
        return Err(failure);
    }
    read.map_err(|error| MapError::GeoJson {
        problem: error.to_string(),
    })?;
    import.finish(options)
}

/// The name of a map until it has one.
const UNNAMED: &str = "map";

/// The import under way.
#[derive(Default)]
struct Import {
    travel: Travel,
    builder: MapBuilder,
    node_at: HashMap<LonLat, u32>,
    report: ImportReport,
    is_collection: bool,
    name: Option<String>,
    copyright: Option<String>,
    failure: Option<MapError>,
}

impl Import {
    fn feature(&mut self, feature: &Value) -> Result<(), MapError> {
        self.report.features += 1;
        let tags = &feature["properties"];
        let geometry = &feature["geometry"];
        let lines: Vec<&Value> = match geometry["type"].as_str() {
            Some("LineString") => vec![&geometry["coordinates"]],
            Some("MultiLineString") => match geometry["coordinates"].as_array() {
                Some(lines) => lines.iter().collect(),
                None => return self.broken("its coordinates are no list"),
            },
            _ => Vec::new(),
        };
        if lines.is_empty() || !is_walkable(tags) {
            self.report.other += 1;
            return Ok(());
        }
        match lines.into_iter().map(line).collect::<Result<Vec<_>, _>>() {
            Err(problem) => self.broken(problem),
            Ok(lines) => {
                self.report.streets += 1;
                let (way, speed) = (direction(tags, self.travel), speed_kmh(tags));
                lines
                    .iter()
                    .try_for_each(|line| self.street(line, way, speed))
            }
        }
    }

    fn broken(&mut self, problem: &str) -> Result<(), MapError> {
        self.report.broken += 1;
        let number = self.report.features;
        self.report
            .first_broken
            .get_or_insert_with(|| format!("feature {number}: {problem}"));
        Ok(())
    }

    fn street(&mut self, line: &[LonLat], way: Direction, speed: u8) -> Result<(), MapError> {
        for segment in line.windows(2).filter(|segment| segment[0] != segment[1]) {
            let (from, to) = (self.node(segment[0])?, self.node(segment[1])?);
            self.builder.join(from, to, way, speed)?;
        }
        Ok(())
    }

    fn node(&mut self, place: LonLat) -> Result<u32, MapError> {
        if let Some(&node) = self.node_at.get(&place) {
            return Ok(node);
        }
        let node = self.builder.node(place)?;
        self.node_at.insert(place, node);
        Ok(node)
    }

    fn finish(mut self, options: &ImportOptions) -> Result<(StreetMap, ImportReport), MapError> {
        if !self.is_collection {
            return Err(MapError::GeoJson {
                problem: "it is no FeatureCollection".into(),
            });
        }
        if self.builder.node_count() == 0 {
            let ImportReport {
                features,
                other,
                broken,
                first_broken,
                ..
            } = self.report;
            let example = first_broken
                .map(|problem| format!("; {problem}"))
                .unwrap_or_default();
            return Err(MapError::NoStreets {
                found: format!(
                    "{features} features: {other} are no streets, {broken} are broken{example}"
                ),
            });
        }
        let name = options
            .name
            .clone()
            .or(self.name)
            .unwrap_or_else(|| UNNAMED.into());
        let attribution = options.attribution.clone().or(self.copyright);
        let attribution = attribution.unwrap_or_else(|| "no attribution in the source".into());
        let places = self.builder.node_count() as u64;
        let map = self.builder.finish(name, attribution)?;
        self.report.unconnected_places = places - u64::from(map.node_count());
        Ok((map, self.report))
    }
}

/// The places of a line, or what is wrong with it.
fn line(coordinates: &Value) -> Result<Vec<LonLat>, &'static str> {
    let coordinates = coordinates
        .as_array()
        .ok_or("its coordinates are no list")?;
    let places: Vec<LonLat> = coordinates.iter().map(place).collect::<Result<_, _>>()?;
    let too_long = |pair: &[LonLat]| great_circle_metres(pair[0], pair[1]) > MAX_SEGMENT_METRES;
    match places.len() {
        0 | 1 => Err("a line needs at least two places"),
        _ if places.windows(2).any(too_long) => Err("a segment is longer than 100 km"),
        _ => Ok(places),
    }
}

fn place(position: &Value) -> Result<LonLat, &'static str> {
    let degrees = |index: usize| position.get(index).and_then(Value::as_f64);
    let (lon, lat) = degrees(0)
        .zip(degrees(1))
        .ok_or("a position is not two numbers")?;
    LonLat::from_degrees(lon, lat).ok_or("a position is beyond ±180 or ±90 degrees")
}

/// Reads the members of the collection; those that mean nothing here are skipped unread.
struct Collection<'a>(&'a mut Import);

impl<'de> Visitor<'de> for Collection<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a GeoJSON FeatureCollection")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "type" => {
                    self.0.is_collection = members.next_value::<Value>()? == "FeatureCollection";
                }
                "name" => self.0.name = text(members.next_value()?),
                "copyright" | "attribution" => self.0.copyright = text(members.next_value()?),
                "features" => members.next_value_seed(Features(self.0))?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn text(value: Value) -> Option<String> {
    value.as_str().map(String::from)
}

/// Hands each feature to the import as it is read.
struct Features<'a>(&'a mut Import);

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a list of GeoJSON features")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut features: S) -> Result<(), S::Error> {
        while let Some(feature) = features.next_element::<Value>()? {
            if let Err(failure) = self.0.feature(&feature) {
                self.0.failure = Some(failure);
                return Err(S::Error::custom("import stopped"));
            }
        }
        Ok(())
    }
}

/// A reader that reports how far it has come.
struct Counted<'a, R> {
    reader: R,
    done: u64,
    reported: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.reader.read(into)?;
        self.done += bytes as u64;
        if bytes == 0 || self.done - self.reported >= PROGRESS_STEP {
            self.reported = self.done;
            (self.progress)(self.done, self.total.max(self.done));
        }
        Ok(bytes)
    }
}
