//! What a host wants, judged by the engine's policy before anything is taken for it.

use super::bytes::fits_name;
use super::events::grant;
use super::hello::Hello;
use super::message::*;
use super::policy::Policy;
use super::refusal::{Refusal, RefusalCode};
use super::Wishes;
use crate::layout::*;

/// Judges what the host wants, before anything is taken for it.
pub(super) fn judge(hello: &Hello, policy: &Policy) -> Result<(), Refusal> {
    if hello.must_understand != 0 {
        let text = format!(
            "the host demands the features {:#x} and this engine has none: update the engine, or \
             do without them",
            hello.must_understand
        );
        return Err(Refusal::new(RefusalCode::Feature, text));
    }
    let reads_only = is_reader(hello.role)?;
    check_service(&hello.wishes, policy)?;
    let rings = grant(hello.wishes.event_rings, policy.event_ring_count())?;
    match reads_only {
        true => check_reader(&hello.wishes, rings),
        false => check_sizes(&hello.wishes, policy),
    }
}

pub(super) fn check_uid(uid: u32, policy: &Policy) -> Result<(), Refusal> {
    match &policy.allowed_uids {
        Some(allowed) if !allowed.contains(&uid) => {
            let text = format!(
                "uid {uid} is not on this engine's allow-list: run the host as another user, or \
                 add the uid to the list"
            );
            Err(Refusal::new(RefusalCode::Uid, text))
        }
        _ => Ok(()),
    }
}

/// Is it a host that reads events only?
fn is_reader(role: u32) -> Result<bool, Refusal> {
    let name = match role {
        ROLE_HOST => return Ok(false),
        ROLE_EVENTS => return Ok(true),
        ROLE_OBSERVER => "observer".to_owned(),
        other => format!("{other}"),
    };
    let text = format!(
        "this engine does not attach the role `{name}`: say role 1, host, or role 3, events only"
    );
    Err(Refusal::new(RefusalCode::Role, text))
}

/// Who reads events only has no lanes, and something to read.
fn check_reader(wishes: &Wishes, rings: usize) -> Result<(), Refusal> {
    if wishes.lanes != 0 {
        let text = format!(
            "{} lanes are wanted and the role is events only: ask for 0, or say role 1, host",
            wishes.lanes
        );
        return Err(Refusal::new(RefusalCode::Lanes, text));
    }
    if wishes.request_capacity != 0 || wishes.reply_capacity != 0 {
        let text = "capacities are wanted without lanes: say 0 for both";
        return Err(Refusal::new(RefusalCode::Capacity, text));
    }
    if rings == 0 {
        let text =
            "the role is events only and there is no event ring to read: attach as a host, or \
                    start the engine with event rings";
        return Err(Refusal::new(RefusalCode::EventRings, text));
    }
    Ok(())
}

fn check_service(wishes: &Wishes, policy: &Policy) -> Result<(), Refusal> {
    let name_fits = wishes.service.is_empty() || wishes.service == policy.service;
    let version_fits =
        wishes.service_version == 0 || wishes.service_version == policy.service_version;
    if name_fits && version_fits {
        return Ok(());
    }
    let text = format!(
        "the host wants service `{}` version {} (0: any) and this engine serves `{}` version {}: \
         attach to another engine",
        wishes.service, wishes.service_version, policy.service, policy.service_version
    );
    Err(Refusal::new(RefusalCode::Service, text))
}

fn check_sizes(wishes: &Wishes, policy: &Policy) -> Result<(), Refusal> {
    let most = policy.max_lanes_per_host.min(MAX_LANES as u32);
    if wishes.lanes == 0 || wishes.lanes > most {
        let text = format!(
            "{} lanes are wanted and a host may have 1 to {most}: ask for fewer",
            wishes.lanes
        );
        return Err(Refusal::new(RefusalCode::Lanes, text).with_limit(most.into()));
    }
    let most = policy.max_capacity.min(MAX_CAPACITY);
    for (ring, capacity) in [
        ("request", wishes.request_capacity),
        ("reply", wishes.reply_capacity),
    ] {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=most).contains(&capacity) {
            let text = format!(
                "a {ring} ring of {capacity} bytes is not possible: ask for a power of two, \
                 {MIN_CAPACITY} to {most}"
            );
            return Err(Refusal::new(RefusalCode::Capacity, text).with_limit(most));
        }
    }
    Ok(())
}

/// The engine's own assignment of lanes, checked: a defect there must not reach a host.
pub(super) fn assigned(
    shards: Vec<u16>,
    wishes: &Wishes,
    policy: &Policy,
) -> Result<Vec<u16>, Refusal> {
    let fits = shards.len() == wishes.lanes as usize
        && (1..=MAX_SHARDS as u32).contains(&policy.shards)
        && shards.iter().all(|&shard| u32::from(shard) < policy.shards)
        && fits_name(&policy.service);
    match fits {
        true => Ok(shards),
        false => Err(internal(
            "the engine's policy or assignment of lanes is wrong".to_owned(),
        )),
    }
}

pub(super) fn no_common_version(lowest: u32) -> Refusal {
    let text = format!(
        "this engine speaks layout version {LAYOUT_VERSION} and the host speaks {lowest} at the \
         lowest: update the older of the two"
    );
    Refusal::new(RefusalCode::Version, text).with_limit(LAYOUT_VERSION.into())
}

pub(super) fn internal(text: String) -> Refusal {
    Refusal::new(
        RefusalCode::Internal,
        text + ": this is a defect of the engine, report it",
    )
}
