//! The prepared map file (`.ihmap`): a map as it lies in memory, with a checksum before it.
//!
//! ```text
//!  0          8           12         16         20         24            32                64
//!  ├─ magic ──┼─ version ─┼─ nodes ──┼─ arcs ───┼─ name ───┼─ attribution ┼─ SHA-256 ───────┤
//!  │ IRONMAP1 │ u32       │ u32      │ u32      │ u32 bytes│ u32, u32 zero│ of all the rest │
//!
//!  64: places  (i32 lon, i32 lat) × nodes      then first_arc  u32 × (nodes + 1)
//!      points  (i32 x, y, z)      × nodes           arcs       (u32, u16, u8, u8) × arcs
//!                                                   name, attribution  UTF-8
//! ```
//!
//! All little-endian; each section begins at a multiple of 64 and the gaps are zero. The header fixes
//! the length of the file exactly, so a truncated file is known before anything is allocated. Loading
//! checks the checksum and then every index as well: a file with a right checksum and wrong content
//! must not harm the engine either. Saving writes a temporary file beside the target, syncs it and
//! renames it: readers see the old map or the new one, never half of one.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{LonLat, MapError, Point, StreetArc, StreetMap};

/// The first eight bytes of a map file.
pub const MAGIC: [u8; 8] = *b"IRONMAP1";
/// The version of the format that is written and read.
pub const FORMAT_VERSION: u32 = 1;

const HEADER_BYTES: usize = 64;
const CHECKSUM: std::ops::Range<usize> = 32..64;
/// The most bytes that the name and the attribution may take each.
const MAX_TEXT_BYTES: u32 = 1 << 16;

impl StreetMap {
    /// Writes the map to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`MapError::File`] where the system refuses, [`MapError::TooLarge`] for a name or attribution
    /// beyond 65,536 bytes.
    pub fn save(&self, path: &Path) -> Result<(), MapError> {
        let bytes = self.to_bytes()?;
        let temporary = temporary_beside(path);
        let written = write_synced(&temporary, &bytes)
            .and_then(|()| std::fs::rename(&temporary, path))
            .and_then(|()| sync_directory(path));
        if written.is_err() {
            // The half-written file is useless; that it may be gone already changes nothing.
            let _ = std::fs::remove_file(&temporary);
        }
        written.map_err(MapError::file("write", path))
    }

    /// Loads a map that [`StreetMap::save`] wrote, and checks all of it.
    ///
    /// # Errors
    /// [`MapError::File`] where the file cannot be read, [`MapError::Version`] where another version
    /// wrote it, [`MapError::Damaged`] for everything else; the message says what was found.
    pub fn load(path: &Path) -> Result<StreetMap, MapError> {
        // Asked by path first: opening a named pipe would wait for somebody to write into it.
        let metadata = std::fs::metadata(path).map_err(MapError::file("open", path))?;
        let damaged = |problem| MapError::Damaged {
            path: path.to_path_buf(),
            problem,
        };
        if !metadata.is_file() {
            return Err(damaged("it is no regular file".into()));
        }
        let mut file = File::open(path).map_err(MapError::file("open", path))?;
        let mut head = [0; HEADER_BYTES];
        if metadata.len() < HEADER_BYTES as u64 {
            return Err(damaged(format!(
                "it has {} bytes, a map has at least 64",
                metadata.len()
            )));
        }
        file.read_exact(&mut head)
            .map_err(MapError::file("read", path))?;
        let sizes = Sizes::read(&head, path)?;
        if metadata.len() != sizes.file_bytes() {
            let (found, expected) = (metadata.len(), sizes.file_bytes());
            return Err(damaged(format!(
                "it has {found} bytes and should have {expected}"
            )));
        }
        let mut body = vec![0; sizes.file_bytes() as usize - HEADER_BYTES];
        file.read_exact(&mut body)
            .map_err(MapError::file("read", path))?;
        if checksum(&head, &body) != head[CHECKSUM] {
            return Err(damaged("its checksum is wrong".into()));
        }
        let map = sizes.map(&body).map_err(damaged)?;
        map.check().map_err(damaged)?;
        Ok(map)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, MapError> {
        let sizes = Sizes {
            nodes: self.node_count(),
            arcs: self.arc_count(),
            name: text_bytes(&self.name)?,
            attribution: text_bytes(&self.attribution)?,
        };
        let mut out = Vec::with_capacity(sizes.file_bytes() as usize);
        out.extend(sizes.header());
        section(&mut out, self.places.iter().flat_map(place_bytes));
        section(&mut out, self.points.iter().flat_map(point_bytes));
        section(
            &mut out,
            self.first_arc.iter().flat_map(|first| first.to_le_bytes()),
        );
        section(&mut out, self.arcs.iter().flat_map(arc_bytes));
        section(&mut out, self.name.bytes());
        section(&mut out, self.attribution.bytes());
        let (head, body) = out.split_at_mut(HEADER_BYTES);
        let sum = checksum(head, body);
        head[CHECKSUM].copy_from_slice(&sum);
        Ok(out)
    }

    /// Checks what the rest of the crate takes for granted: every index in range, every number sane.
    fn check(&self) -> Result<(), String> {
        if self.places.len() < 2 || self.arcs.is_empty() {
            return Err("it has no streets".into());
        }
        if !self.places.iter().all(LonLat::is_on_earth) {
            return Err("a place is beyond ±180 or ±90 degrees".into());
        }
        if !self.points.iter().all(Point::is_within_earth) {
            return Err("a point is outside the earth".into());
        }
        let rising = self.first_arc.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = (self.first_arc.first(), self.first_arc.last());
        if !rising || ends != (Some(&0), Some(&self.arc_count())) {
            return Err("its index of arcs is not in order".into());
        }
        let sane =
            |arc: &StreetArc| arc.to < self.node_count() && arc.length_dm > 0 && arc.spare == 0;
        if let Some(arc) = self.arcs.iter().position(|arc| !sane(arc)) {
            return Err(format!("arc {arc} leads nowhere"));
        }
        let ordered = |node| self.arcs_from(node).is_sorted_by(|a, b| a.to < b.to);
        match (0..self.node_count()).find(|&node| !ordered(node)) {
            Some(node) => Err(format!("the arcs of node {node} are not in order")),
            None => Ok(()),
        }
    }
}

/// What the header says about the rest of the file.
struct Sizes {
    nodes: u32,
    arcs: u32,
    name: u32,
    attribution: u32,
}

impl Sizes {
    fn header(&self) -> [u8; HEADER_BYTES] {
        let mut head = [0; HEADER_BYTES];
        head[0..8].copy_from_slice(&MAGIC);
        let words = [
            FORMAT_VERSION,
            self.nodes,
            self.arcs,
            self.name,
            self.attribution,
            0,
        ];
        for (index, word) in words.into_iter().enumerate() {
            head[8 + 4 * index..12 + 4 * index].copy_from_slice(&word.to_le_bytes());
        }
        head
    }

    fn read(head: &[u8; HEADER_BYTES], path: &Path) -> Result<Sizes, MapError> {
        let damaged = |problem: &str| MapError::Damaged {
            path: path.to_path_buf(),
            problem: problem.into(),
        };
        if head[0..8] != MAGIC {
            return Err(damaged("it is no prepared map"));
        }
        let word = |index: usize| u32_at(&head[8..32], index);
        if word(0) != FORMAT_VERSION {
            let (found, expected) = (word(0), FORMAT_VERSION);
            return Err(MapError::Version {
                path: path.to_path_buf(),
                found,
                expected,
            });
        }
        let sizes = Sizes {
            nodes: word(1),
            arcs: word(2),
            name: word(3),
            attribution: word(4),
        };
        if sizes.nodes == u32::MAX || sizes.name.max(sizes.attribution) > MAX_TEXT_BYTES {
            return Err(damaged("its header asks for impossible sizes"));
        }
        Ok(sizes)
    }

    /// Bytes of the six sections, in their order.
    fn sections(&self) -> [u64; 6] {
        let (nodes, arcs) = (u64::from(self.nodes), u64::from(self.arcs));
        [
            8 * nodes,
            12 * nodes,
            4 * (nodes + 1),
            8 * arcs,
            self.name.into(),
            self.attribution.into(),
        ]
    }

    fn file_bytes(&self) -> u64 {
        let padded = |bytes: u64| bytes.next_multiple_of(64);
        HEADER_BYTES as u64 + self.sections().into_iter().map(padded).sum::<u64>()
    }

    /// Takes the body apart. It is exactly as long as [`Sizes::file_bytes`] says.
    fn map(&self, mut body: &[u8]) -> Result<StreetMap, String> {
        let mut next = |bytes: u64| {
            let (section, rest) = body.split_at(bytes.next_multiple_of(64) as usize);
            body = rest;
            section.split_at(bytes as usize)
        };
        let sections = self.sections().map(&mut next);
        if sections
            .iter()
            .any(|(_, gap)| gap.iter().any(|&byte| byte != 0))
        {
            return Err("the gaps between its sections are not empty".into());
        }
        let [places, points, first_arc, arcs, name, attribution] =
            sections.map(|(content, _)| content);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
        let no_text = |_| String::from("its name or attribution is no UTF-8");
        Ok(StreetMap {
            name: text(name).map_err(no_text)?,
            attribution: text(attribution).map_err(no_text)?,
            places: places.chunks_exact(8).map(place_from).collect(),
            points: points.chunks_exact(12).map(point_from).collect(),
            first_arc: first_arc
                .chunks_exact(4)
                .map(|word| u32_at(word, 0))
                .collect(),
            arcs: arcs.chunks_exact(8).map(arc_from).collect(),
        })
    }
}

fn checksum(head: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(&head[..CHECKSUM.start])
        .chain_update(body)
        .finalize()
        .into()
}

/// Appends a section and the zeros behind it.
fn section(out: &mut Vec<u8>, bytes: impl Iterator<Item = u8>) {
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(64), 0);
}

fn text_bytes(text: &str) -> Result<u32, MapError> {
    let (found, limit) = (text.len() as u64, u64::from(MAX_TEXT_BYTES));
    match found <= limit {
        true => Ok(found as u32),
        false => Err(MapError::TooLarge {
            what: "bytes of name or attribution",
            found,
            limit,
        }),
    }
}

/// The `index`th little-endian word of `bytes`.
fn u32_at(bytes: &[u8], index: usize) -> u32 {
    let word = &bytes[4 * index..4 * index + 4];
    u32::from_le_bytes([word[0], word[1], word[2], word[3]])
}

fn i32_at(bytes: &[u8], index: usize) -> i32 {
    u32_at(bytes, index) as i32
}

fn place_bytes(place: &LonLat) -> impl Iterator<Item = u8> + use<> {
    [place.lon_e7, place.lat_e7]
        .into_iter()
        .flat_map(i32::to_le_bytes)
}

fn place_from(bytes: &[u8]) -> LonLat {
    LonLat {
        lon_e7: i32_at(bytes, 0),
        lat_e7: i32_at(bytes, 1),
    }
}

fn point_bytes(point: &Point) -> impl Iterator<Item = u8> + use<> {
    [point.x, point.y, point.z]
        .into_iter()
        .flat_map(i32::to_le_bytes)
}

fn point_from(bytes: &[u8]) -> Point {
    Point {
        x: i32_at(bytes, 0),
        y: i32_at(bytes, 1),
        z: i32_at(bytes, 2),
    }
}

fn arc_bytes(arc: &StreetArc) -> [u8; 8] {
    let [a, b, c, d] = arc.to.to_le_bytes();
    let [e, f] = arc.length_dm.to_le_bytes();
    [a, b, c, d, e, f, arc.speed_kmh, arc.spare]
}

fn arc_from(bytes: &[u8]) -> StreetArc {
    StreetArc {
        to: u32_at(bytes, 0),
        length_dm: u16::from_le_bytes([bytes[4], bytes[5]]),
        speed_kmh: bytes[6],
        spare: bytes[7],
    }
}

/// A name beside `path` that no other process uses.
fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename last: a name is safe once its directory is synced.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
