//! The command as a user meets it: exit codes, output, and what a killed parent leaves behind.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn ironhoard(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironhoard"));
    command.args(line.split_whitespace());
    command
}

fn output(line: &str) -> Output {
    ironhoard(line).output().expect("the binary starts")
}

fn two_cores() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

#[test]
fn a_few_slices_give_figures_without_a_headline() {
    if !two_cores() {
        return;
    }
    let output = output("bench floor --slices 3 --json");
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(output.status.code(), Some(5), "{result}");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(result["too_busy"], true);
    assert_eq!(result["ratio_p50"], Value::Null);
    let tried = result["slices"].as_u64().unwrap() + result["slices_dropped"].as_u64().unwrap();
    assert!((3..=9).contains(&tried), "{result}");
    assert!([4096, 2 << 20].contains(&result["page_size"].as_u64().unwrap()));
    assert_ne!(result["engine_core"], result["host_core"]);
}

#[test]
fn a_core_that_does_not_exist_is_an_environment_error_in_json_too() {
    let output = output("bench floor --json --engine-core 99999");
    assert_eq!(output.status.code(), Some(3));
    let failure: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(failure["exit_code"], 3);
    assert!(failure["error"].as_str().unwrap().contains("core 99999"));
}

#[test]
fn one_core_for_both_is_a_usage_error() {
    if !two_cores() {
        return;
    }
    let result = output("bench floor --slices 1 --json");
    let result: Value = serde_json::from_slice(&result.stdout).unwrap();
    let core = &result["host_core"];
    let shared = output(&format!(
        "bench floor --engine-core {core} --host-core {core}"
    ));
    assert_eq!(shared.status.code(), Some(2));
}

#[test]
fn unknown_words_are_usage_errors_that_name_the_word() {
    let output = output("bench flor");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("flor"));
}

#[test]
fn a_picture_is_written_and_a_bad_path_is_reported() {
    if !two_cores() {
        return;
    }
    let path: PathBuf =
        std::env::temp_dir().join(format!("ironhoard-floor-{}.svg", std::process::id()));
    let written = output(&format!(
        "bench floor --slices 2 --picture {}",
        path.display()
    ));
    assert_eq!(written.status.code(), Some(5));
    let svg = std::fs::read_to_string(&path).expect("the picture is there");
    std::fs::remove_file(&path).expect("and can be removed");
    assert!(svg.contains("walking, PAUSE"));
    let refused = output("bench floor --slices 2 --picture /nonexistent/floor.svg");
    assert_eq!(refused.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/nonexistent/floor.svg"));
}

#[test]
fn a_child_that_fails_is_reported_with_its_own_words() {
    let output = output("__engine floor --memory-fd 0 --core 99999");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("core 99999"));
}

#[test]
fn the_child_dies_with_a_killed_parent() {
    if !two_cores() {
        return;
    }
    let mut parent = ironhoard("bench floor --slices 100000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let child = until(|| child_of(parent.id()));
    parent.kill().expect("the parent can be killed");
    parent.wait().expect("and waited for");
    until(|| (!runs(child)).then_some(()));
}

/// The first child of `parent`, if it has one.
fn child_of(parent: u32) -> Option<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Whether the process runs; a zombie that nobody has waited for yet does not.
fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "nothing happened for ten seconds"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
