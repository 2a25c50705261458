//! HELLO and RESUME: what a host says first.

use super::bytes::{Head, MessageError, Reader, Writer};
use super::message::*;
use super::{LaneResume, Wishes};
use crate::layout::{LAYOUT_VERSION, MAX_LANES};
use crate::region::PageMode;

/// What HELLO says, as it was said: nothing is judged but its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) lowest: u32,
    pub(super) highest: u32,
    pub(super) must_understand: u64,
    pub(super) may_understand: u64,
    pub(super) role: u32,
    pub(super) wishes: Wishes,
    pub(super) resume: Option<Resume>,
}

/// What RESUME says on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) host_id: u64,
    pub(super) epoch: u64,
    pub(super) lanes: Vec<LaneResume>,
}

impl Hello {
    pub(super) fn new(wishes: Wishes, resume: Option<Resume>) -> Self {
        Self {
            lowest: LAYOUT_VERSION,
            highest: LAYOUT_VERSION,
            must_understand: 0,
            may_understand: 0,
            role: match (wishes.lanes, wishes.event_rings) {
                (0, 1..) => ROLE_EVENTS,
                _ => ROLE_HOST,
            },
            wishes,
            resume,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, length) = match &self.resume {
            None => (KIND_HELLO, HELLO_BYTES),
            Some(resume) => (KIND_RESUME, resume_bytes(resume.lanes.len())),
        };
        let mut writer = Writer::new(kind, self.lowest, length);
        writer.u32(HELLO_LOWEST, self.lowest);
        writer.u32(HELLO_HIGHEST, self.highest);
        writer.u64(HELLO_MUST_UNDERSTAND, self.must_understand);
        writer.u64(HELLO_MAY_UNDERSTAND, self.may_understand);
        writer.u32(HELLO_ROLE, self.role);
        write_wishes(&mut writer, &self.wishes);
        if let Some(resume) = &self.resume {
            write_resume(&mut writer, resume);
        }
        writer.finish()
    }

    /// Reads a message whose version is one that we speak.
    pub(super) fn decode(message: &[u8]) -> Result<Self, MessageError> {
        let head = Head::of(message)?;
        let resumes = match head.kind {
            KIND_HELLO => false,
            KIND_RESUME => true,
            found => {
                return Err(MessageError::Kind {
                    found,
                    expected: "HELLO or RESUME",
                })
            }
        };
        let length = match resumes {
            false => HELLO_BYTES,
            true => resume_length(message, head.length)?,
        };
        let mut reader = Reader::new(message, length)?;
        let hello = Self {
            lowest: reader.u32(HELLO_LOWEST),
            highest: reader.u32(HELLO_HIGHEST),
            must_understand: reader.u64(HELLO_MUST_UNDERSTAND),
            may_understand: reader.u64(HELLO_MAY_UNDERSTAND),
            role: reader.u32(HELLO_ROLE),
            wishes: read_wishes(&mut reader)?,
            resume: resumes.then(|| read_resume(&mut reader, length)),
        };
        reader.finish()?;
        if hello.lowest != head.version || hello.highest < hello.lowest {
            return Err(MessageError::Value {
                field: "layout versions",
                found: hello.highest.into(),
            });
        }
        Ok(hello)
    }
}

/// Length of RESUME with that many lanes.
fn resume_bytes(lanes: usize) -> usize {
    RESUME_LANES + lanes * RESUME_LANE_BYTES
}

/// The exact length of a RESUME: that of the lanes it states, 1024 at most.
fn resume_length(message: &[u8], stated: u32) -> Result<usize, MessageError> {
    let lanes = message
        .get(HELLO_LANES..)
        .and_then(|rest| rest.first_chunk::<4>())
        .map(|bytes| u32::from_le_bytes(*bytes) as usize);
    match lanes {
        Some(lanes) if lanes <= MAX_LANES => Ok(resume_bytes(lanes)),
        Some(lanes) => Err(MessageError::Value {
            field: "lanes",
            found: lanes as u64,
        }),
        None => Err(MessageError::Length {
            stated,
            found: message.len(),
            expected: resume_bytes(1),
        }),
    }
}

fn write_wishes(writer: &mut Writer, wishes: &Wishes) {
    writer.u32(HELLO_LANES, wishes.lanes);
    writer.u64(HELLO_REQUEST_CAPACITY, wishes.request_capacity);
    writer.u64(HELLO_REPLY_CAPACITY, wishes.reply_capacity);
    writer.u32(HELLO_EVENT_RINGS, wishes.event_rings);
    writer.u32(HELLO_PAGES, page_mode_code(wishes.pages));
    writer.u32(HELLO_MEMBARRIER, wishes.membarrier.into());
    writer.u32(HELLO_SERVICE_VERSION, wishes.service_version);
    writer.name(HELLO_SERVICE, &wishes.service);
    writer.name(HELLO_HOST_NAME, &wishes.name);
}

fn read_wishes(reader: &mut Reader<'_>) -> Result<Wishes, MessageError> {
    Ok(Wishes {
        lanes: reader.u32(HELLO_LANES),
        request_capacity: reader.u64(HELLO_REQUEST_CAPACITY),
        reply_capacity: reader.u64(HELLO_REPLY_CAPACITY),
        event_rings: reader.u32(HELLO_EVENT_RINGS),
        pages: page_mode(reader.u32(HELLO_PAGES))?,
        membarrier: reader.flag(HELLO_MEMBARRIER, "membarrier")?,
        service_version: reader.u32(HELLO_SERVICE_VERSION),
        service: reader.name(HELLO_SERVICE)?,
        name: reader.name(HELLO_HOST_NAME)?,
    })
}

fn write_resume(writer: &mut Writer, resume: &Resume) {
    writer.u64(RESUME_HOST_ID, resume.host_id);
    writer.u64(RESUME_EPOCH, resume.epoch);
    for (index, lane) in resume.lanes.iter().enumerate() {
        let at = resume_bytes(index);
        writer.u64(at + RESUME_LAST_REPLY, lane.last_reply);
        writer.u64(at + RESUME_POSITION, lane.position);
        writer.u32(at + RESUME_DEATHS, lane.deaths);
    }
}

fn read_resume(reader: &mut Reader<'_>, length: usize) -> Resume {
    let lanes = (length - RESUME_LANES) / RESUME_LANE_BYTES;
    let mut lane = |index| {
        let at = resume_bytes(index);
        LaneResume {
            last_reply: reader.u64(at + RESUME_LAST_REPLY),
            position: reader.u64(at + RESUME_POSITION),
            deaths: reader.u32(at + RESUME_DEATHS),
        }
    };
    let lanes = (0..lanes).map(&mut lane).collect();
    Resume {
        host_id: reader.u64(RESUME_HOST_ID),
        epoch: reader.u64(RESUME_EPOCH),
        lanes,
    }
}

fn page_mode_code(mode: PageMode) -> u32 {
    match mode {
        PageMode::Auto => PAGES_AUTO,
        PageMode::RequireHuge => PAGES_REQUIRE_HUGE,
        PageMode::Small => PAGES_SMALL,
    }
}

fn page_mode(code: u32) -> Result<PageMode, MessageError> {
    match code {
        PAGES_AUTO => Ok(PageMode::Auto),
        PAGES_REQUIRE_HUGE => Ok(PageMode::RequireHuge),
        PAGES_SMALL => Ok(PageMode::Small),
        found => Err(MessageError::Value {
            field: "page mode",
            found: found.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wishes() -> Wishes {
        Wishes {
            lanes: 3,
            request_capacity: 1 << 16,
            reply_capacity: 1 << 17,
            event_rings: 2,
            pages: PageMode::Small,
            membarrier: true,
            name: "a host".into(),
            service: "s".repeat(NAME_BYTES),
            service_version: 4,
        }
    }

    fn resume() -> Resume {
        let lane = |n: u64| LaneResume {
            last_reply: n,
            position: n * 64,
            deaths: n as u32,
        };
        Resume {
            host_id: 77,
            epoch: 2,
            lanes: (0..3).map(lane).collect(),
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        for resume in [None, Some(resume())] {
            let said = Hello::new(wishes(), resume);
            assert_eq!(Hello::decode(&said.encode()), Ok(said));
        }
    }

    #[test]
    fn every_other_length_is_an_error() {
        for resume in [None, Some(resume())] {
            let bytes = Hello::new(wishes(), resume).encode();
            for length in 0..bytes.len() {
                assert!(Hello::decode(&bytes[..length]).is_err(), "{length}");
            }
            assert!(Hello::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn every_reserved_byte_is_checked() {
        let bytes = Hello::new(wishes(), Some(resume())).encode();
        let lane = RESUME_LANES + RESUME_DEATHS + 4;
        for offset in (208..256).chain(272..288).chain(lane..lane + 4) {
            let mut garbled = bytes.clone();
            garbled[offset] = 1;
            let found = Hello::decode(&garbled);
            assert_eq!(found, Err(MessageError::Reserved { offset }));
        }
    }

    #[test]
    fn a_name_with_a_control_character_or_behind_zeros_is_none() {
        let bytes = Hello::new(wishes(), None).encode();
        for (offset, byte) in [(2, b'\n'), (50, b'x'), (0, 0xff)] {
            let mut garbled = bytes.clone();
            garbled[HELLO_HOST_NAME + offset] = byte;
            let found = Hello::decode(&garbled);
            let offset = HELLO_HOST_NAME;
            assert_eq!(found, Err(MessageError::Name { offset }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Hello::decode(&bytes);
        }

        #[test]
        fn any_garbled_byte_is_an_answer_and_means_one_thing(
            resumes: bool, place in any::<prop::sample::Index>(), byte: u8,
        ) {
            let mut bytes = Hello::new(wishes(), resumes.then(resume)).encode();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(heard) = Hello::decode(&bytes) {
                prop_assert_eq!(heard.encode(), bytes);
            }
        }
    }
}
