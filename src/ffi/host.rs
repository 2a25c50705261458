//! A host: attach, detach, what was got, what it counts.

use std::ffi::{c_char, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::border::{border, Outcome};
use super::failure::bad_argument;
use super::handle::{shared, Handle, Mark, Shelf};
use super::input::{nanoseconds, output, reserved, text};
use super::status::ih_status::{self, IH_ERROR_NULL};
use crate::attach::message::NAME_BYTES;
use crate::attach::Wishes;
use crate::host::{Host, HostOptions};
use crate::region::PageMode;

/// An attached host: a pool of lanes to one engine, and to its successors.
#[repr(C)] // begins with its mark
pub struct ih_host {
    mark: Mark,
    host: Host,
}

impl Handle for ih_host {
    const KIND: u32 = u32::from_le_bytes(*b"host");
    const MARK_AT: usize = std::mem::offset_of!(Self, mark);

    fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl ih_host {
    /// The host behind it.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }
}

static HOSTS: Shelf<ih_host> = Shelf::new();

/// The pages of regions.
#[repr(C)]
pub enum ih_pages {
    /// The largest that can be had; what was not got is logged.
    IH_PAGES_AUTO = 0,
    /// 2 MiB, or IH_ERROR_PAGES.
    IH_PAGES_REQUIRE_HUGE = 1,
    /// 4 KiB.
    IH_PAGES_SMALL = 2,
}

impl ih_pages {
    /// The page mode of a number.
    pub(super) fn mode(number: u32) -> Outcome<PageMode> {
        const AUTO: u32 = ih_pages::IH_PAGES_AUTO as u32;
        const REQUIRE_HUGE: u32 = ih_pages::IH_PAGES_REQUIRE_HUGE as u32;
        const SMALL: u32 = ih_pages::IH_PAGES_SMALL as u32;
        match number {
            AUTO => Ok(PageMode::Auto),
            REQUIRE_HUGE => Ok(PageMode::RequireHuge),
            SMALL => Ok(PageMode::Small),
            _ => Err(bad_argument(format_args!(
                "pages are {number}: choose IH_PAGES_AUTO, IH_PAGES_REQUIRE_HUGE or IH_PAGES_SMALL"
            ))),
        }
    }
}

/// How to attach, and how to wait. Fill it with ih_host_options_init, then change what you like.
#[repr(C)]
pub struct ih_host_options {
    /// Lanes of the pool, 1 to IH_MAX_LANES; 0: event rings only, the capacities count for nothing then.
    pub lanes: u32,
    /// Pages of the regions, one of ih_pages.
    pub pages: u32,
    /// Bytes of each ring: powers of two, IH_MIN_CAPACITY to IH_MAX_CAPACITY.
    pub request_capacity: u64,
    pub reply_capacity: u64,
    /// How long the whole conversation may take.
    pub attach_deadline_ns: u64,
    /// How long to look for another engine when this one ends; 0: not at all.
    pub patience_ns: u64,
    /// Rounds a waiting thread spins before it sleeps; a round takes 10 to 50 ns.
    pub spin: u32,
    /// Version of the service that is wanted; 0: any.
    pub service_version: u32,
    /// Name of the service that is wanted, at most 64 bytes; NULL: any.
    pub service: *const c_char,
    /// This host's own name, for people, at most 64 bytes; NULL: none.
    pub name: *const c_char,
    /// The engine's first so many event rings; 0: none; IH_ALL_EVENT_RINGS: all there are.
    pub event_rings: u32,
    pub reserved_word: u32,
    pub reserved: [u64; 7],
}

/// What was really got.
#[repr(C)]
pub struct ih_terms {
    /// A name for this host; it gives no authority.
    pub host_id: u64,
    /// 1 after the attach, one more after each resume.
    pub epoch: u64,
    /// Bytes of each ring.
    pub request_capacity: u64,
    pub reply_capacity: u64,
    /// Bytes of each region, whole pages.
    pub request_bytes: u64,
    pub reply_bytes: u64,
    /// Bytes of a page of each region: 4096 or 2097152.
    pub request_page_bytes: u32,
    pub reply_page_bytes: u32,
    /// Lanes of the pool, shards of the engine.
    pub lanes: u32,
    pub shards: u32,
    /// 1: membarrier spares both ends a fence for each message; 0: both fence.
    pub membarrier: u32,
    /// Version of the engine's service.
    pub service_version: u32,
    /// The engine's process, as the kernel says; 0 where this pid namespace has none.
    pub engine_pid: u32,
    /// Event rings that this host may open.
    pub event_rings: u32,
    /// Name of the engine's service, ends with a zero.
    pub service: [c_char; 72],
    /// Bytes of each event ring; 0 where there is none.
    pub event_capacity: u64,
    pub reserved: [u64; 7],
}

/// What a host counts.
#[repr(C)]
pub struct ih_host_counts {
    /// Replies that came after their call had been given up, or for a lane given back.
    pub late_replies: u64,
    /// Times another engine took over.
    pub resumes: u64,
    /// Events that were lost because this host was too slow.
    pub lost_events: u64,
    pub reserved: [u64; 5],
}

impl ih_host_options {
    /// The usual ones, as in Rust.
    fn usual() -> Self {
        let HostOptions {
            wishes,
            attach_deadline,
            spin,
            patience,
        } = HostOptions::default();
        Self {
            lanes: wishes.lanes,
            pages: ih_pages::IH_PAGES_AUTO as u32,
            request_capacity: wishes.request_capacity,
            reply_capacity: wishes.reply_capacity,
            attach_deadline_ns: nanoseconds(attach_deadline),
            patience_ns: nanoseconds(patience.unwrap_or_default()),
            spin,
            service_version: 0,
            service: std::ptr::null(),
            name: std::ptr::null(),
            event_rings: wishes.event_rings,
            reserved_word: 0,
            reserved: [0; 7],
        }
    }

    /// # Safety
    /// The strings are NULL or end with a zero.
    unsafe fn read(&self) -> Outcome<HostOptions> {
        reserved(&self.reserved, "ih_host_options")?;
        reserved(&[self.reserved_word.into()], "ih_host_options")?;
        let has_rings = self.lanes > 0 || self.event_rings == 0; // else it reads events only
        let capacity = |bytes: u64| if has_rings { bytes } else { 0 };
        Ok(HostOptions {
            wishes: Wishes {
                lanes: self.lanes,
                request_capacity: capacity(self.request_capacity),
                reply_capacity: capacity(self.reply_capacity),
                pages: ih_pages::mode(self.pages)?,
                membarrier: false, // filled in at attach
                // SAFETY: by the contract.
                name: unsafe { text(self.name, "the host's name")? },
                // SAFETY: by the contract.
                service: unsafe { text(self.service, "the service's name")? },
                service_version: self.service_version,
                event_rings: self.event_rings,
            },
            attach_deadline: Duration::from_nanos(self.attach_deadline_ns),
            spin: self.spin,
            patience: match self.patience_ns {
                0 => None,
                patience => Some(Duration::from_nanos(patience)),
            },
        })
    }
}

/// ---- Host ------------------------------------------------------------------------------------
/// The usual options: one lane of 1 MiB rings, 5 s to attach, 30 s of patience, 4096 rounds of spinning.
#[no_mangle]
pub unsafe extern "C" fn ih_host_options_init(options: *mut ih_host_options) -> ih_status {
    border(|| {
        let options = output(options)?;
        // SAFETY: not null; the caller's to write.
        unsafe { options.write(ih_host_options::usual()) };
        Ok(())
    })
}

/// Attaches to the engine at `path`. `options` may be NULL: the usual ones. Takes milliseconds.
#[no_mangle]
pub unsafe extern "C" fn ih_host_attach(
    path: *const c_char,
    options: *const ih_host_options,
    host: *mut *mut ih_host,
) -> ih_status {
    border(|| {
        let place = output(host)?;
        if path.is_null() {
            return Err(IH_ERROR_NULL.into());
        }
        // SAFETY: not null, and a string by the header.
        let path = OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
        // SAFETY: NULL or options by the header.
        let options = match unsafe { options.as_ref() } {
            None => HostOptions::default(),
            // SAFETY: as above; its strings too.
            Some(options) => unsafe { options.read()? },
        };
        let handle = ih_host {
            mark: Mark::live::<ih_host>(),
            host: Host::attach_with(path, options)?,
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(HOSTS.put(handle)) };
        Ok(())
    })
}

/// Detaches and sets `*host` to NULL; a NULL there is done already. Lanes that are still taken go on
/// working; the engine is told when the last of them was given back.
#[no_mangle]
pub unsafe extern "C" fn ih_host_detach(host: *mut *mut ih_host) -> ih_status {
    // SAFETY: what the header asks for.
    border(|| unsafe { HOSTS.end(host, |_| Ok(())) })
}

/// What was really got. Any thread.
#[no_mangle]
pub unsafe extern "C" fn ih_host_terms(host: *const ih_host, terms: *mut ih_terms) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let got = unsafe { shared(host)? }.host.terms();
        let place = output(terms)?;
        let mut service = [0; 72];
        for (to, from) in service.iter_mut().zip(got.service.bytes().take(NAME_BYTES)) {
            *to = from as c_char;
        }
        let terms = ih_terms {
            host_id: got.host_id,
            epoch: got.epoch,
            request_capacity: got.request_capacity,
            reply_capacity: got.reply_capacity,
            request_bytes: got.request_bytes,
            reply_bytes: got.reply_bytes,
            request_page_bytes: got.request_pages.bytes() as u32,
            reply_page_bytes: got.reply_pages.bytes() as u32,
            lanes: got.lanes,
            shards: got.shards,
            membarrier: got.membarrier.into(),
            service_version: got.service_version,
            engine_pid: got.engine_pid,
            event_rings: got.events.rings.len() as u32,
            service,
            event_capacity: got.events.capacity,
            reserved: [0; 7],
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(terms) };
        Ok(())
    })
}

/// What this host has counted. Any thread.
#[no_mangle]
pub unsafe extern "C" fn ih_host_read_counts(
    host: *const ih_host,
    counts: *mut ih_host_counts,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let got = unsafe { shared(host)? }.host.counts();
        let place = output(counts)?;
        let counts = ih_host_counts {
            late_replies: got.late_replies,
            resumes: got.resumes,
            lost_events: got.lost_events,
            reserved: [0; 5],
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(counts) };
        Ok(())
    })
}
