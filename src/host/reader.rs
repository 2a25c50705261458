//! The reply side of a lane: reads the reply ring of one engine to its end, then that of the next.

use std::sync::Arc;

use super::bell::Bell;
use super::link::{Link, ReplyPosition, Track};
use crate::ring::{Consumer, Corrupt, Cursor, Geometry, MemoryWords, Polled, PositionWord, Record};
use crate::sys::barrier::{self, Barrier};

/// Consumer of a lane's replies, across engines.
pub(super) struct Reader {
    pub(super) consumer: Consumer<MemoryWords, ReplyPosition>,
    /// The same ring once more, for walking ahead.
    pub(super) words: MemoryWords,
    pub(super) geometry: Geometry,
    pub(super) epoch: u64,
    /// Replies below this number belong to nobody any more: dropped and counted.
    pub(super) first_wanted: u64,
    track: Arc<Track>,
    lane: u32,
}

impl Reader {
    /// A reader at the beginning of a link's reply ring.
    pub(super) fn new(lane: u32, link: &Link, track: &Arc<Track>) -> Self {
        let start = Cursor {
            position: 0,
            number: link.first_replies[lane as usize],
        };
        let epoch = link.epoch();
        let position = ReplyPosition {
            epoch,
            track: track.clone(),
            word: link.regions.reply_position(lane, epoch),
            barrier: Barrier::agreed(barrier::register()),
        };
        position.publish(start);
        let words = link.regions.reply_words(lane);
        let geometry = link.regions.reply_geometry();
        Self {
            consumer: Consumer::new(words.clone(), position, geometry, start)
                .expect("words and geometry are of one layout"),
            words,
            geometry,
            epoch,
            first_wanted: start.number,
            track: track.clone(),
            lane,
        }
    }

    /// Moves on to `next` if the present ring has been read to its end.
    pub(super) fn follow(&mut self, next: &Link) -> bool {
        if self.consumer.cursor().number != next.first_replies[self.lane as usize] {
            return false;
        }
        let first_wanted = self.first_wanted;
        *self = Reader::new(self.lane, next, &self.track);
        self.first_wanted = first_wanted;
        true
    }

    /// Moves to the beginning of `newest`, whatever was left unread.
    pub(super) fn abandon(&mut self, newest: &Link) {
        if self.epoch != newest.epoch() {
            let first_wanted = self.first_wanted;
            *self = Reader::new(self.lane, newest, &self.track);
            self.first_wanted = first_wanted;
        }
    }

    /// Does the next reply belong to nobody?
    #[inline(always)]
    pub(super) fn is_behind(&self) -> bool {
        self.consumer.cursor().number < self.first_wanted
    }

    /// Drops the replies nobody waits for any more; returns how many, and whether that was published:
    /// room is news.
    pub(super) fn drop_unwanted(&mut self) -> Result<(u64, bool), Corrupt> {
        let (mut dropped, mut published) = (0, false);
        while self.is_behind() {
            let mut polled = self.consumer.poll(1);
            let found = polled.next()?.is_some();
            published |= polled.finish();
            if !found {
                break;
            }
            dropped += 1;
        }
        Ok((dropped, published))
    }
}

/// Replies taken from a lane: read in place, released together when this is dropped.
///
/// ```no_run
/// # use ironhoard::host::Host;
/// # let host = Host::attach("/run/hunt.sock")?;
/// let mut lane = host.lane()?;
/// let mut replies = lane.poll(64)?;
/// while let Some(reply) = replies.next()? {
///     match reply.kind() {
///         0 => println!("{}: {:?}", reply.number(), reply.payload().u64_at(0)),
///         status => println!("{} failed with {status:#x}", reply.number()),
///     }
/// }
/// # drop(replies);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Replies<'a> {
    polled: Option<Polled<'a, MemoryWords, ReplyPosition>>,
    bell: &'a mut Bell,
}

impl<'a> Replies<'a> {
    #[inline(always)]
    pub(super) fn new(polled: Polled<'a, MemoryWords, ReplyPosition>, bell: &'a mut Bell) -> Self {
        let polled = Some(polled);
        Self { polled, bell }
    }

    /// The next reply; `None` when there is none for now. Its `number` is its request's, its `kind`
    /// the status.
    ///
    /// # Errors
    /// [`Corrupt`], for good: the engine wrote something that is no record.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Record<'_, MemoryWords>>, Corrupt> {
        self.polled.as_mut().expect("present until dropped").next()
    }
}

impl Drop for Replies<'_> {
    /// Room is news too: an engine may sleep because this lane's reply ring was full.
    #[inline(always)]
    fn drop(&mut self) {
        if self.polled.take().is_some_and(Polled::finish) {
            self.bell.after_publish();
        }
    }
}
