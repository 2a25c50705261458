//! Import of streets from an OpenStreetMap extract (`.osm.pbf`).
//!
//! ```text
//!  blobs    header │ nodes, nodes, … │ ways, ways, … │ relations
//!  1st walk                            highways: which nodes, in which order, which way, how fast
//!  2nd walk          their places
//!                    └─────────────────┴──▶ a map
//! ```
//!
//! An extract of a country holds a hundred nodes for each one on a street, and says only afterwards
//! which are which. So the file is walked twice, and memory follows the streets and not the file.
//! A way is a street when it is a `highway` open to who travels (see `tags.rs`). A crossing is a node
//! that streets share. Where an extract was cut at its border, streets end at the last place that it
//! holds; what is missing is counted.
//!
//! The format has no end mark: what was cut inside a block is damaged, what was cut exactly between two
//! looks whole. Blocks come as nodes, ways, relations, so a cut shows in what is missing: in places that
//! ways name, or in relations, which hardly any whole extract is without. The report says both.
//!
//! The decoder belongs to others, and a damaged file makes it overflow here and there: in a build that
//! checks arithmetic that is a panic, which is caught and reported like any other damage.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

use osmpbf::{BlobDecode, BlobReader, HeaderBlock, PrimitiveBlock, Way};

use super::build::{Direction, MapBuilder};
use super::import::{is_too_long, named_after, ImportOptions, ImportReport};
use super::tags::Tags;
use super::{LonLat, MapError, StreetMap};

/// What a file may demand of its reader.
const UNDERSTOOD: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];
/// Whose data it is, where nobody says otherwise.
const ATTRIBUTION: &str =
    "© OpenStreetMap contributors, Open Database License (ODbL), www.openstreetmap.org/copyright";
/// A place that was not found.
const NOWHERE: LonLat = LonLat {
    lon_e7: i32::MAX,
    lat_e7: i32::MAX,
};

/// Imports the extract at `path`; without a name in `options`, the map is named after the file.
/// `progress` is told bytes done and bytes in all, of both walks.
///
/// # Errors
/// [`MapError::File`], and all that [`import_pbf`] answers.
pub fn import_pbf_file(
    path: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(StreetMap, ImportReport), MapError> {
    let metadata = std::fs::metadata(path).map_err(MapError::file("open", path))?;
    if !metadata.is_file() {
        return Err(broken("it is no regular file"));
    }
    let file = File::open(path).map_err(MapError::file("open", path))?;
    let options = ImportOptions {
        name: options.name.clone().or_else(|| Some(named_after(path))),
        ..options.clone()
    };
    import_pbf(BufReader::new(file), &options, progress)
}

/// Imports an extract from `reader`.
///
/// # Errors
/// [`MapError::Pbf`] where the file is damaged, demands what is not understood, or is a history of
/// changes; [`MapError::NoStreets`] where it holds no two connected places, [`MapError::TooLarge`].
///
/// ```
/// use ironhoard_hunt::map::{import_pbf, ImportOptions, MapError};
/// let text = std::io::Cursor::new("no map");
/// let refused = import_pbf(text, &ImportOptions::default(), &mut |_, _| {});
/// assert!(matches!(refused, Err(MapError::Pbf { .. })));
/// ```
pub fn import_pbf(
    mut reader: impl Read + Seek + Send,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(StreetMap, ImportReport), MapError> {
    let total = reader.seek(SeekFrom::End(0)).map_err(broken)?;
    let mut streets = Streets::default();
    let mut first = Walk {
        done: 0,
        total: 2 * total,
        progress,
    };
    first.blocks(&mut reader, |block| streets.take_ways(block, options))?;
    streets.sort_places();
    let mut second = Walk {
        done: total,
        ..first
    };
    second.blocks(&mut reader, |block| streets.take_places(block))?;
    streets.finish(options)
}

/// A walk through the blobs of a file.
struct Walk<'p> {
    /// Bytes of earlier walks.
    done: u64,
    total: u64,
    progress: &'p mut dyn FnMut(u64, u64),
}

impl Walk<'_> {
    /// Shows each block of data to `take`.
    fn blocks(
        &mut self,
        reader: &mut (impl Read + Seek + Send),
        mut take: impl FnMut(&PrimitiveBlock) -> Result<(), MapError>,
    ) -> Result<(), MapError> {
        reader.rewind().map_err(broken)?;
        let mut has_header = false;
        for blob in BlobReader::new_seekable(reader).map_err(broken)? {
            let blob = blob.map_err(broken)?;
            let at = blob.offset().map_or(0, |offset| offset.0);
            (self.progress)(self.done + at, self.total);
            let taken = catch_unwind(AssertUnwindSafe(|| {
                match blob.decode().map_err(broken)? {
                    BlobDecode::OsmHeader(header) => {
                        has_header = true;
                        check_header(&header)
                    }
                    BlobDecode::OsmData(_) if !has_header => Err(broken("data before its header")),
                    BlobDecode::OsmData(block) => take(&block),
                    BlobDecode::Unknown(_) => Ok(()),
                }
            }));
            taken.unwrap_or_else(|_| Err(broken("a block holds impossible numbers")))?;
        }
        match has_header {
            true => Ok(()),
            false => Err(broken("it has no header")),
        }
    }
}

fn broken(problem: impl ToString) -> MapError {
    MapError::Pbf {
        problem: problem.to_string(),
    }
}

fn check_header(header: &HeaderBlock) -> Result<(), MapError> {
    let strange = |feature: &&String| !UNDERSTOOD.contains(&feature.as_str());
    match header.required_features().iter().find(strange) {
        Some(feature) => Err(broken(format!(
            "it demands `{feature}`, which is not understood here"
        ))),
        None => Ok(()),
    }
}

/// The streets of the file: first as lists of node ids, then with their places.
#[derive(Default)]
struct Streets {
    streets: Vec<Street>,
    /// The node ids of all streets, one street behind the other.
    line: Vec<i64>,
    /// The same ids in order, each once, and their places.
    ids: Vec<i64>,
    places: Vec<LonLat>,
    has_relations: bool,
    report: ImportReport,
}

struct Street {
    id: i64,
    /// Where its nodes end in the line; they begin where those of the street before end.
    end: usize,
    direction: Direction,
    speed_kmh: u8,
}

impl Streets {
    fn take_ways(
        &mut self,
        block: &PrimitiveBlock,
        options: &ImportOptions,
    ) -> Result<(), MapError> {
        let mut relations = block.groups().flat_map(|group| group.relations());
        self.has_relations |= relations.next().is_some();
        for way in block.groups().flat_map(|group| group.ways()) {
            self.report.features += 1;
            let tags = tags_of(&way);
            if !tags.is_highway() || !tags.is_open_to(options.travel) {
                self.report.other += 1;
                continue;
            }
            // Summed up here: the decoder's own sum may overflow.
            let ids = way.raw_refs().iter().scan(0_i64, |id, step| {
                *id = id.wrapping_add(*step);
                Some(*id)
            });
            self.line.extend(ids);
            self.streets.push(Street {
                id: way.id(),
                end: self.line.len(),
                direction: tags.direction(options.travel),
                speed_kmh: tags.speed_kmh(),
            });
        }
        Ok(())
    }

    fn sort_places(&mut self) {
        self.ids = self.line.clone();
        self.ids.sort_unstable();
        self.ids.dedup();
        self.places = vec![NOWHERE; self.ids.len()];
    }

    fn take_places(&mut self, block: &PrimitiveBlock) -> Result<(), MapError> {
        for group in block.groups() {
            for node in group.nodes() {
                self.take_place(node.id(), node.nano_lon(), node.nano_lat())?;
            }
            for node in group.dense_nodes() {
                self.take_place(node.id(), node.nano_lon(), node.nano_lat())?;
            }
        }
        Ok(())
    }

    fn take_place(&mut self, id: i64, nano_lon: i64, nano_lat: i64) -> Result<(), MapError> {
        let Ok(at) = self.ids.binary_search(&id) else {
            return Ok(());
        };
        let degree_e7 = |nano: i64| i32::try_from(nano / 100).ok();
        let place = degree_e7(nano_lon).zip(degree_e7(nano_lat));
        let place = place.map(|(lon_e7, lat_e7)| LonLat { lon_e7, lat_e7 });
        match place.filter(LonLat::is_on_earth) {
            Some(place) => self.places[at] = place,
            None => return Err(broken(format!("node {id} is beyond ±180 or ±90 degrees"))),
        }
        Ok(())
    }

    fn finish(mut self, options: &ImportOptions) -> Result<(StreetMap, ImportReport), MapError> {
        self.report.may_be_cut = !self.has_relations;
        self.report.missing_places = self.places.iter().filter(|&&at| at == NOWHERE).count() as u64;
        let mut builder = MapBuilder::default();
        let mut node_of = vec![u32::MAX; self.ids.len()];
        let mut start = 0;
        for street in &self.streets {
            let line = &self.line[start..street.end];
            start = street.end;
            // Each id is there: the ids are those of the line.
            let at = |id: &i64| self.ids.binary_search(id).unwrap_or_default();
            let line: Vec<usize> = line.iter().map(at).collect();
            match judge(&line, &self.places) {
                Verdict::Street => {}
                Verdict::Outside => {
                    self.report.other += 1;
                    continue;
                }
                Verdict::Broken(problem) => {
                    self.report
                        .broken(|| format!("way {}: {problem}", street.id));
                    continue;
                }
            }
            self.report.streets += 1;
            for pair in line.windows(2).filter(|pair| self.are_apart(pair)) {
                let mut node = |at: usize| match node_of[at] {
                    u32::MAX => {
                        node_of[at] = builder.node(self.places[at])?;
                        Ok::<u32, MapError>(node_of[at])
                    }
                    known => Ok(known),
                };
                let (from, to) = (node(pair[0])?, node(pair[1])?);
                builder.join(from, to, street.direction, street.speed_kmh)?;
            }
        }
        if builder.node_count() == 0 {
            return Err(self.report.no_streets());
        }
        let known = builder.node_count() as u64;
        let name = options.name.clone().unwrap_or_else(|| "map".into());
        let attribution = options.attribution.clone();
        let map = builder.finish(name, attribution.unwrap_or_else(|| ATTRIBUTION.into()))?;
        self.report.unconnected_places = known.saturating_sub(u64::from(map.node_count()));
        Ok((map, self.report))
    }

    /// Whether both ends of a segment are known, and differ.
    fn are_apart(&self, pair: &[usize]) -> bool {
        let known = |at: usize| self.places[at] != NOWHERE;
        pair[0] != pair[1] && known(pair[0]) && known(pair[1])
    }
}

/// What the places of a line make of it.
enum Verdict {
    Street,
    /// The file holds no two neighbours of it: it lies beyond the border of the extract.
    Outside,
    Broken(&'static str),
}

fn judge(line: &[usize], places: &[LonLat]) -> Verdict {
    let known = |pair: &&[usize]| pair.iter().all(|&at| places[at] != NOWHERE);
    let mut segments = line.windows(2).filter(known).peekable();
    if line.len() < 2 {
        Verdict::Broken("a line needs at least two places")
    } else if segments.peek().is_none() {
        Verdict::Outside
    } else if segments.any(|pair| is_too_long(&[places[pair[0]], places[pair[1]]])) {
        Verdict::Broken("a segment is longer than 100 km")
    } else {
        Verdict::Street
    }
}

fn tags_of<'w>(way: &Way<'w>) -> Tags<'w> {
    let mut tags = Tags::default();
    for (key, value) in way.tags() {
        tags.set(key, value);
    }
    tags
}
