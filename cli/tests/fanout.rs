//! `ironhoard bench fanout` as a user meets it.

use std::process::{Command, Output};

use serde_json::Value;

fn fanout(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironhoard"))
        .args(["bench", "fanout"])
        .args(line.split_whitespace())
        .output()
        .expect("the binary starts")
}

#[test]
fn every_host_has_every_event() {
    if !std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2) {
        return;
    }
    let output = fanout("--hosts 3 --players 30 --events 50 --slices 1 --json");
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    // One slice gives figures and no headline.
    assert_eq!(output.status.code(), Some(5), "{result}");
    assert_eq!(result["bench"], "fanout");
    assert_eq!(
        (&result["events"], &result["lost"]),
        (&50.into(), &0.into())
    );
    let ns = |key: &str| result[key].as_f64().expect(key);
    assert!(ns("read_p50_ns") > 0.0 && ns("read_p50_ns") <= ns("read_p99_ns"));
    assert!(ns("read_p99_ns") <= ns("read_max_ns"));
    assert!(
        ns("read_p50_ns") <= ns("all_p50_ns"),
        "the last is no sooner"
    );
    assert_eq!(result["ratio_stopped"], Value::Null);
    let tried = result["slices"].as_u64().unwrap() + result["slices_dropped"].as_u64().unwrap();
    assert!((1..=3).contains(&tried), "{result}");
}

#[test]
fn impossible_numbers_are_usage_errors() {
    for line in ["--hosts 0", "--players 0", "--events 0", "--pause 0"] {
        assert_eq!(fanout(line).status.code(), Some(2), "{line}");
    }
}
