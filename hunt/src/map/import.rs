//! What imports from all kinds of files have in common: their options, their report, their limits.

use std::path::Path;

use serde::Serialize;

use super::{great_circle_metres, LonLat, MapError};

/// A segment longer than this is a broken coordinate, not a street.
const MAX_SEGMENT_METRES: f64 = 100_000.0;

/// Who travels, and so which tags bind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Travel {
    /// Players on foot: every street that is open to them, both ways; motorways are not.
    #[default]
    Foot,
    /// Vehicles: one-way tags, roundabouts and motorways lead one way, and footpaths are closed.
    Vehicle,
}

/// How to read a file of streets.
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
    /// Features in the file; in a PBF file, ways.
    pub features: u64,
    /// Features that became streets.
    pub streets: u64,
    /// Features left out because they are no lines or not open to travel.
    pub other: u64,
    /// Features left out because their coordinates are broken.
    pub broken: u64,
    /// The first broken feature, and what is wrong with it. GeoJSON's are counted from 1.
    pub first_broken: Option<String>,
    /// Places that streets name and the file does not hold, as at the border of an extract.
    pub missing_places: u64,
    /// No relations follow the ways of a PBF file, as they do in nearly every whole one. The format has no
    /// end mark, so a file that was cut exactly between two blocks cannot be told from a whole one; but
    /// one that lost blocks of nodes lacks places, and one that lost ways lacks relations too.
    pub may_be_cut: bool,
    /// Places left out because they are not connected with the largest part of the network.
    pub unconnected_places: u64,
}

impl ImportReport {
    /// Counts a broken feature; the first one is named.
    pub(super) fn broken(&mut self, what: impl FnOnce() -> String) {
        self.broken += 1;
        self.first_broken.get_or_insert_with(what);
    }

    /// What to say where nothing of all this became a street.
    pub(super) fn no_streets(&self) -> MapError {
        let ImportReport {
            features,
            other,
            broken,
            first_broken,
            ..
        } = self;
        let example = first_broken
            .as_ref()
            .map(|problem| format!("; {problem}"))
            .unwrap_or_default();
        MapError::NoStreets {
            found: format!(
                "{features} features: {other} are no streets, {broken} are broken{example}"
            ),
        }
    }
}

/// Whether these two neighbours of a line cannot be.
pub(super) fn is_too_long(pair: &[LonLat]) -> bool {
    great_circle_metres(pair[0], pair[1]) > MAX_SEGMENT_METRES
}

/// The name of a map that its file does not name: the file's own, without endings.
pub(super) fn named_after(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_suffix(".osm").unwrap_or(&stem).to_owned()
}
