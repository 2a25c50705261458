//! `bench go` as a user meets it: what it says where Go or its source is missing, and its keys.

use std::process::Command;

use serde_json::Value;

/// The keys that scripts rely on.
const KEYS: [&str; 17] = [
    "call_p50_ns",
    "lane_p50_ns",
    "rust_p50_ns",
    "floor_p50_ns",
    "grpc_p50_ns",
    "socket_p50_ns",
    "ratio_call",
    "ratio_lane",
    "ratio_stream",
    "calls_per_second_1000",
    "call_1000_p50_ns",
    "stream_ns_per_message",
    "allocs_per_call",
    "slices",
    "slices_dropped",
    "floors",
    "too_busy",
];

fn bench_go(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironhoard"));
    command.args(["bench", "go", "--json"]).args(options);
    command
}

fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("the binary starts");
    let said: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let error = said["error"].as_str().expect("an error").to_owned();
    (output.status.code(), error)
}

#[test]
fn a_wrong_source_is_an_environment_error_that_names_the_folder() {
    let (code, error) = failure(&mut bench_go(&["--source", "/nowhere"]));
    assert_eq!(code, Some(3), "{error}");
    assert!(
        error.contains("/nowhere") && error.contains("--source"),
        "{error}"
    );
}

#[test]
fn without_go_it_says_what_to_install() {
    let (code, error) = failure(bench_go(&[]).env("PATH", "/nowhere"));
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("install Go"), "{error}");
}

#[test]
fn a_few_slices_give_every_key_and_no_headline() {
    let has_go = Command::new("go").arg("version").output().is_ok();
    let has_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2);
    if !has_go || !has_cores {
        eprintln!("SKIPPED: bench go needs Go and two cores");
        return;
    }
    let output = bench_go(&["--slices", "2", "--without-rivals"])
        .output()
        .unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(output.status.code(), Some(5), "{result}");
    for key in KEYS {
        assert!(result.get(key).is_some(), "{key} is missing in {result}");
    }
    assert_eq!(result["ratio_call"], Value::Null, "two slices are too few");
    let figure = |key: &str| {
        result[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {result}"))
    };
    assert!(figure("call_p50_ns") > 10.0 && figure("calls_per_second_1000") > 1000.0);
    assert!(figure("allocs_per_call") < 0.5, "{result}");
    assert_eq!(result["grpc_p50_ns"], Value::Null, "rivals were left out");
}
