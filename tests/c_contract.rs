//! The contract of `include/ironhoard.h`, by programs in C: each status provoked, NULL everywhere,
//! misuse refused, outputs untouched. The programs are in `tests/c/contract`; each is built as C99 with
//! every warning an error, against the shared library that cargo has built for this test, and run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of this test alone, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ih-c-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Builds `tests/c/contract/NAME.c`, runs it, and shows what it says where it fails.
fn holds(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Scratch::new(name);
    let library = std::env::current_exe()
        .expect("this test")
        .with_file_name("libironhoard.so");
    let soname = scratch.0.join(concat!(
        "libironhoard.so.0.",
        env!("CARGO_PKG_VERSION_MINOR")
    ));
    std::os::unix::fs::symlink(&library, &soname).expect("a link to the library");
    let program = scratch.0.join(name);
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    compiler
        .args([
            "-std=c99",
            "-O1",
            "-g",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-pthread",
        ])
        .arg("-I")
        .arg(root.join("include"))
        .arg(root.join(format!("tests/c/contract/{name}.c")))
        .arg("-o")
        .arg(&program)
        .arg(&soname);
    let built = compiler
        .output()
        .expect("a C compiler, which Rust links with");
    assert!(
        built.status.success(),
        "{compiler:?}\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let ran = Command::new("timeout")
        .arg("60")
        .arg(&program)
        .env("LD_LIBRARY_PATH", &scratch.0)
        .env("IH_TEST_FOLDER", &scratch.0)
        .output()
        .expect("timeout, of coreutils");
    assert!(
        ran.status.success(),
        "{}: {}{}",
        ran.status,
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_program_is_run() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/contract");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .expect("the folder")
                .filter_map(|entry| {
                    let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
                    name.strip_suffix(".c").map(str::to_owned)
                })
                .collect();
            found.sort();
            assert_eq!(found, [$(stringify!($name)),*]);
        }
    };
}

programs!(calls ends event_loop events forked log misuse null pages refusals threads);
