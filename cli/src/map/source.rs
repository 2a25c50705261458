//! The map that `serve` and `demo` play on: a prepared one, GeoJSON, or a generated city.
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
    generate, import_geojson_file, GenerateOptions, ImportOptions, MapError, StreetMap, MAGIC,
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
    /// Imported from this GeoJSON file.
    Imported(PathBuf),
    /// Generated, because there was no real one.
    Generated,
}

impl Source {
    /// The source in a few words, for reports.
    pub fn describe(&self) -> String {
        match self {
            Source::Prepared(path) => format!("prepared map {}", path.display()),
            Source::Imported(path) => format!("GeoJSON {}", path.display()),
            Source::Generated => "generated".to_owned(),
        }
    }
}

/// Opens the map asked for, or the best one there is.
///
/// # Errors
/// [`MapError`] where the map asked for cannot be used; without a wish there is always a map.
pub fn open(wish: Option<&Path>, report: &Report, notes: &mut Notes) -> Result<Found, MapError> {
    match wish {
        Some(path) => read(path, &ImportOptions::default(), report),
        None => match city_file("geojson") {
            Some(geojson) => city(&geojson, report, notes),
            None => city_file("ihmap").map_or_else(
                || fallback(report, notes),
                |prepared| read(&prepared, &ImportOptions::default(), report),
            ),
        },
    }
}

/// Reads a file of either kind.
pub fn read(path: &Path, options: &ImportOptions, report: &Report) -> Result<Found, MapError> {
    if !is_geojson(path) {
        return Ok(Found {
            map: StreetMap::load(path)?,
            source: Source::Prepared(path.to_owned()),
        });
    }
    let mut bar = Bar::new(report, "reading streets");
    let (map, _) = import_geojson_file(path, options, &mut |done, all| bar.set(done, all))?;
    Ok(Found {
        map,
        source: Source::Imported(path.to_owned()),
    })
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
fn city(geojson: &Path, report: &Report, notes: &mut Notes) -> Result<Found, MapError> {
    let prepared = geojson.with_extension("ihmap");
    if is_newer(&prepared, geojson) {
        match StreetMap::load(&prepared) {
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
    let found = read(geojson, &options, report)?;
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

/// GeoJSON says so by its name, and by not beginning like a prepared map.
fn is_geojson(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("geojson" | "json")) && !is_prepared(path)
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
    fn the_kind_of_a_file_is_told_by_its_name_and_its_start() {
        let folder = std::env::temp_dir().join(format!("ironhoard-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (text, magic) = (folder.join("a.geojson"), folder.join("b.json"));
        std::fs::write(&text, "{}").unwrap();
        std::fs::write(&magic, [&MAGIC[..], &[0; 64]].concat()).unwrap();
        assert!(is_geojson(&text));
        assert!(!is_geojson(&magic));
        assert!(is_geojson(Path::new("/nonexistent/c.geojson")));
        assert!(!is_geojson(&folder));
        assert!(is_newer(&magic, &text) && !is_newer(&text, &folder.join("absent")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
