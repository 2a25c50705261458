//! An engine on a thread of this process, for tests with engine and host in one.

use std::sync::Arc;
use std::thread::JoinHandle;

use ironhoard::engine::{Counters, Counts, Engine, EngineOptions, Handler, StopHandle};

/// It is told to stop when dropped.
pub struct Running {
    pub stop: StopHandle,
    pub counters: Arc<Counters>,
    thread: Option<JoinHandle<Counts>>,
}

impl Running {
    /// Starts it with a handler for each shard.
    pub fn start<H: Handler>(
        options: EngineOptions,
        make: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> Running {
        let engine = Engine::bind(options).expect("bound");
        let (stop, counters) = (engine.stop_handle(), engine.counters());
        let thread = std::thread::spawn(move || engine.run(make).expect("ran"));
        Running {
            stop,
            counters,
            thread: Some(thread),
        }
    }

    /// Stops it, and gives what it counted.
    pub fn stop(mut self) -> Counts {
        self.stop.stop();
        let thread = self.thread.take().expect("stopped once");
        thread.join().expect("no panic outside of a handler")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
    }
}
