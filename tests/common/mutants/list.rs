//! The seeded mutants: each one breaks one thought of the ring.

/// One textual substitution in one file of `src/ring`.
pub struct Mutant {
    /// The tests that must notice.
    pub guard: Guard,
    pub name: &'static str,
    pub file: &'static str,
    pub original: &'static str,
    pub broken: &'static str,
}

/// Tests that a mutant faces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    pub file: &'static str,
    pub module: &'static str,
    /// Which of the module's tests.
    pub filter: &'static str,
}

/// The quickest of the exhaustive walks: it sees whatever breaks the invariant or loses a record.
const ENUMERATION: Guard = Guard {
    file: "ring_enumeration.rs",
    module: "enumeration",
    filter: "enumeration::four_lines",
};
/// Named edges: what the halves promise.
const EDGES: Guard = Guard {
    file: "ring_edges.rs",
    module: "edges",
    filter: "edges::",
};
/// Hostile peers and payload: what is checked.
const HOSTILE: Guard = Guard {
    file: "ring_hostile.rs",
    module: "hostile",
    filter: "hostile::",
};

/// The event ring, each access a step.
pub const EVENT_STEPS: Guard = Guard {
    file: "event_steps.rs",
    module: "event_steps",
    filter: "event_steps::",
};
/// Named edges of the event ring.
pub const EVENT_EDGES: Guard = Guard {
    file: "event_edges.rs",
    module: "event_edges",
    filter: "event_edges::",
};

pub const GUARDS: [Guard; 5] = [ENUMERATION, EDGES, HOSTILE, EVENT_STEPS, EVENT_EDGES];

pub const fn mutant(
    guard: Guard,
    name: &'static str,
    file: &'static str,
    original: &'static str,
    broken: &'static str,
) -> Mutant {
    Mutant {
        guard,
        name,
        file,
        original,
        broken,
    }
}

pub const MUTANTS: &[Mutant] = &[
    mutant(
        ENUMERATION,
        "no_erase_at_the_new_end",
        "producer.rs",
        "            self.erase(end);\n",
        "",
    ),
    mutant(
        ENUMERATION,
        "header_before_erase",
        "producer.rs",
        "        if self.soiled.take(end) {
            self.erase(end);
        }
        self.words.publish(start, header);
",
        "        self.words.publish(start, header);
        if self.soiled.take(end) {
            self.erase(end);
        }
",
    ),
    mutant(
        ENUMERATION,
        "claim_does_not_soil",
        "producer.rs",
        "        self.soiled
            .soil(start.wrapping_add(LINE as u64), start.wrapping_add(bytes));
",
        "",
    ),
    mutant(
        HOSTILE,
        "padding_does_not_soil",
        "producer.rs",
        "            self.soiled.soil(end.wrapping_add(LINE as u64), start);\n",
        "",
    ),
    mutant(
        ENUMERATION,
        "line_behind_padding_forgotten",
        "producer.rs",
        "self.publish_header(self.word_at(self.end.position), header, room.start);",
        "self.words.publish(self.word_at(self.end.position), header);",
    ),
    mutant(
        ENUMERATION,
        "padding_counts_nothing",
        "producer.rs",
        "self.ensure_free(end, padding + bytes)?;",
        "self.ensure_free(end, bytes)?;",
    ),
    mutant(
        ENUMERATION,
        "dropped_batch_not_soiled",
        "batch.rs",
        "            self.producer.soiled.soil(from, self.end.position);\n",
        "            let _ = from;\n",
    ),
    mutant(
        ENUMERATION,
        "forgotten_batch_not_buried",
        "producer.rs",
        "            self.soiled.soil(from, self.limit);\n",
        "            let _ = from;\n",
    ),
    mutant(
        ENUMERATION,
        "claim_does_not_bury",
        "room.rs",
        "            self.bury_forgotten_batch();
        }
        self.reserve(",
        "        }
        self.reserve(",
    ),
    mutant(
        ENUMERATION,
        "batch_does_not_bury",
        "producer.rs",
        "            self.bury_forgotten_batch();
        }
        self.batch_open = true;",
        "        }
        self.batch_open = true;",
    ),
    mutant(
        ENUMERATION,
        "later_header_keeps_its_bit",
        "batch.rs",
        "            self.producer.soiled.take(room.start);\n",
        "",
    ),
    mutant(
        ENUMERATION,
        "padding_before_the_batch",
        "batch.rs",
        "            self.publish_batch(first, end);
            first = 0;
            self.publish_padding(padded);
",
        "            self.publish_padding(padded);
",
    ),
    mutant(
        ENUMERATION,
        "full_batch_stays_hidden",
        "batch.rs",
        "        if room == Err(ClaimError::Full) {
            self.publish_batch(first, end);
            first = 0;
        }
",
        "",
    ),
    mutant(
        EDGES,
        "refused_payload_publishes_the_batch",
        "batch.rs",
        "        if room == Err(ClaimError::Full) {",
        "        if room.is_err() {",
    ),
    mutant(
        ENUMERATION,
        "line_without_room",
        "producer.rs",
        " || self.limit.wrapping_sub(end) < LINE as u64 {",
        " {",
    ),
    mutant(
        ENUMERATION,
        "own_past_the_free_space",
        "producer.rs",
        "wanted.min(self.free_lines())",
        "wanted.max(self.free_lines().min(1))",
    ),
    mutant(
        HOSTILE,
        "position_not_bounded",
        "producer.rs",
        "advance > backlog || advance % LINE as u64 != 0",
        "backlog > u64::MAX - 1 || advance % LINE as u64 != 0",
    ),
    mutant(
        HOSTILE,
        "position_off_a_line",
        "producer.rs",
        "advance > backlog || advance % LINE as u64 != 0",
        "advance > backlog",
    ),
    mutant(
        HOSTILE,
        "length_not_bounded",
        "header.rs",
        "if payload <= payload_limit {",
        "if payload <= payload_limit.max(i32::MAX as u32 - 16) {",
    ),
    mutant(
        HOSTILE,
        "record_past_the_end",
        "header.rs",
        "return if record_bytes(payload) <= to_end {",
        "return if record_bytes(payload) <= to_end.max(capacity) {",
    ),
    mutant(
        ENUMERATION,
        "zero_is_a_header",
        "header.rs",
        "(word >> 32) as u32 != number as u32 || length == 0",
        "(word >> 32) as u32 != number as u32",
    ),
    mutant(
        HOSTILE,
        "padding_at_the_beginning",
        "header.rs",
        "bytes == to_end && to_end != capacity",
        "bytes == to_end && capacity != 0",
    ),
    mutant(
        HOSTILE,
        "padding_of_any_length",
        "header.rs",
        "bytes == to_end && to_end != capacity",
        "to_end != capacity",
    ),
    mutant(
        HOSTILE,
        "high_half_unchecked",
        "consumer.rs",
        "second >> 32 != next.number >> 32 || self.fault.is_some()",
        "self.fault.is_some()",
    ),
    mutant(
        HOSTILE,
        "corrupt_heals",
        "consumer.rs",
        "second >> 32 != next.number >> 32 || self.fault.is_some()",
        "second >> 32 != next.number >> 32",
    ),
    mutant(
        EDGES,
        "release_is_late_when_empty",
        "consumer.rs",
        "let due = self.found_empty || taken >= consumer.capacity / 8;",
        "let due = taken >= consumer.capacity / 8;",
    ),
    mutant(
        EDGES,
        "a_long_batch_keeps_it_all",
        "consumer.rs",
        "self.release_if_much();",
        "",
    ),
];
