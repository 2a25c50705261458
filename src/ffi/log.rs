//! Log lines for C: the library's events, each as one line of text, handed to a function of the program.
//!
//! Falling back is said aloud; somebody must be able to hear it. Nothing is logged on the way of a message.

use std::cell::Cell;
use std::ffi::{c_char, c_void, CString};
use std::fmt::{self, Write};
use std::sync::{Once, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{set_global_default, Interest};
use tracing::{Event, Level, Metadata, Subscriber};

use super::border::{border, Outcome};
use super::failure::bad_argument;
use super::status::ih_status::{self, IH_ERROR_LOCK};

/// How much to hear.
#[repr(C)]
pub enum ih_log_level {
    IH_LOG_ERROR = 1,
    IH_LOG_WARN = 2,
    IH_LOG_INFO = 3,
    IH_LOG_DEBUG = 4,
}

/// Hears one log line, which lives until it returns. Called from any thread, never on the hot path.
pub type ih_log_sink =
    Option<unsafe extern "C" fn(context: *mut c_void, level: u32, line: *const c_char)>;

/// Who hears the lines.
struct Sink {
    sink: unsafe extern "C" fn(*mut c_void, u32, *const c_char),
    context: *mut c_void,
    level: u32,
}

// SAFETY: the context is the program's; the header says that any thread may call with it.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    /// This thread is inside of the sink.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Has this process no other subscriber? Then ours is, once and for all.
fn install() -> Outcome {
    static ONCE: Once = Once::new();
    static REFUSED: RwLock<bool> = RwLock::new(false);
    ONCE.call_once(|| {
        let refused = set_global_default(Lines).is_err();
        *REFUSED.write().unwrap_or_else(PoisonError::into_inner) = refused;
    });
    match *REFUSED.read().unwrap_or_else(PoisonError::into_inner) {
        false => Ok(()),
        true => Err(bad_argument(format_args!(
            "this process has a tracing subscriber of its own, which hears these lines"
        ))),
    }
}

/// The number of a level in C.
fn number(level: &Level) -> u32 {
    let level = match *level {
        Level::ERROR => ih_log_level::IH_LOG_ERROR,
        Level::WARN => ih_log_level::IH_LOG_WARN,
        Level::INFO => ih_log_level::IH_LOG_INFO,
        Level::DEBUG | Level::TRACE => ih_log_level::IH_LOG_DEBUG,
    };
    level as u32
}

/// Turns each event into a line. Spans say nothing.
struct Lines;

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes() // the level may change at any time
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if LISTENING.get() {
            return false; // said by the sink itself
        }
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = sink.as_ref().map_or(0, |sink| sink.level);
        number(metadata.level()) <= wanted && metadata.target().starts_with("ironhoard")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}", line.message, line.fields).replace('\0', " ");
        let Ok(text) = CString::new(text) else {
            return;
        };
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = &*sink {
            LISTENING.set(true);
            // SAFETY: the program's function, called as the header says.
            unsafe {
                (sink.sink)(
                    sink.context,
                    number(event.metadata().level()),
                    text.as_ptr(),
                )
            };
            LISTENING.set(false);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message, and behind it the fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Sends log lines up to `level` to `sink`, from now on; NULL: to nobody. They tell what was not got
/// (2 MiB pages, a core) and what happens to peers. A line at a time; the
/// sink must not call this function. Where it is never called nothing is logged.
#[no_mangle]
pub unsafe extern "C" fn ih_log_to(
    sink: ih_log_sink,
    context: *mut c_void,
    level: u32,
) -> ih_status {
    border(|| {
        if !(ih_log_level::IH_LOG_ERROR as u32..=ih_log_level::IH_LOG_DEBUG as u32).contains(&level)
        {
            return Err(bad_argument(format_args!(
                "the level is {level}: choose IH_LOG_ERROR, IH_LOG_WARN, IH_LOG_INFO or IH_LOG_DEBUG"
            )));
        }
        if LISTENING.get() {
            return Err(IH_ERROR_LOCK.into()); // it would wait for itself
        }
        install()?;
        *SINK.write().unwrap_or_else(PoisonError::into_inner) = sink.map(|sink| Sink {
            sink,
            context,
            level,
        });
        Ok(())
    })
}
