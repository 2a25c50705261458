//! Streets as a graph that a walk can follow without missing the cache.
//!
//! ```text
//!  node n     first_arc[n] ────────────┐            ┌── first_arc[n + 1]
//!                                      ▼            ▼
//!  arcs       … ┼ to u32 │ length u16 │ speed u8 │ spare u8 ┼ … ┼ …      8 bytes each
//! ```
//!
//! All arcs lie in one array, ordered by the node they leave and then by the node they reach; a node
//! knows only where its own begin. Nodes are numbered along a Hilbert curve, so neighbours in the city
//! are neighbours in memory. The numbers depend only on the input: the same file gives the same map.
//!
//! A street segment in both directions is two arcs. Lengths are decimetres in 16 bits: a longer
//! segment is cut when the map is made, so that every place on the map has a name
//! *(from, to, offset in decimetres)* that fits a move.

mod build;
mod earth;
mod error;
mod file;
mod generate;
mod geojson;
mod hilbert;
mod image;
mod import;
mod memory;
mod part;
mod pbf;
mod span;
mod tags;

pub use earth::{great_circle_metres, LonLat, Point, EARTH_RADIUS_METRES};
pub use error::MapError;
pub use generate::{generate, GenerateOptions};
pub use geojson::{import_geojson, import_geojson_file};
pub use image::{FORMAT_VERSION, MAGIC};
pub use import::{ImportOptions, ImportReport, Travel};
pub use memory::{MapMemory, MapPages};
pub use pbf::{import_pbf, import_pbf_file};

use bytemuck::{Pod, Zeroable};
use image::Image;
use serde::Serialize;

/// The longest arc, in decimetres: what the 16-bit offset of a move can reach.
pub const MAX_ARC_LENGTH_DM: u32 = u16::MAX as u32;

/// One direction of one street segment: an entry of the adjacency array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StreetArc {
    /// The node that the arc reaches.
    pub to: u32,
    /// Length in decimetres, at least 1.
    pub length_dm: u16,
    /// Speed allowed on the street in km/h; 0 where the map does not know.
    pub speed_kmh: u8,
    /// Always zero today.
    pub spare: u8,
}

const _: () = assert!(size_of::<StreetArc>() == 8);

/// A street network: nodes with their places, and the arcs between them.
///
/// Made by [`import_geojson_file`], [`generate`] or [`StreetMap::load`]; immutable afterwards. Every
/// index inside is in range, whichever way the map was made.
pub struct StreetMap {
    image: Image,
}

impl StreetMap {
    /// The name of the map, for people.
    pub fn name(&self) -> &str {
        self.image.name()
    }

    /// Who made the data and under which licence it comes; to be shown wherever the map is used.
    pub fn attribution(&self) -> &str {
        self.image.attribution()
    }

    /// Number of nodes. Nodes are numbered from 0.
    #[inline]
    pub fn node_count(&self) -> u32 {
        self.image.sections().places.len() as u32
    }

    /// Number of arcs. A street segment in both directions counts twice.
    #[inline]
    pub fn arc_count(&self) -> u32 {
        self.image.sections().arcs.len() as u32
    }

    /// Bytes of memory that the map takes, which is what its file takes.
    pub fn bytes(&self) -> u64 {
        self.image.bytes().len() as u64
    }

    /// On what pages the map lies. Asks the kernel, so it takes its time.
    pub fn pages(&self) -> MapPages {
        self.image.pages()
    }

    /// Where a node lies, in degrees; `None` for a node that the map does not have.
    #[inline]
    pub fn place(&self, node: u32) -> Option<LonLat> {
        self.image.sections().places.get(node as usize).copied()
    }

    /// Where a node lies, in centimetres from the earth's centre; `None` for an unknown node.
    #[inline]
    pub fn point(&self, node: u32) -> Option<Point> {
        self.image.sections().points.get(node as usize).copied()
    }

    /// The arcs that leave `node`, ordered by the node they reach; none for an unknown node.
    #[inline]
    pub fn arcs_from(&self, node: u32) -> &[StreetArc] {
        let (node, map) = (node as usize, self.image.sections());
        let bounds = map.first_arc.get(node).zip(map.first_arc.get(node + 1));
        bounds
            .and_then(|(&first, &end)| map.arcs.get(first as usize..end as usize))
            .unwrap_or_default()
    }

    /// The arc that leads from one node to another, if there is one.
    #[inline]
    pub fn arc(&self, from: u32, to: u32) -> Option<&StreetArc> {
        self.arcs_from(from).iter().find(|arc| arc.to == to)
    }

    /// Counts and measures of the map, for people and for scripts.
    ///
    /// ```
    /// use ironhoard_hunt::map::{generate, GenerateOptions};
    /// let city = generate(&GenerateOptions::city(1_000, 7), &mut |_, _| {}).unwrap();
    /// let info = city.info();
    /// assert_eq!(info.nodes, 1_000);
    /// assert!(info.street_km > 1.0);
    /// ```
    pub fn info(&self) -> MapInfo {
        MapInfo {
            name: self.name().to_owned(),
            attribution: self.attribution().to_owned(),
            nodes: self.node_count(),
            arcs: self.arc_count(),
            street_km: self.street_decimetres() as f64 / 10_000.0,
            mean_degree: f64::from(self.arc_count()) / f64::from(self.node_count()),
            bounds: Bounds::around(self.image.sections().places),
            bytes: self.bytes(),
        }
    }

    /// Length of all streets; one that can be walked both ways counts once.
    fn street_decimetres(&self) -> u64 {
        let once = |from: u32, arc: &StreetArc| from < arc.to || self.arc(arc.to, from).is_none();
        (0..self.node_count())
            .flat_map(|from| self.arcs_from(from).iter().map(move |arc| (from, arc)))
            .filter(|&(from, arc)| once(from, arc))
            .map(|(_, arc)| u64::from(arc.length_dm))
            .sum()
    }
}

/// Two maps are equal when all their bytes are.
impl PartialEq for StreetMap {
    fn eq(&self, other: &StreetMap) -> bool {
        self.image.bytes() == other.image.bytes()
    }
}

impl Eq for StreetMap {}

impl std::fmt::Debug for StreetMap {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("StreetMap")
            .field("name", &self.name())
            .field("nodes", &self.node_count())
            .field("arcs", &self.arc_count())
            .finish_non_exhaustive()
    }
}

/// A summary of a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapInfo {
    /// The name of the map.
    pub name: String,
    /// Who made the data, and its licence.
    pub attribution: String,
    /// Number of nodes.
    pub nodes: u32,
    /// Number of arcs; a segment in both directions counts twice.
    pub arcs: u32,
    /// Length of all streets in kilometres; a street in both directions counts once.
    pub street_km: f64,
    /// Arcs that leave a node, on average.
    pub mean_degree: f64,
    /// The box that holds all nodes.
    pub bounds: Bounds,
    /// Bytes that the map takes, in memory and in its file.
    pub bytes: u64,
}

/// A box on the map, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Least longitude.
    pub west: f64,
    /// Least latitude.
    pub south: f64,
    /// Greatest longitude.
    pub east: f64,
    /// Greatest latitude.
    pub north: f64,
}

impl Bounds {
    fn around(places: &[LonLat]) -> Bounds {
        let lon = |pick: fn(f64, f64) -> f64, start| {
            places.iter().map(LonLat::lon_degrees).fold(start, pick)
        };
        let lat = |pick: fn(f64, f64) -> f64, start| {
            places.iter().map(LonLat::lat_degrees).fold(start, pick)
        };
        Bounds {
            west: lon(f64::min, f64::INFINITY),
            south: lat(f64::min, f64::INFINITY),
            east: lon(f64::max, f64::NEG_INFINITY),
            north: lat(f64::max, f64::NEG_INFINITY),
        }
    }
}
