//! What can be wrong with a map, and what to do about it.

use std::path::{Path, PathBuf};

/// Why a map could not be imported, generated, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The file could not be opened, read or written.
    #[error("cannot {action} map file {}: {source}; check the path and its permissions", path.display())]
    File {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The prepared map file is damaged, truncated or no map file at all.
    #[error("map file {} cannot be used: {problem}; prepare it again with `ironhoard map import` or `ironhoard map generate`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },

    /// The prepared map file was written by another version of the format.
    #[error("map file {} has format {found}, this program reads format {expected}; prepare it again with `ironhoard map import`", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The format that can be read.
        expected: u32,
    },

    /// The GeoJSON is broken.
    #[error("cannot read GeoJSON: {problem}; give a FeatureCollection with LineString streets")]
    GeoJson {
        /// What is wrong, and where.
        problem: String,
    },

    /// The OpenStreetMap PBF is broken.
    #[error("cannot read OpenStreetMap PBF: {problem}; give a whole .osm.pbf extract, and fetch it again if it is damaged")]
    Pbf {
        /// What is wrong.
        problem: String,
    },

    /// Nothing to walk on was found.
    #[error("the map has no streets ({found}); give GeoJSON with LineString features, or a PBF extract with highways, of at least two different places that reach each other")]
    NoStreets {
        /// What was found instead.
        found: String,
    },

    /// More nodes or arcs than 32-bit numbers can name.
    #[error("the map has {found} {what}, at most {limit} are possible; import a smaller area")]
    TooLarge {
        /// `nodes`, `arcs` or `bytes of text`.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there can be.
        limit: u64,
    },

    /// There is no memory for the map.
    #[error(
        "no memory for a map of {bytes} bytes: {source}; import a smaller area, or free memory"
    )]
    NoMemory {
        /// Bytes that the map takes.
        bytes: u64,
        /// What the system said.
        source: std::io::Error,
    },

    /// The size asked of the generator is not possible.
    #[error("cannot generate {nodes} nodes with {streets} streets: {reason}")]
    Generate {
        /// Nodes asked for.
        nodes: u32,
        /// Street segments asked for.
        streets: u32,
        /// What is possible.
        reason: &'static str,
    },
}

impl MapError {
    /// A closure for `map_err`: the system refused to `action` the file at `path`.
    pub(super) fn file<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> MapError + 'a {
        move |source| MapError::File {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}
