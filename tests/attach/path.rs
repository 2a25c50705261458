//! Who owns the socket path: the living, one at a time.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Child;

use ironhoard::attach::{attach, AttachError, ListenError, Listener};

use crate::common::*;

/// Listens, says so, and stays until stdin ends.
#[test]
fn listening_process() {
    let Some(path) = task() else { return };
    match Listener::bind(path.as_ref(), 0o600) {
        Ok(_listener) => {
            println!("won");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        Err(error) => println!("lost: {error}"),
    }
}

fn start(path: &Path) -> (Child, String) {
    let mut child = in_another_process("path::listening_process", path.to_str().unwrap());
    let verdict = verdict(&mut child);
    (child, verdict)
}

fn verdict(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !(line.starts_with("won") || line.starts_with("lost")) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "no verdict");
    }
    child.stdout = Some(lines.into_inner());
    line.trim().to_owned()
}

#[test]
fn a_stale_path_is_taken_over_and_a_live_one_is_refused_with_its_pid() {
    let path = TestPath::new();
    let (mut first, verdict) = start(&path.0);
    assert_eq!(verdict, "won");
    let error = Listener::bind(&path.0, 0o600).unwrap_err();
    let words = format!("an engine with pid {} lives at", first.id());
    assert!(error.to_string().contains(&words), "{error}");

    first.kill().unwrap();
    let listener = Listener::bind(&path.0, 0o600).expect("the lock is free in a moment");
    assert!(attach(&path.0, &small_wishes(), std::time::Duration::ZERO).is_err());
    assert!(listener.accept().unwrap().is_some());
    first.wait().unwrap();
    assert!(!path.beside(".new").exists());
}

#[test]
fn of_engines_that_race_for_a_path_exactly_one_wins() {
    let path = TestPath::new();
    for _ in 0..3 {
        let name = "path::listening_process";
        let mut racers: Vec<_> = (0..4)
            .map(|_| in_another_process(name, path.0.to_str().unwrap()))
            .collect();
        let verdicts: Vec<_> = racers.iter_mut().map(verdict).collect();
        let winners = verdicts.iter().filter(|verdict| *verdict == "won").count();
        assert_eq!(winners, 1, "{verdicts:?}");
        for racer in &mut racers {
            racer.kill().unwrap();
            racer.wait().unwrap();
        }
    }
}

#[test]
fn threads_of_one_process_exclude_each_other_too() {
    let path = TestPath::new();
    let first = Listener::bind(&path.0, 0o600).unwrap();
    let error = Listener::bind(&path.0, 0o600).unwrap_err();
    let own = std::process::id();
    assert!(
        matches!(error, ListenError::Live { pid: Some(pid), .. } if pid == own),
        "{error}"
    );
    drop(first);
    assert!(!path.0.exists(), "the path is removed, the lock file stays");
    assert!(path.beside(".lock").exists());
    Listener::bind(&path.0, 0o600).unwrap();
}

#[test]
fn leaving_removes_the_path_only_if_it_is_still_ours() {
    let path = TestPath::new();
    let listener = Listener::bind(&path.0, 0o600).unwrap();
    std::fs::remove_file(&path.0).unwrap();
    std::fs::write(&path.0, "somebody else's").unwrap();
    drop(listener);
    assert!(path.0.exists());
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = TestPath::new();
    std::fs::write(&path.0, "precious").unwrap();
    let error = Listener::bind(&path.0, 0o600).unwrap_err();
    assert!(error.to_string().contains("is not a socket: move it away"));
    assert_eq!(std::fs::read_to_string(&path.0).unwrap(), "precious");
    let error = attach(&path.0, &small_wishes(), SOON).unwrap_err();
    assert!(matches!(error, AttachError::NoEngine { .. }), "{error}");
}

#[test]
fn whoever_listens_without_our_lock_is_not_pushed_out() {
    let path = TestPath::new();
    let _other = std::os::unix::net::UnixListener::bind(&path.0).unwrap();
    let error = Listener::bind(&path.0, 0o600).unwrap_err();
    assert!(matches!(error, ListenError::Live { .. }), "{error}");
    let error = attach(&path.0, &small_wishes(), SOON).unwrap_err();
    assert!(matches!(error, AttachError::NotAnEngine { .. }), "{error}");
}

#[test]
fn what_a_killed_engine_left_half_made_is_cleared_away() {
    let path = TestPath::new();
    drop(std::os::unix::net::UnixListener::bind(path.beside(".new")).unwrap());
    drop(std::os::unix::net::UnixListener::bind(&path.0).unwrap());
    let _listener = Listener::bind(&path.0, 0o600).unwrap();
    assert!(!path.beside(".new").exists());
}

#[test]
fn the_mode_is_the_sockets() {
    let path = TestPath::new();
    let _listener = Listener::bind(&path.0, 0o640).unwrap();
    let mode = std::fs::metadata(&path.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn paths_that_cannot_be() {
    let long = std::env::temp_dir().join("x".repeat(108));
    let error = Listener::bind(&long, 0o600).unwrap_err();
    assert!(error.to_string().contains("may have 107"), "{error}");
    let error = attach(&long, &small_wishes(), SOON).unwrap_err();
    assert!(error.to_string().contains("may have 107"), "{error}");

    let error = Listener::bind("/no/such/place".as_ref(), 0o600).unwrap_err();
    assert!(error.to_string().contains("create it"), "{error}");
    let error = Listener::bind("/".as_ref(), 0o600).unwrap_err();
    assert!(matches!(error, ListenError::NoFileName { .. }), "{error}");
    let error = Listener::bind("/proc/engine".as_ref(), 0o600).unwrap_err();
    assert!(matches!(error, ListenError::NotWritable { .. }), "{error}");

    let nobody = TestPath::new();
    let error = attach(&nobody.0, &small_wishes(), SOON).unwrap_err();
    assert!(error.to_string().contains("start one there"), "{error}");
}

#[test]
fn the_longest_path_works_although_its_companions_are_longer() {
    let directory = TestPath::new();
    std::fs::create_dir(&directory.0).unwrap();
    let room = 107 - directory.0.as_os_str().len() - 1;
    let path = directory.0.join("p".repeat(room));
    let listener = Listener::bind(&path, 0o600).unwrap();
    let _ = attach(&path, &small_wishes(), std::time::Duration::ZERO);
    assert!(listener.accept().unwrap().is_some());
    drop(listener);
    std::fs::remove_dir_all(&directory.0).unwrap();
}

#[test]
fn a_forked_and_executed_child_does_not_keep_the_lock() {
    let path = TestPath::new();
    let listener = Listener::bind(&path.0, 0o600).unwrap();
    let mut child = std::process::Command::new("sleep")
        .arg("5")
        .spawn()
        .unwrap();
    let inode = std::fs::metadata(path.beside(".lock")).unwrap().ino();
    let fds = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    for fd in fds {
        let inherited = std::fs::metadata(fd.unwrap().path()).map(|found| found.ino());
        assert_ne!(inherited.ok(), Some(inode));
    }
    drop(listener);
    Listener::bind(&path.0, 0o600).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}
