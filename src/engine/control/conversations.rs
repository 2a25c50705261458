//! Conversations: each on a thread of its own, because memory is allocated there.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::Duration;

use super::{Control, MAX_CONVERSATIONS};
use crate::attach::{converse, Refusal, RefusalCode};
use crate::engine::counters::Counters;

/// Pause after a failed accept (no descriptors left): it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

impl<'e> Control<'e> {
    /// Gives each new connection a thread of its own for the conversation.
    pub(super) fn accept<'s>(&mut self, scope: &'s Scope<'s, '_>) {
        while self.talking < MAX_CONVERSATIONS {
            let socket = match self.engine.listener.accept() {
                Ok(Some(socket)) => socket,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "no host can connect");
                    std::thread::sleep(ACCEPT_PAUSE);
                    return;
                }
            };
            let talk_key = self.next_talk;
            self.next_talk += 1;
            if let Ok(second) = socket.try_clone() {
                self.talks.insert(talk_key, second);
            }
            let policy = self.policy.clone();
            let ledger = self.ledger.clone();
            let next_lane = self.next_lane.clone();
            let results = self.conversations.clone();
            let control = self.engine.control.clone();
            let talk = move || {
                let assign = |lanes: u32| spread(&next_lane, lanes, policy.shards);
                let talk = || converse(socket, &policy, &ledger, &assign).map(Box::new);
                let result = catch_unwind(AssertUnwindSafe(talk)).unwrap_or_else(|_| {
                    let text = "the engine's thread of the conversation panicked";
                    Err(Refusal::new(RefusalCode::Internal, text))
                });
                let _ = results.send((talk_key, result));
                control.ring();
            };
            let thread = std::thread::Builder::new().name("attach".into());
            match thread.spawn_scoped(scope, talk) {
                Ok(_) => self.talking += 1,
                Err(error) => {
                    self.talks.remove(&talk_key);
                    tracing::error!(%error, "no thread for a conversation");
                }
            }
        }
    }

    pub(super) fn take_attached(&mut self) {
        while let Ok((talk, result)) = self.attached.try_recv() {
            self.talking -= 1;
            self.talks.remove(&talk);
            match result {
                Ok(side) => self.welcome(*side),
                Err(refusal) => {
                    Counters::add(&self.engine.counters.refused, 1);
                    tracing::warn!(%refusal, "a host was not attached");
                }
            }
        }
    }
}

/// Lanes go round the shards, so that each shard gets its share.
fn spread(next: &AtomicUsize, lanes: u32, shards: u32) -> Vec<u16> {
    let first = next.fetch_add(lanes as usize, Ordering::Relaxed); // no partner: a ticket
    (0..lanes as usize)
        .map(|lane| ((first + lane) % shards as usize) as u16)
        .collect()
}
