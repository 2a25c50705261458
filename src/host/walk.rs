//! Where did a dead engine stop? Found by walking the rings it left.
//!
//! * `R`, the last committed reply of a lane: walk the reply ring from where the lane last released.
//!   Nothing from there on was overwritten, and the dead write no more.
//! * The position of request `R + 1`: walk the host's own request ring from the position the engine
//!   published. It published only behind committed replies, so request `R + 1` and all that follow are
//!   still there.
//!
//! The published position says where a record starts and not which. The header there says its number
//! if a record is there; if everything was answered, the word there is zero or an old header, and an old
//! header would lead the walk once round the ring. An engine publishes each eighth of the ring, so
//! a walk that needs more than half of it has followed an old header.

use super::link::{Link, Track, Untold};
use crate::attach::LaneResume;
use crate::layout::LINE;
use crate::ring::{Consumer, Cursor, PositionWord, Words};

/// Number of the last committed reply of `lane` on the dead `link`.
pub(super) fn last_reply(link: &Link, lane: u32, track: &Track) -> u64 {
    let (epoch, at) = track.read();
    let start = if epoch == link.epoch() {
        at
    } else {
        // The lane has not come to this link yet, so nothing of it was released.
        Cursor {
            position: 0,
            number: link.first_replies[lane as usize],
        }
    };
    let walker = Consumer::new(
        link.regions.reply_words(lane),
        Untold,
        link.regions.reply_geometry(),
        start,
    );
    let mut walker = walker.expect("words and geometry are of one layout");
    // One ringful at most: the engine may only have hung up, and go on writing.
    let mut polled = walker.poll(link.regions.reply_capacity as usize / LINE);
    // What a dying engine may have left as nonsense ends the walk like the ring's end does.
    while matches!(polled.next(), Ok(Some(_))) {}
    drop(polled);
    walker.cursor().number.wrapping_sub(1)
}

/// Position of request `number` in the request ring of `lane`, and whether it has been committed.
/// `None` where the dead engine published a position that can't be.
pub(super) fn request_position(link: &Link, lane: u32, number: u64) -> Option<(u64, bool)> {
    let published = link.regions.request_position(lane).observe(); // `release`, read once
    if published % LINE as u64 != 0 {
        return None;
    }
    let words = link.regions.request_words(lane);
    let geometry = link.regions.request_geometry();
    let at = |cursor: Cursor| {
        Consumer::new(words.clone(), Untold, geometry, cursor).expect("one layout")
    };
    let word = ((published & (geometry.capacity - 1)) / 8) as usize;
    let first = first_number(&words, word, number);
    let mut walker = at(Cursor {
        position: published,
        number: first,
    });
    while walker.cursor().number != number {
        let walked = walker.cursor().position.wrapping_sub(published);
        let mut polled = walker.poll(1);
        let found = matches!(polled.next(), Ok(Some(_)));
        drop(polled);
        if !found || walked > geometry.capacity / 2 {
            // An old header: everything up to here was answered.
            walker = at(Cursor {
                position: published,
                number,
            });
        }
    }
    let committed = matches!(walker.peek(), Ok(Some(_)));
    Some((walker.cursor().position, committed))
}

/// The number that the header at `word` carries, the latest that is not above `number`.
fn first_number(words: &impl Words, word: usize, number: u64) -> u64 {
    let low = words.observe(word) >> 32; // `commit`: this process's own producer
    let candidate = (number & !0xffff_ffff) | low;
    if candidate <= number {
        candidate
    } else {
        candidate.wrapping_sub(1 << 32)
    }
}

/// What to tell the next engine of a lane, and what to remember of it here.
pub(super) fn lane_resume(
    link: &Link,
    lane: u32,
    track: &Track,
    remembered: &mut LaneResume,
) -> Option<()> {
    let last_reply = last_reply(link, lane, track);
    let (position, committed) = request_position(link, lane, last_reply.wrapping_add(1))?;
    let again = remembered.last_reply == last_reply && remembered.deaths > 0;
    *remembered = LaneResume {
        last_reply,
        position,
        deaths: match (committed, again) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => remembered.deaths + 1,
        },
    };
    Some(())
}
