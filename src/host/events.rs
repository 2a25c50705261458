//! A host's reader of one event ring: poll, wait, and follow the engine to its successor.
//!
//! Polling is the event ring's own business: a copy, and a look whether it still counts. Here is what a
//! host adds: its line in shared memory (how far it is, whether it sleeps), waiting on the doorbells with
//! the other threads, and what happens when the engine dies: the old ring is read to its end, then
//! another life begins, with numbers of its own.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::HostError;
use super::link::Link;
use super::shared::HostShared;
use crate::event::{Event, EventPoll, EventReader, Lost, MemoryEventReader};
use crate::lane;
use crate::ring::Geometry;
use crate::sys::barrier::Barrier;
use crate::sys::clock::deadline_in;
use crate::wait::{Doze, FlagWord, MemoryFlag, Sleeper};

/// What one poll of an event ring brought.
///
/// ```
/// use ironhoard::host::EventAnswer;
/// fn say(answer: EventAnswer) -> String {
///     match answer {
///         EventAnswer::Event(event) => format!("event {}, {} bytes", event.number, event.len),
///         EventAnswer::Overrun(lost) => format!("{lost} are lost"),
///         EventAnswer::NewLife { .. } => "another engine: numbers begin anew".into(),
///         EventAnswer::Empty => "nothing new".into(),
///     }
/// }
/// assert_eq!(say(EventAnswer::Empty), "nothing new");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAnswer {
    /// An event; its payload is in the caller's buffer.
    Event(Event),
    /// This host was too slow: exactly these events are lost to it. It goes on behind them.
    Overrun(Lost),
    /// Another engine took over and all of the last one's events have been answered: numbers begin anew.
    /// What the new one has published so far comes next, as far as it is retained.
    NewLife {
        /// The name of the engine's life, never 0.
        life: u64,
    },
    /// Nothing new.
    Empty,
}

/// A host's reader of one event ring. Send, not Sync: one thread at a time. Dropping it gives the ring
/// back to the host, to be taken again.
///
/// ```no_run
/// use ironhoard::attach::Wishes;
/// use ironhoard::host::{EventAnswer, Host, HostOptions};
/// use std::time::Duration;
///
/// let options = HostOptions { wishes: Wishes::events_only(), ..HostOptions::default() };
/// let host = Host::attach_with("/run/hunt.sock", options)?;
/// let mut events = host.events(0)?;
/// let mut payload = vec![0; events.payload_limit()];
/// while events.wait(Duration::from_secs(60))? {
///     match events.poll(&mut payload)? {
///         EventAnswer::Event(event) => println!("{}: {:?}", event.number, &payload[..event.copied]),
///         EventAnswer::Overrun(lost) => println!("too slow: {lost} are lost"),
///         EventAnswer::NewLife { .. } => println!("the engine was restarted"),
///         EventAnswer::Empty => {}
///     }
/// }
/// # Ok::<(), ironhoard::host::HostError>(())
/// ```
pub struct EventReceiver {
    pub(super) shared: Arc<HostShared>,
    pub(super) ring: u32,
    link: Arc<Link>,
    reader: MemoryEventReader,
    pub(super) sleeper: Sleeper<MemoryFlag>,
    next: MemoryFlag,
}

impl EventReceiver {
    /// The receiver of `ring`, which the caller has taken from `shared`.
    pub(super) fn new(shared: Arc<HostShared>, ring: u32) -> Result<Self, HostError> {
        let link = shared.newest_link();
        match reader(&link, ring) {
            Ok(reader) => Ok(Self {
                sleeper: Sleeper::new(link.regions.event_flag(ring)),
                next: link.regions.event_next(ring),
                shared,
                ring,
                link,
                reader,
            }),
            Err(error) => {
                shared.give_event_ring_back(ring);
                Err(error)
            }
        }
    }

    /// The next event, copied into `payload` as far as it goes; or what is lost; or nothing new. Never
    /// blocks. A new receiver begins with the oldest events that are retained.
    ///
    /// # Errors
    /// [`HostError::Gone`] when the engine is gone for good and all its events have been answered,
    /// [`HostError::NoEventRing`] where its successor has no such ring, [`HostError::Forked`],
    /// [`HostError::Corrupt`].
    #[inline]
    pub fn poll(&mut self, payload: &mut [u8]) -> Result<EventAnswer, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        match self.reader.poll(payload) {
            Ok(EventPoll::Event(event)) => Ok(self.event(event)),
            Ok(EventPoll::Overrun(lost)) => Ok(self.overrun(lost)),
            found => {
                if self.shared.epoch() != self.link.epoch() || self.shared.has_trouble() {
                    return self.follow(payload);
                }
                found?;
                Ok(EventAnswer::Empty)
            }
        }
    }

    /// Waits until there is something to poll or the deadline passes; says whether there is. Spins first,
    /// as long as the host's options say, then sleeps.
    ///
    /// # Errors
    /// [`HostError::Forked`], [`HostError::Gone`].
    pub fn wait(&mut self, deadline: Duration) -> Result<bool, HostError> {
        for _ in 0..=self.shared.options.spin {
            if self.has_news()? {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        let until = deadline_in(deadline);
        while !self.has_news()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.sleep(until);
        }
        Ok(true)
    }

    /// Passes over all that is there; what is published from now on comes next. Returns how many events
    /// that were.
    ///
    /// # Errors
    /// [`HostError::Forked`], [`HostError::Corrupt`].
    pub fn skip_to_end(&mut self) -> Result<u64, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        let skipped = self.reader.skip_to_end()?;
        self.next.store(self.reader.next_number()); // no partner: for who looks on
        Ok(skipped)
    }

    /// The number of the event that comes next.
    pub fn next_number(&self) -> u64 {
        self.reader.next_number()
    }

    /// The largest payload of an event, in bytes.
    pub fn payload_limit(&self) -> usize {
        self.reader.payload_limit() as usize
    }

    /// Which of the engine's event rings this is.
    pub fn ring(&self) -> u32 {
        self.ring
    }

    #[inline(always)]
    fn event(&mut self, event: Event) -> EventAnswer {
        self.next.store(event.number.wrapping_add(1)); // no partner: for who looks on
        EventAnswer::Event(event)
    }

    #[cold]
    fn overrun(&mut self, lost: Lost) -> EventAnswer {
        let counter = &self.shared.lost_events;
        counter.fetch_add(lost.count(), Ordering::Relaxed); // no partner: statistics
        self.next.store(lost.last.wrapping_add(1)); // no partner: for who looks on
        EventAnswer::Overrun(lost)
    }

    /// Is there something for `poll` to answer?
    pub(super) fn has_news(&mut self) -> Result<bool, HostError> {
        if self.shared.mark.is_child() {
            return Err(HostError::Forked);
        }
        if self.reader.has_news() || self.shared.epoch() != self.link.epoch() {
            return Ok(true);
        }
        self.shared.check(u32::MAX)?;
        Ok(false)
    }

    /// Sleeps until the engine rings, unless there is news (label `doze`: raise, barrier, look, sleep).
    fn sleep(&mut self, until: Instant) {
        // Before the link and before the look: news of either counts as a wake.
        let ticket = self.shared.nap.ticket();
        let link = self.shared.newest_link();
        self.sleeper.raise();
        Barrier::agreed(link.terms.membarrier).sleeper();
        if !self.has_news().unwrap_or(true) {
            self.shared.nap.sleep(&link.doorbells, until, ticket);
        }
        self.sleeper.lower();
    }

    /// The ring is empty, or nonsense, and its engine may be dead: its last events first, then the next
    /// engine's ring.
    #[cold]
    fn follow(&mut self, payload: &mut [u8]) -> Result<EventAnswer, HostError> {
        let last = self.reader.poll(payload); // published between the look and the death
        match last {
            Ok(EventPoll::Event(event)) => return Ok(self.event(event)),
            Ok(EventPoll::Overrun(lost)) => return Ok(self.overrun(lost)),
            Ok(EventPoll::Empty) | Err(_) => {}
        }
        let newest = self.shared.newest_link();
        if newest.epoch() == self.link.epoch() {
            self.shared.check(u32::MAX)?;
            last?;
            return Ok(EventAnswer::Empty);
        }
        self.reader = reader(&newest, self.ring)?;
        self.next.store(self.reader.next_number()); // no partner: for who looks on
        self.link = newest;
        let life = self.link.terms.events.life;
        Ok(EventAnswer::NewLife { life })
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        self.shared.give_event_ring_back(self.ring);
    }
}

/// A reader of event ring `ring` of this incarnation of the engine.
fn reader(link: &Link, ring: u32) -> Result<MemoryEventReader, HostError> {
    let capacity = link.terms.events.capacity;
    let Some(region) = link.events.get(ring as usize) else {
        let rings = link.events.len() as u32;
        return Err(HostError::NoEventRing { ring, rings });
    };
    let (words, control) = lane::event_words(region, capacity);
    let geometry = Geometry::new(capacity).expect("checked at attach");
    let reader = EventReader::new(words, control, geometry);
    Ok(reader.expect("words and geometry are of one layout"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions, Handler, Reply, Request, Status};
    use crate::host::{Host, HostOptions};
    use crate::wait::WaitStrategy;

    /// Publishes an event for each request.
    struct Herald;

    impl Handler for Herald {
        fn handle(&mut self, request: &Request<'_>, _: &mut Reply<'_>) -> Status {
            request.event(0, 8).expect("there is room").publish(1);
            Status::OK
        }
    }

    /// An event that came between a poll and the engine's death is told by the last look: who looks on
    /// must hear of it as of any other.
    #[test]
    fn who_looks_on_hears_of_the_last_event() {
        let name = format!("ironhoard-last-event-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let options = EngineOptions::new(&path)
            .wait(WaitStrategy::Yield(Duration::from_millis(1)))
            .event_rings(1, 4096);
        let engine = Engine::bind(options).expect("bound");
        let stop = engine.stop_handle();
        let engine = std::thread::spawn(move || engine.run(|_| Herald).expect("ran"));
        let mut options = HostOptions::default();
        options.wishes.event_rings = 1;
        let host = Host::attach_with(&path, options).expect("attached");
        let mut events = host.events(0).expect("a ring");
        assert_eq!(events.poll(&mut []).expect("sound"), EventAnswer::Empty);
        let mut lane = host.lane().expect("a lane");
        let reply = lane.call(1, &[], &mut [], Duration::from_secs(20));
        reply.expect("answered");
        let last = events.follow(&mut []).expect("sound");
        assert!(
            matches!(last, EventAnswer::Event(event) if event.number == 1),
            "{last:?}"
        );
        assert_eq!(events.next.load(), 2);
        stop.stop();
        engine.join().expect("no panic");
    }
}
