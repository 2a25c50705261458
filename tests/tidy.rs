//! House rules that a machine can check: what may import what, how files begin and end, and that every
//! `unsafe` and every ordering says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the product's code lies.
const CODE: [&str; 3] = ["src", "hunt/src", "cli/src"];
/// Everything that is written by hand.
const TEXT: [&str; 12] = [
    "src",
    "hunt",
    "cli",
    "tests",
    "examples",
    "benches",
    "docs",
    "scripts",
    ".cargo",
    "go-bindings",
    "include",
    "packaging",
];
/// Where Go lies.
const GO: [&str; 2] = ["go-bindings", "examples/go"];
/// Languages whose lines are held to a page.
const LANGUAGES: [&str; 6] = ["rs", "go", "c", "h", "cpp", "hpp"];
const MOST_LINES: usize = 400;
const MOST_COLUMNS: usize = 110;

/// Signs of unfinished work. Split, so that this file does not show them.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("dbg", "!("),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

/// Places that exist on somebody's machine only, and hosts that the ordinary clients know.
const NOT_OURS: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("registry.npm", "js.org"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("proxy.", "golang.org"),
];

/// (under this folder, no code line may name any of these)
const IMPORTS: [(&str, &[&str]); 6] = [
    (
        "src/ring",
        &[
            "crate::region",
            "crate::sys",
            "crate::attach",
            "crate::host",
            "crate::engine",
            "crate::lane",
            "crate::wait",
        ],
    ),
    (
        "src/event",
        &[
            "crate::region",
            "crate::sys",
            "crate::attach",
            "crate::host",
            "crate::engine",
            "crate::lane",
            "crate::wait",
        ],
    ),
    (
        "src/region",
        &[
            "crate::ring",
            "crate::attach",
            "crate::host",
            "crate::engine",
        ],
    ),
    ("src/attach", &["crate::host", "crate::engine"]),
    ("src/host", &["crate::engine"]),
    ("src/engine", &["crate::host"]),
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }

    /// As `lines`, up to the file's tests.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .filter(|_| !self.path.to_string_lossy().ends_with("_tests.rs"))
    }

    fn at(&self, line: usize) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = self.path.strip_prefix(root).unwrap_or(&self.path);
        format!("{}:{line}", path.display())
    }
}

/// All files under `folder` with one of these extensions.
fn sources(folder: &str, extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if extension.is_some_and(|extension| extensions.contains(&extension)) {
                let text = fs::read_to_string(&path).expect("text");
                found.push(Source { path, text });
            }
        }
    }
    found
}

fn code() -> Vec<Source> {
    let all: Vec<Source> = CODE
        .iter()
        .flat_map(|folder| sources(folder, &["rs"]))
        .collect();
    assert!(all.len() > 50, "the code was not found");
    all
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The code of a line, without a comment behind it.
fn code_of(line: &str) -> &str {
    match is_comment(line) {
        true => "",
        false => line.split(" // ").next().unwrap_or(line),
    }
}

/// Fails with the whole list, so that one run shows all there is to mend.
fn none(what: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{what}:\n{}", offences.join("\n"));
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let mut offences = Vec::new();
    for (folder, forbidden) in IMPORTS {
        for source in sources(folder, &["rs"]) {
            for (number, line) in source.product_lines() {
                let names = forbidden.iter().find(|name| code_of(line).contains(*name));
                offences.extend(names.map(|name| format!("{} names {name}", source.at(number))));
            }
        }
    }
    none("imports that point upwards", offences);
}

#[test]
fn files_open_by_teaching_and_stay_short() {
    let mut offences = Vec::new();
    for source in code() {
        let lines = source.lines().count();
        if lines > MOST_LINES {
            offences.push(format!("{} lines; split it", source.at(lines)));
        }
        if !source.text.starts_with("//! ") {
            offences.push(format!("{}: say what this file is", source.at(1)));
        }
    }
    none("files", offences);
}

fn go() -> Vec<Source> {
    let all: Vec<Source> = GO
        .iter()
        .flat_map(|folder| sources(folder, &["go"]))
        .collect();
    assert!(all.len() > 20, "the Go code was not found");
    all
}

/// Go's package comment stands in one file of a package; `unsafe` stands where a file's name says so.
#[test]
fn go_packages_teach_and_files_stay_short() {
    let (mut offences, mut packages) = (Vec::new(), BTreeMap::new());
    for source in go() {
        let lines = source.lines().count();
        if lines > MOST_LINES {
            offences.push(format!("{} lines; split it", source.at(lines)));
        }
        let name = source.path.file_name().unwrap_or_default();
        let named_so = name.to_string_lossy().contains("_unsafe");
        if source.text.contains("\"unsafe\"\n") && !named_so {
            offences.push(format!(
                "{}: imports unsafe, and is not named so",
                source.at(1)
            ));
        }
        let teaches = packages
            .entry(source.path.with_file_name(""))
            .or_insert(false);
        *teaches |= source
            .lines()
            .any(|(_, line)| line.starts_with("// Package ") || line.starts_with("// Command "));
    }
    let silent = packages.iter().filter(|(_, teaches)| !**teaches);
    offences.extend(silent.map(|(package, _)| format!("{}: say what it is", package.display())));
    none("Go files", offences);
}

/// The binding is the standard library alone, so that a service takes on nothing else with it.
#[test]
fn the_go_binding_has_no_dependency() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("go-bindings");
    let module = fs::read_to_string(folder.join("go.mod")).expect("go-bindings/go.mod");
    assert!(!module.contains("require"), "{module}");
    assert!(!folder.join("go.sum").exists());
}

#[test]
fn lines_fit_a_page() {
    let mut offences = Vec::new();
    for folder in [
        "src",
        "hunt",
        "cli",
        "tests",
        "examples",
        "benches",
        "include",
        "go-bindings",
    ] {
        for source in sources(folder, &LANGUAGES) {
            for (number, line) in source.lines() {
                // A string is as long as what it says.
                let columns = line.chars().count();
                if columns > MOST_COLUMNS && !line.contains('"') {
                    offences.push(format!("{}: {columns} columns", source.at(number)));
                }
            }
        }
    }
    none("long lines", offences);
}

#[test]
fn nothing_is_left_unfinished_and_nothing_names_a_machine() {
    let mut offences = Vec::new();
    for folder in TEXT {
        for source in sources(
            folder,
            &[
                "rs", "go", "s", "c", "h", "cpp", "hpp", "in", "md", "sh", "toml",
            ],
        ) {
            for (number, line) in source.lines() {
                for word in UNFINISHED.iter().chain(&NOT_OURS) {
                    if line.contains(word) {
                        offences.push(format!("{}: {word}", source.at(number)));
                    }
                }
            }
        }
    }
    none("words", offences);
}

/// An `unsafe` block or implementation has its argument in the comment above it, at most some lines of
/// the same statement away.
#[test]
fn every_unsafe_says_why_it_is_safe() {
    let block = concat!("unsafe", " {");
    let promise = concat!("unsafe", " impl");
    let contract = concat!("pub unsafe", " fn");
    let mut offences = Vec::new();
    for folder in ["src", "hunt", "cli", "tests", "examples", "benches"] {
        for source in sources(folder, &["rs"]) {
            let lines: Vec<&str> = source.text.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let code = code_of(line).replace("pub(crate)", "pub");
                let (needs, reach) = if code.contains(block) || code.contains(promise) {
                    ("SAFETY:", 8)
                } else if code.contains(contract) {
                    ("# Safety", 30)
                } else {
                    continue;
                };
                let above = &lines[at.saturating_sub(reach)..=at];
                if !above.iter().any(|line| line.contains(needs)) {
                    offences.push(format!("{}: {}", source.at(at + 1), line.trim()));
                }
            }
        }
    }
    none("unsafe without an argument", offences);
}

/// A comment, and not one about something else.
fn says_order(line: &str) -> bool {
    line.contains("// ") && !line.contains("SAFETY")
}

/// An atomic ordering names its partner, or says that it has none, in a comment on the line or near
/// above it.
#[test]
fn every_ordering_names_its_partner() {
    let orderings = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    let mut offences = Vec::new();
    for source in code() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.product_lines() {
            let code = code_of(line);
            if !orderings
                .iter()
                .any(|name| code.contains(&format!("Ordering::{name}")))
            {
                continue;
            }
            let near = &lines[number.saturating_sub(6)..number];
            if !near.iter().any(|line| says_order(line)) {
                offences.push(format!("{}: {}", source.at(number), line.trim()));
            }
        }
    }
    none("orderings without a partner", offences);
}
