//! The load as a user meets it: short runs end to end, what a script reads, what is written and left.

mod common;

use common::{child_with, in_shared_memory, json, runs, send, text, until, Folder};
use rustix::process::Signal;
use serde_json::Value;

const NONE: [String; 0] = [];

/// A short load that must succeed.
fn load(folder: &Folder, more: &str) -> Value {
    let line = format!("load --json --map city.ihmap --players 500 --pages small {more}");
    let output = folder.run(&line);
    let result = json(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(result["sent"], result["planned"], "{result}");
    assert_eq!(result["answered"], result["sent"], "{result}");
    assert_eq!((&result["wrong"], &result["lost"]), (&0.into(), &0.into()));
    assert_eq!(in_shared_memory(), NONE);
    result
}

#[test]
fn a_steady_load_is_answered_rightly_and_a_script_finds_its_keys() {
    let folder = Folder::new("load-steady");
    folder.city();
    let result = load(&folder, "--seconds 1 --rate 5000");
    let sent = result["sent"].as_u64().unwrap();
    assert!((4_999..=5_000).contains(&sent), "{sent}");
    for key in ["p50", "p90", "p99", "p999", "max"] {
        assert!(result["latency_ns"][key].as_u64() > Some(0), "{key}");
    }
    assert!(result["rate_held"].is_boolean() && result["spike"].is_null());
    assert_eq!(result["allocations"], 0);
    assert!(result["rss_bytes"].as_u64() > Some(1 << 20));
    assert!(result["start_to_first_reply_ms"].as_f64() > Some(0.0));
    let has_one_to_spare = ironhoard::sys::affinity::allowed_cores().len() > 2;
    assert_eq!(result["engine_core"].is_u64(), has_one_to_spare, "{result}");
    assert_eq!(result["host_core"].is_u64(), has_one_to_spare, "{result}");
    // The empty request that measures the engine's start, and a join of each player.
    assert_eq!(result["engine"]["counters"]["requests"], sent + 1 + 500);
    let answers = result["answers"].as_object().unwrap();
    let sum: u64 = answers.values().filter_map(Value::as_u64).sum();
    assert_eq!(sum, sent);
    for what in ["honest", "duplicate", "bad_tag", "teleport", "reordered"] {
        assert!(
            result["behaviours"][what].as_u64() > Some(0),
            "{what}: {result}"
        );
    }
    assert!(result["repeated"].as_u64() > Some(0));
    assert_eq!(folder.left(), NONE);
}

#[test]
fn a_launch_is_told_by_itself_and_written_to_files() {
    let folder = Folder::new("load-launch");
    folder.city();
    let result = load(
        &folder,
        "--profile city-launch --scale 0.1 --hgrm a.hgrm --picture a.svg --timeline b.svg",
    );
    let spike = &result["spike"];
    assert!(
        (3_499..=3_501).contains(&spike["moves"].as_u64().unwrap()),
        "{spike}"
    );
    assert!(spike["drained_ms"].as_u64() >= Some(99), "{spike}");
    assert!(spike["latency_ns"]["p99"].as_u64() > Some(0));
    assert_eq!(result["timeline"].as_array().unwrap().len(), 41);
    let read = |name| std::fs::read_to_string(folder.path(name)).unwrap();
    assert!(read("a.hgrm").contains("1/(1-Percentile)"));
    assert!(read("a.svg").trim_end().ends_with("</svg>"));
    assert!(read("b.svg").contains("moves a second"));
}

#[test]
fn a_saturated_load_keeps_its_lanes_full() {
    let folder = Folder::new("load-saturated");
    folder.city();
    let result = load(
        &folder,
        "--profile saturated --rate 100000 --seconds 1 --lanes 2",
    );
    assert_eq!(result["sent"], 100_000);
    assert!(result["full"].as_u64() > Some(0), "{result}");
}

#[test]
fn a_rate_that_nobody_can_keep_is_said_aloud_and_no_failure() {
    let folder = Folder::new("load-late");
    folder.city();
    let line = "load --json --map city.ihmap --players 500 --rate 10000000 --seconds 0.2";
    let output = folder.run(line);
    let result = json(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(
        (&result["rate_held"], &result["lost"]),
        (&false.into(), &0.into())
    );
    assert!(text(&output.stderr).contains("could NOT be kept"));
}

#[test]
fn impossible_wishes_are_refused_by_name() {
    let folder = Folder::new("load-wishes");
    for (line, code, says) in [
        ("load --profile storm", 2, "clue-drop"),
        ("load --rate 1000000 --seconds 3600", 2, "lower --rate"),
        ("load --retries 51", 2, "from 0 to 50"),
        ("load --map absent.ihmap", 3, "absent.ihmap"),
    ] {
        let output = folder.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(
            text(&output.stderr).contains(says),
            "{line}: {}",
            text(&output.stderr)
        );
    }
    assert_eq!(folder.left(), NONE);
}

#[test]
fn an_interrupted_load_leaves_nothing_behind() {
    let folder = Folder::new("load-signal");
    folder.city();
    let running = folder.start("load --map city.ihmap --players 500 --rate 1000 --seconds 60");
    let engine = until(|| child_with(running.id(), "__engine"));
    let host = until(|| child_with(running.id(), "__load"));
    send(running.id(), Signal::INT);
    let output = running.end();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(folder.left(), NONE);
    for process in [engine, host] {
        until(|| (!runs(process)).then_some(()));
    }
}
