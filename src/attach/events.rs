//! The engine's event rings as the conversation knows them: regions that are made before any host
//! comes, and handed to each host that wishes for them, open for reading only.
//!
//! The order is the protection, as for the reply region: mapped by us, closed to all other writers, and
//! only then handed out.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::header::RegionHeader;
use super::message::ALL_EVENT_RINGS;
use super::refusal::{Refusal, RefusalCode};
use super::{EventRingTerms, EventTerms};
use crate::layout::{event_region_bytes, ROLE_EVENT};
use crate::region::{Mapping, PageMode, Region, RegionError};

/// What an engine can hand out: its event rings, open for reading only.
///
/// ```
/// use ironhoard::attach::EventRings;
/// use ironhoard::region::PageMode;
/// let (rings, mappings) = EventRings::create(&[0, 0], 1 << 16, PageMode::Small)?;
/// assert_eq!((rings.terms().rings.len(), mappings.len()), (2, 2));
/// assert!(mappings.iter().all(|mapping| mapping.writable()));
/// # Ok::<(), ironhoard::region::RegionError>(())
/// ```
#[derive(Debug)]
pub struct EventRings {
    terms: EventTerms,
    fds: Vec<OwnedFd>,
}

impl EventRings {
    /// Makes an event ring of `capacity` bytes for each entry of `shards`: the shard that will write it.
    /// Returns what can be handed out, and the only writable mappings there will ever be.
    ///
    /// # Errors
    /// [`RegionError`] where memory or descriptors are short; nothing is left behind.
    pub fn create(
        shards: &[u32],
        capacity: u64,
        pages: PageMode,
    ) -> Result<(EventRings, Vec<Mapping>), RegionError> {
        let life = new_life();
        let (mut fds, mut rings, mut mappings) = (Vec::new(), Vec::new(), Vec::new());
        for (index, &shard) in (0..).zip(shards) {
            let bytes = event_region_bytes(capacity);
            let region = Region::create("ironhoard-event", bytes, pages)?;
            let mapping = Mapping::read_write(region.fd(), region.bytes())?;
            region.seal_writes()?;
            RegionHeader::new(ROLE_EVENT, life, index).write(&mapping);
            fds.push(region.read_only_fd()?);
            rings.push(EventRingTerms {
                bytes: region.bytes(),
                pages: region.page_size(),
                shard,
            });
            mappings.push(mapping);
        }
        let terms = match rings.is_empty() {
            true => EventTerms::default(),
            false => EventTerms {
                life,
                capacity,
                rings,
            },
        };
        Ok((EventRings { terms, fds }, mappings))
    }

    /// All rings, as WELCOME describes them.
    pub fn terms(&self) -> &EventTerms {
        &self.terms
    }

    /// The first `rings` of them.
    pub(super) fn granted(&self, rings: usize) -> EventTerms {
        match rings {
            0 => EventTerms::default(),
            _ => EventTerms {
                rings: self.terms.rings[..rings].to_vec(),
                ..self.terms
            },
        }
    }

    /// Descriptors of the first `rings` of them.
    pub(super) fn fds(&self, rings: usize) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.fds[..rings].iter().map(AsFd::as_fd)
    }
}

/// How many of `there` event rings a host gets that wishes for `wished`.
pub(super) fn grant(wished: u32, there: usize) -> Result<usize, Refusal> {
    match wished {
        ALL_EVENT_RINGS => Ok(there),
        wished if wished as usize <= there => Ok(wished as usize),
        wished => {
            let text = format!(
                "{wished} event rings are wished for and this engine has {there}: ask for fewer, or \
                 for all there are"
            );
            Err(Refusal::new(RefusalCode::EventRings, text).with_limit(there as u64))
        }
    }
}

/// A name that no other life of an engine has: 64 random bits, never 0.
fn new_life() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
