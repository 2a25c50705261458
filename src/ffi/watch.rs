//! A consumer in an event loop: a descriptor to sleep on, and what to do before and after.

use std::ffi::c_int;

use super::border::{border, Outcome};
use super::consumer::ih_consumer;
use super::failure::bad_argument;
use super::handle::exclusive;
use super::input::output;
use super::status::ih_status;
use crate::host::Watch;

/// The watch that the function `maker` made.
pub(super) fn watch_of<'a>(watch: &'a mut Option<Watch>, maker: &str) -> Outcome<&'a mut Watch> {
    watch.as_mut().ok_or_else(|| {
        bad_argument(format_args!(
            "nobody has asked for the descriptor: call {maker} first"
        ))
    })
}

/// A descriptor for an event loop (epoll, poll, libuv): readable when this consumer should look.
/// It stays the same while engines come and go. Never read or close it; it ends with the lane.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_fd(consumer: *mut ih_consumer, fd: *mut c_int) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        let place = output(fd)?;
        let watch = match &consumer.watch {
            Some(watch) => watch,
            None => consumer.watch.insert(consumer.receiver.watch()?),
        };
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(watch.fd()) };
        Ok(())
    })
}

/// Before sleeping on the descriptor: asks to be rung. `ready` gets 1 where there is something already
/// (a reply, or an end that the next poll will tell): don't sleep, poll. Else 0.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_arm(
    consumer: *mut ih_consumer,
    ready: *mut c_int,
) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        let place = output(ready)?;
        consumer.must_be_released()?;
        let watch = watch_of(&mut consumer.watch, "ih_consumer_fd")?;
        let found = consumer.receiver.arm(watch)?;
        // SAFETY: not null; the caller's to write.
        unsafe { place.write(found.into()) };
        Ok(())
    })
}

/// After sleeping on the descriptor: silences it. Then poll until nothing is found, and arm again.
#[no_mangle]
pub unsafe extern "C" fn ih_consumer_disarm(consumer: *mut ih_consumer) -> ih_status {
    border(|| {
        // SAFETY: what the header asks for.
        let consumer = unsafe { exclusive(consumer)? };
        let watch = watch_of(&mut consumer.watch, "ih_consumer_fd")?;
        consumer.receiver.disarm(watch)?;
        Ok(())
    })
}
