//! An event ring in a host: open, poll, wait, sleep in an event loop, close.
//!
//! An answer that has something to say beyond its name (which numbers are lost, which life begins) is a
//! success with an output, so that a status alone never has more to it.

use std::ffi::{c_int, c_void};
use std::time::Duration;

use super::border::{border, value_border};
use super::handle::{exclusive, shared, Handle, Mark, Shelf};
use super::host::ih_host;
use super::input::{bytes_mut, give, output};
use super::status::ih_status::{self, IH_EMPTY};
use super::watch::watch_of;
use crate::event::{Event, Lost};
use crate::host::{EventAnswer, EventReceiver, Watch};

/// A host's reader of one event ring: one thread at a time.
#[repr(C)] // begins with its mark
pub struct ih_events {
    mark: Mark,
    receiver: EventReceiver,
    /// What [`ih_events_fd`] made.
    watch: Option<Watch>,
}

impl Drop for ih_events {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.receiver.unwatch(&watch);
        }
    }
}

impl Handle for ih_events {
    const KIND: u32 = u32::from_le_bytes(*b"evnt");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

static EVENTS: Shelf<ih_events> = Shelf::new();

/// What ih_events_poll found. Overrun: this host was too slow. New life: another engine, new numbers.
#[repr(C)]
pub enum ih_event_answer {
    IH_EVENT = 0,
    IH_EVENT_OVERRUN = 1,
    IH_EVENT_NEW_LIFE = 2,
}

/// An event whose payload was copied, or what else ih_events_poll found.
#[repr(C)]
pub struct ih_event {
    /// One of ih_event_answer; what the others do not have is zero there.
    pub answer: u32,
    /// What its handler says it is.
    pub kind: u16,
    /// Zero today.
    pub flags: u16,
    /// Its number in its ring, from 1. Overrun: the first that is lost. New life: that life's name, never 0.
    pub number: u64,
    /// Overrun: the last that is lost.
    pub last: u64,
    /// Bytes of its payload, and those that were copied: fewer where the buffer was too small.
    pub payload_bytes: u32,
    pub copied: u32,
    pub reserved: [u64; 2],
}

impl ih_event {
    const fn of(answer: ih_event_answer, number: u64) -> Self {
        Self {
            answer: answer as u32,
            kind: 0,
            flags: 0,
            number,
            last: 0,
            payload_bytes: 0,
            copied: 0,
            reserved: [0; 2],
        }
    }

    fn event(found: Event) -> Self {
        Self {
            kind: found.kind,
            flags: found.flags,
            payload_bytes: found.len as u32,
            copied: found.copied as u32,
            ..Self::of(ih_event_answer::IH_EVENT, found.number)
        }
    }

    fn overrun(lost: Lost) -> Self {
        Self {
            last: lost.last,
            ..Self::of(ih_event_answer::IH_EVENT_OVERRUN, lost.first)
        }
    }
}

/// ---- Event rings: what handlers publish to all hosts -----------------------------------------
/// Opens event ring `ring`, from 0 (shard s has those from s * event_rings on), at the oldest event that is
/// retained. One reader at a time: IH_ERROR_ARGUMENT where it is open, or was not wished for. Any thread.
#[no_mangle]
pub unsafe extern "C" fn ih_events_open(
    host: *mut ih_host,
    ring: u32,
    events: *mut *mut ih_events,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let host = unsafe { shared(host)? };
        let place = output(events)?;
        let handle = ih_events {
            mark: Mark::live::<ih_events>(),
            receiver: host.host().events(ring)?,
            watch: None,
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(EVENTS.put(handle)) };
        Ok(())
    })
}

/// Closes it and sets `*events` to NULL; a NULL there is done already. It may outlive its host's detach.
#[no_mangle]
pub unsafe extern "C" fn ih_events_close(events: *mut *mut ih_events) -> ih_status {
    // SAFETY: what the header asks for.
    border(|| unsafe { EVENTS.end(events, |_| Ok(())) })
}

/// Takes the next event, its payload copied to `buffer` as far as it goes; or tells which numbers are lost,
/// or of a new life. Never blocks: IH_EMPTY. Without an event what `buffer` holds means nothing.
#[no_mangle]
pub unsafe extern "C" fn ih_events_poll(
    events: *mut ih_events,
    buffer: *mut c_void,
    capacity: usize,
    event: *mut ih_event,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let events = unsafe { exclusive(events)? };
        let place = output(event)?;
        // SAFETY: what the header asks for.
        let buffer = unsafe { bytes_mut(buffer, capacity)? };
        let found = match events.receiver.poll(buffer)? {
            EventAnswer::Event(found) => ih_event::event(found),
            EventAnswer::Overrun(lost) => ih_event::overrun(lost),
            EventAnswer::NewLife { life } => ih_event::of(ih_event_answer::IH_EVENT_NEW_LIFE, life),
            EventAnswer::Empty => return Err(IH_EMPTY.into()),
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(found) };
        Ok(())
    })
}

/// Waits until there is something to poll: IH_EMPTY at the deadline. Spins first, then sleeps.
#[no_mangle]
pub unsafe extern "C" fn ih_events_wait(events: *mut ih_events, deadline_ns: u64) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let events = unsafe { exclusive(events)? };
        match events.receiver.wait(Duration::from_nanos(deadline_ns))? {
            true => Ok(()),
            false => Err(IH_EMPTY.into()),
        }
    })
}

/// For an event loop, as ih_consumer_fd; it ends with ih_events_close.
#[no_mangle]
pub unsafe extern "C" fn ih_events_fd(events: *mut ih_events, fd: *mut c_int) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let events = unsafe { exclusive(events)? };
        let place = output(fd)?;
        let watch = match &events.watch {
            Some(watch) => watch,
            None => events.watch.insert(events.receiver.watch()?),
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(watch.fd()) };
        Ok(())
    })
}

/// As ih_consumer_arm, before sleeping on it.
#[no_mangle]
pub unsafe extern "C" fn ih_events_arm(events: *mut ih_events, ready: *mut c_int) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let events = unsafe { exclusive(events)? };
        let place = output(ready)?;
        let watch = watch_of(&mut events.watch, "ih_events_fd")?;
        let found = events.receiver.arm(watch)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(found.into()) };
        Ok(())
    })
}

/// As ih_consumer_disarm, after sleeping on it.
#[no_mangle]
pub unsafe extern "C" fn ih_events_disarm(events: *mut ih_events) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let events = unsafe { exclusive(events)? };
        let watch = watch_of(&mut events.watch, "ih_events_fd")?;
        events.receiver.disarm(watch)?;
        Ok(())
    })
}

/// Passes over all that is there. `skipped` may be NULL; else it gets how many events that were.
#[no_mangle]
pub unsafe extern "C" fn ih_events_skip(events: *mut ih_events, skipped: *mut u64) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let count = unsafe { exclusive(events)? }.receiver.skip_to_end()?;
        // SAFETY: what the header asks for.
        unsafe { give(skipped, count) };
        Ok(())
    })
}

/// The largest payload of an event, in bytes; 0 where `events` is not live.
#[no_mangle]
pub unsafe extern "C" fn ih_events_payload_limit(events: *const ih_events) -> u32 {
    value_border(0, || {
        // SAFETY: what the header asks for.
        Ok(unsafe { shared(events)? }.receiver.payload_limit() as u32)
    })
}
