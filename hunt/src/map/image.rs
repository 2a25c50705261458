//! A map as it lies in memory, which is how it lies in its file: no byte is moved to load one.
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
//! the length exactly, so an image that was cut short is known before anything else is looked at.

#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::memory::{MapPages, Memory};
use super::{LonLat, MapError, Point, StreetArc};

/// The first eight bytes of a map file.
pub const MAGIC: [u8; 8] = *b"IRONMAP1";
/// The version of the format that is written and read.
pub const FORMAT_VERSION: u32 = 1;

/// Bytes before the first section.
pub(super) const HEADER_BYTES: usize = 64;
/// Where the checksum lies.
pub(super) const CHECKSUM: Range<usize> = 32..64;
/// The most bytes that the name and the attribution may take each.
const MAX_TEXT_BYTES: u32 = 1 << 16;

const _: () = assert!(cfg!(target_endian = "little"), "maps are little-endian");

/// The content of a map that is being made.
pub(super) struct Content<'c> {
    pub name: &'c str,
    pub attribution: &'c str,
    pub places: &'c [LonLat],
    pub points: &'c [Point],
    pub first_arc: &'c [u32],
    pub arcs: &'c [StreetArc],
}

/// The memory of a map, and where its sections are.
pub(super) struct Image {
    // Declared before the memory that it looks into, and so dropped before it.
    sections: Sections<'static>,
    memory: Memory,
    // Copies: a file that is changed while it is mapped could make them texts no more.
    name: Box<str>,
    attribution: Box<str>,
    unsettled: Mutex<Option<Unsettled>>,
}

/// The content of an image.
#[derive(Clone, Copy)]
pub(super) struct Sections<'m> {
    pub places: &'m [LonLat],
    pub points: &'m [Point],
    pub first_arc: &'m [u32],
    pub arcs: &'m [StreetArc],
}

/// The file that an image is mapped of until it settles, and the checksum that was found right.
struct Unsettled {
    file: File,
    sum: [u8; 32],
}

impl Image {
    /// The image of this content, with its checksum.
    ///
    /// # Errors
    /// [`MapError::TooLarge`] for texts beyond 65,536 bytes, [`MapError::NoMemory`].
    pub fn new(content: &Content<'_>) -> Result<Image, MapError> {
        let sizes = Sizes {
            nodes: content.places.len() as u32,
            arcs: content.arcs.len() as u32,
            name: text_bytes(content.name)?,
            attribution: text_bytes(content.attribution)?,
        };
        let bytes = sizes.image_bytes();
        let memory = Memory::filled(bytes as usize, |image| {
            sizes.fill(image, content);
            Ok::<(), std::io::Error>(())
        })
        .map_err(|source| MapError::NoMemory { bytes, source })?;
        // What was just written is in order.
        Image::of(memory, &sizes).map_err(|problem| MapError::Damaged {
            path: "memory".into(),
            problem,
        })
    }

    /// The image in this memory, which must be as long as `sizes` says.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn of(memory: Memory, sizes: &Sizes) -> Result<Image, String> {
        // SAFETY: the sections go into the same value as the memory, are not handed out with this
        // lifetime (`sections` shortens it) and are dropped before the memory: fields are dropped in
        // the order in which they are declared, and references need no dropping.
        let bytes = unsafe { memory.bytes_for_their_owner() };
        let (sections, [name, attribution]) = sizes.take_apart(bytes)?;
        Ok(Image {
            sections,
            memory,
            name,
            attribution,
            unsettled: Mutex::new(None),
        })
    }

    /// From now on [`Image::settle`] has something to do: the image is mapped of `file`, and its checksum
    /// was found to be `sum`.
    pub fn will_settle(self, file: File, sum: [u8; 32]) -> Image {
        let unsettled = Mutex::new(Some(Unsettled { file, sum }));
        Image { unsettled, ..self }
    }

    /// Moves an image that is mapped of its file to memory of its own, once. Who calls it meanwhile waits;
    /// who calls it after a failure tries again.
    ///
    /// # Errors
    /// Where the file is no longer the one that was checked, or the memory cannot be had.
    pub fn settle(&self) -> Result<(), std::io::Error> {
        let mut unsettled = self
            .unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(Unsettled { file, sum }) = &*unsettled else {
            return Ok(());
        };
        // Whoever changes the content can change the checksum in it: what counts is the one found right.
        let is_same = |copy: &[u8]| copy[CHECKSUM] == *sum && checksum(copy) == *sum;
        match self.memory.settle(file, is_same)? {
            true => {
                *unsettled = None;
                Ok(())
            }
            false => Err(std::io::Error::other(
                "it was changed in place after it was checked",
            )),
        }
    }

    /// The name of the map.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who made the data.
    pub fn attribution(&self) -> &str {
        &self.attribution
    }

    /// What is in the image.
    #[inline]
    pub fn sections(&self) -> &Sections<'_> {
        &self.sections
    }

    /// All bytes of the image.
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// On what pages it lies.
    pub fn pages(&self) -> MapPages {
        self.memory.pages()
    }
}

/// What the header says about the rest.
pub(super) struct Sizes {
    nodes: u32,
    arcs: u32,
    name: u32,
    attribution: u32,
}

/// What a header is, if it is none of a map that can be read.
pub(super) enum HeaderProblem {
    NoMap,
    Version(u32),
    Impossible,
}

impl Sizes {
    /// Reads a header.
    pub fn read(head: &[u8; HEADER_BYTES]) -> Result<Sizes, HeaderProblem> {
        if head[0..8] != MAGIC {
            return Err(HeaderProblem::NoMap);
        }
        let word = |index: usize| {
            let at = 8 + 4 * index;
            u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
        };
        if word(0) != FORMAT_VERSION {
            return Err(HeaderProblem::Version(word(0)));
        }
        let sizes = Sizes {
            nodes: word(1),
            arcs: word(2),
            name: word(3),
            attribution: word(4),
        };
        match sizes.nodes == u32::MAX || sizes.name.max(sizes.attribution) > MAX_TEXT_BYTES {
            true => Err(HeaderProblem::Impossible),
            false => Ok(sizes),
        }
    }

    /// Bytes of the whole image.
    pub fn image_bytes(&self) -> u64 {
        let padded = |bytes: u64| bytes.next_multiple_of(64);
        HEADER_BYTES as u64 + self.sections().into_iter().map(padded).sum::<u64>()
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

    /// Writes header, sections and checksum into zeroed memory.
    fn fill(&self, image: &mut [u8], content: &Content<'_>) {
        image[0..8].copy_from_slice(&MAGIC);
        let words = [
            FORMAT_VERSION,
            self.nodes,
            self.arcs,
            self.name,
            self.attribution,
        ];
        image[8..28].copy_from_slice(bytemuck::bytes_of(&words));
        let sections: [&[u8]; 6] = [
            bytemuck::cast_slice(content.places),
            bytemuck::cast_slice(content.points),
            bytemuck::cast_slice(content.first_arc),
            bytemuck::cast_slice(content.arcs),
            content.name.as_bytes(),
            content.attribution.as_bytes(),
        ];
        let mut at = HEADER_BYTES;
        for section in sections {
            image[at..at + section.len()].copy_from_slice(section);
            at = (at + section.len()).next_multiple_of(64);
        }
        let sum = checksum(image);
        image[CHECKSUM].copy_from_slice(&sum);
    }

    /// Finds the sections in an image that is exactly as long as [`Sizes::image_bytes`] says.
    fn take_apart<'m>(&self, image: &'m [u8]) -> Result<(Sections<'m>, [Box<str>; 2]), String> {
        let mut rest = image.get(HEADER_BYTES..).unwrap_or_default();
        let mut next = |bytes: u64| -> Option<(&'m [u8], &'m [u8])> {
            let (section, behind) = rest.split_at_checked(bytes.next_multiple_of(64) as usize)?;
            rest = behind;
            Some(section.split_at(bytes as usize))
        };
        let mut sections = [&[][..]; 6];
        for (section, bytes) in sections.iter_mut().zip(self.sections()) {
            let (content, gap) = next(bytes).ok_or("it is shorter than its header says")?;
            if gap.iter().any(|&byte| byte != 0) {
                return Err("the gaps between its sections are not empty".into());
            }
            *section = content;
        }
        let [places, points, first_arc, arcs, name, attribution] = sections;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map(String::into_boxed_str)
                .map_err(|_| String::from("its name or attribution is no UTF-8"))
        };
        let sections = Sections {
            places: typed(places)?,
            points: typed(points)?,
            first_arc: typed(first_arc)?,
            arcs: typed(arcs)?,
        };
        Ok((sections, [text(name)?, text(attribution)?]))
    }
}

/// A section as what it holds. Sections begin at multiples of 64 of memory that begins at a page.
fn typed<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Result<&[T], String> {
    bytemuck::try_cast_slice(bytes).map_err(|problem| format!("a section is askew: {problem}"))
}

/// The checksum of an image: of all its bytes but those of the checksum.
pub(super) fn checksum(image: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(&image[..CHECKSUM.start])
        .chain_update(&image[CHECKSUM.end..])
        .finalize()
        .into()
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
