//! How to run an engine, as C says it.

use std::ffi::{c_char, c_void, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::border::{border, Outcome};
use super::failure::bad_argument;
use super::handler::{ih_free_shard, ih_handler, ih_make_shard, CHandler};
use super::host::ih_pages;
use super::input::{list, nanoseconds, output, reserved, text};
use super::status::ih_status::{self, IH_ERROR_NULL};
use crate::attach::message::NAME_BYTES;
use crate::attach::Policy;
use crate::engine::EngineOptions;
use crate::layout::DEFAULT_CAPACITY;
use crate::wait::WaitStrategy;

/// What a shard does while it has nothing to do.
#[repr(C)]
pub enum ih_wait {
    /// Spin for wait_ns, then park. 200 us are usual.
    IH_WAIT_SPIN = 0,
    /// Never park.
    IH_WAIT_BUSY = 1,
    /// Yield for wait_ns, then park.
    IH_WAIT_YIELD = 2,
    /// Park after a moment: the cheapest while idle, the slowest to answer.
    IH_WAIT_PARK = 3,
}

/// How to run an engine. Fill it with ih_engine_options_init, then set path and handler at least.
#[repr(C)]
pub struct ih_engine_options {
    /// Path of its socket.
    pub path: *const c_char,
    /// Called for each request, by one shard's thread at a time for each shard.
    pub handler: ih_handler,
    /// Handed to the handler, or to make_shard where there is one.
    pub context: *mut c_void,
    /// Makes what the handler of a shard gets as its context; NULL: all shards get `context`.
    pub make_shard: ih_make_shard,
    /// Frees what make_shard made; NULL: nothing.
    pub free_shard: ih_free_shard,
    /// The largest reply payload of the handler, in bytes; SIZE_MAX: all that a ring allows. A small
    /// bound lets reply rings be used to their end.
    pub largest_reply: usize,
    /// One shard for each of these cores, pinned to it; NULL and 0: see `shards`.
    pub cores: *const u32,
    pub core_count: usize,
    /// Shards that the scheduler places, where no cores are given.
    pub shards: u32,
    /// 1: the handler keeps no state, so hosts of a dead engine resume with this one.
    pub stateless: u32,
    /// 1: payloads in place instead of copies, for handlers that read each word once and then check it.
    pub in_place: u32,
    /// What a shard does while it has nothing to do, one of ih_wait.
    pub wait: u32,
    /// For how long before it parks.
    pub wait_ns: u64,
    /// The most requests a shard takes from one lane before it looks at the next.
    pub budget: u32,
    /// Permission bits of the socket: who may attach at all.
    pub socket_mode: u32,
    /// How long a halting engine goes on answering what hosts still commit.
    pub drain_ns: u64,
    /// A request that saw so many engines die is answered with IH_STATUS_POISON.
    pub poison_after: u32,
    /// 0: both ends fence instead, for engines that must not interrupt other processes.
    pub membarrier: u32,
    /// Name of the service, at most 64 bytes; NULL: none. And its version.
    pub service: *const c_char,
    pub service_version: u32,
    /// The engine's own demand, one of ih_pages.
    pub pages: u32,
    /// The uids that may attach; NULL and 0: all whom the socket's mode lets in.
    pub allowed_uids: *const u32,
    pub allowed_uid_count: usize,
    /// The most hosts, in all and of one uid.
    pub max_hosts: u32,
    pub max_hosts_per_uid: u32,
    /// The most bytes of regions for one uid.
    pub max_bytes_per_uid: u64,
    /// The largest capacity of a ring, in bytes.
    pub max_capacity: u64,
    /// The most lanes of one host.
    pub max_lanes_per_host: u32,
    /// Event rings of each shard; all shards together have IH_MAX_EVENT_RINGS at most.
    pub event_rings: u32,
    /// How long a host may be silent in each step of the conversation.
    pub silence_ns: u64,
    /// Bytes of each event ring, a power of two; an event has an eighth at most. 0: IH_DEFAULT_CAPACITY.
    pub event_capacity: u64,
    pub reserved: [u64; 7],
}

impl ih_engine_options {
    fn usual() -> Self {
        let policy = Policy::default();
        Self {
            path: std::ptr::null(),
            handler: None,
            context: std::ptr::null_mut(),
            make_shard: None,
            free_shard: None,
            largest_reply: usize::MAX,
            cores: std::ptr::null(),
            core_count: 0,
            shards: 1,
            stateless: 0,
            in_place: 0,
            wait: ih_wait::IH_WAIT_SPIN as u32,
            wait_ns: 200_000,
            budget: 32,
            socket_mode: 0o600,
            drain_ns: 1_000_000_000,
            poison_after: 2,
            membarrier: 1,
            service: std::ptr::null(),
            service_version: 0,
            pages: ih_pages::IH_PAGES_AUTO as u32,
            allowed_uids: std::ptr::null(),
            allowed_uid_count: 0,
            max_hosts: policy.max_hosts,
            max_hosts_per_uid: policy.max_hosts_per_uid,
            max_bytes_per_uid: policy.max_bytes_per_uid,
            max_capacity: policy.max_capacity,
            max_lanes_per_host: policy.max_lanes_per_host,
            event_rings: 0,
            silence_ns: nanoseconds(policy.silence),
            event_capacity: 0,
            reserved: [0; 7],
        }
    }

    /// # Safety
    /// Strings are NULL or end with a zero; lists are NULL or as long as their count.
    pub(super) unsafe fn read(&self) -> Outcome<EngineOptions> {
        reserved(&self.reserved, "ih_engine_options")?;
        if self.path.is_null() {
            return Err(IH_ERROR_NULL.into());
        }
        // SAFETY: not null, and a string by the contract.
        let path = OsStr::from_bytes(unsafe { CStr::from_ptr(self.path) }.to_bytes());
        // SAFETY: by the contract.
        let cores = unsafe { list(self.cores, self.core_count)? };
        let options = match cores.is_empty() {
            true => EngineOptions::new(path).unpinned(self.shards as usize),
            false => EngineOptions::new(path).cores(cores.into_iter().map(|core| core as usize)),
        };
        Ok(options
            .wait(self.wait_strategy()?)
            .budget(self.budget as usize)
            .socket_mode(self.socket_mode)
            .drain_for(Duration::from_nanos(self.drain_ns))
            .poison_after(self.poison_after)
            .membarrier(flag(self.membarrier, "membarrier")?)
            .event_rings(self.event_rings as usize, self.event_capacity())
            .arena_bytes(0) // payloads are copied to memory of the handler's own
            // SAFETY: by the contract.
            .policy(unsafe { self.policy()? }))
    }

    fn event_capacity(&self) -> u64 {
        match self.event_capacity {
            0 => DEFAULT_CAPACITY,
            bytes => bytes,
        }
    }

    fn wait_strategy(&self) -> Outcome<WaitStrategy> {
        let duration = Duration::from_nanos(self.wait_ns);
        match self.wait {
            wait if wait == ih_wait::IH_WAIT_SPIN as u32 => Ok(WaitStrategy::Spin(duration)),
            wait if wait == ih_wait::IH_WAIT_BUSY as u32 => Ok(WaitStrategy::Busy),
            wait if wait == ih_wait::IH_WAIT_YIELD as u32 => Ok(WaitStrategy::Yield(duration)),
            wait if wait == ih_wait::IH_WAIT_PARK as u32 => Ok(WaitStrategy::Park),
            wait => Err(bad_argument(format_args!(
                "wait is {wait}: choose IH_WAIT_SPIN, IH_WAIT_BUSY, IH_WAIT_YIELD or IH_WAIT_PARK"
            ))),
        }
    }

    /// # Safety
    /// As [`ih_engine_options::read`].
    unsafe fn policy(&self) -> Outcome<Policy> {
        // SAFETY: by the contract.
        let service = unsafe { text(self.service, "the service's name")? };
        if service.len() > NAME_BYTES || service.contains(char::is_control) {
            return Err(bad_argument(format_args!(
                "the service's name {service:?} cannot be said: give at most {NAME_BYTES} bytes without \
                 control characters"
            )));
        }
        Ok(Policy {
            service,
            service_version: self.service_version,
            // SAFETY: by the contract.
            allowed_uids: match unsafe { list(self.allowed_uids, self.allowed_uid_count)? } {
                uids if uids.is_empty() => None,
                uids => Some(uids),
            },
            max_hosts: self.max_hosts,
            max_hosts_per_uid: self.max_hosts_per_uid,
            max_bytes_per_uid: self.max_bytes_per_uid,
            max_lanes_per_host: self.max_lanes_per_host,
            max_capacity: self.max_capacity,
            pages: ih_pages::mode(self.pages)?,
            silence: Duration::from_nanos(self.silence_ns),
            ..Policy::default()
        })
    }

    /// # Safety
    /// The functions are what the header says.
    pub(super) unsafe fn handler(&self) -> Outcome<CHandler> {
        let Some(handler) = self.handler else {
            return Err(IH_ERROR_NULL.into());
        };
        Ok(CHandler {
            handler,
            context: self.context,
            make: self.make_shard,
            free: self.free_shard,
            largest_reply: (self.largest_reply != usize::MAX).then_some(self.largest_reply),
            stateless: flag(self.stateless, "stateless")?,
            in_place: flag(self.in_place, "in_place")?,
        })
    }
}

/// 0 or 1.
fn flag(value: u32, what: &str) -> Outcome<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(bad_argument(format_args!(
            "{what} is {value} and must be 0 or 1: was ih_engine_options_init called?"
        ))),
    }
}

/// ---- Engine ----------------------------------------------------------------------------------
/// The usual options: one shard that is not pinned, state that dies with the engine, a socket of mode 0600.
#[no_mangle]
pub unsafe extern "C" fn ih_engine_options_init(options: *mut ih_engine_options) -> ih_status {
    border(|| {
        let place = output(options)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(ih_engine_options::usual()) };
        Ok(())
    })
}
