//! Random lists of operations on a ring and on a plain queue: both must tell the same story.
//!
//! Starts lie just below 2^32 and 2^64, in numbers and in positions. Payload is hostile: each of its
//! words is a perfect header with a number to come.

#[path = "common/ring/model.rs"]
mod model;

use ironhoard::ring::Cursor;
use model::{Ending, Model, Step};
use proptest::prelude::*;

/// Payloads up to the limit of the ring, small ones and whole lines more often.
fn payload() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..=model::LIMIT,
        Just(0),
        Just(48),
        Just(model::LIMIT),
        40..=60usize
    ]
}

/// Payload claimed, and how much of it is committed: `None` aborts.
fn part() -> impl Strategy<Value = (usize, Option<usize>)> {
    (
        payload(),
        prop_oneof![3 => Just(Some(usize::MAX)), 1 => payload().prop_map(Some), 1 => Just(None)],
    )
        .prop_map(|(claimed, kept)| (claimed, kept.map(|kept| kept.min(claimed))))
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        Just(Ending::Publish),
        Just(Ending::Drop),
        Just(Ending::Forget)
    ];
    prop_oneof![
        4 => part().prop_map(|(claimed, kept)| Step::Claim { claimed, kept }),
        2 => (prop::collection::vec(part(), 0..6), ending)
            .prop_map(|(parts, ending)| Step::Batch { parts, ending }),
        3 => (0..6usize, any::<bool>()).prop_map(|(max, forget)| Step::Poll { max, forget }),
        1 => Just(Step::Poll { max: usize::MAX, forget: false }),
        1 => Just(Step::Peek),
        1 => Just(Step::Release),
        1 => Just(Step::Own),
        1 => payload().prop_map(Step::HasRoom),
        1 => Just(Step::Resume),
    ]
}

fn start() -> impl Strategy<Value = Cursor> {
    let number = prop_oneof![
        Just(1),
        (1u64 << 32) - 6..(1 << 32) + 2,
        u64::MAX - 6..=u64::MAX,
        any::<u64>(),
    ];
    let position = prop_oneof![
        Just(0),
        (1u64 << 32) - 1024..1 << 32,
        u64::MAX - 1024..u64::MAX,
        any::<u64>(),
    ];
    (number, position).prop_map(|(number, position)| Cursor {
        number,
        position: position & !63,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_ring_tells_the_story_of_a_queue(
        start in start(),
        shared in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new(start, shared);
        for step in &steps {
            model.step(step);
            model.check();
        }
        model.finish();
    }
}
