//! WELCOME: the engine's terms, and the steps that carry nothing.

use super::bytes::{Head, MessageError, Reader, Writer};
use super::message::*;
use super::{EventRingTerms, EventTerms, Terms};
use crate::layout::{LAYOUT_VERSION, MAX_EVENT_RINGS, MAX_LANES};
use crate::region::PageSize;

/// What WELCOME says. `terms.engine_pid` is not in it: the kernel says that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) features: u64,
    pub(super) descriptors: u32,
    pub(super) terms: Terms,
}

impl Welcome {
    pub(super) fn encode(&self) -> Vec<u8> {
        let terms = &self.terms;
        let length = welcome_bytes(terms.lane_shards.len(), terms.events.rings.len());
        let mut writer = Writer::new(KIND_WELCOME, LAYOUT_VERSION, length);
        writer.u64(WELCOME_HOST_ID, terms.host_id);
        writer.u64(WELCOME_EPOCH, terms.epoch);
        writer.u64(WELCOME_FEATURES, self.features);
        writer.u32(WELCOME_LANE_COUNT, terms.lanes);
        writer.u32(WELCOME_SHARDS, terms.shards);
        writer.u64(WELCOME_REQUEST_CAPACITY, terms.request_capacity);
        writer.u64(WELCOME_REPLY_CAPACITY, terms.reply_capacity);
        writer.u64(WELCOME_REQUEST_BYTES, terms.request_bytes);
        writer.u64(WELCOME_REPLY_BYTES, terms.reply_bytes);
        writer.u32(WELCOME_REQUEST_PAGES, terms.request_pages.code());
        writer.u32(WELCOME_REPLY_PAGES, terms.reply_pages.code());
        writer.u32(WELCOME_MEMBARRIER, terms.membarrier.into());
        write_events(&mut writer, terms);
        writer.u32(WELCOME_DESCRIPTORS, self.descriptors);
        writer.u32(WELCOME_SERVICE_VERSION, terms.service_version);
        writer.name(WELCOME_SERVICE, &terms.service);
        for (lane, &shard) in terms.lane_shards.iter().enumerate() {
            writer.u16(WELCOME_LANES + 2 * lane, shard);
        }
        writer.finish()
    }

    /// Reads what must be WELCOME in our version.
    pub(super) fn decode(message: &[u8]) -> Result<Self, MessageError> {
        check_head(message, KIND_WELCOME, "WELCOME")?;
        let lanes = count(message, WELCOME_LANE_COUNT, "lanes", MAX_LANES)?;
        let rings = count(message, WELCOME_EVENT_RINGS, "event rings", MAX_EVENT_RINGS)?;
        let mut reader = Reader::new(message, welcome_bytes(lanes, rings))?;
        let welcome = Self {
            features: reader.u64(WELCOME_FEATURES),
            descriptors: reader.u32(WELCOME_DESCRIPTORS),
            terms: read_terms(&mut reader, lanes, rings)?,
        };
        reader.finish()?;
        Ok(welcome)
    }
}

/// Length of WELCOME with that many lanes and event rings.
fn welcome_bytes(lanes: usize, rings: usize) -> usize {
    WELCOME_LANES + 2 * lanes + WELCOME_RING_BYTES * rings
}

/// A number that the length of the message depends on.
fn count(
    message: &[u8],
    at: usize,
    field: &'static str,
    most: usize,
) -> Result<usize, MessageError> {
    let head = Head::of(message)?;
    let found = message
        .get(at..)
        .and_then(|rest| rest.first_chunk::<4>())
        .map(|bytes| u32::from_le_bytes(*bytes));
    match found {
        Some(found) if found as usize <= most => Ok(found as usize),
        Some(found) => Err(MessageError::Value {
            field,
            found: found.into(),
        }),
        None => Err(MessageError::Length {
            stated: head.length,
            found: message.len(),
            expected: WELCOME_BYTES,
        }),
    }
}

fn write_events(writer: &mut Writer, terms: &Terms) {
    let events = &terms.events;
    writer.u32(WELCOME_EVENT_RINGS, events.rings.len() as u32);
    writer.u64(WELCOME_EVENT_CAPACITY, events.capacity);
    writer.u64(WELCOME_LIFE, events.life);
    for (index, ring) in events.rings.iter().enumerate() {
        let at = welcome_bytes(terms.lane_shards.len(), index);
        writer.u64(at + WELCOME_RING_REGION, ring.bytes);
        writer.u32(at + WELCOME_RING_PAGES, ring.pages.code());
        writer.u32(at + WELCOME_RING_SHARD, ring.shard);
    }
}

fn read_events(
    reader: &mut Reader<'_>,
    lanes: usize,
    rings: usize,
) -> Result<EventTerms, MessageError> {
    reader.u32(WELCOME_EVENT_RINGS); // it is `rings`
    let mut ring = |index| {
        let at = welcome_bytes(lanes, index);
        Ok(EventRingTerms {
            bytes: reader.u64(at + WELCOME_RING_REGION),
            pages: page_size(reader.u32(at + WELCOME_RING_PAGES))?,
            shard: reader.u32(at + WELCOME_RING_SHARD),
        })
    };
    let rings = (0..rings).map(&mut ring).collect::<Result<_, _>>()?;
    Ok(EventTerms {
        life: reader.u64(WELCOME_LIFE),
        capacity: reader.u64(WELCOME_EVENT_CAPACITY),
        rings,
    })
}

fn read_terms(reader: &mut Reader<'_>, lanes: usize, rings: usize) -> Result<Terms, MessageError> {
    Ok(Terms {
        host_id: reader.u64(WELCOME_HOST_ID),
        epoch: reader.u64(WELCOME_EPOCH),
        lanes: reader.u32(WELCOME_LANE_COUNT),
        request_capacity: reader.u64(WELCOME_REQUEST_CAPACITY),
        reply_capacity: reader.u64(WELCOME_REPLY_CAPACITY),
        request_bytes: reader.u64(WELCOME_REQUEST_BYTES),
        reply_bytes: reader.u64(WELCOME_REPLY_BYTES),
        request_pages: page_size(reader.u32(WELCOME_REQUEST_PAGES))?,
        reply_pages: page_size(reader.u32(WELCOME_REPLY_PAGES))?,
        membarrier: reader.flag(WELCOME_MEMBARRIER, "membarrier")?,
        shards: reader.u32(WELCOME_SHARDS),
        lane_shards: (0..lanes)
            .map(|lane| reader.u16(WELCOME_LANES + 2 * lane))
            .collect(),
        events: read_events(reader, lanes, rings)?,
        service: reader.name(WELCOME_SERVICE)?,
        service_version: reader.u32(WELCOME_SERVICE_VERSION),
        engine_pid: 0,
    })
}

fn page_size(code: u32) -> Result<PageSize, MessageError> {
    PageSize::from_code(code).ok_or(MessageError::Value {
        field: "pages",
        found: code.into(),
    })
}

/// A message that carries nothing but its kind.
pub(super) fn encode_step(kind: u32) -> Vec<u8> {
    Writer::new(kind, LAYOUT_VERSION, STEP_BYTES).finish()
}

/// Demands the step `kind`.
pub(super) fn decode_step(
    message: &[u8],
    kind: u32,
    name: &'static str,
) -> Result<(), MessageError> {
    check_head(message, kind, name)?;
    Reader::new(message, STEP_BYTES)?.finish()
}

fn check_head(message: &[u8], kind: u32, name: &'static str) -> Result<(), MessageError> {
    let head = Head::of(message)?;
    if head.kind != kind {
        return Err(MessageError::Kind {
            found: head.kind,
            expected: name,
        });
    }
    if head.version != LAYOUT_VERSION {
        return Err(MessageError::Version {
            found: head.version,
            expected: LAYOUT_VERSION,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn welcome() -> Welcome {
        Welcome {
            features: 0,
            descriptors: 4,
            terms: Terms {
                host_id: 9,
                epoch: 3,
                lanes: 3,
                request_capacity: 4096,
                reply_capacity: 8192,
                request_bytes: 1 << 20,
                reply_bytes: 2 << 20,
                request_pages: PageSize::Small4K,
                reply_pages: PageSize::Huge2M,
                membarrier: true,
                shards: 2,
                lane_shards: vec![0, 1, 0],
                events: EventTerms {
                    life: 77,
                    capacity: 4096,
                    rings: vec![
                        EventRingTerms {
                            bytes: 8192,
                            pages: PageSize::Small4K,
                            shard: 0,
                        },
                        EventRingTerms {
                            bytes: 2 << 20,
                            pages: PageSize::Huge2M,
                            shard: 1,
                        },
                    ],
                },
                service: "hunt".into(),
                service_version: 5,
                engine_pid: 0,
            },
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        assert_eq!(Welcome::decode(&welcome().encode()), Ok(welcome()));
    }

    #[test]
    fn every_other_length_is_an_error() {
        let bytes = welcome().encode();
        for length in 0..bytes.len() {
            assert!(Welcome::decode(&bytes[..length]).is_err(), "{length}");
        }
        for more in [1, 2, 4096] {
            assert!(Welcome::decode(&[&bytes[..], &vec![0; more]].concat()).is_err());
        }
    }

    #[test]
    fn a_step_is_its_kind_and_zeros() {
        let bytes = encode_step(KIND_READY);
        assert_eq!(decode_step(&bytes, KIND_READY, "READY"), Ok(()));
        assert!(decode_step(&bytes, KIND_MAPPED, "MAPPED").is_err());
        for offset in 0..STEP_BYTES {
            let mut garbled = bytes.clone();
            garbled[offset] ^= 1;
            assert!(decode_step(&garbled, KIND_READY, "READY").is_err());
        }
    }

    proptest! {
        #[test]
        fn any_garbled_byte_is_an_answer_and_means_one_thing(
            place in any::<prop::sample::Index>(), byte: u8,
        ) {
            let mut bytes = welcome().encode();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(heard) = Welcome::decode(&bytes) {
                prop_assert_eq!(heard.encode(), bytes);
            }
        }
    }
}
