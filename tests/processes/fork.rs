//! A forked child of a host touches nothing and says so.

use ironhoard::host::{Host, HostError};
use ironhoard::region::PageMode;

use crate::processes::{Role, Scratch};
use crate::roles::{options, ECHO, PATIENCE};

#[test]
fn a_forked_child_is_told_and_its_parent_goes_on() {
    let scratch = Scratch::new("fork");
    let mut engine = Role::start("roles::role_engine", &scratch.socket(), "small");
    let mut options = options(2, 1 << 14, PageMode::Auto);
    options.wishes.event_rings = 1;
    let host = Host::attach_with(scratch.socket(), options).expect("attached");
    let mut lane = host.lane().expect("a lane");
    lane.call(ECHO, b"before", &mut [], PATIENCE)
        .expect("a reply");
    let mut events = host.events(0).expect("a ring");
    // SAFETY: the child calls nothing that needs another thread, and ends with `_exit`.
    match unsafe { libc::fork() } {
        0 => {
            let claim = matches!(lane.claim(8), Err(HostError::Forked));
            let poll = matches!(lane.poll(8).err(), Some(HostError::Forked));
            let take = matches!(host.lane().err(), Some(HostError::Forked));
            let event = matches!(events.poll(&mut []), Err(HostError::Forked));
            let wait = matches!(events.wait(PATIENCE), Err(HostError::Forked));
            let told = claim && poll && take && event && wait;
            drop(lane);
            drop(events);
            drop(host);
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(if told { 0 } else { 1 }) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(
                status, 0,
                "the child was told, and dropped everything unharmed"
            );
        }
    }
    let reply = lane
        .call(ECHO, b"after", &mut [], PATIENCE)
        .expect("a reply");
    assert_eq!((reply.status, reply.len), (0, 5));
    // The child's goodbye must not have ended what watches over the engine here.
    engine.kill();
    engine = Role::start("roles::role_engine", &scratch.socket(), "small");
    lane.call(ECHO, b"resumed", &mut [], PATIENCE)
        .expect("a reply");
    assert!(events.poll(&mut []).is_ok());
    drop((lane, events, host));
    assert!(engine.finish());
}
