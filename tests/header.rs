//! `include/ironhoard.h` is what cbindgen makes of `src/ffi`, `include/ironhoard_layout.h` is what
//! `testdata/layout.txt` says, and the shared library exports what `testdata/symbols.txt` lists: no less, and
//! nothing else.
//!
//! After a change on purpose: `IH_BLESS=1 cargo test --test header`. A symbol that goes away, or a status
//! whose number changes, is a new ABI: see docs/C.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const MOST_LINES: usize = 700;
const MOST_COLUMNS: usize = 112;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a committed file with what it must be; writes it instead where that is asked for.
fn must_be(path: &str, expected: &str) {
    if std::env::var_os("IH_BLESS").is_some() {
        std::fs::write(root().join(path), expected).expect("a writable checkout");
    }
    let found = read(path);
    let differs = found
        .lines()
        .zip(expected.lines())
        .position(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{path} is not up to date, from line {:?} on: IH_BLESS=1 cargo test --test header",
        differs.map(|line| line + 1)
    );
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_border() {
    let config =
        cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("a configuration");
    let bindings = cbindgen::Builder::new()
        .with_crate(root())
        .with_config(config)
        .generate()
        .expect("bindings");
    let mut header = Vec::new();
    bindings.write(&mut header);
    must_be(
        "include/ironhoard.h",
        &String::from_utf8(header).expect("UTF-8"),
    );
}

#[test]
fn the_header_can_be_read_in_one_sitting() {
    let header = read("include/ironhoard.h");
    assert!(header.lines().count() <= MOST_LINES);
    for (at, line) in header.lines().enumerate() {
        assert!(line.len() <= MOST_COLUMNS, "line {}: {line}", at + 1);
        assert!(line.is_ascii(), "line {}: {line}", at + 1);
    }
}

#[test]
fn the_version_macros_are_those_of_the_crate() {
    let header = read("include/ironhoard.h");
    for (part, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
        ("STRING", concat!("\"", env!("CARGO_PKG_VERSION"), "\"")),
    ] {
        let line = format!("#define IH_VERSION_{part} {value}\n");
        assert!(header.contains(&line), "cbindgen.toml must have {line}");
    }
}

/// Headings of the layout header, and which numbers belong under them: the first that fits.
type Section = (&'static str, fn(&str) -> bool);
const SECTIONS: [Section; 7] = [
    ("Limits and defaults.", |name| {
        let limits = [
            "LAYOUT_VERSION",
            "MIN_CAPACITY",
            "DEFAULT_CAPACITY",
            "NAME_BYTES",
        ];
        name.starts_with("MAX_") || limits.contains(&name)
    }),
    (
        "Statuses: the kind of a reply. Below IH_ENGINE_STATUS_FIRST they are the handler's.",
        |name| name.starts_with("STATUS_") || name == "ENGINE_STATUS_FIRST",
    ),
    (
        "Why an engine refuses: the code of REFUSED, and of ih_last_error()->refusal.",
        |name| name.starts_with("REFUSAL_"),
    ),
    ("Records.", |name| {
        let others = [
            "LINE",
            "HEADER_BYTES",
            "PADDING_BIT",
            "FLAGS_MUST_UNDERSTAND",
        ];
        name.starts_with("RECORD_") || others.contains(&name)
    }),
    ("Regions and lane control blocks.", |name| {
        let others = ["ROLE_REQUEST", "ROLE_REPLY", "RING_SKEW"];
        let starts = ["REGION_", "LANE", "SHARD_"];
        others.contains(&name) || starts.iter().any(|start| name.starts_with(start))
    }),
    ("Event rings.", |name| {
        name.starts_with("EVENT_") || name == "ROLE_EVENT"
    }),
    ("Messages of the conversation.", |_| true),
];

/// The name in C: `RefusalHostsPerUid` is IH_REFUSAL_HOSTS_PER_UID.
fn c_name(name: &str) -> String {
    let Some(refusal) = name.strip_prefix("Refusal") else {
        return name.to_owned();
    };
    let mut words = String::from("REFUSAL");
    for letter in refusal.chars() {
        if letter.is_uppercase() {
            words.push('_');
        }
        words.push(letter.to_ascii_uppercase());
    }
    words
}

/// The literal in C: large and bit-like numbers in hexadecimal digits, what no int can hold with its type.
fn literal(name: &str, value: u64) -> String {
    if value > u64::from(u32::MAX) {
        return format!("UINT64_C({value:#x})");
    }
    if value > i32::MAX as u64 {
        return format!("UINT32_C({value:#x})");
    }
    let bits = name.starts_with("STATUS_") || name.ends_with("_FIRST") || name.ends_with("_MAGIC");
    match bits && value != 0 {
        true => format!("{value:#x}"),
        false => value.to_string(),
    }
}

#[test]
fn the_layout_header_has_every_number_of_the_layout() {
    let layout = read("testdata/layout.txt");
    let numbers: Vec<(String, String)> = layout
        .lines()
        .map(|line| line.split_once(" = ").expect("name = number"))
        .filter(|(name, _)| !name.contains('(') && !name.starts_with("PAGES_"))
        .map(|(name, value)| {
            let name = c_name(name);
            let value = literal(&name, value.parse().expect("a number"));
            (name, value)
        })
        .collect();
    let mut header = String::from(
        "/* Ironhoard: the byte layout between host and engine, as literals. docs/LAYOUT.md is normative.\n \
         *\n \
         * SPDX-License-Identifier: MIT OR Apache-2.0. Made from testdata/layout.txt by tests/header.rs.\n \
         *\n \
         * Needs no library: with it and docs/LAYOUT.md a host or an engine of one's own can be written.\n \
         */\n\n\
         #ifndef IRONHOARD_LAYOUT_H\n#define IRONHOARD_LAYOUT_H\n\n#include <stdint.h>\n",
    );
    let section = |name: &str| SECTIONS.iter().position(|(_, fits)| fits(name));
    for (at, (title, _)) in SECTIONS.iter().enumerate() {
        writeln!(header, "\n/* {title} */").expect("a string");
        for (name, value) in numbers.iter().filter(|(name, _)| section(name) == Some(at)) {
            writeln!(header, "#define IH_{name} {value}").expect("a string");
        }
    }
    header.push_str("\n#endif /* IRONHOARD_LAYOUT_H */\n");
    must_be("include/ironhoard_layout.h", &header);
}

/// What stands for a number in the options must stand for the same one in the conversation.
#[test]
fn page_modes_are_those_of_the_layout() {
    let (header, layout) = (read("include/ironhoard.h"), read("testdata/layout.txt"));
    for line in layout.lines().filter(|line| line.starts_with("PAGES_")) {
        assert!(header.contains(&format!("IH_{line},")), "IH_{line}");
    }
}

/// Functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = read("include/ironhoard.h");
    let is_comment = |line: &&str| !line.starts_with("//") && !line.starts_with(" *");
    header
        .lines()
        .filter(is_comment)
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("ih_"))
        .map(str::to_owned)
        .collect()
}

/// The shared library that belongs to this test: cargo builds it beside the test itself.
fn shared_library() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    test.with_file_name("libironhoard.so")
}

#[test]
fn the_library_exports_the_header_and_nothing_else() {
    let declared = declared();
    let listed: Vec<&str> = declared.iter().map(String::as_str).collect();
    must_be("testdata/symbols.txt", &(listed.join("\n") + "\n"));
    let library = shared_library();
    let found = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library)
        .output()
        .expect("nm, of binutils");
    assert!(found.status.success(), "nm {}", library.display());
    let exported: BTreeSet<String> = String::from_utf8(found.stdout)
        .expect("UTF-8")
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    assert_eq!(exported, declared);
}

#[test]
fn the_library_has_its_soname() {
    let found = Command::new("readelf")
        .arg("-d")
        .arg(shared_library())
        .output()
        .expect("readelf, of binutils");
    let soname = match env!("CARGO_PKG_VERSION_MAJOR") {
        "0" => concat!("[libironhoard.so.0.", env!("CARGO_PKG_VERSION_MINOR"), "]").to_owned(),
        major => format!("[libironhoard.so.{major}]"),
    };
    let found = String::from_utf8_lossy(&found.stdout);
    assert!(found.contains(&soname), "{soname} in {found}");
}
