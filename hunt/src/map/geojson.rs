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
use serde::Deserializer;
use serde_json::Value;

use super::build::{Direction, MapBuilder};
use super::import::{is_too_long, named_after, ImportOptions, ImportReport, Travel};
use super::tags::Tags;
use super::{LonLat, MapError, StreetMap};

/// Bytes between two reports of progress.
const PROGRESS_STEP: u64 = 256 * 1024;

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
    import_named(file, total, options, &named_after(path), progress)
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
    import_named(reader, total, options, UNNAMED, progress)
}

fn import_named(
    reader: impl Read,
    total: u64,
    options: &ImportOptions,
    unnamed: &str,
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
    import.finish(options, unnamed)
}

/// The name of a map that nobody and nothing names.
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
        let tags = tags_of(&feature["properties"]);
        let geometry = &feature["geometry"];
        let lines: Vec<&Value> = match geometry["type"].as_str() {
            Some("LineString") => vec![&geometry["coordinates"]],
            Some("MultiLineString") => match geometry["coordinates"].as_array() {
                Some(lines) => lines.iter().collect(),
                None => return self.broken("its coordinates are no list"),
            },
            _ => Vec::new(),
        };
        if lines.is_empty() || !tags.is_open_to(self.travel) {
            self.report.other += 1;
            return Ok(());
        }
        match lines.into_iter().map(line).collect::<Result<Vec<_>, _>>() {
            Err(problem) => self.broken(problem),
            Ok(lines) => {
                self.report.streets += 1;
                let (way, speed) = (tags.direction(self.travel), tags.speed_kmh());
                lines
                    .iter()
                    .try_for_each(|line| self.street(line, way, speed))
            }
        }
    }

    fn broken(&mut self, problem: &str) -> Result<(), MapError> {
        let number = self.report.features;
        self.report
            .broken(|| format!("feature {number}: {problem}"));
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

    fn finish(
        mut self,
        options: &ImportOptions,
        unnamed: &str,
    ) -> Result<(StreetMap, ImportReport), MapError> {
        if !self.is_collection {
            return Err(MapError::GeoJson {
                problem: "it is no FeatureCollection".into(),
            });
        }
        if self.builder.node_count() == 0 {
            return Err(self.report.no_streets());
        }
        let name = options
            .name
            .clone()
            .or(self.name)
            .unwrap_or_else(|| unnamed.into());
        let attribution = options.attribution.clone().or(self.copyright);
        let attribution = attribution.unwrap_or_else(|| "no attribution in the source".into());
        let places = self.builder.node_count() as u64;
        let map = self.builder.finish(name, attribution)?;
        self.report.unconnected_places = places - u64::from(map.node_count());
        Ok((map, self.report))
    }
}

/// The properties of a feature as the tags they were.
fn tags_of(properties: &Value) -> Tags<'_> {
    let mut tags = Tags::default();
    for (key, value) in properties.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => tags.set(key, text.as_str()),
            Value::Bool(true) => tags.set(key, "yes"),
            Value::Bool(false) => tags.set(key, "no"),
            Value::Number(number) => tags.set(key, number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    tags
}

/// The places of a line, or what is wrong with it.
fn line(coordinates: &Value) -> Result<Vec<LonLat>, &'static str> {
    let coordinates = coordinates
        .as_array()
        .ok_or("its coordinates are no list")?;
    let places: Vec<LonLat> = coordinates.iter().map(place).collect::<Result<_, _>>()?;
    match places.len() {
        0 | 1 => Err("a line needs at least two places"),
        _ if places.windows(2).any(is_too_long) => Err("a segment is longer than 100 km"),
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
