//! What a host wants, judged by the engine's policy before anything is taken for it.

use super::bytes::fits_name;
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
    check_role(hello.role)?;
    if hello.event_rings != 0 {
        let text = "this engine has no event rings: ask for 0".to_owned();
        return Err(Refusal::new(RefusalCode::EventRings, text));
    }
    check_service(&hello.wishes, policy)?;
    check_sizes(&hello.wishes, policy)
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

fn check_role(role: u32) -> Result<(), Refusal> {
    let name = match role {
        ROLE_HOST => return Ok(()),
        ROLE_OBSERVER => "observer".to_owned(),
        ROLE_EVENTS => "events only".to_owned(),
        other => format!("{other}"),
    };
    let text = format!("this engine attaches hosts only, not the role `{name}`: say role 1, host");
    Err(Refusal::new(RefusalCode::Role, text))
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
