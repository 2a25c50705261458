//! Who guards the guards: the ring, or the event ring, is broken on purpose, one thought at a time, and the
//! edge tests or the enumerations must notice. What is unbroken, built the same way, must pass.
//!
//! Each mutant is a test target of one throw-away package, so that one run of cargo builds them all.
//! Weakened orderings are `ring_loom.rs`'s business.

#[path = "common/mutants/event_list.rs"]
mod event_list;
#[path = "common/mutants/list.rs"]
mod list;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use event_list::EVENT_MUTANTS;
use list::{Guard, Mutant, GUARDS, MUTANTS};

/// All of them.
fn mutants() -> impl Iterator<Item = &'static Mutant> {
    MUTANTS.iter().chain(EVENT_MUTANTS)
}

/// The unbroken ring.
const UNBROKEN: &str = "unbroken";
#[test]
fn every_mutant_is_caught() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    write_package(&package);
    let programs = build(&package);
    assert_eq!(
        programs.len(),
        mutants().count() + 1,
        "one program for each mutant"
    );
    let patience: HashMap<&str, Duration> = GUARDS
        .iter()
        .map(|guard| (guard.filter, patience(&programs[UNBROKEN], guard)))
        .collect();
    let survivors: Vec<_> = mutants()
        .filter(|mutant| {
            let guard = mutant.guard.filter;
            passes(&programs[mutant.name], guard, patience[guard])
        })
        .map(|mutant| mutant.name)
        .collect();
    assert!(survivors.is_empty(), "nobody noticed {survivors:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes a package with one test target for each mutant and one for the unbroken ring.
fn write_package(package: &Path) {
    let mut manifest = String::from(
        "[package]\nname = \"mutants\"\nversion = \"0.0.0\"\nedition = \"2021\"\nautotests = false\n\
         [workspace]\n[dependencies]\nthiserror = \"2\"\n\
         [profile.test]\nopt-level = 1\ndebug = false\nincremental = false\n",
    );
    for mutant in mutants() {
        write_ring(&package.join(mutant.name), Some(mutant));
        manifest += &target(mutant.name);
    }
    write_ring(&package.join(UNBROKEN), None);
    manifest += &target(UNBROKEN);
    write(&package.join("Cargo.toml"), &manifest);
    let lock = package.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(root().join("Cargo.lock"), lock).expect("the lock file can be copied");
    }
}

fn target(name: &str) -> String {
    format!("[[test]]\nname = \"{name}\"\npath = \"{name}/main.rs\"\n")
}

/// Writes the library as far as the ring needs it, with at most one mutation, and the tests.
fn write_ring(directory: &Path, mutant: Option<&Mutant>) {
    for module in ["ring", "event"] {
        write_module(directory, module, mutant);
    }
    let mut main = format!(
        "#![allow(warnings)]\nextern crate self as ironhoard;\n\
         #[path = {:?}] pub mod layout;\npub mod event;\npub mod ring;\n",
        root().join("src/layout.rs"),
    );
    for guard in GUARDS
        .iter()
        .filter(|guard| mutant.is_none_or(|mutant| mutant.guard == **guard))
    {
        let (file, module) = (root().join("tests").join(guard.file), guard.module);
        main += &format!("#[path = {file:?}] mod {module};\n");
    }
    write(&directory.join("main.rs"), &main);
}

/// Writes one module of the library. A mutant names a file of `ring` by its name, others with the module.
fn write_module(directory: &Path, module: &str, mutant: Option<&Mutant>) {
    fs::create_dir_all(directory.join(module)).expect("the target directory is writable");
    for entry in fs::read_dir(root().join("src").join(module)).expect("the sources are there") {
        let path = entry.expect("readable").path();
        let file = path.file_name().expect("a file").to_string_lossy();
        let name = match module {
            "ring" => file.to_string(),
            _ => format!("{module}/{file}"),
        };
        let mut text = fs::read_to_string(&path).expect("readable");
        if let Some(mutant) = mutant.filter(|mutant| mutant.file == name) {
            let places = text.matches(mutant.original).count();
            assert_eq!(
                places, 1,
                "{}: the original text must occur once",
                mutant.name
            );
            text = text.replace(mutant.original, mutant.broken);
        }
        write(&directory.join(module).join(&*file), &text);
    }
}

/// Writes a file unless it holds this text already, so that cargo builds only what changed.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(path, text).expect("the target directory is writable");
}

/// Builds the package; returns the program of each target by its name.
fn build(package: &Path) -> HashMap<String, PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--no-run",
            "--offline",
            "--jobs",
            "2",
            "--message-format",
            "json",
        ])
        .arg("--target-dir")
        .arg(package.join("target"))
        .current_dir(package)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "a mutant must compile to be worth something"
    );
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    messages.lines().filter_map(program).collect()
}

/// The program that a message of cargo announces. Its file name is the target's and a hash.
fn program(message: &str) -> Option<(String, PathBuf)> {
    let path = message
        .split_once("\"executable\":\"")?
        .1
        .split_once('"')?
        .0;
    let file = Path::new(path).file_name()?.to_str()?;
    let name = file.rsplit_once('-')?.0;
    Some((name.to_owned(), PathBuf::from(path)))
}

/// How long a mutant may take: one that turns round for ever is caught, too.
fn patience(unbroken: &Path, guard: &Guard) -> Duration {
    let started = Instant::now();
    let passed = passes(unbroken, guard.filter, Duration::from_secs(60));
    assert!(passed, "{} fails without any mutation", guard.filter);
    started.elapsed() * 4 + Duration::from_secs(1)
}

/// Do these tests pass in time?
fn passes(program: &Path, filter: &str, patience: Duration) -> bool {
    let mut child = Command::new(program)
        .arg(filter)
        .arg("--test-threads=1")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let started = Instant::now();
    while started.elapsed() < patience {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    false
}
