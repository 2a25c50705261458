//! Engines and hosts as real processes: pages, deaths, successors.
//!
//! `roles` holds what the child processes do.

#[path = "../common/hugepages.rs"]
mod hugepages;
#[path = "../common/processes.rs"]
#[allow(dead_code)]
mod processes;

mod deaths;
mod events;
mod fork;
mod pages;
mod roles;
