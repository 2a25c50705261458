//! A lane: taken from the host's pool, given back, and what needs both of its halves.

use std::ffi::c_void;
use std::time::Duration;

use super::border::{border, value_border, Outcome};
use super::consumer::{ih_consumer, ih_record};
use super::handle::{exclusive, shared, Handle, Mark, Shelf};
use super::host::ih_host;
use super::input::{bytes, bytes_mut, output};
use super::producer::ih_producer;
use super::shared::ih_shared;
use super::status::ih_status::{self, *};
use crate::host::{outstanding, Both};

/// A lane: a request ring and a reply ring, with a half for each.
#[repr(C)] // begins with its mark
pub struct ih_lane {
    mark: Mark,
    producer: ih_producer,
    consumer: Apart<ih_consumer>,
    shared: ih_shared,
}

/// Two threads may use the two halves: they share no cache line, nor a pair of lines that is fetched at once.
#[repr(align(128))]
struct Apart<T>(T);

impl Handle for ih_lane {
    const KIND: u32 = u32::from_le_bytes(*b"lane");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

static LANES: Shelf<ih_lane> = Shelf::new();

impl ih_lane {
    fn both(&mut self) -> Both<'_> {
        Both {
            sender: &mut self.producer.sender,
            receiver: &mut self.consumer.0.receiver,
        }
    }

    /// Nothing is open, shared or in place.
    #[inline(always)]
    fn must_be_idle(&self) -> Outcome {
        self.producer.must_be_idle()?;
        self.consumer.0.must_be_released()
    }
}

/// What ih_lane_call brought back.
#[repr(C)]
pub struct ih_call_reply {
    /// Bytes of payload copied, and those that the reply had: more where the buffer was too small.
    pub copied: u32,
    pub payload_bytes: u32,
    /// The reply's kind: 0 success, below 0xff00 the handler's codes, from there the engine's own.
    pub status: u16,
    pub reserved: [u16; 3],
}

/// ---- Lane: both halves, used by one thread ---------------------------------------------------
/// Takes a lane from the host's pool. Any thread. Only IH_ERROR_LANES_EXHAUSTED where all are taken.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_take(host: *mut ih_host, lane: *mut *mut ih_lane) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let host = unsafe { shared(host)? };
        let place = output(lane)?;
        let (sender, receiver) = host.host().lane()?.split();
        let handle = ih_lane {
            mark: Mark::live::<ih_lane>(),
            producer: ih_producer::new(sender),
            consumer: Apart(ih_consumer::new(receiver)),
            shared: ih_shared::new(),
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(LANES.put(handle)) };
        Ok(())
    })
}

/// Gives it back and sets `*lane` to NULL; a NULL there is done already. Its producer, consumer and
/// shared producer end with it; what was claimed and not committed is aborted, replies to come are dropped.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_give_back(lane: *mut *mut ih_lane) -> ih_status {
    border(|| {
        let may = |lane: &ih_lane| match lane.shared.is_locked() {
            true => Err(IH_ERROR_LOCK.into()),
            false => Ok(()),
        };
        // SAFETY: what the header asks for.
        unsafe { LANES.end(lane, may) }
    })
}

/// The half that sends. Lent until the lane is given back; NULL where `lane` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_producer(lane: *mut ih_lane) -> *mut ih_producer {
    value_border(std::ptr::null_mut(), || {
        // SAFETY: what the header asks for. The halves are lent as places: no reference to the whole lane
        // is used together with them.
        unsafe {
            shared(lane)?;
            Ok(&raw mut (*lane).producer)
        }
    })
}

/// The half that receives. Lent until the lane is given back; NULL where `lane` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_consumer(lane: *mut ih_lane) -> *mut ih_consumer {
    value_border(std::ptr::null_mut(), || {
        // SAFETY: as above.
        unsafe {
            shared(lane)?;
            Ok(&raw mut (*lane).consumer.0)
        }
    })
}

/// Sends a copy of `payload` and waits for the reply, which is copied to `buffer` as far as it goes.
/// `buffer` may be NULL where `capacity` is 0, `payload` where `payload_bytes` is. Spins, then sleeps.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_call(
    lane: *mut ih_lane,
    kind: u16,
    payload: *const c_void,
    payload_bytes: usize,
    deadline_ns: u64,
    buffer: *mut c_void,
    capacity: usize,
    reply: *mut ih_call_reply,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let lane = unsafe { exclusive(lane)? };
        let place = output(reply)?;
        // SAFETY: what the header asks for.
        let (payload, buffer) =
            unsafe { (bytes(payload, payload_bytes)?, bytes_mut(buffer, capacity)?) };
        lane.must_be_idle()?;
        let deadline = Duration::from_nanos(deadline_ns);
        let got = lane.both().call(kind, payload, buffer, deadline)?;
        let got = ih_call_reply {
            copied: got.copied as u32,
            payload_bytes: got.len as u32,
            status: got.status,
            reserved: [0; 3],
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(got) };
        Ok(())
    })
}

/// The same without copies: commits the producer's open claim, waits, and leaves the reply in place,
/// until ih_consumer_release. After IH_DEADLINE the claim is gone and the reply will be dropped.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_call_in_place(
    lane: *mut ih_lane,
    kind: u16,
    deadline_ns: u64,
    reply: *mut ih_record,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let lane = unsafe { exclusive(lane)? };
        let place = output(reply)?;
        lane.producer.must_be_claimed()?;
        lane.consumer.0.must_be_released()?;
        lane.both().check_call()?;
        let room = lane.producer.take_claim()?;
        let number = lane.producer.sender.commit_room(room, kind)?;
        let deadline = Duration::from_nanos(deadline_ns);
        lane.both().await_reply(number, deadline)?;
        lane.consumer.0.take_in_place(place)
    })
}

/// As ih_producer_claim, but waits for room: IH_NO_ROOM at the deadline, IH_ERROR_REPLIES_WAITING
/// where waiting would never end because replies of this lane were not taken.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_claim_wait(
    lane: *mut ih_lane,
    payload_bytes: usize,
    deadline_ns: u64,
    payload: *mut *mut c_void,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let lane = unsafe { exclusive(lane)? };
        let place = output(payload)?;
        lane.producer.must_be_idle()?;
        let deadline = Duration::from_nanos(deadline_ns);
        let room = lane.both().room_wait(payload_bytes, deadline)?;
        let payload = lane.producer.opened(room);
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(payload.cast()) };
        Ok(())
    })
}

/// As ih_consumer_wait; meanwhile it takes the next request's cache lines over here, so that the next
/// round trip is faster. IH_EMPTY at once where nothing is under way.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_wait(lane: *mut ih_lane, deadline_ns: u64) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let lane = unsafe { exclusive(lane)? };
        lane.must_be_idle()?;
        match lane.both().wait(Duration::from_nanos(deadline_ns))? {
            true => Ok(()),
            false => Err(IH_EMPTY.into()),
        }
    })
}

/// Requests committed whose replies were not taken; 0 where `lane` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_outstanding(lane: *const ih_lane) -> u64 {
    value_border(0, || {
        // SAFETY: what the header asks for.
        let lane = unsafe { shared(lane)? };
        let ask = |producer: &ih_producer| {
            let all = outstanding(&producer.sender, &lane.consumer.0.receiver);
            all - lane.consumer.0.in_place()
        };
        match lane.shared.mark().is_live::<ih_shared>() {
            false => Ok(ask(&lane.producer)),
            true => lane.shared.with(|producer| Ok(ask(producer))),
        }
    })
}

/// Which of the host's lanes this is; UINT32_MAX where `lane` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_index(lane: *const ih_lane) -> u32 {
    value_border(u32::MAX, || {
        // SAFETY: what the header asks for.
        Ok(unsafe { shared(lane)? }.producer.sender.index)
    })
}

/// Shares the producer among threads. From now on it is used through `shared` alone, which is lent
/// until the lane is given back.
#[no_mangle]
pub unsafe extern "C" fn ih_lane_share(
    lane: *mut ih_lane,
    shared: *mut *mut ih_shared,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let lane = unsafe { exclusive(lane)? };
        let place = output(shared)?;
        lane.producer.must_be_idle()?;
        lane.producer.share();
        let producer = &raw mut lane.producer;
        lane.shared.begin(producer);
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(&raw mut lane.shared) };
        Ok(())
    })
}
