//! After its start the game takes no memory: not for accepted moves, not for lies, not for nonsense.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use ironhoard_hunt::game::{Game, GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions};
use ironhoard_hunt::request::{PlayVerb, KIND_PLAY, LARGEST_REPLY_BYTES};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};
use ironhoard_hunt::world::{Hunt, HuntOptions};

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

/// Joins, steps, claims, scores, events: the whole hunt on what it took at its start.
#[test]
fn playing_allocates_nothing() {
    let map = Arc::new(generate(&GenerateOptions::city(1_000, 1), &mut |_, _| {}).unwrap());
    let secret = WorldSecret::from_seed(1);
    let walk = WalkOptions {
        rates: BadRates::each(5_000),
        ..WalkOptions::honest(0..50, 9)
    };
    let walkers = Walkers::new(map.clone(), &secret, &walk).unwrap();
    let steps: Vec<[u8; 48]> = walkers.take(20_000).map(|step| step.bytes).collect();
    let game = GameOptions {
        players: 50,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: secret.clone(),
    };
    let options = HuntOptions {
        treasures: 400,
        scattered: 400,
        arm_dm: 1_000,
        ..HuntOptions::new(game)
    };
    let mut hunt = Hunt::new(map, &options).unwrap();
    let mut out = [0; LARGEST_REPLY_BYTES];
    let mut sessions = [None; 50];

    let before = ALLOCATIONS.with(Cell::get);
    let mut treasures = [0; 50];
    for bytes in &steps {
        let player = bytes[0] as usize % 50;
        let mut play = *bytes;
        let sequence = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let own = secret.player_key(player as u64);
        // Two requests for each step of a walker: a claim, and every now and then a join before it.
        if sessions[player].is_none() || sequence % 40 == 0 {
            let mut join = play;
            join[8..12].copy_from_slice(&(2 * sequence).to_le_bytes());
            join[26] = PlayVerb::Join as u8;
            own.sign(&mut join);
            let (_, answer) = hunt.answer(1, KIND_PLAY, &join, LARGEST_REPLY_BYTES);
            let length = answer.bytes();
            answer.encode_into(&mut out[..length]);
            if length >= 56 && out[30] & 16 != 0 {
                let number = out[48..56].try_into().map(u64::from_le_bytes);
                sessions[player] = number.ok().map(|number| own.session_key(number));
            }
        }
        play[8..12].copy_from_slice(&(2 * sequence + 1).to_le_bytes());
        play[26] = PlayVerb::Claim as u8;
        play[28..32].copy_from_slice(&u32::to_le_bytes(treasures[player]));
        sessions[player].unwrap_or(own).sign(&mut play);
        let (_, answer) = hunt.answer(1, KIND_PLAY, &play, LARGEST_REPLY_BYTES);
        let length = answer.bytes();
        answer.encode_into(&mut out[..length]);
        if out[31] & 15 > 0 && out[30] & 16 == 0 {
            treasures[player] = u32::from_le_bytes([out[48], out[49], out[50], out[51]]);
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    let statistics = hunt.statistics();
    assert!(statistics.claims > 50, "{statistics:?}");
    assert!(
        statistics.board_entries > 40 && statistics.sessions > 40,
        "{statistics:?}"
    );
}
