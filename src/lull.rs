//! The lull: how long one side waits, after it has committed, before its first look for what comes back.
//!
//! ```text
//!   host    commit ── lull ──────────▶ look ─▶ commit ── lull ──────────▶ look
//!              ╲                      ╱           ╲                      ╱
//!   engine      ▶ look ─▶ commit ── lull ──────────▶ look ─▶ commit ── lull ─▶
//! ```
//!
//! With one request under way both sides know that nothing can be there yet. A look too early takes the
//! line away from the peer just when it is about to write it, which costs two ways of a line between the
//! cores; a look too late costs its delay. How long the right lull is depends on where the two threads
//! run *now* and on what the peer does, so each side learns it from its own looks: a first look that
//! found nothing makes it longer, one that found something makes it shorter by less. No clock is read.
//!
//! Both sides have to do it. If one of them looks all the time, it takes its peer's next line away; if
//! only one of them learns, the other is always early or always late.
//!
//! A processor does not wait because the program says so: it runs ahead of a pause, and the look behind it
//! may be over before the wait began. So the lull is arithmetic on which the *address* of the look
//! depends ([`Lull::pass`]), and it begins when the number it works on has arrived.
//!
//! Measurements: `docs/decisions/0008-first-look.md`.

/// What a lull is counted in: eighths of a step. A step is one multiplication, some three cycles.
const STEP: u32 = 8;
/// What a first look that found nothing adds.
const LONGER: u32 = 12 * STEP / 8;
/// What a first look that found something takes off: one look in thirteen is too early.
const SHORTER: u32 = STEP / 8;
/// The longest lull, about a third of a microsecond: two far ways of a line and a short handler.
const LONGEST: u32 = 400 * STEP;
/// From so many looks on, nobody was early: the peer had something else to do.
const FEW_LOOKS: u32 = 64;
/// Looks behind an early one that come without a pause: what is waited for is nearly there.
pub(crate) const QUICK_LOOKS: u32 = 3;
/// After so many first looks that found something it is time to see whether requests still come one at a
/// time. In between may lie others: who sends two or three at a time is early once for each lot.
const MANY_HITS: u32 = 128;

/// How long to wait before a first look, learned from the looks before.
#[derive(Debug, Default)]
pub(crate) struct Lull {
    eighths: u32,
    hits: u32,
}

impl Lull {
    /// Lets the lull pass. Returns 0, later than `after` is there: add it to whatever must not be used
    /// before.
    #[inline(always)]
    pub(crate) fn pass(&self, after: u64) -> u64 {
        let mut value = after;
        for _ in 0..self.eighths / STEP {
            value = step(value);
        }
        nothing_of(value)
    }

    /// What was waited for was found with this look, the first being 0.
    #[inline(always)]
    pub(crate) fn found_with(&mut self, look: u32) {
        if look == 0 {
            self.eighths = self.eighths.saturating_sub(SHORTER);
            self.hits = self.hits.saturating_add(1);
        } else {
            self.was_early(look);
        }
    }

    #[inline(always)]
    fn was_early(&mut self, looks: u32) {
        if looks < FEW_LOOKS {
            self.eighths = (self.eighths + LONGER).min(LONGEST);
        }
    }

    /// Has it become nothing?
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.eighths < STEP
    }

    /// Time to see whether there is more than one at a time? Then what is next is there at once.
    #[inline(always)]
    pub(crate) fn is_in_doubt(&mut self) -> bool {
        let doubt = self.hits >= MANY_HITS;
        if doubt {
            self.hits = 0;
        }
        doubt
    }
}

/// One step: some number that is there a multiplication later than `value`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn step(value: u64) -> u64 {
    let mut value = value;
    // SAFETY: arithmetic on one register.
    unsafe {
        std::arch::asm!("imul {0}, {0}", inout(reg) value, options(pure, nomem, nostack));
    }
    value
}

/// 0, when `value` is there; the compiler must not know.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn nothing_of(value: u64) -> u64 {
    let mut value = value;
    // SAFETY: arithmetic on one register.
    unsafe {
        std::arch::asm!("and {0}, 0", inout(reg) value, options(pure, nomem, nostack));
    }
    value
}

/// One step: some number that is there a multiplication later than `value`.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn step(value: u64) -> u64 {
    let mut value = value;
    // SAFETY: arithmetic on one register.
    unsafe {
        std::arch::asm!("mul {0}, {0}, {0}", inout(reg) value, options(pure, nomem, nostack));
    }
    value
}

/// 0, when `value` is there; the compiler must not know.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn nothing_of(value: u64) -> u64 {
    let mut value = value;
    // SAFETY: arithmetic on one register.
    unsafe {
        std::arch::asm!("and {0}, {0}, xzr", inout(reg) value, options(pure, nomem, nostack));
    }
    value
}

/// Elsewhere the processor may run ahead; a pause is what there is.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn step(value: u64) -> u64 {
    std::hint::black_box(value.wrapping_mul(value))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn nothing_of(value: u64) -> u64 {
    std::hint::black_box(value);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lull after `looks` numbers of looks.
    fn after(looks: impl IntoIterator<Item = u32>) -> Lull {
        let mut lull = Lull::default();
        looks.into_iter().for_each(|look| lull.found_with(look));
        lull
    }

    #[test]
    fn it_passes_as_nothing() {
        for value in [0, 1, u64::MAX, 64] {
            assert_eq!(after([1; 100]).pass(value), 0);
            assert_eq!(Lull::default().pass(value), 0);
        }
    }

    #[test]
    fn early_looks_make_it_longer_and_hits_shorter() {
        assert!(Lull::default().is_over());
        let long = after([1; 50]);
        assert_eq!(long.eighths, 50 * LONGER);
        let shorter = after([3; 50].into_iter().chain([0; 50]));
        assert_eq!(shorter.eighths, 50 * (LONGER - SHORTER));
        assert!(after([1; 50].into_iter().chain([0; 600])).is_over());
    }

    #[test]
    fn it_settles_where_one_look_in_thirteen_is_early() {
        let mut lull = Lull::default();
        let arrives = 100 * STEP;
        let mut early = 0;
        for round in 0..10_000 {
            let look = u32::from(lull.eighths < arrives);
            early += u32::from(round >= 5_000) * look;
            lull.found_with(look);
        }
        assert!((350..420).contains(&early), "{early} of 5000");
        assert!(lull.eighths.abs_diff(arrives) <= LONGER);
    }

    #[test]
    fn it_has_an_end_and_long_waits_teach_nothing() {
        assert_eq!(after([1; 10_000]).eighths, LONGEST);
        assert_eq!(after([FEW_LOOKS; 100]).eighths, 0);
        assert_eq!(after([FEW_LOOKS - 1; 100]).eighths, 100 * LONGER);
    }

    #[test]
    fn many_hits_raise_a_doubt_once() {
        let mut lull = after([0; MANY_HITS as usize]);
        assert!(lull.is_in_doubt());
        assert!(!lull.is_in_doubt());
        assert!(!after([0; MANY_HITS as usize - 1]).is_in_doubt());
    }

    #[test]
    fn whoever_sends_a_few_at_a_time_is_found_out() {
        for at_a_time in 2..5 {
            let mut lot = vec![0; at_a_time];
            lot[0] = 1; // the first of a lot is waited for
            let mut lull = after([1; 100]);
            let doubted = (0..MANY_HITS).any(|_| {
                lot.iter().for_each(|&look| lull.found_with(look));
                lull.is_in_doubt()
            });
            assert!(doubted, "{at_a_time} at a time");
        }
    }
}
