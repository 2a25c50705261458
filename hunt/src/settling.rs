//! Settling: what is left to do for a hunt's memory when its engine has booted.
//!
//! ```text
//!   boot ─ first replies ─── a second later ─▶ map to 2 MiB pages ─▶ arenas populated ─▶ done
//!      touches little              a thread beside the engine, one 2 MiB page after the other
//! ```
//!
//! A large hunt takes hundreds of megabytes. To have them all before the first reply would take half a
//! second, and one and a half where a hypervisor has to find the memory. To fetch them beside the boot is
//! no better: each of the kernel's steps for a thread or a mapping waits for the page under way. So
//! boot touches only what it writes, and the rest comes when hosts have had their first replies.
//!
//! Until it is done a request may be the first to touch a page, and waits for it; and a limit on memory that
//! is too small shows late. The map goes first: each move reads it.
//!
//! A hunt that is gone before is left alone: only what still lives is settled.

use std::sync::Weak;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::arena::{Arena, Unpopulated};
use crate::map::StreetMap;

/// What is left to do; [`Hunt::settling`](crate::world::Hunt::settling) tells it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
/// use ironhoard_hunt::map::{generate, GenerateOptions};
/// use ironhoard_hunt::tag::WorldSecret;
/// use ironhoard_hunt::world::{Hunt, HuntOptions};
///
/// let map = Arc::new(generate(&GenerateOptions::city(500, 1), &mut |_, _| {}).unwrap());
/// let secret = WorldSecret::from_seed(1);
/// let game = GameOptions { players: 100_000, max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S, secret };
/// let hunt = Hunt::new(map, &HuntOptions::new(game)).unwrap();
/// let settled = hunt.settling().start_after(Duration::from_millis(10)).unwrap();
/// // … serve the hunt; or wait here, where there is no hurry to be the first to reply:
/// settled.join().unwrap();
/// ```
#[must_use = "nothing settles by itself"]
pub struct Settling {
    map: Weak<StreetMap>,
    arenas: Vec<Unpopulated>,
}

impl Settling {
    /// The map, and no arena yet.
    pub(crate) fn of_map(map: Weak<StreetMap>) -> Settling {
        let arenas = Vec::new();
        Settling { map, arenas }
    }

    /// One more arena.
    pub(crate) fn add<T>(&mut self, arena: &Arena<T>) {
        self.arenas.extend(arena.unpopulated());
    }

    /// Does it now. Whoever uses the hunt meanwhile may go on.
    pub fn run(self) {
        if let Some(map) = self.map.upgrade() {
            if let Err(error) = map.settle() {
                tracing::warn!(
                    "the map stays on its file's pages, restart with an intact one: {error}"
                );
            }
        }
        self.arenas.iter().for_each(Unpopulated::populate);
        tracing::info!(arenas = self.arenas.len(), "the memory is settled");
    }

    /// Does it after so long, on a thread of its own. To let go of the thread is harmless.
    ///
    /// # Errors
    /// Where there is no thread to be had. Then pages come when they are touched.
    pub fn start_after(self, delay: Duration) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name("settle".to_owned())
            .spawn(move || {
                thread::sleep(delay);
                self.run();
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
    use crate::huge_page::HUGE_PAGE;
    use crate::map::{generate, GenerateOptions};
    use crate::tag::WorldSecret;
    use crate::world::{Hunt, HuntOptions};

    fn hunt(players: u32) -> (Hunt, HuntOptions) {
        let map = Arc::new(generate(&GenerateOptions::city(60, 3), &mut |_, _| {}).unwrap());
        let options = HuntOptions::new(GameOptions {
            players,
            max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
            secret: WorldSecret::from_seed(1),
        });
        (Hunt::new(map, &options).unwrap(), options)
    }

    /// So many players that each kind of memory is larger than what rounding to pages can hide.
    #[test]
    fn all_memory_of_the_budget_is_settled() {
        let (hunt, options) = hunt(8_000_000);
        let settling = hunt.settling();
        let rounding = settling.arenas.len() * HUGE_PAGE;
        let listed: usize = settling.arenas.iter().map(Unpopulated::bytes).sum();
        let budget: u64 = options
            .budget(hunt.map())
            .iter()
            .map(|line| line.bytes)
            .sum();
        assert!(listed as u64 >= budget, "{listed} of {budget}");
        assert!(
            rounding < 4 * 8_000_000,
            "a player's 4 bytes could be missing"
        );
    }

    #[test]
    fn a_settled_hunt_is_the_same_and_a_gone_one_is_left_alone() {
        let (mut hunt, _) = hunt(100_000);
        let before = hunt.state_hash();
        hunt.settling()
            .start_after(Duration::ZERO)
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(hunt.state_hash(), before);
        assert_eq!(hunt.answer(0, 9_999, &[], 64).1.bytes(), 0);
        let settling = hunt.settling();
        drop(hunt);
        assert!(settling.map.upgrade().is_none());
        assert!(settling.arenas.iter().all(|arena| arena.bytes() == 0));
        settling.run();
    }
}
