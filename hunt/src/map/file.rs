//! The prepared map file (`.ihmap`): the [image](super::image) of a map, saved and loaded whole.
//!
//! ```text
//!  save   temporary file beside the target ── written ── synced ── renamed
//!  load   header ── length ── memory ──┬── checksum ──┬── a map
//!                                      └── indexes ───┘      on two threads
//! ```
//!
//! Readers see the old map or the new one, never half of one. Loading checks the checksum and then
//! every index as well: a file with a right checksum and wrong content must not harm the engine either.
//! Both checks read all there is, so they go on at the same time.
//!
//! Costs for 2.3 million nodes and 6.8 million arcs, 110 MB: docs/decisions/0011-maps.md.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::image::{checksum, HeaderProblem, Image, Sections, Sizes, CHECKSUM, HEADER_BYTES};
use super::memory::{MapMemory, Memory};
use super::{LonLat, MapError, Point, StreetArc, StreetMap, FORMAT_VERSION};
use crate::huge_page::HUGE_PAGE;

impl StreetMap {
    /// Writes the map to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`MapError::File`] where the system refuses.
    pub fn save(&self, path: &Path) -> Result<(), MapError> {
        let temporary = temporary_beside(path);
        let written = write_synced(&temporary, self.image.bytes())
            .and_then(|()| std::fs::rename(&temporary, path))
            .and_then(|()| sync_directory(path));
        if written.is_err() {
            // The half-written file is useless; that it may be gone already changes nothing.
            let _ = std::fs::remove_file(&temporary);
        }
        written.map_err(MapError::file("write", path))
    }

    /// Loads a map that [`StreetMap::save`] wrote into memory of the process's own, on 2 MiB pages
    /// where there are some, and checks all of it.
    ///
    /// # Errors
    /// [`MapError::File`] where the file cannot be read, [`MapError::Version`] where another version
    /// wrote it, [`MapError::Damaged`] for everything else; the message says what was found.
    ///
    /// ```
    /// use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
    /// # let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("city.ihmap");
    /// let city = generate(&GenerateOptions::city(100, 1), &mut |_, _| {}).unwrap();
    /// city.save(&path).unwrap();
    /// assert_eq!(StreetMap::load(&path).unwrap(), city);
    /// ```
    pub fn load(path: &Path) -> Result<StreetMap, MapError> {
        StreetMap::load_into(path, MapMemory::Huge)
    }

    /// As [`StreetMap::load`], into the memory of your choice.
    ///
    /// # Errors
    /// Those of [`StreetMap::load`].
    pub fn load_into(path: &Path, memory: MapMemory) -> Result<StreetMap, MapError> {
        let damaged = |problem| MapError::Damaged {
            path: path.to_path_buf(),
            problem,
        };
        // Asked by path first: opening a named pipe would wait for somebody to write into it.
        let metadata = std::fs::metadata(path).map_err(MapError::file("open", path))?;
        if !metadata.is_file() {
            return Err(damaged("it is no regular file".into()));
        }
        let file = File::open(path).map_err(MapError::file("open", path))?;
        let sizes = read_sizes(&file, metadata.len(), path)?;
        let length = sizes.image_bytes();
        if metadata.len() != length {
            let found = metadata.len();
            return Err(damaged(format!(
                "it has {found} bytes and should have {length}"
            )));
        }
        // What fits a page is read in no time.
        let memory = match memory {
            MapMemory::FileFirst if length < HUGE_PAGE as u64 => MapMemory::Huge,
            other => other,
        };
        let held = match memory {
            MapMemory::Huge => Memory::read(&file, length as usize),
            _ => Memory::of_file(&file, length as usize),
        };
        let held = held.map_err(MapError::file("read", path))?;
        let image = Image::of(held, &sizes).map_err(damaged)?;
        let sum = check(&image).map_err(damaged)?;
        let image = match memory {
            MapMemory::FileFirst => image.will_settle(file, sum),
            MapMemory::Huge | MapMemory::File => image,
        };
        Ok(StreetMap { image })
    }

    /// Moves a map that was loaded with [`MapMemory::FileFirst`] to memory of its own, while it may be
    /// read. Does nothing for other maps, and nothing more once it has moved.
    ///
    /// # Errors
    /// Where the file was changed since it was checked, or the memory cannot be had: the map stays on the
    /// pages of its file.
    ///
    /// ```
    /// use ironhoard_hunt::map::{generate, GenerateOptions, MapMemory, StreetMap};
    /// # let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("city.ihmap");
    /// let city = generate(&GenerateOptions::city(80_000, 1), &mut |_, _| {}).unwrap();
    /// city.save(&path).unwrap();
    /// let map = StreetMap::load_into(&path, MapMemory::FileFirst).unwrap();
    /// assert_eq!(map, city); // on the pages of its file
    /// map.settle().unwrap(); // perhaps on another thread, when there is time
    /// assert_eq!(map, city);
    /// ```
    pub fn settle(&self) -> Result<(), std::io::Error> {
        self.image.settle()
    }
}

/// Reads the header, and goes back to the start of the file.
fn read_sizes(mut file: &File, length: u64, path: &Path) -> Result<Sizes, MapError> {
    let damaged = |problem: String| MapError::Damaged {
        path: path.to_path_buf(),
        problem,
    };
    if length < HEADER_BYTES as u64 {
        return Err(damaged(format!(
            "it has {length} bytes, a map has at least 64"
        )));
    }
    let mut head = [0; HEADER_BYTES];
    file.read_exact(&mut head)
        .and_then(|()| file.rewind())
        .map_err(MapError::file("read", path))?;
    Sizes::read(&head).map_err(|problem| match problem {
        HeaderProblem::NoMap => damaged("it is no prepared map".into()),
        HeaderProblem::Impossible => damaged("its header asks for impossible sizes".into()),
        HeaderProblem::Version(found) => MapError::Version {
            path: path.to_path_buf(),
            found,
            expected: FORMAT_VERSION,
        },
    })
}

/// Checks an image whole: its checksum, and meanwhile what the rest of the crate takes for granted. Returns
/// the checksum.
fn check(image: &Image) -> Result<[u8; 32], String> {
    let bytes = image.bytes();
    let (sum, content) = std::thread::scope(|scope| {
        let content = scope.spawn(|| check_content(image.sections()));
        (checksum(bytes), content.join())
    });
    if sum != bytes[CHECKSUM] {
        return Err("its checksum is wrong".into());
    }
    // The check of a damaged content may fail in any way; that of a sound one does not panic.
    content.unwrap_or_else(|_| Err("its content cannot be checked".into()))?;
    Ok(sum)
}

/// Every index in range, every number sane.
fn check_content(map: &Sections<'_>) -> Result<(), String> {
    if map.places.len() < 2 || map.arcs.is_empty() {
        return Err("it has no streets".into());
    }
    if !map.places.iter().all(LonLat::is_on_earth) {
        return Err("a place is beyond ±180 or ±90 degrees".into());
    }
    if !map.points.iter().all(Point::is_within_earth) {
        return Err("a point is outside the earth".into());
    }
    let (nodes, arcs) = (map.places.len() as u32, map.arcs.len() as u32);
    let rising = map.first_arc.windows(2).all(|pair| pair[0] <= pair[1]);
    let ends = (map.first_arc.first(), map.first_arc.last());
    if !rising || ends != (Some(&0), Some(&arcs)) {
        return Err("its index of arcs is not in order".into());
    }
    let sane = |arc: &StreetArc| arc.to < nodes && arc.length_dm > 0 && arc.spare == 0;
    if let Some(arc) = map.arcs.iter().position(|arc| !sane(arc)) {
        return Err(format!("arc {arc} leads nowhere"));
    }
    let ordered = |pair: &[u32]| {
        map.arcs[pair[0] as usize..pair[1] as usize].is_sorted_by(|a, b| a.to < b.to)
    };
    match map.first_arc.windows(2).position(|pair| !ordered(pair)) {
        Some(node) => Err(format!("the arcs of node {node} are not in order")),
        None => Ok(()),
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
