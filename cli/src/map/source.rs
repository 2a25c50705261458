//! The map that `serve` and `demo` play on: a prepared one, GeoJSON, an OpenStreetMap extract, or a
//! generated city.
//!
//! ```text
//!  --map FILE ──▶ prepared? load it : import it
//!  nothing    ──▶ data/gothenburg.geojson, prepared once as gothenburg.ihmap beside it
//!                 └─ not there: a generated city of the same size, said aloud
//! ```
//!
//! `data/` is looked for in the working directory and above the program's own file, so that a built
//! checkout finds what its set-up script fetched, from wherever it is started.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ironhoard_hunt::map::{
    generate, import_geojson_file, import_pbf_file, GenerateOptions, ImportOptions, ImportReport,
    MapError, MapMemory, StreetMap, MAGIC,
};

use crate::notes::Notes;
use crate::report::{Progress, Report};

/// Name of the city that the set-up script fetches, without ending.
const CITY: &str = "gothenburg";
/// What its map is called, and whose it is.
const CITY_NAME: &str = "Gothenburg";
const CITY_ATTRIBUTION: &str =
    "© OpenStreetMap contributors, Open Database License (ODbL), www.openstreetmap.org/copyright";
/// How far above the program's file a `data` folder is looked for.
const FOLDERS_ABOVE: usize = 4;
/// Seed of the generated city.
const FALLBACK_SEED: u64 = 1;

/// A map, and how it was come by.
pub struct Found {
    /// The streets.
    pub map: StreetMap,
    /// How it was come by.
    pub source: Source,
}

/// How a map was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Loaded from this prepared map.
    Prepared(PathBuf),
    /// Imported from this GeoJSON or PBF file.
    Imported(PathBuf),
    /// Generated, because there was no real one.
    Generated,
}

impl Source {
    /// The source in a few words, for reports.
    pub fn describe(&self) -> String {
        match self {
            Source::Prepared(path) => format!("prepared map {}", path.display()),
            Source::Imported(path) => format!("imported from {}", path.display()),
            Source::Generated => "generated".to_owned(),
        }
    }
}

/// Opens the map asked for, or the best one there is. `memory` is for one that is prepared already.
///
/// # Errors
/// [`MapError`] where the map asked for cannot be used; without a wish there is always a map.
pub fn open(
    wish: Option<&Path>,
    memory: MapMemory,
    report: &Report,
    notes: &mut Notes,
) -> Result<Found, MapError> {
    let options = ImportOptions::default();
    match wish {
        Some(path) => read(path, memory, &options, report),
        None => match city_file("geojson") {
            Some(geojson) => city(&geojson, memory, report, notes),
            None => city_file("ihmap").map_or_else(
                || fallback(report, notes),
                |prepared| read(&prepared, memory, &options, report),
            ),
        },
    }
}

/// Reads a file of any kind.
pub fn read(
    path: &Path,
    memory: MapMemory,
    options: &ImportOptions,
    report: &Report,
) -> Result<Found, MapError> {
    let (map, source) = match kind(path) {
        Kind::Prepared => (
            StreetMap::load_into(path, memory)?,
            Source::Prepared(path.to_owned()),
        ),
        Kind::GeoJson | Kind::Pbf => (
            import(path, options, report)?.0,
            Source::Imported(path.to_owned()),
        ),
    };
    Ok(Found { map, source })
}

/// Imports an OpenStreetMap extract, or else GeoJSON, and shows how far it is.
pub fn import(
    path: &Path,
    options: &ImportOptions,
    report: &Report,
) -> Result<(StreetMap, ImportReport), MapError> {
    let mut bar = Bar::new(report, "reading streets");
    let mut progress = |done, all| bar.set(done, all);
    match kind(path) {
        Kind::Pbf => import_pbf_file(path, options, &mut progress),
        Kind::GeoJson | Kind::Prepared => import_geojson_file(path, options, &mut progress),
    }
}

/// Where the prepared form of an imported file goes if nobody says where.
pub fn prepared_beside(path: &Path) -> PathBuf {
    let stem = path.with_extension("");
    match stem.extension().is_some_and(|ending| ending == "osm") {
        true => stem.with_extension("ihmap"),
        false => path.with_extension("ihmap"),
    }
}

/// A progress bar whose length is known only when work has begun.
pub struct Bar<'r> {
    report: &'r Report,
    what: &'static str,
    bar: Option<Progress>,
}

impl<'r> Bar<'r> {
    /// A bar that is not drawn before the first step.
    pub fn new(report: &'r Report, what: &'static str) -> Bar<'r> {
        Bar {
            report,
            what,
            bar: None,
        }
    }

    /// `done` steps of `all` are done.
    pub fn set(&mut self, done: u64, all: u64) {
        let (report, what) = (self.report, self.what);
        self.bar
            .get_or_insert_with(|| report.progress(all, what))
            .set(done);
    }
}

/// The fetched city: its prepared form if that is newer and sound, else imported and prepared.
fn city(
    geojson: &Path,
    memory: MapMemory,
    report: &Report,
    notes: &mut Notes,
) -> Result<Found, MapError> {
    let prepared = geojson.with_extension("ihmap");
    if is_newer(&prepared, geojson) {
        match StreetMap::load_into(&prepared, memory) {
            Ok(map) => {
                return Ok(Found {
                    map,
                    source: Source::Prepared(prepared),
                })
            }
            Err(error) => notes.say(format!("{error}; preparing it again")),
        }
    }
    let options = ImportOptions {
        name: Some(CITY_NAME.to_owned()),
        attribution: Some(CITY_ATTRIBUTION.to_owned()),
        ..ImportOptions::default()
    };
    let found = read(geojson, memory, &options, report)?;
    if let Err(error) = found.map.save(&prepared) {
        notes.say(format!("the prepared map is not kept: {error}"));
    }
    Ok(found)
}

fn fallback(report: &Report, notes: &mut Notes) -> Result<Found, MapError> {
    notes.say(
        "there is no real street network in data/: playing on a GENERATED city of the same size. \
         Run scripts/fetch-map.sh to get Gothenburg, or give --map FILE"
            .to_owned(),
    );
    let mut bar = Bar::new(report, "building a city");
    let options = GenerateOptions::like_gothenburg(FALLBACK_SEED);
    Ok(Found {
        map: generate(&options, &mut |done, all| bar.set(done, all))?,
        source: Source::Generated,
    })
}

/// The city's file with this ending, in the first `data` folder that has it.
fn city_file(ending: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let above = program.ancestors().skip(1).take(FOLDERS_ABOVE);
    let folders = std::iter::once(Path::new("")).chain(above);
    folders
        .map(|folder| folder.join("data").join(CITY).with_extension(ending))
        .find(|file| file.is_file())
}

/// What a file is, by its start and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prepared,
    GeoJson,
    Pbf,
}

/// GeoJSON and PBF say so by their names, and by not beginning like a prepared map.
fn kind(path: &Path) -> Kind {
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        _ if is_prepared(path) => Kind::Prepared,
        Some("geojson" | "json") => Kind::GeoJson,
        Some("pbf") => Kind::Pbf,
        _ => Kind::Prepared,
    }
}

fn is_prepared(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    // Asked first: opening a named pipe would wait for its writer.
    path.is_file()
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok())
        && start == MAGIC
}

fn is_newer(one: &Path, other: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    matches!((changed(one), changed(other)), (Ok(one), Ok(other)) if one >= other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_map_goes_beside_its_source() {
        let beside = |path| prepared_beside(Path::new(path));
        assert_eq!(beside("a/b.osm.pbf"), Path::new("a/b.ihmap"));
        assert_eq!(beside("a/b.geojson"), Path::new("a/b.ihmap"));
        assert_eq!(beside("a/b.c.json"), Path::new("a/b.c.ihmap"));
    }

    #[test]
    fn the_kind_of_a_file_is_told_by_its_name_and_its_start() {
        let folder = std::env::temp_dir().join(format!("ironhoard-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (text, magic) = (folder.join("a.geojson"), folder.join("b.json"));
        std::fs::write(&text, "{}").unwrap();
        std::fs::write(&magic, [&MAGIC[..], &[0; 64]].concat()).unwrap();
        assert_eq!(kind(&text), Kind::GeoJson);
        assert_eq!(kind(&magic), Kind::Prepared);
        assert_eq!(kind(Path::new("/nonexistent/c.geojson")), Kind::GeoJson);
        assert_eq!(kind(Path::new("/nonexistent/c.osm.pbf")), Kind::Pbf);
        assert_eq!(kind(&folder), Kind::Prepared);
        assert!(is_newer(&magic, &text) && !is_newer(&text, &folder.join("absent")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
