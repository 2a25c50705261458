//! The engine as an operator meets it: refusals that say what to do, leaving cleanly, dying uncleanly.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{in_shared_memory, json, text, until, Folder, Running};
use ironhoard::host::Host;
use rustix::process::Signal;

const MALFORMED: u16 = 8;

/// An engine that listens at `hunt.sock`.
fn engine(folder: &Folder, more: &str) -> Running {
    let line = format!("serve --json --map city.ihmap --players 100 --socket hunt.sock {more}");
    let engine = folder.start(&line);
    until(|| Host::attach(folder.path("hunt.sock")).ok());
    engine
}

/// Sends something that is no move, to have it refused.
fn ask(socket: &Path) -> u16 {
    let host = Host::attach(socket).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let reply = lane.call(1, b"nonsense", &mut [0; 64], Duration::from_secs(10));
    reply.expect("an answer").status
}

#[test]
fn sigterm_answers_counts_and_leaves_cleanly() {
    let folder = Folder::new("term");
    folder.city();
    let engine = engine(&folder, "--pages small");
    assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
    engine.signal(Signal::TERM);
    let output = engine.end();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let served = json(&output);
    assert_eq!(served["counters"]["requests"], 1, "{served}");
    assert_eq!(served["counters"]["detached"], 2, "{served}");
    assert!(served["regions"]["small"].as_u64() >= Some(4), "{served}");
    let log = text(&output.stderr);
    for word in [
        "map",
        "nodes=2000",
        "pages=small",
        "budget=32",
        "core=",
        "hunt.sock",
    ] {
        assert!(log.contains(word), "{word} is not announced: {log}");
    }
    assert_eq!(folder.left(), ["hunt.sock.lock"]);
}

#[test]
fn a_recorded_game_replays_to_the_same_answers_and_state() {
    let folder = Folder::new("record");
    folder.city();
    let engine = engine(&folder, "--record game.ihrec --scattered 10 --treasures 10");
    for _ in 0..3 {
        assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
    }
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().status.code(), Some(0));
    let output = folder
        .start("replay --json --map city.ihmap game.ihrec")
        .end();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let replayed = json(&output);
    assert_eq!(replayed["requests"], 3, "{replayed}");
    assert_eq!(replayed["same_answers"], true, "{replayed}");
    assert_eq!(replayed["same_state"], true, "{replayed}");
    let other = folder
        .start("replay --json --map city.ihmap --seed 2 game.ihrec")
        .end();
    assert_eq!(other.status.code(), Some(2), "{}", text(&other.stderr));
}

#[test]
fn an_engine_settles_beside_its_hosts() {
    let folder = Folder::new("settles");
    let made = folder.run("map generate --nodes 80000 --output city.ihmap");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let line = "serve --map city.ihmap --players 100000 --socket hunt.sock --pages small";
    let engine = folder.start_logging(line, "log");
    until(|| Host::attach(folder.path("hunt.sock")).ok());
    assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
    let log = || std::fs::read_to_string(folder.path("log")).expect("a log");
    until(|| log().contains("the memory is settled").then_some(()));
    assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().status.code(), Some(0), "{}", log());
    assert!(!log().contains("intact"), "{}", log());
}

#[test]
fn a_second_engine_is_refused_and_the_first_serves_on() {
    let folder = Folder::new("second");
    folder.city();
    let engine = engine(&folder, "--pages small");
    let second = folder.run("serve --map city.ihmap --socket hunt.sock");
    assert_eq!(second.status.code(), Some(3));
    let pid = format!("pid {}", engine.id());
    assert!(
        text(&second.stderr).contains(&pid),
        "{}",
        text(&second.stderr)
    );
    assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
    engine.signal(Signal::INT);
    assert_eq!(engine.end().status.code(), Some(0));
}

#[test]
fn a_killed_engine_leaves_path_and_lock_and_the_next_starts_at_once() {
    let folder = Folder::new("killed");
    folder.city();
    for _ in 0..3 {
        let engine = engine(&folder, "--pages small");
        assert_eq!(ask(&folder.path("hunt.sock")), MALFORMED);
        engine.signal(Signal::KILL);
        engine.end();
        assert_eq!(folder.left(), ["hunt.sock", "hunt.sock.lock"]);
        assert_eq!(in_shared_memory(), [""; 0]);
    }
    let engine = engine(&folder, "--pages small");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().status.code(), Some(0));
}

#[test]
fn limits_hold() {
    let folder = Folder::new("limits");
    folder.city();
    let line = "serve --map city.ihmap --socket hunt.sock --pages small --allow-uid 4242424";
    let engine = folder.start(line);
    let error = until(|| {
        Host::attach(folder.path("hunt.sock"))
            .err()
            .filter(|error| error.to_string().contains("refused"))
    });
    assert!(error.to_string().contains("uid"), "{error}");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().status.code(), Some(0));
}

/// Command lines that cannot work, the exit code of each, and a word of what they must say.
const REFUSED: &[(&str, i32, &str)] = &[
    ("demo --moev 5", 2, "--moev"),
    ("demo --moves 0", 2, "--moves"),
    ("demo --rate fast", 2, "max"),
    ("demo --wait gently", 2, "busy"),
    ("demo --pages large", 2, "large"),
    ("demo --players 3 --hosts 5", 2, "raise --players"),
    ("demo --map absent.ihmap", 3, "absent.ihmap"),
    ("demo --map broken.ihmap", 3, "prepare it again"),
    ("demo --map broken.geojson", 3, "FeatureCollection"),
    ("demo --map city.ihmap --engine-core 99999", 3, "core 99999"),
    (
        "demo --map city.ihmap --moves 9 --picture absent/a.svg",
        6,
        "absent/a.svg",
    ),
    ("serve --map city.ihmap --wait gently", 2, "busy, spin"),
    ("serve --map city.ihmap --socket-mode 9", 2, "octal"),
    (
        "serve --map city.ihmap --secret-file broken.ihmap",
        2,
        "hexadecimal",
    ),
    ("serve --map city.ihmap --secret-file absent", 3, "absent"),
    ("serve --map city.ihmap --core 99999", 3, "core 99999"),
    (
        "serve --map city.ihmap --socket absent/a.sock",
        3,
        "create it",
    ),
    (
        "serve --map city.ihmap --socket /proc/a.sock",
        3,
        "writable",
    ),
    (
        "serve --map city.ihmap --socket broken.ihmap",
        3,
        "not a socket",
    ),
    ("map import absent.geojson", 3, "absent.geojson"),
    ("map import broken.geojson", 3, "FeatureCollection"),
    ("map info broken.ihmap", 3, "prepare it again"),
    ("map generate --nodes 1 --output a.ihmap", 2, "1 nodes"),
    (
        "map generate --nodes 100 --output absent/a.ihmap",
        3,
        "absent/a.ihmap",
    ),
];

#[test]
fn what_cannot_work_says_so_and_says_what_to_do() {
    let folder = Folder::new("refused");
    folder.city();
    std::fs::write(folder.path("broken.ihmap"), "no map").unwrap();
    std::fs::write(folder.path("broken.geojson"), "{\"type\": 7}").unwrap();
    for (line, code, word) in REFUSED {
        let output = folder.run(line);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{line}: {said}");
        assert!(said.contains(word), "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
    }
    let long = format!("serve --map city.ihmap --socket /tmp/{}", "a".repeat(120));
    let output = folder.run(&long);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("107"),
        "{}",
        text(&output.stderr)
    );
    let mut left = folder.left();
    left.retain(|name| !name.starts_with("broken."));
    assert_eq!(left, [""; 0]);
}

#[test]
fn failures_are_json_too() {
    let folder = Folder::new("json");
    let output = folder.run("demo --json --map absent.ihmap");
    let failure = json(&output);
    assert_eq!(failure["exit_code"], 3);
    assert!(failure["error"].as_str().unwrap().contains("absent.ihmap"));
}

#[test]
fn maps_are_imported_generated_and_described() {
    let folder = Folder::new("map");
    let city = r#"{"type": "FeatureCollection", "copyright": "the surveyor", "features": [
        {"properties": {"highway": "path"}, "geometry": {"type": "LineString",
         "coordinates": [[12.0, 57.7], [12.001, 57.7], [12.001, 57.701]]}}]}"#;
    std::fs::write(folder.path("village.geojson"), city).unwrap();
    let imported = json(&folder.run("map import village.geojson --json"));
    assert_eq!(
        (&imported["nodes"], &imported["arcs"]),
        (&3.into(), &4.into())
    );
    assert_eq!(imported["import"]["streets"], 1);
    assert_eq!(imported["attribution"], "the surveyor");
    for file in ["village.ihmap", "village.geojson"] {
        let info = json(&folder.run(&format!("map info {file} --json")));
        assert_eq!(
            (&info["name"], &info["nodes"]),
            (&"village".into(), &3.into())
        );
    }
    let table = folder.run("map info village.ihmap");
    assert!(text(&table.stdout).contains("the surveyor"));
    folder.city();
    let generated = json(&folder.run("map info city.ihmap --json"));
    assert_eq!(generated["nodes"], 2000);
}
