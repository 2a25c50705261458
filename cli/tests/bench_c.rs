//! `ironhoard bench c` as a user meets it: what it needs, and what it says where that is missing.

use std::process::{Command, Output};

use serde_json::Value;

fn bench_c(line: &str, compiler: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironhoard"))
        .args(["bench", "c", "--json"])
        .args(line.split_whitespace())
        .env("CC", compiler)
        .output()
        .expect("the binary starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn there_is(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn two_cores() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

#[test]
fn a_few_slices_give_figures_of_both_hosts_without_a_headline() {
    if !two_cores() || !there_is("cc") {
        eprintln!("left out: two cores and cc are needed");
        return;
    }
    let output = bench_c("--slices 3 --payload 240", "cc");
    let result = json(&output);
    assert_eq!(output.status.code(), Some(5), "{result}");
    assert_eq!(result["ratio_rtt"], Value::Null);
    assert_eq!(result["claim_commit_extra_ns"], Value::Null);
    assert_eq!(result["too_busy"], true);
    for key in [
        "rust_claim_commit_instructions",
        "c_claim_commit_instructions",
    ] {
        let count = result[key].as_f64().unwrap_or_default();
        assert!((10.0..2000.0).contains(&count), "{key}: {result}");
    }
    assert!(result["samples"].as_u64().unwrap() >= 3 * 2048, "{result}");
}

#[test]
fn without_a_compiler_it_says_so() {
    let output = bench_c("--slices 1", "/no/such/compiler");
    assert_eq!(output.status.code(), Some(3));
    let error = json(&output)["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains("/no/such/compiler") && error.contains("CC"),
        "{error}"
    );
}

#[test]
fn without_a_library_it_says_so() {
    let output = bench_c("--slices 1 --library /no/such/libironhoard.so", "cc");
    assert_eq!(output.status.code(), Some(3));
    let error = json(&output)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("/no/such/libironhoard.so"), "{error}");
}

#[test]
fn a_library_that_is_none_is_refused() {
    if !there_is("cc") {
        return;
    }
    let output = bench_c("--slices 1 --library /etc/passwd", "cc");
    assert_eq!(output.status.code(), Some(3));
    let error = json(&output)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("compiler refused"), "{error}");
}
