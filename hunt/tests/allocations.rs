//! After its start the game takes no memory: not for accepted moves, not for lies, not for nonsense.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use ironhoard_hunt::game::{Game, GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting in a
// thread-local cell without a destructor neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn judging_and_walking_allocate_nothing() {
    let map = Arc::new(generate(&GenerateOptions::city(1_000, 1), &mut |_, _| {}).unwrap());
    let secret = WorldSecret::from_seed(1);
    let walk = WalkOptions {
        rates: BadRates::each(50_000),
        ..WalkOptions::honest(0..50, 9)
    };
    let mut walkers = Walkers::new(map.clone(), &secret, &walk).unwrap();
    let options = GameOptions {
        players: 50,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret,
    };
    let mut game = Game::new(map, &options).unwrap();

    let before = ALLOCATIONS.with(Cell::get);
    let mut replies = 0_u64;
    for _ in 0..20_000 {
        let step = walkers.next_move();
        let outcome = game.apply(&step.bytes);
        replies += u64::from(outcome.reply.map_or(0, |reply| reply.encode()[30]));
        game.apply(&step.bytes[..47]);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(before > 0 && replies > 0);
}
