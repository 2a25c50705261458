//! The example host, at an engine: what it prints is what the engine counted.

#[path = "../examples/treasure_hunt.rs"]
#[allow(dead_code)] // its `main` belongs to the example
mod treasure_hunt;

use std::sync::{Arc, Mutex};

use ironhoard::attach::Policy;
use ironhoard::engine::{Engine, EngineOptions};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::handler::HuntHandler;
use ironhoard_hunt::map::{generate, GenerateOptions};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::world::{Hunt, HuntOptions};

#[test]
fn the_example_finds_treasures_and_is_caught_at_each_lie() {
    let folder = tempfile::tempdir().unwrap();
    let (path, map_file) = (
        folder.path().join("hunt.sock"),
        folder.path().join("city.ihmap"),
    );
    let map = Arc::new(generate(&GenerateOptions::city(500, 4), &mut |_, _| {}).unwrap());
    map.save(&map_file).unwrap();
    let game = GameOptions {
        players: 10,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: WorldSecret::from_seed(1),
    };
    let options = HuntOptions {
        treasures: 400,
        scattered: 400,
        ..HuntOptions::new(game)
    };
    let policy = Policy {
        service: "treasure-hunt".to_owned(),
        ..Policy::default()
    };
    let engine = Engine::bind(EngineOptions::new(&path).policy(policy)).unwrap();
    let stop = engine.stop_handle();
    let hunt = Mutex::new(Hunt::new(map, &options).ok());
    std::thread::scope(|scope| {
        let served = scope.spawn(move || {
            let only_shard = || hunt.lock().unwrap().take().expect("one shard");
            engine.run(|_| HuntHandler::new(only_shard())).unwrap()
        });
        let walked = treasure_hunt::hunt(&path, &map_file, 800, 3);
        let again = treasure_hunt::hunt(&path, &map_file, 8, 3);
        stop.stop();
        let requests = served.join().unwrap().requests;
        let walked = walked.unwrap();
        assert_eq!((walked.steps, walked.lies, walked.rank), (700, 100, 1));
        assert!(walked.treasures > 5, "{walked:?}");
        // Each treasure is worth a thousand, each street its decimetres.
        assert!(
            walked.score > 1_000 * i64::from(walked.treasures),
            "{walked:?}"
        );
        // A player whose sequences begin anew is refused, and told why.
        let refused = again.unwrap_err().to_string();
        assert!(refused.contains("resume"), "{refused}");
        // Join, leave and the board besides, and the claims; and the join that was refused.
        assert!(requests >= u64::from(803 + walked.treasures), "{requests}");
    });
}
