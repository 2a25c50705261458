//! A progress bar on standard error, for whoever waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of a long piece of work; the bar is removed when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar of `length` steps named `what`; if `hidden`, nothing is drawn.
    ///
    /// It draws from the thread that steps it, at most five times a second: a drawing thread of its
    /// own would disturb a benchmark that uses every core.
    pub fn new(length: u64, what: &'static str, hidden: bool) -> Progress {
        let target = if hidden {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
        bar.set_style(style.expect("a constant template is valid"));
        bar.set_message(what);
        Progress { bar }
    }

    /// Some steps are done.
    pub fn set(&self, steps: u64) {
        self.bar.set_position(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
