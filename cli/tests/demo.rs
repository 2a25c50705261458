//! The demo as a user meets it: small runs end to end on all kinds of pages, what a script reads, and
//! what is left when processes die.

mod common;
#[path = "../../tests/common/hugepages.rs"]
mod hugepages;

use common::{child_with, in_shared_memory, json, runs, send, text, until, Folder};
use hugepages::HugePages;
use rustix::process::Signal;
use serde_json::Value;

const MOVES: u64 = 20_000;
const NONE: [String; 0] = [];

/// A small demo that must succeed.
fn play(folder: &Folder, more: &str) -> Value {
    let line = format!("demo --json --moves {MOVES} --map city.ihmap --picture latency.svg {more}");
    let output = folder.run(&line);
    let result = json(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(result["sent"], MOVES, "{result}");
    assert_eq!(result["answered"], MOVES, "{result}");
    assert_eq!((&result["wrong"], &result["lost"]), (&0.into(), &0.into()));
    assert_eq!(folder.left(), NONE);
    assert_eq!(in_shared_memory(), NONE);
    result
}

#[test]
fn every_move_is_answered_rightly_and_counted_once() {
    let folder = Folder::new("moves");
    folder.city();
    let result = play(&folder, "--pages small");
    let refused = result["refused"].as_object().expect("reasons");
    for reason in ["bad_tag", "too_fast", "unknown_edge"] {
        assert!(refused[reason].as_u64() > Some(0), "{reason}: {result}");
    }
    let sum: u64 = refused.values().filter_map(Value::as_u64).sum();
    assert_eq!(result["accepted"].as_u64().unwrap() + sum, MOVES);
    assert!(result["repeated"].as_u64() > Some(0));
    let counters = &result["engine"]["counters"];
    assert_eq!(counters["requests"], MOVES);
    assert_eq!(
        (&counters["panics"], &counters["deaths"]),
        (&0.into(), &0.into())
    );
    let svg = std::fs::read_to_string(folder.path("latency.svg")).expect("a picture");
    assert!(svg.trim_end().ends_with("</svg>"));
}

#[test]
fn a_script_finds_the_keys_it_reads() {
    let folder = Folder::new("keys");
    folder.city();
    let result = play(&folder, "--pages small");
    for key in ["p50", "p90", "p99", "p999", "max"] {
        assert!(
            result["latency_ns"][key].as_u64() > Some(0),
            "{key}: {result}"
        );
    }
    let latency = |key: &str| result["latency_ns"][key].as_u64().unwrap();
    assert!(latency("p50") <= latency("p99") && latency("p999") <= latency("max"));
    assert!(result["moves_per_second"].as_f64() > Some(0.0));
    assert_eq!(result["map"]["nodes"], 2000);
    assert!(result["map"]["arcs"].as_u64() > Some(4000));
    assert!(result["map"]["name"].is_string() && result["map"]["attribution"].is_string());
    assert_eq!(result["page_size"], 4096);
    let pinned = result["engine_core"].is_u64();
    assert_eq!(result["floor_p50_ns"].is_f64(), pinned, "{result}");
}

#[test]
fn all_kinds_of_pages_carry_the_same_moves() {
    let folder = Folder::new("pages");
    folder.city();
    let Some(huge) = HugePages::with_free(8) else {
        return;
    };
    let result = play(&folder, "--pages require-huge");
    assert_eq!(result["page_size"], 2 << 20);
    assert!(text(result["pages"]["request"].as_str().unwrap().as_bytes()).contains("hugetlb"));
    assert!(huge.comes_to(8), "the pages come back");
    drop(huge);
    let Some(none) = HugePages::with_free(0) else {
        return;
    };
    let auto = play(&folder, "--pages auto");
    let notes = auto["notes"].to_string();
    assert!(notes.contains("no free 2 MiB pages"), "{notes}");
    let refused = folder.run("demo --json --moves 100 --map city.ihmap --pages require-huge");
    drop(none);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(
        text(&refused.stderr).contains("2 MiB"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(folder.left(), NONE);
}

#[test]
fn many_hosts_and_saturation_lose_nothing() {
    let folder = Folder::new("hosts");
    folder.city();
    let result = play(&folder, "--hosts 3 --rate max --pages small");
    assert_eq!(result["hosts"], 3);
    assert_eq!(result["host_cores"].as_array().unwrap().len(), 3);
    assert_eq!(result["rate_per_host"], Value::Null);
    assert_eq!(result["engine"]["counters"]["attached"], 3);
}

#[test]
fn a_rate_that_cannot_be_kept_is_said_aloud() {
    let folder = Folder::new("rate");
    folder.city();
    // A nanosecond for each move: no machine judges 100,000 in a tenth of a millisecond.
    let line = "demo --json --moves 100000 --map city.ihmap --no-picture --pages small";
    let output = folder.run(&format!("{line} --rate 1000000000"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let result = json(&output);
    assert_eq!(result["rate_kept"], false);
    assert!(result["notes"].to_string().contains("NOT KEPT"), "{result}");
}

/// A demo that would run for long, up to the point where its hosts are attached.
fn long_demo(folder: &Folder) -> (common::Running, u32, u32) {
    folder.city();
    let demo = folder.start(
        "demo --json --moves 1000000 --rate 20000 --map city.ihmap --no-picture --pages small",
    );
    let engine = until(|| child_with(demo.id(), "__engine"));
    let host = until(|| child_with(demo.id(), "__host"));
    (demo, engine, host)
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let folder = Folder::new("interrupt");
    let (demo, engine, host) = long_demo(&folder);
    demo.signal(Signal::INT);
    let output = demo.end();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(!runs(engine) && !runs(host));
    assert_eq!(folder.left(), NONE);
}

#[test]
fn a_killed_engine_is_a_loss_that_is_reported() {
    let folder = Folder::new("engine");
    let (demo, engine, _) = long_demo(&folder);
    std::thread::sleep(std::time::Duration::from_secs(3)); // well into the flight
    send(engine, Signal::KILL);
    let output = demo.end();
    assert!(
        matches!(output.status.code(), Some(1 | 4)),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(folder.left(), NONE);
    assert_eq!(in_shared_memory(), NONE);
}

#[test]
fn a_killed_host_ends_the_demo() {
    let folder = Folder::new("host");
    let (demo, engine, host) = long_demo(&folder);
    send(host, Signal::KILL);
    let output = demo.end();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("host process ended early"));
    assert!(!runs(engine));
    assert_eq!(folder.left(), NONE);
}

#[test]
fn a_killed_demo_takes_its_processes_along() {
    let folder = Folder::new("parent");
    let (demo, engine, host) = long_demo(&folder);
    let socket = format!("ironhoard-demo-{}.sock", demo.id());
    demo.signal(Signal::KILL);
    demo.end();
    until(|| (!runs(engine) && !runs(host)).then_some(()));
    // The path and its lock file, nothing else.
    assert_eq!(folder.left(), [socket.clone(), format!("{socket}.lock")]);
    assert_eq!(in_shared_memory(), NONE);
}
