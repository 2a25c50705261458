//! `bench go` as a user meets it: what it says where Go or its source is missing, and that it measures.

use std::process::Command;

use serde_json::Value;

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

/// On a machine that others use too the two hosts and the engine wait for each other's time slices, and two
/// slices take minutes.
#[test]
#[ignore = "measures for ten seconds, and wants the machine alone; its keys have a test of their own"]
fn a_few_slices_give_figures_and_no_headline() {
    let output = bench_go(&["--slices", "2", "--without-rivals"])
        .output()
        .expect("the binary starts");
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(output.status.code(), Some(5), "{result}");
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
