//! What can be typed behind `ironhoard map`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ironhoard_hunt::map::Travel;

/// The subcommands of `map`.
#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// Turn the streets of a GeoJSON file or an OpenStreetMap extract into a prepared map.
    Import(ImportArguments),
    /// Make a city out of a seed, for where no real map can be had.
    Generate(GenerateArguments),
    /// Say what is in a map.
    Info(InfoArguments),
}

/// Options of `map import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// GeoJSON whose LineStrings are streets, or an OpenStreetMap extract (.osm.pbf).
    pub source: PathBuf,

    /// Where the prepared map goes [default: beside the input, ending in .ihmap].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The map's name [default: the file's own, else its file name].
    #[arg(long)]
    pub name: Option<String>,

    /// Whose data it is and under which licence [default: what the file says].
    #[arg(long, value_name = "TEXT")]
    pub attribution: Option<String>,

    /// Who travels: it decides which streets are open, and which way they lead.
    #[arg(long, value_enum, default_value_t = By::Foot)]
    pub travel: By,
}

/// Options of `map generate`.
#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// Where the prepared map goes.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// Nodes of the city [default: as many as Gothenburg has].
    #[arg(long, value_name = "COUNT")]
    pub nodes: Option<u32>,

    /// Streets between them [default: as many as a real city has].
    #[arg(long, value_name = "COUNT", requires = "nodes")]
    pub streets: Option<u32>,

    /// Arcs, two for each street: another way to say how many streets.
    #[arg(
        long,
        value_name = "COUNT",
        requires = "nodes",
        conflicts_with = "streets"
    )]
    pub arcs: Option<u32>,

    /// The same seed gives the same city.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Options of `map info`.
#[derive(Debug, Args)]
pub struct InfoArguments {
    /// A prepared map, GeoJSON or .osm.pbf.
    pub map: PathBuf,
}

/// Who travels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    /// Players on foot: all but motorways and what is closed, both ways.
    Foot,
    /// Vehicles: no footpaths, and one-way streets lead one way.
    Vehicle,
}

impl From<By> for Travel {
    fn from(by: By) -> Travel {
        match by {
            By::Foot => Travel::Foot,
            By::Vehicle => Travel::Vehicle,
        }
    }
}
