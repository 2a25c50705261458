//! The same echo over every kind of page, looked at from outside through smaps.

use std::path::Path;

use ironhoard::host::Host;
use ironhoard::region::{PageMode, PageSize};

use crate::hugepages::HugePages;
use crate::processes::{Role, Scratch};
use crate::roles::{options, ECHO, PATIENCE};

/// KernelPageSize in kB of each mapping of the process whose name contains `name`.
fn kernel_pages(pid: u32, name: &str) -> Vec<u64> {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).expect("smaps");
    let mut pages = Vec::new();
    let mut ours = false;
    for line in smaps.lines() {
        if line
            .split_whitespace()
            .next()
            .is_some_and(|first| first.contains('-'))
        {
            ours = line.contains(name);
        } else if let Some(size) = line.strip_prefix("KernelPageSize:").filter(|_| ours) {
            pages.push(
                size.trim()
                    .trim_end_matches(" kB")
                    .parse()
                    .expect("a number"),
            );
        }
    }
    pages
}

/// Payloads of all sizes, many laps, every byte compared.
fn exercise(path: &Path, mode: PageMode) -> Host {
    let host = Host::attach_with(path, options(1, 1 << 20, mode)).expect("attached");
    let mut lane = host.lane().expect("a lane");
    let mut answer = vec![0; 4096];
    for n in 0..20_000usize {
        let payload: Vec<u8> = (0..n * 13 % 1500).map(|at| (at ^ n) as u8).collect();
        let reply = lane
            .call(ECHO, &payload, &mut answer, PATIENCE)
            .expect("a reply");
        assert_eq!((reply.status, reply.len), (0, payload.len()));
        assert_eq!(&answer[..reply.len], payload, "message {n}");
    }
    drop(lane);
    host
}

#[test]
fn small_pages() {
    let scratch = Scratch::new("small-pages");
    let engine = Role::start("roles::role_engine", &scratch.socket(), "small");
    let host = exercise(&scratch.socket(), PageMode::Auto);
    assert_eq!(host.terms().request_pages, PageSize::Small4K);
    assert!(host.terms().membarrier, "this kernel has it");
    let pages = kernel_pages(engine.pid(), "memfd:ironhoard");
    assert!(
        pages.len() >= 2 && pages.iter().all(|&kb| kb == 4),
        "{pages:?}"
    );
    drop(host);
    assert!(engine.finish());
}

#[test]
fn huge_pages_of_the_pool() {
    let scratch = Scratch::new("huge-pages");
    let Some(_reserved) = HugePages::with_free(8) else {
        return; // said aloud by the reservation
    };
    let engine = Role::start("roles::role_engine", &scratch.socket(), "require-huge");
    let host = exercise(&scratch.socket(), PageMode::Auto);
    let terms = host.terms();
    assert_eq!(
        (terms.request_pages, terms.reply_pages),
        (PageSize::Huge2M, PageSize::Huge2M)
    );
    for pid in [engine.pid(), std::process::id()] {
        let pages = kernel_pages(pid, "memfd:ironhoard");
        assert!(
            pages.iter().filter(|&&kb| kb == 2048).count() >= 2,
            "{pid}: {pages:?}"
        );
    }
    drop(host);
    assert!(engine.finish());
}

#[test]
fn without_a_pool_auto_takes_the_next_step_of_the_ladder() {
    let scratch = Scratch::new("ladder-pages");
    let Some(_none) = HugePages::with_free(0) else {
        return; // said aloud by the reservation
    };
    let engine = Role::start("roles::role_engine", &scratch.socket(), "auto");
    let host = exercise(&scratch.socket(), PageMode::Auto);
    assert_eq!(host.terms().reply_pages, PageSize::Collapsed2M);
    let refused = Host::attach_with(scratch.socket(), options(1, 1 << 20, PageMode::RequireHuge));
    let text = refused.err().expect("no pages in the pool").to_string();
    assert!(text.contains("nr_hugepages"), "{text}");
    drop(host);
    assert!(engine.finish());
}

#[test]
fn ends_without_membarrier_fence_and_lose_nothing() {
    let scratch = Scratch::new("fences");
    let engine = Role::start("roles::role_engine", &scratch.socket(), "small,fence");
    let host = exercise(&scratch.socket(), PageMode::Small);
    assert!(!host.terms().membarrier);
    assert!(engine.finish());
}
